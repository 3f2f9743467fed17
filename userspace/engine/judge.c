/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"

#include "sallyport/core/flow.h"

#define ON_CHANGE_KEEP 1 /* of struct sp_policy_rule */

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
					.proto = original->proto};

	sp_policy_walk(&w->policy, &query, ret_answer);
	return ret_answer->action == SP_ACTION_ALLOW ? SP_R_NONE : ret_answer->reason;
}

enum sp_reason sp_judge_again(struct sp_worker *w, struct sp_entry *entry)
{
	struct sp_policy_answer answer;
	struct sp_flow_key original;
	enum sp_reason r;

	if (!sp_flow_is_as_begun(w, entry)) {
		sp_flow_end(w, entry);
		return SP_R_NO_FLOW;
	}
	sp_flow_original_key(entry, &original);
	r = sp_judge_ask(w, &original, entry->user_id, &answer);
	if (r && entry->on_change != ON_CHANGE_KEEP) {
		sp_flow_end(w, entry);
		return r;
	}
	if (!r) {
		entry->rule_id = answer.rule_id;
		entry->on_change = answer.on_change;
	}
	entry->generation = w->generation;
	entry->dirty = true;
	if (entry->mate) {
		struct sp_entry *mate = &w->table.entries[entry->mate];

		mate->rule_id = entry->rule_id;
		mate->on_change = entry->on_change;
		mate->generation = w->generation;
	}
	return SP_R_NONE;
}

enum sp_reason sp_judge_reply(struct sp_worker *w, const struct sp_flow_key *key)
{
	struct sp_entry *entry = sp_flow_find(w, key);
	enum sp_reason r;

	if (!entry)
		return SP_R_NO_FLOW;
	if (entry->generation != w->generation) {
		r = sp_judge_again(w, entry);
		if (r)
			return r;
	}
	/* XDP may know a newer generation than this worker: it will be asked again then. */
	if (entry->written_generation != entry->generation)
		sp_flow_mark(w, entry);
	return SP_R_NONE;
}
