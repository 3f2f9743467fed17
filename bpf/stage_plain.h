/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stage 6: workloads behind an inside interface, through and out without leaving XDP. XDP only. */
#ifndef SP_BPF_STAGE_PLAIN_H
#define SP_BPF_STAGE_PLAIN_H

#include "plain_begin.h"
#include "plain_forth.h"
#include "plain_key.h"
#include "stage_locate.h"

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
	if (x->packet.fragment == SP_FRAGMENT_LATER)
		return SP_R_FRAGMENT; /* its first one's flow has ended */
	if (sp_has_icmp(&x->packet) && s->key.dport_be)
		return SP_R_NO_FLOW; /* an echo reply */
	return sp_plain_begin();
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
	sp_plain_end();
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
	s->slot = x->iface->slot;
	if (r != SP_R_NONE) {
		s->user_id = sp_plain_zone(s->slot, &x->packet.src);
		return sp_plain_drop(x, s, r);
	}
	s->mtu = x->iface->mtu < 0xffff ? (__u16)x->iface->mtu : 0xffff;
	__builtin_memcpy(s->own_mac, eth, 6);
	__builtin_memcpy(s->mac, eth + 6, 6);
	flow = bpf_map_lookup_elem(&sp_flows, &s->key);
	if (flow && flow->kind == SP_FLOW_PLAIN && flow->side == SP_FLOW_REPLY)
		return sp_fragment_note(x, &s->key, sp_plain_across(x, s, flow));
	if (!sp_plain_knows(x, s, flow)) {
		r = sp_plain_meet(x, s);
		if (r != SP_R_NONE)
			return sp_plain_drop(x, s, r);
		flow = bpf_map_lookup_elem(&sp_flows, &s->key);
		if (!flow)
			return sp_drop(x, SP_R_NO_FLOW);
	}
	return sp_fragment_note(x, &s->key, sp_plain_forth(x, s, flow));
}

#endif
