/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"
#include "engine/record.h"

#include "sallyport/core/flow.h"

#define PUT_MAX 64 /* entries in one system call */

void sp_flow_original_key(const struct sp_entry *entry, struct sp_flow_key *ret_key)
{
	if (entry->side == SP_FLOW_ORIGINAL)
		*ret_key = entry->key;
	else
		sp_flow_key_reverse(&entry->key, ret_key);
}

void sp_flow_reply_key(const struct sp_entry *entry, struct sp_flow_key *ret_key)
{
	if (entry->side == SP_FLOW_REPLY) {
		*ret_key = entry->key;
		return;
	}
	sp_flow_key_reverse(&entry->key, ret_key);
	ret_key->dst = entry->nat_addr;
	ret_key->dport_be = entry->nat_port_be;
}

void sp_flow_record(const struct sp_worker *w, const struct sp_entry *entry,
		    struct sp_flow *ret_flow)
{
	*ret_flow = (struct sp_flow){
		.side = SP_FLOW_ORIGINAL,
		.kind = entry->kind,
		.generation = entry->generation,
		.rule_id = entry->rule_id,
		.user_id = entry->user_id,
		.peer_id = entry->from_peer ? entry->from_peer : entry->to_peer,
		.nexthop_id = entry->nexthop_id,
		.worker = (uint16_t)w->config.index,
		.pool_id = (uint8_t)entry->pool_id, /* at most SP_NAT_POOL_MAX */
		.on_change = entry->on_change,
		.nat_addr = entry->nat_addr,
		.nat_port_be = entry->nat_port_be,
		.tcp_seen = entry->tcp_seen,
		.translated = entry->translated,
		.idle_s = sp_flow_idle_s(entry->key.proto, entry->tcp_seen, SP_TCP_SEEN_ACK),
		.created_ns = entry->created_ns,
		.seen_ns = entry->seen_ns,
		.packets = entry->packets,
		.bytes = entry->bytes,
		.until_ns = entry->until_ns,
		.grace_s = entry->grace_s,
		.hit_id = entry->hit_id,
		.bucket_up = entry->bucket_up,
		.bucket_down = entry->bucket_down,
		.paths = entry->paths,
	};
}

/*
 * The half that XDP finds. Its idle time is the longest there is: the worker ends the flow when
 * both sides have been idle for their time, and XDP does so only when there is no worker any more.
 */
static void record_reply(const struct sp_entry *entry, const struct sp_flow *original,
			 struct sp_flow *ret_flow)
{
	*ret_flow = *original;
	ret_flow->side = SP_FLOW_REPLY;
	ret_flow->nat_addr = entry->key.src;
	ret_flow->nat_port_be = entry->key.sport_be;
	ret_flow->tcp_seen = 0;
	ret_flow->idle_s = SP_FLOW_TCP_ESTABLISHED_S;
	ret_flow->packets = 0;
	ret_flow->bytes = 0;
}

void sp_flow_publish(struct sp_worker *w, struct sp_entry *entry)
{
	entry->owned = true;
	entry->unpublished = true;
	w->user_flows[entry->user_id]++;
	w->fresh[w->fresh_count++] = entry;
}

static void flush_gone(struct sp_worker *w)
{
	for (uint32_t at = 0; at < w->gone_count; at += PUT_MAX) {
		uint32_t left = w->gone_count - at;

		sp_dataplane_flow_remove(w->config.dataplane, &w->gone[at],
					 left < PUT_MAX ? left : PUT_MAX);
	}
	w->gone_count = 0;
}

static void end_key(struct sp_worker *w, const struct sp_flow_key *key)
{
	if (w->gone_count == sizeof(w->gone) / sizeof(w->gone[0]))
		flush_gone(w);
	w->gone[w->gone_count++] = *key;
}

static void remove_entry(struct sp_worker *w, struct sp_entry *entry)
{
	for (uint32_t i = 0; entry->unpublished && i < w->fresh_count; i++) {
		if (w->fresh[i] == entry)
			w->fresh[i--] = w->fresh[--w->fresh_count];
	}
	sp_flow_table_remove(&w->table, entry);
}

