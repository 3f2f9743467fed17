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
	sp_policy_walk(&view, &s->query, &s->answer);
	if (view.count && !sp_policy_count(view.base, s->generation, nodes_max))
		return SP_R_CLOSED;
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

SP_INLINE void sp_plain_mark(const struct sp_plain *s, struct sp_flow *flow, bool allowed)
{
	if (allowed) {
		flow->rule_id = s->answer.rule_id;
		flow->on_change = s->answer.on_change;
	}
	flow->generation = s->generation;
}

/*
 * The policy has changed since the flow of s->key and s->reply was judged. Also asked: is its
 * source still of the same zone? Whatever ends it ends both entries.
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
	if (r != SP_R_NONE && flow->on_change == 0) {
		sp_plain_end();
		return r;
	}
	sp_plain_mark(s, flow, r == SP_R_NONE);
	sp_plain_mark(s, back, r == SP_R_NONE);
	return SP_R_NONE;
}

#endif
