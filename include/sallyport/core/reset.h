/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* The TCP reset that a closed port would send, as a complete IP packet. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_RESET_H
#define SALLYPORT_CORE_RESET_H

#include "sallyport/core/checksum.h"
#include "sallyport/core/parse.h"

#define SP_RESET_TTL 64

/* RFC 9293 3.4: what the segment takes up in sequence space. */
SP_INLINE __u32 sp_reset_segment_bytes(const struct sp_packet *p)
{
	return (__u32)(p->l3_off + p->l3_bytes - p->payload_off) + !!(p->tcp_flags & SP_TCP_SYN) +
	       !!(p->tcp_flags & SP_TCP_FIN);
}

SP_INLINE void sp_reset_emit_ip(__u8 *out, const struct sp_packet *p)
{
	const __u8 v4[SP_IPV4_BYTES] = {
		0x45,	      0,	   0, SP_IPV4_BYTES + SP_TCP_BYTES, 0, 0, 0x40, 0,
		SP_RESET_TTL, SP_PROTO_TCP};
	const __u8 v6[8] = {0x60, 0, 0, 0, 0, SP_TCP_BYTES, SP_PROTO_TCP, SP_RESET_TTL};

	if (p->version == 6) {
		__builtin_memcpy(out, v6, sizeof(v6));
		__builtin_memcpy(out + 8, p->dst.b, 16);
		__builtin_memcpy(out + 24, p->src.b, 16);
		return;
	}
	__builtin_memcpy(out, v4, sizeof(v4));
	__builtin_memcpy(out + 12, p->dst.b + 12, 4);
	__builtin_memcpy(out + 16, p->src.b + 12, 4);
	sp_store16(out + 10, (__u16)~sp_csum_fold(sp_csum_partial(out, SP_IPV4_BYTES, 0)));
}

/* Never about a reset, and only about a whole TCP header. */
SP_INLINE bool sp_reset_may_answer(const struct sp_packet *p)
{
	return p->proto == SP_PROTO_TCP && p->fragment == SP_FRAGMENT_NONE &&
	       !(p->tcp_flags & SP_TCP_RST) && p->payload_off <= p->l3_off + p->l3_bytes;
}

SP_INLINE __u32 sp_reset_bytes(const struct sp_packet *p)
{
	return (p->version == 4 ? SP_IPV4_BYTES : SP_IPV6_BYTES) + SP_TCP_BYTES;
}

/*
 * Answers the TCP segment p, whose sequence and acknowledgement numbers are these: RFC 9293
 * 3.10.7.1. With an ACK its number is exactly what the sender expects next, so RFC 5961 3.2 lets
 * the reset in. Writes sp_reset_bytes.
 */
SP_INLINE void sp_reset_emit(__u8 *out, const struct sp_packet *p, __u32 seq_be, __u32 ack_be)
{
	__u8 *tcp = out + (p->version == 4 ? SP_IPV4_BYTES : SP_IPV6_BYTES);
	__u64 sum;

	sp_reset_emit_ip(out, p);
	__builtin_memset(tcp, 0, SP_TCP_BYTES);
	sp_store16(tcp, (__u16)p->dport_be);
	sp_store16(tcp + 2, (__u16)p->sport_be);
	tcp[12] = SP_TCP_BYTES / 4 << 4;
	tcp[13] = SP_TCP_RST;
	if (p->tcp_flags & SP_TCP_ACK) {
		sp_store32(tcp + 4, ack_be);
	} else {
		sp_store32(tcp + 8, sp_swap32(sp_swap32(seq_be) + sp_reset_segment_bytes(p)));
		tcp[13] |= SP_TCP_ACK;
	}
	sum = sp_csum_pseudo(&p->dst, &p->src, SP_PROTO_TCP, SP_TCP_BYTES);
	sp_store16(tcp + 16, (__u16)~sp_csum_fold(sp_csum_partial(tcp, SP_TCP_BYTES, sum)));
}

#ifndef __bpf__
/* p of the IP packet at ip (offsets from there). The bytes written; 0: none is due, or no room. */
SP_INLINE __u32 sp_reset_build(const void *ip, const struct sp_packet *p, void *buf,
			       __u32 buf_bytes)
{
	const __u8 *in = (const __u8 *)ip + p->l4_off;

	if (!sp_reset_may_answer(p) || buf_bytes < sp_reset_bytes(p))
		return 0;
	sp_reset_emit(buf, p, sp_load32(in + 4), sp_load32(in + 8));
	return sp_reset_bytes(p);
}
#endif

#endif
