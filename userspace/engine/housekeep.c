/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"

#include "sallyport/core/flow.h"

#define SLICE_NS	(10 * 1000000ull)
#define SLICES_A_SECOND 100
#define WRITE_EVERY_NS	SP_NS_PER_S
#define GUEST_IDLE_NS	(60 * SP_NS_PER_S) /* then its owner alone looks after it */
#define CHECK_TCP_NS	(SP_FLOW_TCP_TRANSITORY_S * SP_NS_PER_S)
#define PUT_MAX		64

/* Numbers of owned originals on their way to sp_flows. */
struct numbers {
	uint32_t count;
	struct sp_flow_key keys[PUT_MAX];
	struct sp_flow flows[PUT_MAX];
};

static void write_numbers(struct sp_worker *w, struct numbers *numbers)
{
	if (numbers->count)
		sp_dataplane_flow_put(w->config.dataplane, numbers->keys, numbers->flows,
				      numbers->count);
	numbers->count = 0;
}

static void write_owned(struct sp_worker *w, struct sp_entry *entry, struct numbers *numbers)
{
	if (numbers->count == PUT_MAX)
		write_numbers(w, numbers);
	numbers->keys[numbers->count] = entry->key;
	sp_flow_record(w, entry, &numbers->flows[numbers->count++]);
	entry->written_ns = w->now_ns;
	entry->dirty = false;
}

/* Another worker's flow, or the reply half of one that stays inside: what came since is added. */
static void add_numbers(struct sp_worker *w, struct sp_entry *entry)
{
	struct sp_flow flow;

	if (sp_dataplane_flow_lookup(w->config.dataplane, &entry->key, &flow)) {
		if (!entry->mate)
			sp_flow_forget(w, entry); /* its owner has ended it */
		return;
	}
	flow.packets += entry->packets;
	flow.bytes += entry->bytes;
	flow.tcp_seen |= entry->tcp_seen;
	if (flow.seen_ns < entry->seen_ns)
		flow.seen_ns = entry->seen_ns;
	sp_dataplane_flow_renew(w->config.dataplane, &entry->key, &flow);
	entry->packets = 0;
	entry->bytes = 0;
	entry->written_ns = w->now_ns;
	entry->dirty = false;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Idle on both sides, wherever their packets arrive? Both halves in sp_flows know. */
static void check_idle(struct sp_worker *w, struct sp_entry *entry)
{
	struct sp_flow original, reply;
	struct sp_flow_key key;
	uint64_t seen_ns, idle_ns;

	sp_flow_reply_key(entry, &key);
	if (sp_dataplane_flow_lookup(w->config.dataplane, &key, &reply) ||
	    sp_dataplane_flow_lookup(w->config.dataplane, &entry->key, &original)) {
		sp_flow_end(w, entry); /* somebody has cut it */
		return;
	}
	seen_ns = later(entry->seen_ns, later(original.seen_ns, reply.seen_ns));
	idle_ns = sp_flow_idle_s(entry->key.proto, entry->tcp_seen | original.tcp_seen,
				 reply.tcp_seen) *
		  SP_NS_PER_S;
	if (w->now_ns >= seen_ns + idle_ns) {
		sp_flow_end(w, entry);
		return;
	}
	entry->check_ns = seen_ns + idle_ns;
	if (entry->check_ns > w->now_ns + CHECK_TCP_NS && entry->key.proto == SP_PROTO_TCP)
		entry->check_ns = w->now_ns + CHECK_TCP_NS; /* the other side may close it */
}

/* A peer that was removed, or given to another user, takes its flows with it. */
static bool has_peers(struct sp_worker *w, const struct sp_entry *entry)
{
	const struct sp_peer *peer;

	if (entry->to_peer && !sp_peer_lookup(w->config.sessions, entry->to_peer))
		return false;
	if (!entry->from_peer)
		return true;
	peer = sp_peer_lookup(w->config.sessions, entry->from_peer);
	return peer && (entry->side == SP_FLOW_REPLY || peer->user_id == entry->user_id);
}

/* Its peer comes from another place: who only listens must be judged for that too. */
static void move(struct sp_worker *w, struct sp_entry *entry)
{
	if (!sp_judge_again(w, entry) && entry->written_until_ns != entry->until_ns)
		sp_flow_mark(w, entry);
}

static void visit(struct sp_worker *w, struct sp_entry *entry, struct numbers *numbers)
{
	bool is_due = entry->dirty && w->now_ns - entry->written_ns >= WRITE_EVERY_NS;

	if (entry->refused) {
		if (w->now_ns >= entry->check_ns || entry->generation != w->generation)
			sp_flow_forget(w, entry);
	} else if (!has_peers(w, entry)) {
		sp_flow_end(w, entry);
	} else if (sp_judge_has_moved(w, entry)) {
		move(w, entry);
	} else if (entry->owned) {
		if (is_due)
			write_owned(w, entry, numbers);
		if (w->now_ns >= entry->check_ns)
			check_idle(w, entry);
	} else if (is_due) {
		add_numbers(w, entry);
	} else if (!entry->mate && w->now_ns - entry->seen_ns >= GUEST_IDLE_NS) {
		sp_flow_forget(w, entry);
	}
}

static void show(struct sp_worker *w)
{
	struct sp_nat_stats nat;

	sp_nat_stats(w->nat, &nat);
	atomic_store_explicit(&w->flows, w->table.count, memory_order_relaxed);
	atomic_store_explicit(&w->frames_free, w->frames.free_count, memory_order_relaxed);
	atomic_store_explicit(&w->bindings, nat.bindings, memory_order_relaxed);
	atomic_store_explicit(&w->bindings_max, nat.bindings_max, memory_order_relaxed);
	atomic_store_explicit(&w->nat_exhausted, nat.exhausted, memory_order_relaxed);
}

void sp_housekeep(struct sp_worker *w, uint64_t now_ns)
{
	struct numbers numbers = {.count = 0};
	uint32_t slice = w->table.high / SLICES_A_SECOND + 1;

	if (now_ns - w->housekeep_ns < SLICE_NS)
		return;
	w->housekeep_ns = now_ns;
	w->now_ns = now_ns;
	for (uint32_t i = 0; i < slice && i < w->table.high; i++) {
		if (w->sweep_at >= w->table.high)
			w->sweep_at = 0;
		if (w->table.entries[++w->sweep_at].used)
			visit(w, &w->table.entries[w->sweep_at], &numbers);
	}
	write_numbers(w, &numbers);
	sp_flow_flush(w);
	show(w);
}