void sp_flow_forget(struct sp_worker *w, struct sp_entry *entry)
{
	if (entry->mate)
		w->table.entries[entry->mate].mate = 0;
	if (entry->owned) {
		w->user_flows[entry->user_id]--;
		if (entry->kind == SP_FLOW_TUNNEL)
			sp_nat_put(w->nat, entry->nat_handle);
	}
	remove_entry(w, entry);
}

void sp_flow_end(struct sp_worker *w, struct sp_entry *entry)
{
	struct sp_entry *mate = entry->mate ? &w->table.entries[entry->mate] : NULL;
	struct sp_flow_key key;

	if (mate && mate->side == SP_FLOW_ORIGINAL) {
		sp_flow_end(w, mate);
		return;
	}
	sp_record_ended(w, entry, mate);
	sp_flow_original_key(entry, &key);
	end_key(w, &key);
	sp_flow_reply_key(entry, &key);
	end_key(w, &key);
	if (mate)
		sp_flow_forget(w, mate);
	sp_flow_forget(w, entry);
}

static void mark_half(struct sp_worker *w, const struct sp_flow_key *key,
		      const struct sp_entry *entry)
{
	struct sp_flow flow;

	/* Between look-up and update XDP may count a packet or two that are then not counted. */
	if (sp_dataplane_flow_lookup(w->config.dataplane, key, &flow))
		return;
	flow.generation = entry->generation;
	flow.rule_id = entry->rule_id;
	flow.on_change = entry->on_change;
	flow.until_ns = entry->until_ns;
	flow.grace_s = entry->grace_s;
	flow.hit_id = entry->hit_id;
	flow.bucket_up = entry->bucket_up;
	flow.bucket_down = entry->bucket_down;
	sp_dataplane_flow_renew(w->config.dataplane, key, &flow);
}

void sp_flow_mark(struct sp_worker *w, struct sp_entry *entry)
{
	struct sp_flow_key key;

	sp_flow_original_key(entry, &key);
	mark_half(w, &key, entry);
	sp_flow_reply_key(entry, &key);
	mark_half(w, &key, entry);
	entry->written_generation = entry->generation;
	entry->written_until_ns = entry->until_ns;
}

/* Puts w->fresh[first ..), as many as fit one call; the number of flows that are whole. */
static uint32_t put_some(struct sp_worker *w, uint32_t first, uint32_t n)
{
	struct sp_flow_key keys[PUT_MAX];
	struct sp_flow flows[PUT_MAX];
	int done;

	for (uint32_t i = 0; i < n; i++) {
		const struct sp_entry *entry = w->fresh[first + i];

		keys[2 * i] = entry->key;
		sp_flow_record(w, entry, &flows[2 * i]);
		sp_flow_reply_key(entry, &keys[2 * i + 1]);
		record_reply(entry, &flows[2 * i], &flows[2 * i + 1]);
	}
	done = sp_dataplane_flow_put(w->config.dataplane, keys, flows, 2 * n);
	return done < 0 ? 0 : (uint32_t)done / 2;
}

void sp_flow_flush(struct sp_worker *w)
{
	uint32_t at = 0;

	flush_gone(w);
	while (at < w->fresh_count) {
		uint32_t n = w->fresh_count - at < PUT_MAX / 2 ? w->fresh_count - at : PUT_MAX / 2;
		uint32_t done = put_some(w, at, n);

		for (uint32_t i = 0; i < done; i++) {
			w->fresh[at + i]->unpublished = false;
			sp_record_begun(w, w->fresh[at + i]);
		}
		at += done;
		if (done < n)
			break;
	}
	w->fresh_count -= at;
	for (uint32_t i = 0; i < w->fresh_count; i++)
		w->fresh[i] = w->fresh[at + i];
}

void sp_flow_abandon(struct sp_worker *w)
{
	while (w->fresh_count)
		sp_flow_end(w, w->fresh[w->fresh_count - 1]);
}
