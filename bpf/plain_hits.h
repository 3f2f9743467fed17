/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What rules decide about plain flows: counted in this CPU's lane, told at a pace. XDP only. */
#ifndef SP_BPF_PLAIN_HITS_H
#define SP_BPF_PLAIN_HITS_H

#include "plain.h"

/* As a worker's: 200 lines a second, 200 at once. */
#define SP_TELL_COST_NS	 5000000ull
#define SP_TELL_BURST_NS (200 * SP_TELL_COST_NS)

/* NULL: an image of another size than the counters. No other writer, as of a drop cell. */
SP_INLINE struct sp_rule_hit *sp_hit_cell(const struct sp_plain *s, __u32 hit_id)
{
	__u32 index = bpf_get_smp_processor_id() * (s->rules_max + 1) + hit_id;

	return hit_id <= s->rules_max ? bpf_map_lookup_elem(&sp_rule_hits, &index) : NULL;
}

SP_INLINE void sp_hit_packet(const struct sp_plain *s, __u32 hit_id)
{
	struct sp_rule_hit *cell = sp_hit_cell(s, hit_id);

	if (!cell)
		return;
	cell->packets++;
	cell->last_ns = s->now_ns;
}

SP_INLINE void sp_hit_flow(const struct sp_plain *s, __u32 hit_id)
{
	struct sp_rule_hit *cell = sp_hit_cell(s, hit_id);

	if (!cell)
		return;
	cell->flows++;
	if (!cell->first_ns)
		cell->first_ns = s->now_ns;
	cell->last_ns = s->now_ns;
}

SP_INLINE bool sp_may_tell(struct sp_pace *pace, __u64 now_ns)
{
	__u64 tat_ns = pace->log_tat_ns > now_ns ? pace->log_tat_ns : now_ns;

	if (tat_ns - now_ns > SP_TELL_BURST_NS)
		return false;
	pace->log_tat_ns = tat_ns + SP_TELL_COST_NS;
	return true;
}

SP_INLINE void sp_plain_tell(const struct sp_plain *s, __u32 rule_id, __u32 hit_id,
			     enum sp_action action, bool shadow)
{
	__u32 zero = 0;
	struct sp_pace *pace = bpf_map_lookup_elem(&sp_plain_pace, &zero);
	struct sp_decision *d = NULL;

	if (!pace)
		return;
	if (sp_may_tell(pace, s->now_ns))
		d = bpf_ringbuf_reserve(&sp_decisions, sizeof(*d), 0);
	if (!d) {
		pace->log_lost++;
		return;
	}
	d->key = s->key;
	d->user_id = s->user_id;
	d->rule_id = rule_id;
	d->hit_id = hit_id;
	d->action = action;
	d->shadow = shadow;
	__builtin_memset(d->pad, 0, sizeof(d->pad));
	bpf_ringbuf_submit(d, 0);
}

/* s->answer is about the new flow of s->key: the rule's account, and the shadow rule's before it. */
__attribute__((noinline)) int sp_plain_account(void)
{
	struct sp_plain *s = sp_plain_here();
	const struct sp_policy_node *shadow;
	const struct sp_gateway *gateway;
	__u32 zero = 0, at;

	if (!s)
		return 0;
	sp_hit_flow(s, s->answer.hit_id);
	if (s->answer.log)
		sp_plain_tell(s, s->answer.rule_id, s->answer.hit_id, s->answer.action, false);
	gateway = bpf_map_lookup_elem(&sp_gateway, &zero);
	if (!s->answer.shadow_id || !gateway)
		return 0;
	at = (s->generation & 1 ? gateway->policy_nodes_max : 0) + 1 + s->answer.shadow_id;
	shadow = bpf_map_lookup_elem(&sp_policy, &at);
	/* The half may be another policy's by now: whose rule would this be? */
	if (!shadow || shadow->kind != SP_POLICY_RULE || gateway->generation != s->generation)
		return 0;
	sp_hit_flow(s, shadow->rule.hit_id);
	if (shadow->rule.log)
		sp_plain_tell(s, s->answer.shadow_id, shadow->rule.hit_id,
			      (enum sp_action)shadow->rule.action, true);
	return 0;
}

#endif
