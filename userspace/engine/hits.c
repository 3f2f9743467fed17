/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"

/* NULL: an image of another size than the counters. */
static struct sp_rule_hit *cell_of(struct sp_worker *w, uint32_t hit_id)
{
	return hit_id <= w->shared->rules_max ? &w->hits[hit_id] : NULL;
}

static void count_flow(struct sp_worker *w, uint32_t hit_id)
{
	struct sp_rule_hit *cell = cell_of(w, hit_id);

	if (!cell)
		return;
	cell->flows++;
	if (!cell->first_ns)
		cell->first_ns = w->now_ns;
	cell->last_ns = w->now_ns;
}

void sp_hits_decide(struct sp_worker *w, const struct sp_policy_answer *answer)
{
	const struct sp_policy_node *shadow = SP_POLICY_NODE(&w->policy, 1 + answer->shadow_id);

	count_flow(w, answer->hit_id);
	if (answer->shadow_id && shadow)
		count_flow(w, shadow->rule.hit_id);
}

void sp_hits_packet(struct sp_worker *w, uint32_t hit_id)
{
	struct sp_rule_hit *cell = cell_of(w, hit_id);

	if (!cell)
		return;
	cell->packets++;
	cell->last_ns = w->now_ns;
}
