/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packets of a plain flow in its original direction: judged, NATed and on their way out. XDP only. */
#ifndef SP_BPF_PLAIN_FORTH_H
#define SP_BPF_PLAIN_FORTH_H

#include "plain_back.h"
#include "plain_hits.h"
#include "plain_path.h"

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
	s->user_id = flow->user_id;
	if (flow->route_seq == s->route_seq && s->now_ns - flow->seen_ns < SP_PLAIN_PATH_NS)
		r = sp_plain_hop();
	if (r == SP_R_NONE)
		return r;
	if (!flow->paths) {
		r = sp_plain_path();
	} else {
		r = sp_plain_path_by(sp_path_first(flow->paths));
		/* It leaves as an address of its path's. What begins anew may take another. */
		s->paths = flow->paths >> 8;
		if (r != SP_R_NONE && sp_plain_path_choose() == SP_R_NONE)
			sp_plain_end();
	}
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

	if (sp_plain_is_due(s, flow)) {
		r = sp_plain_judge_again();
		if (r != SP_R_NONE)
			return sp_plain_drop(x, s, r);
	}
	if (x->packet.icmp_error && sp_plain_zone(s->slot, &x->packet.src) != flow->user_id)
		return sp_drop(x, SP_R_SPOOFED_SOURCE);
	r = sp_plain_route(s, flow);
	if (r == SP_R_NONE && x->packet.l3_bytes > s->hop.mtu)
		r = SP_R_TOO_BIG;
	if (r == SP_R_NONE)
		r = sp_flow_take(x, flow, true);
	if (r != SP_R_NONE) {
		x->mtu = s->hop.mtu;
		return sp_drop_of(x, flow, r);
	}
	sp_plain_learn(s, flow);
	sp_flow_count(x, &s->key, flow);
	sp_hit_packet(s, flow->hit_id);
	s->out.addr = flow->nat_addr;
	s->out.port_be = flow->nat_port_be;
	s->out.which = SP_REWRITE_SRC;
	s->out.translated = flow->translated;
	s->out.mss_max = sp_plain_mss(x, s->hop.mtu);
	__builtin_memcpy(s->out.dmac, s->hop.dmac, 6);
	__builtin_memcpy(s->out.smac, s->hop.smac, 6);
	return sp_plain_leave(x, s, flow, s->hop.slot);
}

#endif
