/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Whom an ICMP error may be about, and all of it but what it quotes. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_ICMP_EMIT_H
#define SALLYPORT_CORE_ICMP_EMIT_H

#include "sallyport/core/checksum.h"
#include "sallyport/core/parse.h"

#define SP_ICMP4_ERROR_MAX 576	/* RFC 1812 4.3.2.3 */
#define SP_ICMP6_ERROR_MAX 1280 /* RFC 4443 2.4 (c) */

/* Type and code. */
SP_INLINE __u16 sp_icmp_too_big(bool v4)
{
	return v4 ? SP_ICMP_UNREACHABLE << 8 | 4 : SP_ICMP6_TOO_BIG << 8;
}

SP_INLINE __u16 sp_icmp_time_exceeded(bool v4)
{
	return v4 ? SP_ICMP_TIME_EXCEEDED << 8 : SP_ICMP6_TIME_EXCEEDED << 8;
}

SP_INLINE __u16 sp_icmp_prohibited(bool v4)
{
	return v4 ? SP_ICMP_UNREACHABLE << 8 | 13 : SP_ICMP6_UNREACHABLE << 8 | 1;
}

/* Unicast, and neither nobody nor this host: who may be told, and whom an error may be about. */
SP_INLINE bool sp_icmp_is_host(const struct sp_addr *a)
{
	const union sp_addr_words *u = (const union sp_addr_words *)a;

	if (sp_addr_is_v4(a))
		return a->b[12] != 0 && a->b[12] != 127 && a->b[12] < 224;
	return a->b[0] != 0xff && !(u->w64[0] == 0 && u->w32[2] == 0 && sp_swap32(u->w32[3]) <= 1);
}

/* RFC 1812 4.3.2.7, RFC 4443 2.4 (e): never about errors, later fragments, multicast. */
SP_INLINE bool sp_icmp_may_answer(const struct sp_packet *p)
{
	__u8 type = (__u8)(p->icmp >> 8);

	if (p->fragment == SP_FRAGMENT_LATER || !sp_icmp_is_host(&p->src) ||
	    !sp_icmp_is_host(&p->dst))
		return false;
	if (!sp_has_icmp(p))
		return true;
	if (p->version == 6) /* 137: redirect */
		return type >= 128 && type != 137;
	return type == SP_ICMP_ECHO || type == SP_ICMP_ECHO_REPLY || type >= 13;
}

/* The header of version 4: DF without an identification (RFC 6864), precedence 6 (RFC 1812). */
SP_INLINE void sp_icmp_emit_ipv4(__u8 *out, const struct sp_addr *from, const struct sp_addr *to,
				 __u32 bytes)
{
	const __u8 head[SP_IPV4_BYTES] = {0x45, 0xc0, (__u8)(bytes >> 8), (__u8)bytes, 0, 0, 0x40,
					  0,	64,   SP_PROTO_ICMP};

	__builtin_memcpy(out, head, sizeof(head));
	__builtin_memcpy(out + 12, from->b + 12, 4);
	__builtin_memcpy(out + 16, to->b + 12, 4);
	sp_store16(out + 10, (__u16)~sp_csum_fold(sp_csum_partial(out, SP_IPV4_BYTES, 0)));
}

SP_INLINE void sp_icmp_emit_ipv6(__u8 *out, const struct sp_addr *from, const struct sp_addr *to,
				 __u32 bytes)
{
	__u32 payload = bytes - SP_IPV6_BYTES;
	const __u8 head[8] = {0x6c, 0, 0, 0, (__u8)(payload >> 8), (__u8)payload, SP_PROTO_ICMPV6,
			      64};

	__builtin_memcpy(out, head, sizeof(head));
	__builtin_memcpy(out + 8, from->b, 16);
	__builtin_memcpy(out + 24, to->b, 16);
}

SP_INLINE __u32 sp_icmp_header_bytes(const struct sp_packet *p)
{
	return (p->version == 4 ? SP_IPV4_BYTES : SP_IPV6_BYTES) + SP_ICMP_BYTES;
}

/* How much of p is quoted: as much as fits. */
SP_INLINE __u32 sp_icmp_quoted_bytes(const struct sp_packet *p)
{
	__u32 max = p->version == 4 ? SP_ICMP4_ERROR_MAX : SP_ICMP6_ERROR_MAX;

	max -= sp_icmp_header_bytes(p);
	return p->l3_bytes < max ? p->l3_bytes : max;
}

/*
 * All headers of the error about p at out, and what goes into the checksum before the quotation.
 * The checksum itself stands two bytes behind the start of the ICMP header.
 */
SP_INLINE __u64 sp_icmp_emit(__u8 *out, const struct sp_packet *p, const struct sp_addr *from,
			     __u16 type_code, __u32 word)
{
	__u32 quoted = sp_icmp_quoted_bytes(p);
	__u64 sum = 0;
	__u8 *icmp;

	if (p->version == 4) {
		icmp = out + SP_IPV4_BYTES;
		sp_icmp_emit_ipv4(out, from, &p->src, SP_IPV4_BYTES + SP_ICMP_BYTES + quoted);
	} else {
		icmp = out + SP_IPV6_BYTES;
		sp_icmp_emit_ipv6(out, from, &p->src, SP_IPV6_BYTES + SP_ICMP_BYTES + quoted);
		sum = sp_csum_pseudo(from, &p->src, SP_PROTO_ICMPV6, SP_ICMP_BYTES + quoted);
	}
	sp_store32(icmp, sp_swap32((__u32)type_code << 16));
	sp_store32(icmp + 4, sp_swap32(word));
	return sp_csum_partial(icmp, SP_ICMP_BYTES, sum);
}

#endif
