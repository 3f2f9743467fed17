/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stage 6: workloads behind an inside interface, through and out without leaving XDP. XDP only. */
#ifndef SP_BPF_STAGE_PLAIN_H
#define SP_BPF_STAGE_PLAIN_H

#include "plain_back.h"
#include "plain_begin.h"
#include "stage_locate.h"

SP_INLINE bool sp_is_link_local4(const struct sp_addr *a)
{
	return sp_addr_is_v4(a) && a->b[12] == 169 && a->b[13] == 254;
}

/* The flow that an ICMP error from inside is about: the quoted packet went there, so reversed. */
SP_INLINE enum sp_reason sp_plain_error_key(const struct sp_xdp *x, struct sp_plain *s)
{
	const struct sp_packet *p = &s->inner;
	struct sp_flow_key key;
	enum sp_reason r;

	r = sp_packet_parse_embedded(x->ctx, &x->packet, &s->inner);
	if (r != SP_R_NONE)
		return r;
	if (p->fragment == SP_FRAGMENT_LATER || !sp_addr_equal(&p->src, &x->packet.dst))
		return SP_R_ICMP_UNMATCHED;
	if (sp_has_icmp(p) && p->icmp_error)
		return SP_R_ICMP_UNMATCHED;
	sp_packet_flow_key(p, &key);
	sp_flow_key_reverse(&key, &s->key);
	return SP_R_NONE;
}

/* The key by which a packet from inside is known, or why it can have none. */
SP_INLINE enum sp_reason sp_plain_key(const struct sp_xdp *x, struct sp_plain *s)
{
	const struct sp_packet *p = &x->packet;
	__u8 type = (__u8)(p->icmp >> 8);

	if (p->vlan_tags)
		return SP_R_NO_INTERFACE;
	if (sp_is_link_local4(&p->dst))
		return SP_R_UNSPECIFIED;
	if (p->fragment != SP_FRAGMENT_NONE)
		return SP_R_FRAGMENT;
	if (p->icmp_error)
		return sp_plain_error_key(x, s);
	sp_packet_flow_key(p, &s->key);
	if (p->proto == SP_PROTO_TCP || p->proto == SP_PROTO_UDP)
		return SP_R_NONE;
	/* RFC 5508 REQ-1: echoes are all that has a session. */
	if (sp_has_icmp(p) &&
	    (type == (p->version == 4 ? SP_ICMP_ECHO : SP_ICMP6_ECHO) ||
	     type == (p->version == 4 ? SP_ICMP_ECHO_REPLY : SP_ICMP6_ECHO_REPLY)))
		return SP_R_NONE;
	return SP_R_PROTOCOL;
}

/* A workload that moved to another link address is answered there. */
SP_INLINE void sp_plain_learn(const struct sp_plain *s, struct sp_flow *flow)
{
	struct sp_flow *back;
	__u32 differ = 0;
	__u32 i;

	for (i = 0; i < 6; i++)
		differ |= flow->mac[i] ^ s->mac[i];
	if (!differ)
		return;
	back = bpf_map_lookup_elem(&sp_flows, &s->reply);
	__builtin_memcpy(flow->mac, s->mac, 6);
	if (back)
		__builtin_memcpy(back->mac, s->mac, 6);
}

/* The flow's next hop, looked up again when it may have become another's. */
SP_INLINE enum sp_reason sp_plain_route(struct sp_plain *s, struct sp_flow *flow)
{
	enum sp_reason r = SP_R_NO_NEIGHBOUR;

	s->hop_id = flow->nexthop_id;
	if (flow->route_seq == s->route_seq && s->now_ns - flow->seen_ns < SP_PLAIN_PATH_NS)
		r = sp_plain_hop(s);
	if (r == SP_R_NONE)
		return r;
	r = sp_plain_path(s);
	if (r == SP_R_NONE) {
		flow->nexthop_id = s->hop_id;
		flow->route_seq = s->route_seq;
	}
	return r;
}

