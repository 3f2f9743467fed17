/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A flow as its answers meet it: is it alive, and what does a packet add? XDP only. */
#ifndef SP_BPF_FLOW_H
#define SP_BPF_FLOW_H

#include "context.h"

#include "sallyport/core/flow.h"

/* The other entry of the pair; its key stands in the translation. */
SP_INLINE struct sp_flow *sp_flow_original(const struct sp_flow_key *reply,
					   const struct sp_flow *flow)
{
	bool echo = reply->proto == SP_PROTO_ICMP || reply->proto == SP_PROTO_ICMPV6;
	struct sp_flow_key key;

	sp_flow_key_reverse(reply, &key);
	if (flow->translated) {
		key.src = flow->nat_addr;
		key.sport_be = flow->nat_port_be;
	}
	if (echo)
		key.dport_be = 0;
	return bpf_map_lookup_elem(&sp_flows, &key);
}

/*
 * RFC 4787 REQ-6: what a user sends keeps a flow alive too, so before silence of the answers ends
 * it the original entry is asked. That one also tells whether both sides of TCP are established.
 */
SP_INLINE bool sp_flow_is_over(const struct sp_xdp *x, const struct sp_flow_key *key,
			       struct sp_flow *flow)
{
	const struct sp_flow *original;

	if (!sp_flow_is_idle(flow, x->now_ns))
		return false;
	original = sp_flow_original(key, flow);
	if (!original)
		return true;
	flow->idle_s = sp_flow_idle_s(key->proto, original->tcp_seen, flow->tcp_seen);
	if (original->seen_ns > flow->seen_ns)
		flow->seen_ns = original->seen_ns;
	return sp_flow_is_idle(flow, x->now_ns);
}

/* Judged by another policy, or for a time that is over. */
SP_INLINE bool sp_flow_is_stale(const struct sp_xdp *x, const struct sp_flow *flow)
{
	return flow->generation != x->gateway->generation ||
	       (flow->until_ns && x->now_ns >= flow->until_ns);
}

/* The rates of an answer: its rule's, then its user's. */
SP_INLINE enum sp_reason sp_flow_take(const struct sp_xdp *x, const struct sp_flow *flow)
{
	if (flow->bucket_down && !sp_bucket_allows(x, flow->bucket_down, x->packet.l3_bytes))
		return SP_R_LIMIT_RULE;
	return sp_user_take(x, flow->user_id, false, x->packet.l3_bytes) ? SP_R_NONE
									 : SP_R_LIMIT_DOWN;
}

SP_INLINE void sp_flow_count(const struct sp_xdp *x, const struct sp_flow_key *key,
			     struct sp_flow *flow)
{
	const struct sp_flow *original;
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
	original = sp_flow_original(key, flow);
	flow->idle_s = sp_flow_idle_s(key->proto, original ? original->tcp_seen : 0, seen);
}

#endif
