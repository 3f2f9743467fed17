/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/drops.h"
#include "engine/pipeline.h"

#define RESOLVE_EVERY_NS (100 * 1000000ull)
/*
 * A user may talk to every address of a link, and each takes a place in the kernel's neighbour
 * table for some seconds, of which it has 1024: 50 a second, 32 at once.
 */
#define RESOLVE_COST_NS	 20000000ull
#define RESOLVE_BURST_NS (32 * RESOLVE_COST_NS)

static int open_parts(struct sp_worker *w)
{
	const struct sp_worker_config *c = &w->config;
	int rc = sp_frames_init(&w->frames, c->frames);

	if (!rc)
		rc = sp_flow_table_init(&w->table, c->flows_max);
	if (!rc)
		rc = sp_nat_open(c->index, c->nat_slices ? c->nat_slices : c->workers, c->flows_max,
				 &w->nat);
	if (!rc)
		rc = c->aead->open(&w->aead);
	if (!rc)
		rc = sp_ring_init(&w->events, SP_EVENTS_MAX, sizeof(struct sp_engine_event));
	if (!rc && c->records_max)
		rc = sp_ring_init(&w->records, c->records_max, sizeof(struct sp_record));
	if (!rc)
		rc = sp_ring_init(&w->drops, SP_DROPS_MAX, sizeof(struct sp_drop_event));
	if (rc)
		return rc;
	rc = sp_fragments_init(&w->fragments, w->shared->users_max);
	if (rc)
		return rc;
	rc = sp_inner_cache_init(&w->inner);
	if (rc)
		return rc;
	w->user_flows = calloc(w->shared->users_max, sizeof(*w->user_flows));
	return w->user_flows ? 0 : -ENOMEM;
}

int sp_worker_open(const struct sp_worker_config *config, struct sp_worker **ret_worker)
{
	struct sp_shared *shared = sp_dataplane_shared(config->dataplane);
	uint32_t lane = shared->gateway->drop_lane_first_worker + config->index;
	struct sp_worker *w;
	int rc;

	if (lane >= shared->drop_lanes)
		return -EINVAL;
	w = aligned_alloc(64, (sizeof(*w) + 63) & ~(size_t)63);
	if (!w)
		return -ENOMEM;
	memset(w, 0, sizeof(*w));
	w->config = *config;
	w->shared = shared;
	w->lane = &shared->drops[(size_t)lane * SP_DROP_STRIDE];
	w->hits = &shared->hits[(size_t)lane * (shared->rules_max + 1)];
	w->paces = &shared->paces[(size_t)lane * SP_PACE_STRIDE];
	w->forward = &shared->forward[(size_t)lane * SP_FORWARD_STRIDE];
	for (uint32_t i = 0; i < config->iface_count; i++) {
		if (config->ifaces[i].iface.slot < SP_IFACE_MAX)
			w->ifaces[config->ifaces[i].iface.slot] = config->ifaces[i];
	}
	rc = open_parts(w);
	if (rc) {
		sp_worker_close(w);
		return rc;
	}
	*ret_worker = w;
	return 0;
}

void sp_worker_close(struct sp_worker *w)
{
	if (!w)
		return;
	if (w->aead)
		w->config.aead->close(w->aead);
	sp_nat_close(w->nat);
	sp_flow_table_fini(&w->table);
	sp_fragments_fini(&w->fragments);
	sp_inner_cache_fini(&w->inner);
	sp_frames_fini(&w->frames);
	sp_ring_fini(&w->events);
	sp_ring_fini(&w->records);
	sp_ring_fini(&w->drops);
	free(w->user_flows);
	free(w);
}

void sp_worker_apply(struct sp_worker *w, const struct sp_published *published)
{
	const struct sp_policy_node *half;

	if (!published || published->serial == w->applied_serial)
		return;
	half = w->shared->policy +
	       (size_t)(published->generation & 1) * w->shared->policy_nodes_max;
	sp_policy_view_init(&w->policy, half, w->shared->policy_nodes_max);
	w->generation = published->generation;
	/* Without memory for the new pools the old bindings live on, and new flows find no pool. */
	sp_nat_apply(w->nat, published->pools);
	w->applied_serial = published->serial;
	atomic_store_explicit(&w->acked_serial, published->serial, memory_order_release);
}

bool sp_worker_push(struct sp_worker *w, const struct sp_engine_event *event)
{
	w->event_waiting = true;
	return sp_ring_push(&w->events, event);
}

bool sp_worker_event(struct sp_worker *w, enum sp_engine_event_kind kind,
		     const struct sp_peer *peer, uint32_t local_index)
{
	return sp_worker_push(w, &(struct sp_engine_event){.kind = kind,
							   .peer_id = peer->id,
							   .local_index = local_index});
}

