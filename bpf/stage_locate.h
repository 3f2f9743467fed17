/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stage 2: whose address is the destination, and what may its interface do? XDP only. */
#ifndef SP_BPF_STAGE_LOCATE_H
#define SP_BPF_STAGE_LOCATE_H

#include "context.h"

/* Multicast of either version and limited broadcast: never forwarded, the kernel knows its groups. */
SP_INLINE bool sp_is_group(const struct sp_addr *a)
{
	return sp_addr_is_v4(a) ? (a->b[12] & 0xf0) == 0xe0 || sp_addr_v4(a) == 0xffffffff
				: a->b[0] == 0xff;
}

SP_INLINE bool sp_is_unspecified(const struct sp_addr *a)
{
	const union sp_addr_words *u = (const union sp_addr_words *)a;

	return sp_addr_is_v4(a) ? a->b[12] == 0 : (u->w64[0] | u->w64[1]) == 0;
}

SP_INLINE bool sp_is_loopback(const struct sp_addr *a)
{
	const union sp_addr_words *u = (const union sp_addr_words *)a;

	return sp_addr_is_v4(a)
		       ? a->b[12] == 127
		       : u->w64[0] == 0 && u->w32[2] == 0 && u->w32[3] == (__u32)sp_swap32(1);
}

SP_INLINE bool sp_is_link_local6(const struct sp_addr *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* RFC 2131 4.1: an offer may be unicast to an address that is not ours yet. */
SP_INLINE bool sp_is_dhcp_answer(const struct sp_packet *p)
{
	return p->version == 4 && p->proto == SP_PROTO_UDP &&
	       p->sport_be == (__be16)sp_swap16(67) && p->dport_be == (__be16)sp_swap16(68);
}

/* RFC 4861 7.1: types 133 to 137, and the hop limit proves that no router passed it on. */
SP_INLINE bool sp_is_neighbour_discovery(const struct sp_packet *p)
{
	return p->proto == SP_PROTO_ICMPV6 && p->version == 6 && p->ttl == 255 &&
	       p->icmp >> 8 >= 133 && p->icmp >> 8 <= 137;
}

/* The daemon's socket hears groups and broadcasts too, but no handshake may pass beside its rate. */
SP_INLINE bool sp_is_to_tunnel_port(const struct sp_packet *p)
{
	return p->proto == SP_PROTO_UDP && p->fragment != SP_FRAGMENT_LATER &&
	       sp_is_listener(p->dport_be);
}

SP_INLINE enum sp_verdict sp_locate(struct sp_xdp *x)
{
	const struct sp_addr *dst = &x->packet.dst;
	__u32 ifindex = x->ctx->ingress_ifindex;

	/* A VLAN is another link, with the kernel's device on it: it has none of our roles. */
	x->iface = x->packet.vlan_tags ? NULL : bpf_map_lookup_elem(&sp_ifaces, &ifindex);
	x->roles = x->iface ? x->iface->roles : 0;
	if (sp_is_group(dst) && sp_is_to_tunnel_port(&x->packet))
		return sp_drop(x, SP_R_UNSPECIFIED);
	if (sp_is_group(dst) || sp_is_neighbour_discovery(&x->packet))
		return SP_V_PASS;
	if (sp_is_unspecified(dst))
		return sp_drop(x, SP_R_UNSPECIFIED);
	if (sp_is_loopback(dst))
		return sp_drop(x, SP_R_NOT_FOR_US);
	x->local = bpf_map_lookup_elem(&sp_locals, dst);
	if (!x->local && sp_is_dhcp_answer(&x->packet))
		return SP_V_PASS;
	return SP_V_NEXT;
}

#endif
