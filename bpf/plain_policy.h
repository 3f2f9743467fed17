/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who sends from inside, and may it? The walk of core/policy.h over the map. XDP only. */
#ifndef SP_BPF_PLAIN_POLICY_H
#define SP_BPF_PLAIN_POLICY_H

#include "plain.h"

/* A half that is not of the generation asked for is being filled: no view, so a denial. */
SP_INLINE __u32 sp_policy_count(__u32 base, __u32 generation, __u32 nodes_max)
{
	const struct sp_policy_node *head = bpf_map_lookup_elem(&sp_policy, &base);

	if (!head || head->kind != SP_POLICY_HEADER || head->header.magic != SP_POLICY_MAGIC ||
	    head->header.abi != SP_ABI_VERSION || head->header.generation != generation ||
	    head->header.count > nodes_max)
		return 0;
	return head->header.count;
}

/* Asks about s->key for s->user_id; s->answer is of one generation, s->generation, whole. */
__attribute__((noinline)) int sp_plain_ask(void)
{
	struct sp_plain *s = sp_plain_here();
	struct sp_policy_view view = {0};
	const struct sp_gateway *gateway;
	__u32 zero = 0, nodes_max;

	if (!s)
		return SP_R_CLOSED;
	gateway = bpf_map_lookup_elem(&sp_gateway, &zero);
	if (!gateway)
		return SP_R_CLOSED;
	nodes_max = gateway->policy_nodes_max;
	view.base = s->generation & 1 ? nodes_max : 0;
	view.count = sp_policy_count(view.base, s->generation, nodes_max);
	s->query.src = s->key.src;
	s->query.dst = s->key.dst;
	s->query.user_id = s->user_id;
	s->query.sport_be = s->key.sport_be;
	s->query.dport_be = s->key.dport_be;
	s->query.proto = s->key.proto;
	/* Only echo requests begin ICMP flows. */
	s->query.icmp = s->key.proto == SP_PROTO_ICMP ? SP_ICMP_ECHO << 8 : SP_ICMP6_ECHO << 8;
	s->query.now_ns = s->now_ns;
	sp_policy_walk(&view, &s->query, &s->answer);
	if (view.count && !sp_policy_count(view.base, s->generation, nodes_max))
		return SP_R_CLOSED;
	s->rejects = s->answer.action == SP_ACTION_REJECT;
	return s->answer.action == SP_ACTION_ALLOW ? SP_R_NONE : s->answer.reason;
}

SP_INLINE __u32 sp_plain_zone(__u32 slot, const struct sp_addr *src)
{
	struct sp_zone_key key = {.prefixlen = 160, .slot = slot};
	const struct sp_zone *zone;

	__builtin_memcpy(key.addr, src->b, sizeof(key.addr));
	zone = bpf_map_lookup_elem(&sp_zones, &key);
	return zone ? zone->user_id : SP_USER_NOBODY;
}

/* The flow is of the rule that allowed it. */
SP_INLINE void sp_plain_take(const struct sp_plain *s, struct sp_flow *flow)
{
	flow->rule_id = s->answer.rule_id;
	flow->on_change = s->answer.on_change;
	flow->until_ns = s->answer.until_ns;
	flow->grace_s = s->answer.grace_s;
	flow->hit_id = s->answer.hit_id;
	flow->bucket_up = s->answer.bucket_up;
	flow->bucket_down = s->answer.bucket_down;
}

/* A denied flow: does it go on for now, and until when? What it does is no longer the rule's account. */
SP_INLINE bool sp_plain_is_spared(const struct sp_plain *s, struct sp_flow *flow)
{
	if (flow->on_change == SP_FLOW_KEEP) {
		flow->until_ns = 0;
	} else if (flow->on_change == SP_FLOW_GRACE) {
		flow->until_ns = s->now_ns + flow->grace_s * SP_NS_PER_S;
		flow->on_change = SP_FLOW_ENDING;
	} else if (flow->on_change != SP_FLOW_ENDING || s->now_ns >= flow->until_ns) {
		return false;
	}
	flow->hit_id = 0;
	flow->bucket_up = 0;
	flow->bucket_down = 0;
	return true;
}

/* The other entry is told what one was told. */
SP_INLINE void sp_plain_agree(const struct sp_flow *flow, struct sp_flow *back)
{
	back->rule_id = flow->rule_id;
	back->on_change = flow->on_change;
	back->until_ns = flow->until_ns;
	back->grace_s = flow->grace_s;
	back->hit_id = flow->hit_id;
	back->bucket_up = flow->bucket_up;
	back->bucket_down = flow->bucket_down;
}

/* Was it judged by another policy, or for a time that is over? */
SP_INLINE bool sp_plain_is_due(const struct sp_plain *s, const struct sp_flow *flow)
{
	return flow->generation != s->generation || (flow->until_ns && s->now_ns >= flow->until_ns);
}

/*
 * The policy or the hour has changed since the flow of s->key and s->reply was judged. Also asked:
 * is its source still of the same zone? Whatever ends it ends both entries.
 */
__attribute__((noinline)) int sp_plain_judge_again(void)
{
	struct sp_plain *s = sp_plain_here();
	struct sp_flow *flow, *back;
	enum sp_reason r;

	if (!s)
		return SP_R_CLOSED;
	flow = bpf_map_lookup_elem(&sp_flows, &s->key);
	back = bpf_map_lookup_elem(&sp_flows, &s->reply);
	if (!flow || !back || flow->user_id >= 0x7fffffff) {
		sp_plain_end();
		return SP_R_NO_FLOW;
	}
	s->user_id = flow->user_id;
	if (sp_plain_zone(flow->slot, &s->key.src) != s->user_id) {
		sp_plain_end();
		return SP_R_SPOOFED_SOURCE;
	}
	r = sp_plain_ask();
	if (r == SP_R_CLOSED)
		return r;
	if (r == SP_R_NONE && !sp_path_allows(s->answer.paths, flow->paths))
		r = SP_R_PATH_DOWN; /* its next packet begins anew, as the rule says */
	if (r == SP_R_NONE) {
		sp_plain_take(s, flow);
	} else if (r == SP_R_PATH_DOWN || !sp_plain_is_spared(s, flow)) {
		sp_plain_end();
		return r;
	}
	flow->nexthop_id = flow->paths ? 0 : flow->nexthop_id; /* it may be another by now */
	sp_plain_agree(flow, back);
	flow->generation = s->generation;
	back->generation = s->generation;
	return SP_R_NONE;
}

#endif
