/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Reading TCP, UDP and ICMP headers, and what fragments hide of them. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_TRANSPORT_H
#define SALLYPORT_CORE_TRANSPORT_H

#include "sallyport/core/packet.h"

/* What is read from: stop is where the IP packet ends, an offset; end is where memory ends. */
struct sp_bytes {
	const void *data;
	const void *end;
	__u32 stop;
	bool embedded; /* quoted by an ICMP error: cut, and its lengths not to be trusted */
};

/* Why a header is not all there: RFC 1858, RFC 7112 forbid a first fragment that hides ports. */
SP_INLINE enum sp_reason sp_short(const struct sp_packet *p)
{
	return p->fragment == SP_FRAGMENT_FIRST ? SP_R_FRAGMENT_TINY : SP_R_TRUNCATED;
}

SP_INLINE enum sp_reason sp_parse_fragment(struct sp_packet *p, __u32 offset_bytes, bool more)
{
	p->fragment_begin = (__u16)offset_bytes;
	p->fragment_more = more;
	if (offset_bytes == 0) {
		p->fragment = more ? SP_FRAGMENT_FIRST : SP_FRAGMENT_NONE;
		return SP_R_NONE;
	}
	p->fragment = SP_FRAGMENT_LATER;
	if (offset_bytes + (__u32)p->l3_off + p->l3_bytes > 0xffffu + p->l4_off)
		return SP_R_BAD_HEADER;
	/* RFC 1858 3.2: would lie over the flags that the first fragment was judged by. */
	if (p->proto == SP_PROTO_TCP && offset_bytes < SP_TCP_BYTES)
		return SP_R_FRAGMENT_TINY;
	return SP_R_NONE;
}

SP_INLINE enum sp_reason sp_parse_tcp(struct sp_bytes in, const __u8 *h, struct sp_packet *p)
{
	__u32 header_bytes;

	p->sport_be = (__be16)sp_load16(h);
	p->dport_be = (__be16)sp_load16(h + 2);
	if (in.embedded)
		return SP_R_NONE;
	h = sp_at(in.data, in.end, p->l4_off, SP_TCP_BYTES);
	if (!h || p->l4_off + (__u32)SP_TCP_BYTES > in.stop)
		return sp_short(p);
	header_bytes = (h[12] >> 4) * 4u;
	if (header_bytes < SP_TCP_BYTES)
		return SP_R_BAD_HEADER;
	if (p->l4_off + header_bytes > in.stop)
		return sp_short(p);
	p->tcp_flags = h[13];
	p->payload_off = (__u16)(p->l4_off + header_bytes);
	return SP_R_NONE;
}

SP_INLINE enum sp_reason sp_parse_udp(struct sp_bytes in, const __u8 *h, struct sp_packet *p)
{
	__u32 bytes = sp_swap16(sp_load16(h + 4));

	p->sport_be = (__be16)sp_load16(h);
	p->dport_be = (__be16)sp_load16(h + 2);
	if (in.embedded)
		return SP_R_NONE;
	if (bytes < SP_UDP_BYTES)
		return SP_R_BAD_HEADER;
	if (p->fragment == SP_FRAGMENT_NONE && p->l4_off + bytes > in.stop)
		return SP_R_BAD_HEADER;
	return SP_R_NONE;
}

SP_INLINE enum sp_reason sp_parse_icmp(const __u8 *h, struct sp_packet *p)
{
	__u8 type = h[0];
	bool v4 = p->version == 4;

	p->icmp = (__u16)(type << 8 | h[1]);
	if (type == (v4 ? SP_ICMP_ECHO : SP_ICMP6_ECHO))
		p->sport_be = (__be16)sp_load16(h + 4);
	else if (type == (v4 ? SP_ICMP_ECHO_REPLY : SP_ICMP6_ECHO_REPLY))
		p->dport_be = (__be16)sp_load16(h + 4);
	/* Not redirects and quenches: those never travel through a gateway (RFC 6633). */
	else if (v4)
		p->icmp_error = type == SP_ICMP_UNREACHABLE || type == SP_ICMP_TIME_EXCEEDED ||
				type == SP_ICMP_PARAMETER;
	else
		p->icmp_error = type >= SP_ICMP6_UNREACHABLE && type <= SP_ICMP6_PARAMETER;
	return SP_R_NONE;
}

SP_INLINE bool sp_has_icmp(const struct sp_packet *p)
{
	return p->proto == (p->version == 4 ? SP_PROTO_ICMP : SP_PROTO_ICMPV6);
}

/* What stands at l4_off. All three headers hold what is wanted in their first 8 bytes. */
SP_INLINE enum sp_reason sp_parse_l4(struct sp_bytes in, struct sp_packet *p)
{
	const __u8 *h;

	p->payload_off = p->l4_off;
	if (p->fragment == SP_FRAGMENT_LATER)
		return p->l4_off > in.stop ? SP_R_TRUNCATED : SP_R_NONE;
	if (p->l4_off > in.stop)
		return sp_short(p);
	if (p->proto != SP_PROTO_TCP && p->proto != SP_PROTO_UDP && !sp_has_icmp(p))
		return SP_R_NONE;
	h = sp_at(in.data, in.end, p->l4_off, 8);
	if (!h || p->l4_off + 8u > in.stop)
		return sp_short(p);
	p->payload_off = (__u16)(p->l4_off + 8u);
	if (p->proto == SP_PROTO_TCP)
		return sp_parse_tcp(in, h, p);
	if (p->proto == SP_PROTO_UDP)
		return sp_parse_udp(in, h, p);
	return sp_parse_icmp(h, p);
}

#endif
