/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Addresses: IPv4-mapped form, comparison, prefix match. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_ADDR_H
#define SALLYPORT_CORE_ADDR_H

#include "sallyport/abi/addr.h"

#define SP_INLINE static inline __attribute__((always_inline))

/* Whatever was written as bytes may be read through it. */
union sp_addr_words {
	struct sp_addr addr;
	__u64 w64[2];
	__u32 w32[4];
} __attribute__((may_alias));

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SP_V4_MAPPED_BE 0xffff0000u /* bytes 00 00 ff ff */
#else
#define SP_V4_MAPPED_BE 0x0000ffffu
#endif

SP_INLINE struct sp_addr sp_addr_from_v4(__be32 v4_be)
{
	union sp_addr_words u = {.w32 = {0, 0, SP_V4_MAPPED_BE, (__u32)v4_be}};

	return u.addr;
}

SP_INLINE bool sp_addr_is_v4(const struct sp_addr *a)
{
	const union sp_addr_words *u = (const union sp_addr_words *)a;

	return u->w64[0] == 0 && u->w32[2] == SP_V4_MAPPED_BE;
}

/* The last 32 bits, network order; meaningful if sp_addr_is_v4. */
SP_INLINE __be32 sp_addr_v4(const struct sp_addr *a)
{
	return (__be32)((const union sp_addr_words *)a)->w32[3];
}

SP_INLINE bool sp_addr_equal(const struct sp_addr *a, const struct sp_addr *b)
{
	const union sp_addr_words *x = (const union sp_addr_words *)a;
	const union sp_addr_words *y = (const union sp_addr_words *)b;

	return ((x->w64[0] ^ y->w64[0]) | (x->w64[1] ^ y->w64[1])) == 0;
}

#endif
