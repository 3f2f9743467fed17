/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* A packet's headers, read once and bounded. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_PARSE_H
#define SALLYPORT_CORE_PARSE_H

#include "sallyport/core/network.h"

#define SP_VLAN_MAX 2 /* tags in one frame */

/* Memory in front of end, in bytes; offsets beyond it are never looked at. */
SP_INLINE __u32 sp_parse_bytes(const void *data, const void *end)
{
	return (__u32)((const __u8 *)end - (const __u8 *)data);
}

/*
 * An IP packet whose header stands at l3_off. What follows it (Ethernet padding) is ignored.
 * TRUNCATED: ends inside a header; BAD_HEADER: a length that contradicts another or the packet;
 * PROTOCOL: an IPv6 routing header that has not reached its end.
 */
SP_INLINE enum sp_reason sp_parse_ip(const void *data, const void *end, __u16 l3_off,
				     struct sp_packet *ret)
{
	struct sp_bytes in = {.data = data, .end = end, .stop = sp_parse_bytes(data, end)};
	struct sp_packet p = {.l3_off = l3_off};
	enum sp_reason r = sp_parse_l3(in, &p);

	if (r == SP_R_NONE)
		*ret = p;
	return r;
}

/* Ethernet, at most SP_VLAN_MAX tags, then IP. What is not IP is SP_R_NONE with version 0. */
SP_INLINE enum sp_reason sp_parse_ethernet(const void *data, const void *end, struct sp_packet *ret)
{
	struct sp_bytes in = {.data = data, .end = end, .stop = sp_parse_bytes(data, end)};
	const __u8 *h = sp_at(data, end, 0, SP_ETH_BYTES);
	struct sp_packet p = {.l3_off = SP_ETH_BYTES};
	enum sp_reason r;
	__u16 ethertype;
	__u8 tags = 0;

	if (!h)
		return SP_R_TRUNCATED;
	ethertype = sp_swap16(sp_load16(h + 12));
	while (ethertype == SP_ETHERTYPE_VLAN || ethertype == SP_ETHERTYPE_QINQ) {
		if (tags++ == SP_VLAN_MAX)
			return SP_R_TOO_DEEP;
		h = sp_at(data, end, p.l3_off, SP_VLAN_BYTES);
		if (!h)
			return SP_R_TRUNCATED;
		ethertype = sp_swap16(sp_load16(h + 2));
		/* IEEE 802.1Q 9.6: VLAN 0 is none, only a priority. */
		p.vlan_tags += (sp_swap16(sp_load16(h)) & 0xfff) != 0;
		p.l3_off = (__u16)(p.l3_off + SP_VLAN_BYTES);
	}
	if (ethertype != SP_ETHERTYPE_IPV4 && ethertype != SP_ETHERTYPE_IPV6) {
		p.ethertype = ethertype;
		*ret = p;
		return SP_R_NONE;
	}
	r = sp_parse_l3(in, &p);
	if (r != SP_R_NONE)
		return r;
	if (p.ethertype != ethertype)
		return SP_R_BAD_HEADER;
	*ret = p;
	return SP_R_NONE;
}

/*
 * The packet that the ICMP error outer quotes: its IP header and 8 bytes. Its l3_bytes is what
 * it says of itself; tcp_flags stay 0. BAD_HEADER: outer is no such error, or of the other version.
 */
SP_INLINE enum sp_reason sp_parse_embedded(const void *data, const void *end,
					   const struct sp_packet *outer, struct sp_packet *ret)
{
	struct sp_bytes in = {.data = data,
			      .end = end,
			      .stop = (__u32)outer->l3_off + outer->l3_bytes,
			      .embedded = true};
	struct sp_packet p = {.l3_off = (__u16)(outer->l4_off + SP_ICMP_BYTES)};
	enum sp_reason r;

	if (!outer->icmp_error)
		return SP_R_BAD_HEADER;
	r = sp_parse_l3(in, &p);
	if (r != SP_R_NONE)
		return r;
	if (p.version != outer->version)
		return SP_R_BAD_HEADER;
	*ret = p;
	return SP_R_NONE;
}

#endif
