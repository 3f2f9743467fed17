/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A flow as its answers meet it: is it alive, and what does a packet add? XDP only. */
#ifndef SP_BPF_FLOW_H
#define SP_BPF_FLOW_H

#include "context.h"

#include "sallyport/core/flow.h"

/* The key of the other entry of the pair: it stands in the translation. */
SP_INLINE void sp_flow_mate_key(const struct sp_flow_key *key, const struct sp_flow *flow,
				struct sp_flow_key *ret)
{
	bool reply = flow->side == SP_FLOW_REPLY;

	sp_flow_key_reverse(key, ret);
	if (flow->translated && reply) {
		ret->src = flow->nat_addr;
		ret->sport_be = flow->nat_port_be;
	} else if (flow->translated) {
		ret->dst = flow->nat_addr;
		ret->dport_be = flow->nat_port_be;
	}
	if (reply && (key->proto == SP_PROTO_ICMP || key->proto == SP_PROTO_ICMPV6))
		ret->dport_be = 0;
}

SP_INLINE struct sp_flow *sp_flow_mate(const struct sp_flow_key *key, const struct sp_flow *flow)
{
	struct sp_flow_key mate;

	sp_flow_mate_key(key, flow, &mate);
	return bpf_map_lookup_elem(&sp_flows, &mate);
}

/*
 * What the other entry knows: idle_s of both sides' TCP, and when either was last seen (RFC 4787
 * REQ-6: what a user sends keeps a flow alive too). False: there is no other entry.
 */
__attribute__((noinline)) int sp_flow_consult(const struct sp_flow_key *key, struct sp_flow *flow)
{
	const struct sp_flow *mate;
	__u8 seen;

	if (!key || !flow)
		return false;
	mate = sp_flow_mate(key, flow);
	seen = mate ? mate->tcp_seen : 0;
	if (flow->side == SP_FLOW_REPLY)
		flow->idle_s = sp_flow_idle_s(key->proto, seen, flow->tcp_seen);
	else
		flow->idle_s = sp_flow_idle_s(key->proto, flow->tcp_seen, seen);
	if (mate && mate->seen_ns > flow->seen_ns)
		flow->seen_ns = mate->seen_ns;
	return mate != NULL;
}

SP_INLINE bool sp_flow_is_over(const struct sp_xdp *x, const struct sp_flow_key *key,
			       struct sp_flow *flow)
{
	if (!sp_flow_is_idle(flow, x->now_ns))
		return false;
	return !sp_flow_consult(key, flow) || sp_flow_is_idle(flow, x->now_ns);
}

/* Judged by another policy, or for a time that is over. */
SP_INLINE bool sp_flow_is_stale(const struct sp_xdp *x, const struct sp_flow *flow)
{
	return flow->generation != x->gateway->generation ||
	       (flow->until_ns && x->now_ns >= flow->until_ns);
}

/* The rates of a packet: its rule's, then its user's. */
SP_INLINE enum sp_reason sp_flow_take(const struct sp_xdp *x, const struct sp_flow *flow, bool up)
{
	__u32 id = up ? flow->bucket_up : flow->bucket_down;

	if (id && !sp_bucket_allows(x, id, x->packet.l3_bytes))
		return SP_R_LIMIT_RULE;
	if (sp_user_take(x, flow->user_id, up, x->packet.l3_bytes))
		return SP_R_NONE;
	return up ? SP_R_LIMIT_UP : SP_R_LIMIT_DOWN;
}

SP_INLINE void sp_flow_count(const struct sp_xdp *x, const struct sp_flow_key *key,
			     struct sp_flow *flow)
{
	__u8 seen;

	__sync_fetch_and_add(&flow->packets, 1);
	__sync_fetch_and_add(&flow->bytes, x->packet.l3_bytes);
	/* RFC 5508 REQ-6: an error neither refreshes nor ends what it is about. */
	if (x->packet.icmp_error)
		return;
	flow->seen_ns = x->now_ns;
	if (key->proto != SP_PROTO_TCP)
		return;
	seen = flow->tcp_seen | sp_flow_tcp_seen(x->packet.tcp_flags);
	if (seen == flow->tcp_seen)
		return;
	flow->tcp_seen = seen;
	(void)sp_flow_consult(key, flow);
}

#endif