/* flow: the original entry under s->key; its reply's key stands in s->reply. */
SP_INLINE enum sp_verdict sp_plain_forth(struct sp_xdp *x, struct sp_plain *s, struct sp_flow *flow)
{
	enum sp_reason r;

	if (flow->generation != s->generation) {
		r = sp_plain_judge_again(s);
		if (r != SP_R_NONE)
			return sp_drop(x, r);
	}
	if (x->packet.icmp_error && sp_plain_zone(s->slot, &x->packet.src) != flow->user_id)
		return sp_drop(x, SP_R_SPOOFED_SOURCE);
	r = sp_plain_route(s, flow);
	if (r != SP_R_NONE)
		return sp_drop(x, r);
	if (x->packet.l3_bytes > s->hop.mtu)
		return sp_drop(x, SP_R_TOO_BIG);
	if (!sp_user_take(x, flow->user_id, true, x->packet.l3_bytes))
		return sp_drop(x, SP_R_LIMIT_UP);
	sp_plain_learn(s, flow);
	sp_flow_count(x, &s->key, flow);
	s->out.addr = flow->nat_addr;
	s->out.port_be = flow->nat_port_be;
	s->out.which = SP_REWRITE_SRC;
	s->out.translated = flow->translated;
	s->out.mss_max = sp_plain_mss(x, s->hop.mtu);
	__builtin_memcpy(s->out.dmac, s->hop.dmac, 6);
	__builtin_memcpy(s->out.smac, s->hop.smac, 6);
	return sp_plain_leave(x, s, s->hop.slot);
}

/* An answer from one zone to another: only from where the flow's own packets go. */
SP_INLINE enum sp_verdict sp_plain_across(struct sp_xdp *x, struct sp_plain *s,
					  struct sp_flow *flow)
{
	const struct sp_flow *original = sp_flow_mate(&s->key, flow);
	const struct sp_nexthop *hop;
	__u32 id = original ? original->nexthop_id : 0;

	hop = id ? bpf_map_lookup_elem(&sp_nexthops, &id) : NULL;
	if (!hop || flow->translated || hop->slot != x->iface->slot)
		return sp_drop(x, SP_R_SPOOFED_SOURCE);
	return sp_plain_back(x, &s->key, flow, &s->inner);
}

/* A packet that no entry of this interface knows: the reason why it gets none. */
SP_INLINE enum sp_reason sp_plain_meet(const struct sp_xdp *x, struct sp_plain *s)
{
	if (x->packet.icmp_error)
		return SP_R_ICMP_UNMATCHED;
	if (sp_has_icmp(&x->packet) && s->key.dport_be)
		return SP_R_NO_FLOW; /* an echo reply */
	return sp_plain_begin(s);
}

/* Is the original entry one that this packet may use as it stands? */
SP_INLINE bool sp_plain_knows(const struct sp_xdp *x, struct sp_plain *s, struct sp_flow *flow)
{
	if (!flow || flow->kind != SP_FLOW_PLAIN)
		return false;
	sp_flow_mate_key(&s->key, flow, &s->reply);
	if (flow->slot != s->slot)
		return false;
	if (!sp_flow_is_over(x, &s->key, flow))
		return true;
	s->user_id = flow->user_id;
	sp_plain_end(s);
	return false;
}

SP_INLINE bool sp_is_plain(const struct sp_xdp *x)
{
	return x->iface && x->roles & SP_ROLE_INSIDE && !x->local && !x->handshake &&
	       !sp_is_link_local6(&x->packet.dst);
}

SP_INLINE enum sp_verdict sp_plain(struct sp_xdp *x)
{
	struct sp_plain *s;
	struct sp_flow *flow;
	enum sp_reason r;
	const __u8 *eth;

	if (!sp_is_plain(x))
		return SP_V_NEXT;
	s = sp_plain_open(x);
	eth = sp_at(sp_data(x), sp_end(x), 0, SP_ETH_BYTES);
	x->direction = SP_DIR_UP;
	if (!s || !eth)
		return sp_drop(x, SP_R_TRUNCATED);
	r = sp_plain_key(x, s);
	if (r != SP_R_NONE)
		return sp_drop(x, r);
	s->slot = x->iface->slot;
	s->mtu = x->iface->mtu < 0xffff ? (__u16)x->iface->mtu : 0xffff;
	__builtin_memcpy(s->own_mac, eth, 6);
	__builtin_memcpy(s->mac, eth + 6, 6);
	flow = bpf_map_lookup_elem(&sp_flows, &s->key);
	if (flow && flow->kind == SP_FLOW_PLAIN && flow->side == SP_FLOW_REPLY)
		return sp_plain_across(x, s, flow);
	if (!sp_plain_knows(x, s, flow)) {
		r = sp_plain_meet(x, s);
		if (r != SP_R_NONE)
			return sp_drop(x, r);
		flow = bpf_map_lookup_elem(&sp_flows, &s->key);
		if (!flow)
			return sp_drop(x, SP_R_NO_FLOW);
	}
	return sp_plain_forth(x, s, flow);
}

#endif
