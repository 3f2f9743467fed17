/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Internet checksums: by increments (RFC 1624), and whole (RFC 1071). Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_CHECKSUM_H
#define SALLYPORT_CORE_CHECKSUM_H

#include "sallyport/core/wire.h"

/*
 * Words are summed as they lie in memory: the one's complement sum does not care about byte
 * order (RFC 1071 2.B), so values given here are always network order, never swapped.
 */

/* Any sum to 16 bits; not yet complemented. */
SP_INLINE __u16 sp_csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)((sum & 0xffff) + (sum >> 16));
}

/* What a change of words adds to a sum, for sp_csum_apply: RFC 1624 (3), ~m + m'. */
SP_INLINE __u64 sp_csum_diff16(__be16 from_be, __be16 to_be)
{
	return (__u64)(__u16) ~(__u16)from_be + (__u16)to_be;
}

SP_INLINE __u64 sp_csum_diff32(__be32 from_be, __be32 to_be)
{
	return (__u64)(__u32) ~(__u32)from_be + (__u32)to_be;
}

/* The whole 128 bits of an IPv6 address, the last 32 of an IPv4-mapped one. */
SP_INLINE __u64 sp_csum_diff_addr(const struct sp_addr *from, const struct sp_addr *to)
{
	const union sp_addr_words *f = (const union sp_addr_words *)from;
	const union sp_addr_words *t = (const union sp_addr_words *)to;

	return sp_csum_diff32((__be32)f->w32[0], (__be32)t->w32[0]) +
	       sp_csum_diff32((__be32)f->w32[1], (__be32)t->w32[1]) +
	       sp_csum_diff32((__be32)f->w32[2], (__be32)t->w32[2]) +
	       sp_csum_diff32((__be32)f->w32[3], (__be32)t->w32[3]);
}

/* RFC 1624 (3): HC' = ~(~HC + ~m + m'). */
SP_INLINE __u16 sp_csum_apply(__u16 check, __u64 diff)
{
	return (__u16)~sp_csum_fold((__u64)(__u16)~check + diff);
}

SP_INLINE __u16 sp_csum_replace16(__u16 check, __be16 from_be, __be16 to_be)
{
	return sp_csum_apply(check, sp_csum_diff16(from_be, to_be));
}

SP_INLINE __u16 sp_csum_replace32(__u16 check, __be32 from_be, __be32 to_be)
{
	return sp_csum_apply(check, sp_csum_diff32(from_be, to_be));
}

SP_INLINE __u16 sp_csum_replace_addr(__u16 check, const struct sp_addr *from,
				     const struct sp_addr *to)
{
	return sp_csum_apply(check, sp_csum_diff_addr(from, to));
}

/*
 * The sum of a buffer added to sum; only the last buffer of a message may have an odd length. In
 * XDP bytes must be a constant.
 */
SP_INLINE __u64 sp_csum_partial(const void *buf, __u32 bytes, __u64 sum)
{
	const __u8 *p = buf;

	/* 2^16 words of 32 bits stay far below 2^64: no carry to care about inside. */
	for (; bytes >= 4; bytes -= 4, p += 4)
		sum += sp_load32(p);
	if (bytes >= 2) {
		sum += sp_load16(p);
		bytes -= 2;
		p += 2;
	}
	if (bytes) {
		__u8 last[2] = {*p, 0};

		sum += sp_load16(last);
	}
	return sum;
}

/* The sum over a TCP, UDP or ICMPv6 pseudo-header (RFC 793 3.1, RFC 8200 8.1). */
SP_INLINE __u64 sp_csum_pseudo(const struct sp_addr *src, const struct sp_addr *dst, __u8 proto,
			       __u32 l4_bytes)
{
	__u32 tail[2] = {sp_swap32(l4_bytes), sp_swap32(proto)};
	/* ::ffff: twice sums to -0: an IPv4-mapped address adds only its 32 bits. */
	__u64 sum = sp_csum_partial(src->b, sizeof(src->b), 0);

	sum = sp_csum_partial(dst->b, sizeof(dst->b), sum);
	return sp_csum_partial(tail, sizeof(tail), sum);
}

#endif
