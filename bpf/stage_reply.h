/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stage 5: answers to flows. Undo the NAT, take the rate, hand over to a worker. XDP only. */
#ifndef SP_BPF_STAGE_REPLY_H
#define SP_BPF_STAGE_REPLY_H

#include "context.h"
#include "flow.h"

SP_INLINE bool sp_is_icmp_type(const struct sp_packet *p, __u8 v4_type, __u8 v6_type)
{
	return p->icmp >> 8 == (p->version == 4 ? v4_type : v6_type);
}

/* The answer's key that an ICMP error is about: the embedded packet left from here, reversed. */
SP_INLINE enum sp_reason sp_error_key(const struct sp_xdp *x, struct sp_packet *ret_inner,
				      struct sp_flow_key *ret_key)
{
	struct sp_flow_key key;
	enum sp_reason reason;

	reason = sp_packet_parse_embedded(x->ctx, &x->packet, ret_inner);
	if (reason != SP_R_NONE)
		return reason;
	if (ret_inner->fragment == SP_FRAGMENT_LATER ||
	    !sp_addr_equal(&ret_inner->src, &x->packet.dst))
		return SP_R_ICMP_UNMATCHED;
	/* Anything but a request would match the flow of identifier 0. */
	if (sp_has_icmp(ret_inner) && !sp_is_icmp_type(ret_inner, SP_ICMP_ECHO, SP_ICMP6_ECHO))
		return SP_R_ICMP_UNMATCHED;
	sp_packet_flow_key(ret_inner, &key);
	sp_flow_key_reverse(&key, ret_key);
	return SP_R_NONE;
}

/* The key by which an answer is known, or why this packet can be none. */
SP_INLINE enum sp_reason sp_answer_key(const struct sp_xdp *x, struct sp_packet *ret_inner,
				       struct sp_flow_key *ret_key)
{
	const struct sp_packet *p = &x->packet;

	sp_packet_flow_key(p, ret_key);
	if (p->fragment != SP_FRAGMENT_NONE)
		return SP_R_FRAGMENT;
	if (p->icmp_error)
		return sp_error_key(x, ret_inner, ret_key);
	if (p->proto == SP_PROTO_TCP || p->proto == SP_PROTO_UDP)
		return SP_R_NONE;
	if (!sp_has_icmp(p))
		return SP_R_PROTOCOL;
	return sp_is_icmp_type(p, SP_ICMP_ECHO_REPLY, SP_ICMP6_ECHO_REPLY) ? SP_R_NONE
									   : SP_R_NO_FLOW;
}

/* On an address shared with the kernel: is it about a port of the NAT's? A listener's never is. */
SP_INLINE bool sp_is_shared_nat(const struct sp_xdp *x, const struct sp_flow_key *key,
				enum sp_reason reason)
{
	if (reason != SP_R_NONE && reason != SP_R_FRAGMENT)
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
	if (!flow || flow->side != SP_FLOW_REPLY || flow->kind != SP_FLOW_TUNNEL)
		return NULL;
	if (x->local)
		return flow->translated ? flow : NULL;
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
		reason = sp_packet_rewrite_embedded(x->ctx, &x->packet, inner, &flow->nat_addr,
						    flow->nat_port_be);
		if (reason != SP_R_NONE)
			return reason;
	}
	return sp_packet_rewrite(x->ctx, &x->packet, &flow->nat_addr, flow->nat_port_be);
}

SP_INLINE enum sp_verdict sp_carry(struct sp_xdp *x, const struct sp_flow_key *key,
				   struct sp_flow *flow, const struct sp_packet *inner)
{
	enum sp_reason reason;

	x->direction = SP_DIR_DOWN;
	if (sp_flow_is_over(x, key, flow))
		return sp_drop(x, SP_R_FLOW_EXPIRED);
	reason = sp_flow_take(x, flow);
	if (reason == SP_R_NONE && flow->translated)
		reason = sp_undo_nat(x, flow, inner);
	if (reason != SP_R_NONE)
		return sp_drop(x, reason);
	sp_flow_count(x, key, flow);
	x->meta.kind = SP_META_REPLY;
	x->meta.flags = (sp_flow_is_stale(x, flow) ? SP_META_STALE : 0) |
			(x->packet.icmp_error ? SP_META_ICMP_ERROR : 0);
	x->meta.l4_off = x->packet.l4_off;
	x->meta.peer_id = flow->peer_id;
	x->meta.user_id = flow->user_id;
	x->meta.rule_id = flow->rule_id;
	return SP_V_WORKER;
}

SP_INLINE enum sp_verdict sp_reply(struct sp_xdp *x)
{
	struct sp_packet inner = {0};
	struct sp_flow_key key;
	enum sp_reason reason;
	struct sp_flow *flow;

	if (x->handshake ||
	    (x->local && x->local->kind != SP_LOCAL_POOL && x->local->kind != SP_LOCAL_SHARED))
		return SP_V_NEXT;
	reason = sp_answer_key(x, &inner, &key);
	if (x->local && x->local->kind == SP_LOCAL_SHARED && !sp_is_shared_nat(x, &key, reason))
		return SP_V_NEXT;
	if (reason == SP_R_NONE) {
		flow = sp_answer_flow(x, &key);
		if (flow)
			return sp_carry(x, &key, flow, &inner);
		reason = x->packet.icmp_error ? SP_R_ICMP_UNMATCHED : SP_R_NO_FLOW;
	}
	/* Echo identifiers of the host's own pings may lie in the NAT's range; ports may not. */
	if (!x->local || x->local->kind == SP_LOCAL_POOL ||
	    (key.proto != SP_PROTO_ICMP && key.proto != SP_PROTO_ICMPV6))
		x->unasked = reason;
	return SP_V_NEXT;
}

#endif
