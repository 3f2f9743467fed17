/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/record.h"

#include "engine/pipeline.h"

static void fill(const struct sp_worker *w, const struct sp_entry *entry,
		 struct sp_record *ret_record)
{
	*ret_record = (struct sp_record){
		.key = entry->key,
		.egress = entry->nat_addr,
		.begun_ns = entry->created_ns,
		.seen_ns = entry->seen_ns,
		.packets = entry->packets,
		.bytes = entry->bytes,
		.user_id = entry->user_id,
		.peer_id = entry->from_peer ? entry->from_peer : entry->to_peer,
		.rule_id = entry->rule_id,
		.hit_id = entry->hit_id,
		.egress_port_be = entry->nat_port_be,
		.kind = (uint8_t)entry->kind,
	};
}

void sp_record_begun(struct sp_worker *w, const struct sp_entry *entry)
{
	struct sp_record record;

	if (!w->config.records_max)
		return;
	fill(w, entry, &record);
	record.what = SP_RECORD_BEGUN;
	sp_ring_push(&w->records, &record);
}

void sp_record_ended(struct sp_worker *w, const struct sp_entry *entry, const struct sp_entry *mate)
{
	struct sp_record record;
	struct sp_flow_key key;
	struct sp_flow reply;

	if (!w->config.records_max || !entry->owned || entry->unpublished)
		return;
	fill(w, entry, &record);
	record.what = SP_RECORD_ENDED;
	record.ended_ns = w->now_ns;
	sp_flow_reply_key(entry, &key);
	if (sp_dataplane_flow_lookup(w->config.dataplane, &key, &reply) == 0) {
		record.back_packets = reply.packets;
		record.back_bytes = reply.bytes;
		if (reply.seen_ns > record.seen_ns)
			record.seen_ns = reply.seen_ns;
	}
	if (mate) { /* what it has not yet added to its half */
		record.back_packets += mate->packets;
		record.back_bytes += mate->bytes;
	}
	sp_ring_push(&w->records, &record);
}

void sp_record_denied(struct sp_worker *w, const struct sp_denial *denial,
		      const struct sp_policy_answer *answer)
{
	struct sp_record record = {.key = *denial->key,
				   .begun_ns = w->now_ns,
				   .seen_ns = w->now_ns,
				   .user_id = denial->user_id,
				   .peer_id = denial->peer_id,
				   .rule_id = answer->rule_id,
				   .hit_id = answer->hit_id,
				   .what = SP_RECORD_DENIED,
				   .kind = (uint8_t)denial->kind,
				   .reason = (uint8_t)answer->reason};

	if (!w->config.records_max || w->now_ns - w->denied_ns < SP_RECORD_PACE_NS)
		return;
	w->denied_ns = w->now_ns;
	sp_ring_push(&w->records, &record);
}
