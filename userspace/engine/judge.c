/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"

#include "sallyport/core/bucket.h"
#include "sallyport/core/flow.h"
#include "sallyport/core/path.h"

/* Only echo requests begin ICMP flows, so that is what the policy is asked about. */
static uint16_t icmp_of(uint8_t proto)
{
	if (proto == SP_PROTO_ICMP)
		return SP_ICMP_ECHO << 8;
	return proto == SP_PROTO_ICMPV6 ? SP_ICMP6_ECHO << 8 : 0;
}

enum sp_reason sp_judge_ask(struct sp_worker *w, const struct sp_question *question,
			    struct sp_policy_answer *ret_answer)
{
	const struct sp_flow_key *original = question->original;
	struct sp_policy_query query = {.src = original->src,
					.dst = original->dst,
					.user_id = question->user_id,
					.sport_be = original->sport_be,
					.dport_be = original->dport_be,
					.icmp = icmp_of(original->proto),
					.proto = original->proto,
					.place = question->place,
					.now_ns = w->now_ns};

	sp_policy_walk(&w->policy, &query, ret_answer);
	w->rejects = ret_answer->action == SP_ACTION_REJECT;
	w->decided_rule = ret_answer->rule_id;
	w->decided_hit = ret_answer->hit_id;
	return ret_answer->action == SP_ACTION_ALLOW ? SP_R_NONE : ret_answer->reason;
}

static bool has_places(const struct sp_worker *w)
{
	const struct sp_policy_node *header = SP_POLICY_NODE(&w->policy, 0);

	return header && header->header.place_root;
}

uint8_t sp_judge_place(struct sp_worker *w, uint32_t peer_id, uint32_t *ret_seq)
{
	struct sp_endpoint endpoint;
	struct sp_peer *peer;

	*ret_seq = 0;
	if (!peer_id || !has_places(w))
		return 0;
	peer = sp_peer_lookup(w->config.sessions, peer_id);
	if (!peer)
		return 0;
	/* Read before the endpoint: what comes between is looked at again. */
	*ret_seq = atomic_load_explicit(&peer->endpoint_seq, memory_order_acquire);
	return sp_peer_endpoint_get(peer, &endpoint)
		       ? (uint8_t)sp_policy_place(&w->policy, &endpoint.remote)
		       : 0;
}

/* Who began the flow, seen from either of its sides. */
static uint32_t beginner_of(const struct sp_entry *entry)
{
	return entry->side == SP_FLOW_ORIGINAL ? entry->from_peer : entry->to_peer;
}

bool sp_judge_has_moved(struct sp_worker *w, struct sp_entry *entry)
{
	uint32_t peer_id = beginner_of(entry), seq;
	const struct sp_peer *peer;
	uint8_t place;

	if (!peer_id || !has_places(w))
		return false;
	peer = sp_peer_lookup(w->config.sessions, peer_id);
	if (!peer ||
	    atomic_load_explicit(&peer->endpoint_seq, memory_order_relaxed) == entry->place_seq)
		return false;
	place = sp_judge_place(w, peer_id, &seq);
	if (entry->place_seq && place == entry->place) {
		entry->place_seq = seq;
		return false;
	}
	return true;
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

bool sp_judge_is_due(struct sp_worker *w, struct sp_entry *entry)
{
	return entry->generation != w->generation ||
	       (entry->until_ns && w->now_ns >= entry->until_ns) || sp_judge_has_moved(w, entry);
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
	entry->place = from->place;
	entry->place_seq = from->place_seq;
	entry->generation = from->generation;
}

enum sp_reason sp_judge_again(struct sp_worker *w, struct sp_entry *entry)
{
	struct sp_policy_answer answer;
	struct sp_flow_key original;
	struct sp_question question = {.original = &original, .user_id = entry->user_id};
	enum sp_reason r;

	if (!sp_flow_is_as_begun(w, entry) ||
	    (entry->translated && !sp_nat_has_address(w->nat, &entry->nat_addr))) {
		sp_flow_end(w, entry);
		return SP_R_NO_FLOW;
	}
	sp_flow_original_key(entry, &original);
	question.place = sp_judge_place(w, beginner_of(entry), &entry->place_seq);
	entry->place = question.place;
	r = sp_judge_ask(w, &question, &answer);
	if (!r && entry->kind == SP_FLOW_TUNNEL && !sp_path_allows(answer.paths, entry->paths)) {
		sp_flow_end(w, entry); /* its next packet begins anew, as the rule says */
		return SP_R_PATH_DOWN;
	}
	if (r && !is_spared(w, entry)) {
		sp_flow_end(w, entry);
		return r;
	}
	if (!r)
		sp_judge_take(entry, &answer);
	if (entry->paths)
		entry->nexthop_id = 0; /* its path may have another by now */
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
