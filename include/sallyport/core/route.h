/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Prefixes and the route walk. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_ROUTE_H
#define SALLYPORT_CORE_ROUTE_H

#include "sallyport/core/seqlock.h"
#include "sallyport/core/wire.h"

/* A mask of the first len (0..32) bits of a word, network order. */
SP_INLINE __u32 sp_prefix_mask32(__u32 len)
{
	return len == 0 ? 0 : sp_swap32(~0u << ((32 - len) & 31));
}

/* len above 128 matches nothing: it comes from a map. */
SP_INLINE bool sp_prefix_contains(const struct sp_prefix *prefix, const struct sp_addr *addr)
{
	const union sp_addr_words *x = (const union sp_addr_words *)&prefix->addr;
	const union sp_addr_words *y = (const union sp_addr_words *)addr;
	__u32 len = prefix->len;
	__u32 i, bits;

	if (len > 128)
		return false;
	for (i = 0; i < 4; i++) {
		bits = len < 32 ? len : 32;
		if ((x->w32[i] ^ y->w32[i]) & sp_prefix_mask32(bits))
			return false;
		len -= bits;
	}
	return true;
}

/*
 * Index of the route for dst, or -1. Routes stand longest prefix first (then by metric), so the
 * first match is the answer. ::/0 does not mean IPv4: an IPv4 default is ::ffff:0:0/96.
 */
SP_INLINE int sp_route_find(const struct sp_route *routes, __u32 count, const struct sp_addr *dst)
{
	bool v4 = sp_addr_is_v4(dst);
	__u32 i;

	for (i = 0; i < SP_ROUTE_MAX && i < count; i++) {
		if (v4 && routes[i].prefix.len < 96)
			continue;
		if (sp_prefix_contains(&routes[i].prefix, dst))
			return (int)i;
	}
	return -1;
}

#endif
