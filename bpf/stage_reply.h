/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stage 5: answers to flows. Undo the NAT, take the rate, hand over to a worker. XDP only. */
#ifndef SP_BPF_STAGE_REPLY_H
#define SP_BPF_STAGE_REPLY_H

#include "answer_key.h"
#include "context.h"
#include "flow.h"
#include "plain_back.h"

/* On an address shared with the kernel: is it about a port of the NAT's? A listener's never is. */
SP_INLINE bool sp_is_shared_nat(const struct sp_xdp *x, const struct sp_flow_key *key,
				enum sp_reason reason)
{
	if (reason != SP_R_NONE && reason != SP_R_FRAGMENT && reason != SP_R_FRAGMENT_TINY)
		return false;
	if (!sp_is_nat_port(x->local, key->dport_be))
		return false;
	return key->proto != SP_PROTO_UDP || !sp_is_listener(key->dport_be);
}

/* The flow that asked for this, by the one who may receive it; hairpins never come from outside. */
SP_INLINE struct sp_flow *sp_answer_flow(const struct sp_xdp *x, const struct sp_flow_key *key)
{
	struct sp_flow *flow;
	const struct sp_inner *inner;

	if (!(x->roles & SP_ROLE_EGRESS))
		return NULL;
	flow = bpf_map_lookup_elem(&sp_flows, key);
	if (!flow || flow->side != SP_FLOW_REPLY ||
	    (flow->kind != SP_FLOW_TUNNEL && flow->kind != SP_FLOW_PLAIN))
		return NULL;
	if (x->local)
		return flow->translated ? flow : NULL;
	if (flow->kind == SP_FLOW_PLAIN)
		return flow->translated ? NULL : flow;
	inner = sp_inner_lookup(&x->packet.dst);
	if (!inner || inner->kind != SP_INNER_PEER || inner->peer_id != flow->peer_id)
		return NULL;
	return flow->translated ? NULL : flow;
}

SP_INLINE enum sp_reason sp_undo_nat(const struct sp_xdp *x, const struct sp_flow *flow,
				     const struct sp_packet *inner)
{
	enum sp_reason reason;

	if (x->packet.icmp_error) {
		reason = sp_packet_rewrite_dst_embedded(x->ctx, &x->packet, inner, &flow->nat_addr,
							flow->nat_port_be);
		if (reason != SP_R_NONE)
			return reason;
	}
	return sp_packet_rewrite_dst(x->ctx, &x->packet, &flow->nat_addr, flow->nat_port_be);
}

SP_INLINE enum sp_verdict sp_carry(struct sp_xdp *x, const struct sp_flow_key *key,
				   struct sp_flow *flow, const struct sp_packet *inner)
{
	enum sp_reason reason;

	x->direction = SP_DIR_DOWN;
	if (sp_flow_is_over(x, key, flow))
		return sp_drop_of(x, flow, SP_R_FLOW_EXPIRED);
	reason = sp_flow_take(x, flow, false);
	if (reason == SP_R_NONE && flow->translated)
		reason = sp_undo_nat(x, flow, inner);
	if (reason != SP_R_NONE)
		return sp_drop_of(x, flow, reason);
	sp_flow_count(x, key, flow);
	x->meta.kind = SP_META_REPLY;
	x->meta.flags = (sp_flow_is_stale(x, flow) ? SP_META_STALE : 0) |
			(x->packet.icmp_error ? SP_META_ICMP_ERROR : 0);
	x->meta.l4_off = x->packet.l4_off;
	x->meta.peer_id = flow->peer_id;
	x->meta.user_id = flow->user_id;
	x->meta.rule_id = flow->rule_id;
	x->meta.sport_be = key->sport_be;
	x->meta.dport_be = flow->translated ? flow->nat_port_be : key->dport_be;
	return SP_V_WORKER;
}

SP_INLINE enum sp_verdict sp_reply(struct sp_xdp *x)
{
	struct sp_scratch *s = sp_scratch_lookup();
	enum sp_reason reason;
	struct sp_flow *flow;

	if (!s)
		return sp_drop(x, SP_R_CLOSED);
	/* What a workload sends elsewhere asks for no answer's flow. */
	if (!x->local && !(x->roles & SP_ROLE_EGRESS))
		return SP_V_NEXT;
	if (x->handshake ||
	    (x->local && x->local->kind != SP_LOCAL_POOL && x->local->kind != SP_LOCAL_SHARED))
		return SP_V_NEXT;
	reason = sp_answer_key(x, &s->inner, &s->key);
	if (x->local && x->local->kind == SP_LOCAL_SHARED && !sp_is_shared_nat(x, &s->key, reason))
		return SP_V_NEXT;
	if (reason == SP_R_NONE) {
		flow = sp_answer_flow(x, &s->key);
		if (flow && flow->kind == SP_FLOW_PLAIN)
			return sp_fragment_note(x, &s->key,
						sp_plain_back(x, &s->key, flow, &s->inner));
		if (flow)
			return sp_fragment_note(x, &s->key, sp_carry(x, &s->key, flow, &s->inner));
		reason = x->packet.icmp_error ? SP_R_ICMP_UNMATCHED : SP_R_NO_FLOW;
	}
	/*
	 * Echo identifiers of the host's own pings may lie in the NAT's range; ports may not. What
	 * lies over a first fragment is known to be the NAT's.
	 */
	if (!x->local || x->local->kind == SP_LOCAL_POOL || reason == SP_R_FRAGMENT_TINY ||
	    (s->key.proto != SP_PROTO_ICMP && s->key.proto != SP_PROTO_ICMPV6))
		x->unasked = reason;
	return SP_V_NEXT;
}

#endif
