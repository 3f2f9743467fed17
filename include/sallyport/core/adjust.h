/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* TTL, MSS and ECN changed in place, checksums kept right. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_ADJUST_H
#define SALLYPORT_CORE_ADJUST_H

#include "sallyport/core/checksum.h"
#include "sallyport/core/packet.h"

#define SP_TCP_OPTIONS_MAX 16 /* options of a SYN that are looked at; real ones have 3 to 6 */
#define SP_TCP_OPTION_END  0
#define SP_TCP_OPTION_NOP  1
#define SP_TCP_OPTION_MSS  2

/* One 16-bit word of the IPv4 header, at word_off behind ip, and the header's checksum. */
SP_INLINE void sp_adjust_ipv4_word(__u8 *ip, __u32 word_off, __u16 to_be)
{
	__u16 from_be = sp_load16(ip + word_off);

	sp_store16(ip + word_off, to_be);
	sp_store16(ip + 10, sp_csum_replace16(sp_load16(ip + 10), (__be16)from_be, (__be16)to_be));
}

/* False: TTL or hop limit would reach 0, or p is not of this packet; nothing is changed. */
SP_INLINE bool sp_decrement_ttl(void *data, const void *end, const struct sp_packet *p)
{
	__u8 *ip = sp_at(data, end, p->l3_off, SP_IPV4_BYTES);

	if (!ip)
		return false;
	if (p->version == 4) {
		__u16 ttl_proto = sp_swap16(sp_load16(ip + 8));

		if (ttl_proto < 0x0200)
			return false;
		sp_adjust_ipv4_word(ip, 8, sp_swap16((__u16)(ttl_proto - 0x0100)));
		return true;
	}
	if (ip[7] < 2)
		return false;
	ip[7]--;
	return true;
}

/* An option may stand at an odd offset; then its bytes count swapped (RFC 1071 2.B). */
SP_INLINE void sp_clamp_mss_at(__u8 *mss, __u8 *check, bool odd, __u16 mss_max)
{
	__u16 from_be = sp_load16(mss);
	__u16 to_be = sp_swap16(mss_max);

	if (sp_swap16(from_be) <= mss_max)
		return;
	sp_store16(mss, to_be);
	if (odd) {
		from_be = __builtin_bswap16(from_be);
		to_be = __builtin_bswap16(to_be);
	}
	sp_store16(check, sp_csum_replace16(sp_load16(check), (__be16)from_be, (__be16)to_be));
}

/*
 * How far the option at hand reaches: 1 for a NOP, else what its second byte says. Without a
 * branch, so that the verifier follows one walk and not one for each row of NOPs.
 */
SP_INLINE __u32 sp_tcp_option_bytes(const __u8 *option)
{
	__u32 other = option[0] ^ SP_TCP_OPTION_NOP;
	__u32 sign = 0u - other;

	SP_OPAQUE(sign);
	sign >>= 31; /* 0 for a NOP, else 1 */
	SP_OPAQUE(sign);
	return 1 + sign * option[1] - sign;
}

/*
 * RFC 4459 3.2: the MSS of a TCP SYN, lowered to mss_max; only an option that is there, and among
 * the first SP_TCP_OPTIONS_MAX.
 */
SP_INLINE void sp_clamp_mss(void *data, const void *end, const struct sp_packet *p, __u16 mss_max)
{
	__u8 *tcp = sp_at(data, end, p->l4_off, SP_TCP_BYTES);
	__u32 off = (__u32)p->l4_off + SP_TCP_BYTES;
	__u8 *option = 0;
	__u32 i, bytes;

	if (!tcp || p->proto != SP_PROTO_TCP || p->fragment == SP_FRAGMENT_LATER ||
	    !(p->tcp_flags & SP_TCP_SYN))
		return;
	for (i = 0; i < SP_TCP_OPTIONS_MAX; i++) {
		option = off + 4 <= p->payload_off ? sp_at(data, end, off, 4) : 0;
		if (!option || option[0] == SP_TCP_OPTION_END)
			return;
		if (option[0] == SP_TCP_OPTION_MSS)
			break;
		bytes = sp_tcp_option_bytes(option);
		if (bytes == 0)
			return;
		off += bytes;
	}
	if (i < SP_TCP_OPTIONS_MAX && option[1] == 4)
		sp_clamp_mss_at(option + 2, tcp + 16, (off - p->l4_off) & 1, mss_max);
}

/* The two ECN bits of either version. */
SP_INLINE void sp_set_ecn(void *data, const void *end, const struct sp_packet *p, __u8 ecn)
{
	__u8 *ip = sp_at(data, end, p->l3_off, SP_IPV4_BYTES);
	__u16 word;

	if (!ip)
		return;
	word = sp_swap16(sp_load16(ip));
	if (p->version == 4)
		sp_adjust_ipv4_word(ip, 0, sp_swap16((__u16)((word & ~0x3) | (ecn & 0x3))));
	else
		sp_store16(ip, sp_swap16((__u16)((word & ~0x30) | (ecn & 0x3) << 4)));
}

#endif
