/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"

#include "sallyport/core/bucket.h"
#include "sallyport/core/flow.h"

/* Only echo requests begin ICMP flows, so that is what the policy is asked about. */
static uint16_t icmp_of(uint8_t proto)
{
	if (proto == SP_PROTO_ICMP)
		return SP_ICMP_ECHO << 8;
	return proto == SP_PROTO_ICMPV6 ? SP_ICMP6_ECHO << 8 : 0;
}

enum sp_reason sp_judge_ask(struct sp_worker *w, const struct sp_flow_key *original,
			    uint32_t user_id, struct sp_policy_answer *ret_answer)
{
	struct sp_policy_query query = {.src = original->src,
					.dst = original->dst,
					.user_id = user_id,
					.sport_be = original->sport_be,
					.dport_be = original->dport_be,
					.icmp = icmp_of(original->proto),
					.proto = original->proto,
					.now_ns = w->now_ns};

	sp_policy_walk(&w->policy, &query, ret_answer);
	w->rejects = ret_answer->action == SP_ACTION_REJECT;
	return ret_answer->action == SP_ACTION_ALLOW ? SP_R_NONE : ret_answer->reason;
}

void sp_judge_take(struct sp_entry *entry, const struct sp_policy_answer *answer)
{
	entry->rule_id = answer->rule_id;
	entry->hit_id = answer->hit_id;
	entry->on_change = answer->on_change;
	entry->grace_s = answer->grace_s;
	entry->bucket_up = answer->bucket_up;
	entry->bucket_down = answer->bucket_down;
	entry->until_ns = answer->until_ns;
}

bool sp_judge_is_due(const struct sp_worker *w, const struct sp_entry *entry)
{
	return entry->generation != w->generation ||
	       (entry->until_ns && w->now_ns >= entry->until_ns);
}

enum sp_reason sp_judge_limit(struct sp_worker *w, const struct sp_entry *entry, uint32_t bytes)
{
	uint32_t id = entry->side == SP_FLOW_ORIGINAL ? entry->bucket_up : entry->bucket_down;

	if (!id)
		return SP_R_NONE;
	if (id >= w->shared->buckets_max ||
	    !sp_bucket_take(&w->shared->buckets[id], w->now_ns, bytes))
		return SP_R_LIMIT_RULE;
	return SP_R_NONE;
}

/* A denied flow: does it go on for now? What it does is no longer the rule's account. */
static bool is_spared(const struct sp_worker *w, struct sp_entry *entry)
{
	switch (entry->on_change) {
	case SP_FLOW_KEEP:
		entry->until_ns = 0;
		break;
	case SP_FLOW_GRACE:
		entry->on_change = SP_FLOW_ENDING;
		entry->until_ns = w->now_ns + entry->grace_s * SP_NS_PER_S;
		break;
	case SP_FLOW_ENDING:
		if (w->now_ns >= entry->until_ns)
			return false;
		break;
	default:
		return false;
	}
	entry->hit_id = 0;
	entry->bucket_up = 0;
	entry->bucket_down = 0;
	return true;
}

static void take_over(struct sp_entry *entry, const struct sp_entry *from)
{
	entry->rule_id = from->rule_id;
	entry->hit_id = from->hit_id;
	entry->on_change = from->on_change;
	entry->grace_s = from->grace_s;
	entry->bucket_up = from->bucket_up;
	entry->bucket_down = from->bucket_down;
	entry->until_ns = from->until_ns;
	entry->generation = from->generation;
}

enum sp_reason sp_judge_again(struct sp_worker *w, struct sp_entry *entry)
{
	struct sp_policy_answer answer;
	struct sp_flow_key original;
	enum sp_reason r;

	sp_flow_original_key(entry, &original);
	r = sp_judge_ask(w, &original, entry->user_id, &answer);
	if (r && !is_spared(w, entry)) {
		sp_flow_end(w, entry);
		return r;
	}
	if (!r)
		sp_judge_take(entry, &answer);
	entry->generation = w->generation;
	entry->dirty = true;
	if (entry->mate)
		take_over(&w->table.entries[entry->mate], entry);
	return SP_R_NONE;
}

enum sp_reason sp_judge_reply(struct sp_worker *w, const struct sp_flow_key *key)
{
	struct sp_entry *entry = sp_flow_find(w, key);
	enum sp_reason r;

	if (!entry)
		return SP_R_NO_FLOW;
	if (sp_judge_is_due(w, entry)) {
		r = sp_judge_again(w, entry);
		if (r)
			return r;
	}
	/* XDP may know a newer generation than this worker: it will be asked again then. */
	if (entry->written_generation != entry->generation ||
	    entry->written_until_ns != entry->until_ns)
		sp_flow_mark(w, entry);
	return SP_R_NONE;
}
