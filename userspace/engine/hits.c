/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"

/* Lines of the log: 200 a second, 200 at once. */
#define TELL_COST_NS  5000000ull
#define TELL_BURST_NS (200 * TELL_COST_NS)

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

static bool may_tell(struct sp_worker *w)
{
	uint64_t tat_ns = w->log_tat_ns > w->now_ns ? w->log_tat_ns : w->now_ns;

	if (tat_ns - w->now_ns > TELL_BURST_NS)
		return false;
	w->log_tat_ns = tat_ns + TELL_COST_NS;
	return true;
}

static void tell(struct sp_worker *w, struct sp_engine_event *event)
{
	if (!may_tell(w) || !sp_worker_push(w, event))
		atomic_store_explicit(&w->log_lost, w->log_lost + 1, memory_order_relaxed);
}

void sp_hits_decide(struct sp_worker *w, const struct sp_flow_key *key, uint32_t user_id,
		    const struct sp_policy_answer *answer)
{
	const struct sp_policy_node *shadow = SP_POLICY_NODE(&w->policy, 1 + answer->shadow_id);
	struct sp_engine_event event = {.kind = SP_EVENT_RULE, .key = *key, .user_id = user_id};

	count_flow(w, answer->hit_id);
	if (answer->log) {
		event.rule_id = answer->rule_id;
		event.hit_id = answer->hit_id;
		event.action = answer->action;
		tell(w, &event);
	}
	if (!answer->shadow_id || !shadow)
		return;
	count_flow(w, shadow->rule.hit_id);
	if (shadow->rule.log) {
		event.rule_id = answer->shadow_id;
		event.hit_id = shadow->rule.hit_id;
		event.action = (enum sp_action)shadow->rule.action;
		event.shadow = true;
		tell(w, &event);
	}
}

void sp_hits_packet(struct sp_worker *w, uint32_t hit_id)
{
	struct sp_rule_hit *cell = cell_of(w, hit_id);

	if (!cell)
		return;
	cell->packets++;
	cell->last_ns = w->now_ns;
}
