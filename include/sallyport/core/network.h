/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Reading IPv4 with options and IPv6 with extension headers. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_NETWORK_H
#define SALLYPORT_CORE_NETWORK_H

#include "sallyport/core/transport.h"

#define SP_EXTENSION_MAX 6 /* headers in one packet */

/* Set addresses and all that the fixed IPv4 header tells; the packet ends at *ret_stop. */
SP_INLINE enum sp_reason sp_parse_ipv4(struct sp_bytes in, struct sp_packet *p, __u32 *ret_stop)
{
	const __u8 *h = sp_at(in.data, in.end, p->l3_off, SP_IPV4_BYTES);
	__u32 ihl_bytes, offset_bytes;
	__u16 fragment;

	if (!h || p->l3_off + (__u32)SP_IPV4_BYTES > in.stop)
		return SP_R_TRUNCATED;
	ihl_bytes = (h[0] & 0x0f) * 4u;
	if (ihl_bytes < SP_IPV4_BYTES)
		return SP_R_BAD_HEADER;
	if (p->l3_off + ihl_bytes > in.stop)
		return SP_R_TRUNCATED;
	p->tos = h[1];
	p->l3_bytes = sp_swap16(sp_load16(h + 2));
	p->ttl = h[8];
	p->proto = h[9];
	p->src = sp_addr_from_v4((__be32)sp_load32(h + 12));
	p->dst = sp_addr_from_v4((__be32)sp_load32(h + 16));
	p->l4_off = (__u16)(p->l3_off + ihl_bytes);
	p->ethertype = SP_ETHERTYPE_IPV4;
	p->fragment_id = sp_load16(h + 4);
	fragment = sp_swap16(sp_load16(h + 6));
	p->may_split = !(fragment & 0x4000);
	offset_bytes = (fragment & 0x1fff) * 8u;
	if (!in.embedded) {
		if (p->l3_bytes < ihl_bytes || (__u32)p->l3_off + p->l3_bytes > in.stop)
			return SP_R_BAD_HEADER;
		in.stop = (__u32)p->l3_off + p->l3_bytes;
	}
	*ret_stop = in.stop;
	return sp_parse_fragment(p, offset_bytes, (fragment & 0x2000) != 0);
}

SP_INLINE bool sp_is_extension(__u8 proto)
{
	return proto == SP_PROTO_HOP_BY_HOP || proto == SP_PROTO_ROUTING ||
	       proto == SP_PROTO_FRAGMENT || proto == SP_PROTO_DESTINATION;
}

/* One extension header at l4_off: proto and l4_off move on. */
SP_INLINE enum sp_reason sp_parse_extension(struct sp_bytes in, __u32 index, struct sp_packet *p)
{
	const __u8 *h = sp_at(in.data, in.end, p->l4_off, 8);
	__u8 kind = p->proto;
	__u16 offset;

	if (!h || p->l4_off + 8u > in.stop)
		return sp_short(p);
	if (kind == SP_PROTO_HOP_BY_HOP && index > 0) /* RFC 8200 4.1 */
		return SP_R_BAD_HEADER;
	/* A policy that judges the destination must not be told the real one by a list. */
	if (kind == SP_PROTO_ROUTING && h[3] != 0)
		return SP_R_PROTOCOL;
	p->proto = h[0];
	if (kind != SP_PROTO_FRAGMENT) {
		p->l4_off = (__u16)(p->l4_off + (h[1] + 1u) * 8u);
		p->fragment_begin = (__u16)(p->fragment_begin + (h[1] + 1u) * 8u);
		return SP_R_NONE;
	}
	if (p->fragment != SP_FRAGMENT_NONE)
		return SP_R_BAD_HEADER;
	p->l4_off = (__u16)(p->l4_off + 8u);
	offset = sp_swap16(sp_load16(h + 2));
	p->fragment_id = sp_load32(h + 4);
	return sp_parse_fragment(p, offset & 0xfff8u, (offset & 1) != 0);
}

SP_INLINE enum sp_reason sp_parse_ipv6(struct sp_bytes in, struct sp_packet *p, __u32 *ret_stop)
{
	const __u8 *h = sp_at(in.data, in.end, p->l3_off, SP_IPV6_BYTES);
	enum sp_reason r;
	__u32 i;

	if (!h || p->l3_off + (__u32)SP_IPV6_BYTES > in.stop)
		return SP_R_TRUNCATED;
	p->tos = (__u8)(h[0] << 4 | h[1] >> 4);
	i = SP_IPV6_BYTES + (__u32)sp_swap16(sp_load16(h + 4));
	p->proto = h[6];
	p->ttl = h[7];
	p->src = sp_load_addr6(h + 8);
	p->dst = sp_load_addr6(h + 24);
	/* ::ffff:0:0/96 is how keys hold IPv4; on the wire it could only be meant to deceive. */
	if (sp_addr_is_v4(&p->src) || sp_addr_is_v4(&p->dst) || i > 0xffff)
		return SP_R_BAD_HEADER;
	p->l3_bytes = (__u16)i;
	p->l4_off = (__u16)(p->l3_off + SP_IPV6_BYTES);
	p->ethertype = SP_ETHERTYPE_IPV6;
	if (!in.embedded) {
		if ((__u32)p->l3_off + p->l3_bytes > in.stop)
			return SP_R_BAD_HEADER;
		in.stop = (__u32)p->l3_off + p->l3_bytes;
	}
	for (i = 0; i < SP_EXTENSION_MAX; i++) {
		if (p->fragment == SP_FRAGMENT_LATER || !sp_is_extension(p->proto))
			break;
		r = sp_parse_extension(in, i, p);
		if (r != SP_R_NONE)
			return r;
	}
	*ret_stop = in.stop;
	return p->fragment != SP_FRAGMENT_LATER && sp_is_extension(p->proto) ? SP_R_TOO_DEEP
									     : SP_R_NONE;
}

/* The IP packet at p->l3_off; p is the caller's scratch and otherwise zero. */
SP_INLINE enum sp_reason sp_parse_l3(struct sp_bytes in, struct sp_packet *p)
{
	const __u8 *h = sp_at(in.data, in.end, p->l3_off, 1);
	enum sp_reason r;
	__u32 stop = 0;

	if (!h || p->l3_off + 1u > in.stop)
		return SP_R_TRUNCATED;
	p->version = h[0] >> 4;
	if (p->version == 4)
		r = sp_parse_ipv4(in, p, &stop);
	else if (p->version == 6)
		r = sp_parse_ipv6(in, p, &stop);
	else
		return SP_R_BAD_HEADER;
	if (r != SP_R_NONE)
		return r;
	in.stop = stop;
	return sp_parse_l4(in, p);
}

#endif