void sp_worker_resolve(struct sp_worker *w, uint32_t ifindex, const struct sp_addr *addr)
{
	uint64_t tat_ns = w->resolve_tat_ns > w->now_ns ? w->resolve_tat_ns : w->now_ns;

	if (sp_addr_equal(addr, &w->resolve_addr) && w->now_ns - w->resolve_ns < RESOLVE_EVERY_NS)
		return;
	if (tat_ns + RESOLVE_COST_NS > w->now_ns + RESOLVE_BURST_NS)
		return;
	w->resolve_tat_ns = tat_ns + RESOLVE_COST_NS;
	w->resolve_addr = *addr;
	w->resolve_ns = w->now_ns;
	sp_worker_push(w, &(struct sp_engine_event){
				  .kind = SP_EVENT_RESOLVE, .ifindex = ifindex, .addr = *addr});
}

static void drop_out(struct sp_worker *w, const struct sp_out *out, enum sp_reason reason)
{
	sp_worker_drop(w, &(struct sp_loss){.data = out->data,
					    .bytes = out->bytes,
					    .direction = out->direction,
					    .reason = reason,
					    .entry = out->entry});
}

void sp_worker_out(struct sp_worker *w, const struct sp_out *out)
{
	if (w->out_count == SP_OUT_MAX) {
		drop_out(w, out, SP_R_TX_FULL);
		return;
	}
	w->out[w->out_count++] = *out;
}

/* What XDP learned. Wiped, so that no later packet in this frame can be taken for it. */
static enum sp_reason read_meta(struct sp_worker *w, struct sp_item *item)
{
	uint8_t *at = item->data - sizeof(item->meta);

	if (sp_frame_headroom(&w->frames, item->data) < sizeof(item->meta) ||
	    item->bytes > sp_frame_room(&w->frames, item->data))
		return SP_R_TOO_LONG;
	memcpy(&item->meta, at, sizeof(item->meta));
	memset(at, 0, sizeof(item->meta));
	if (item->meta.magic != SP_META_MAGIC)
		return SP_R_NO_FLOW;
	if (!__atomic_load_n(&w->shared->gateway->open, __ATOMIC_RELAXED))
		return SP_R_CLOSED;
	return SP_R_NONE;
}

static void classify(struct sp_worker *w, struct sp_item *item)
{
	enum sp_reason r = read_meta(w, item);

	if (r == SP_R_NONE && item->meta.kind == SP_META_TUNNEL)
		w->up[w->up_count++] = item;
	else if (r == SP_R_NONE && item->meta.kind == SP_META_REPLY)
		w->down[w->down_count++] = item;
	else
		sp_worker_drop(w, &(struct sp_loss){.data = item->data,
						    .bytes = item->bytes,
						    .direction = SP_DIR_HOST,
						    .reason = r ? r : SP_R_NO_FLOW,
						    .ifindex = item->meta.ifindex,
						    .user_id = item->meta.user_id,
						    .peer_id = item->meta.peer_id});
}

void sp_worker_begin(struct sp_worker *w, uint64_t now_ns)
{
	w->now_ns = now_ns;
	w->route_seq = __atomic_load_n(&w->shared->gateway->route_seq, __ATOMIC_ACQUIRE);
	w->path_id = 0;
	w->up_count = 0;
	w->down_count = 0;
}

void sp_worker_batch(struct sp_worker *w, uint64_t now_ns, unsigned int n)
{
	sp_worker_begin(w, now_ns);
	for (unsigned int i = 0; i < n; i++)
		classify(w, &w->items[i]);
	sp_open_run(w);
	sp_down_run(w);
	sp_worker_finish(w);
}

static void leave(struct sp_worker *w, const struct sp_out *out)
{
	const struct sp_tx tx = {out->data, out->bytes, out->slot, out->udp_off};
	enum sp_reason full = SP_R_TX_FULL;

	if (out->entry && out->entry->unpublished) {
		drop_out(w, out, SP_R_FLOW_TABLE_FULL);
		return;
	}
	if (out->slot == SP_SLOT_HOST) {
		if (sp_host_write(w, out->data, out->bytes)) {
			sp_frame_put(&w->frames, out->data);
			return;
		}
		full = SP_R_HOST_FULL;
	} else if (w->transmit->ops->queue(w->transmit, &tx)) {
		return;
	}
	drop_out(w, out, full);
}

void sp_worker_finish(struct sp_worker *w)
{
	uint64_t one = 1;

	sp_seal_run(w);
	sp_flow_flush(w);
	for (uint32_t i = 0; i < w->out_count; i++)
		leave(w, &w->out[i]);
	w->out_count = 0;
	w->transmit->ops->flush(w->transmit);
	for (; w->transmit->lost; w->transmit->lost--)
		sp_drop_count(w->lane, SP_DIR_HOST, SP_R_TX_FULL, 0, w->now_ns);
	sp_flow_abandon(w);
	if (w->event_waiting) {
		/* A full counter means that the reader has not looked yet: nothing is lost. */
		if (write(w->config.event_fd, &one, sizeof(one)) >= 0 || errno == EAGAIN)
			w->event_waiting = false;
	}
}
