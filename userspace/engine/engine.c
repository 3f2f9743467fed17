/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/station.h"

#define PUBLISH_WAIT_NS SP_NS_PER_S
#define SETTLE_WAIT_NS	(5 * SP_NS_PER_S) /* a worker may be starved of its CPU for a while */
#define SETTLE_STEP_US	100
#define PURGE_BATCH	64

struct sp_engine {
	struct sp_engine_config config;
	struct sp_engine_iface ifaces[SP_IFACE_MAX];
	struct sp_station *stations;
	int event_fd;
	uint32_t next_events; /* worker whose events are read first */
	uint32_t next_records;
	_Atomic(struct sp_published *) published;
	uint64_t serial;
};

static void published_close(struct sp_published *p)
{
	sp_nat_pools_close(p->pools);
	free(p);
}

struct purge {
	struct sp_flow_key keys[PURGE_BATCH];
	unsigned int count;
};

static int collect_worker_flow(const struct sp_flow_key *key, const struct sp_flow *flow, void *arg)
{
	struct purge *purge = arg;

	if (flow->kind != SP_FLOW_PLAIN)
		purge->keys[purge->count++] = *key;
	return purge->count == PURGE_BATCH;
}

/* Flows of workers that are no more: their keys are gone, and nobody holds their NAT ports. */
static void purge_flows(struct sp_dataplane *dp)
{
	struct purge purge;

	do {
		purge.count = 0;
		sp_dataplane_flow_each(dp, collect_worker_flow, &purge);
		if (purge.count &&
		    sp_dataplane_flow_remove(dp, purge.keys, purge.count) < (int)purge.count)
			break;
	} while (purge.count == PURGE_BATCH);
}

static int open_station(struct sp_engine *e, uint32_t index)
{
	const struct sp_engine_config *c = &e->config;
	const struct sp_worker_config config = {.index = index,
						.workers = c->workers,
						.nat_slices =
							c->nat_slices ? c->nat_slices : c->workers,
						.ifaces = e->ifaces,
						.iface_count = c->iface_count,
						.frames = c->frames,
						.flows_max = c->flows_max,
						.records_max = c->records_max,
						.aead = c->aead,
						.dataplane = c->dataplane,
						.sessions = c->sessions,
						.tun_fd = c->tun_fds ? c->tun_fds[index] : -1,
						.event_fd = e->event_fd,
						.icmp_source_v4 = c->icmp_source_v4,
						.icmp_source_v6 = c->icmp_source_v6};
	struct sp_station *s = &e->stations[index];
	int rc = sp_worker_open(&config, &s->worker);

	if (rc)
		return rc;
	s->published = &e->published;
	s->cpu = c->cpus[index];
	s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return s->wake_fd < 0 ? -errno : 0;
}

static int check_config(const struct sp_engine_config *c)
{
	if (!c->workers || c->workers > SP_WORKER_MAX || c->iface_count > SP_IFACE_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < c->iface_count; i++) {
		if (c->ifaces[i].iface.slot >= SP_IFACE_MAX)
			return -EINVAL;
		if (c->ifaces[i].iface.queues < c->workers) {
			sp_error("engine: failed to open %u workers: %s has only %u queues",
				 c->workers, c->ifaces[i].iface.name, c->ifaces[i].iface.queues);
			return -EINVAL;
		}
	}
	return 0;
}

int sp_engine_open(const struct sp_engine_config *config, struct sp_engine **ret_engine)
{
	struct sp_engine *e;
	int rc = check_config(config);

	if (rc)
		return rc;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->config = *config;
	for (uint32_t i = 0; i < config->iface_count; i++)
		e->ifaces[i] = config->ifaces[i];
	e->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	e->stations = calloc(config->workers, sizeof(*e->stations));
	if (!e->stations || e->event_fd < 0)
		rc = e->stations ? -errno : -ENOMEM;
	for (uint32_t k = 0; e->stations && k < config->workers; k++)
		e->stations[k].wake_fd = -1;
	for (uint32_t k = 0; !rc && k < config->workers; k++)
		rc = open_station(e, k);
	if (rc) {
		sp_engine_close(e);
		return rc;
	}
	purge_flows(config->dataplane);
	*ret_engine = e;
	return 0;
}

int sp_engine_start(struct sp_engine *e)
{
	int rc = 0;

	for (uint32_t k = 0; !rc && k < e->config.workers; k++)
		rc = sp_station_open(&e->stations[k], &e->config);
	for (uint32_t k = 0; !rc && k < e->config.workers; k++)
		rc = sp_station_start(&e->stations[k]);
	if (rc)
		sp_engine_stop(e);
	return rc;
}

void sp_engine_stop(struct sp_engine *e)
{
	for (uint32_t k = 0; k < e->config.workers; k++)
		sp_station_stop(&e->stations[k]);
	for (uint32_t k = 0; k < e->config.workers; k++)
		sp_station_close(&e->stations[k]);
}

void sp_engine_close(struct sp_engine *e)
{
	struct sp_published *p, *next;

	if (!e)
		return;
	for (uint32_t k = 0; e->stations && k < e->config.workers; k++) {
		if (!e->stations[k].worker)
			continue;
		sp_station_stop(&e->stations[k]);
		sp_station_close(&e->stations[k]);
		sp_worker_close(e->stations[k].worker);
		if (e->stations[k].wake_fd >= 0)
			close(e->stations[k].wake_fd);
	}
	for (p = atomic_load(&e->published); p; p = next) {
		next = p->next;
		published_close(p);
	}
	if (e->event_fd >= 0)
		close(e->event_fd);
	free(e->stations);
	free(e);
}

/* The oldest serial that some worker still judges by. */
static uint64_t oldest_acked(const struct sp_engine *e)
{
	uint64_t oldest = UINT64_MAX;

	for (uint32_t k = 0; k < e->config.workers; k++) {
		uint64_t serial = atomic_load_explicit(&e->stations[k].worker->acked_serial,
						       memory_order_acquire);

		if (serial < oldest)
			oldest = serial;
	}
	return oldest;
}

static int wait_for_workers(struct sp_engine *e, uint64_t wait_ns)
{
	uint64_t until_ns = sp_clock_now_ns() + wait_ns;

	for (uint32_t k = 0; k < e->config.workers; k++) {
		if (e->stations[k].is_running)
			sp_station_wake(&e->stations[k]);
		else
			sp_worker_apply(e->stations[k].worker, atomic_load(&e->published));
	}
	while (!sp_engine_is_settled(e)) {
		if (sp_clock_now_ns() > until_ns)
			return -ETIMEDOUT;
		usleep(SETTLE_STEP_US);
	}
	return 0;
}

int sp_engine_settle(struct sp_engine *e)
{
	return wait_for_workers(e, SETTLE_WAIT_NS);
}

/* What every worker has left behind; the newest is always somebody's. */
static void close_older(struct sp_engine *e)
{
	uint64_t oldest = oldest_acked(e);
	struct sp_published **at = &atomic_load(&e->published)->next;

	while (*at) {
		struct sp_published *old = *at;

		if (old->serial >= oldest) {
			at = &old->next;
			continue;
		}
		*at = old->next;
		published_close(old);
	}
}

bool sp_engine_is_settled(const struct sp_engine *e)
{
	return oldest_acked(e) >= e->serial;
}

int sp_engine_publish(struct sp_engine *e, struct sp_nat_pools *pools, uint32_t generation)
{
	struct sp_published *p = calloc(1, sizeof(*p));
	int rc;

	if (!p) {
		sp_nat_pools_close(pools);
		return -ENOMEM;
	}
	p->pools = pools;
	p->generation = generation;
	p->serial = ++e->serial;
	p->next = atomic_load(&e->published);
	atomic_store_explicit(&e->published, p, memory_order_release);
	rc = wait_for_workers(e, PUBLISH_WAIT_NS);
	close_older(e);
	return rc;
}

int sp_engine_event_fd(const struct sp_engine *e)
{
	return e->event_fd;
}

/* From here on another packet without a key may ask again. */
static void take_request(struct sp_engine *e, const struct sp_engine_event *event)
{
	struct sp_peer *peer = sp_peer_lookup(e->config.sessions, event->peer_id);

	if (event->kind == SP_EVENT_HANDSHAKE && peer)
		atomic_store_explicit(&peer->wants_handshake, false, memory_order_relaxed);
}

unsigned int sp_engine_events(struct sp_engine *e, struct sp_engine_event *ret_events,
			      unsigned int max)
{
	unsigned int n = 0;
	uint64_t told;

	/* First the descriptor, then the rings: what comes later makes it readable again. */
	(void)!read(e->event_fd, &told, sizeof(told));
	for (uint32_t i = 0; i < e->config.workers && n < max; i++) {
		struct sp_worker *w = e->stations[(e->next_events + i) % e->config.workers].worker;

		while (n < max && sp_ring_pop(&w->events, &ret_events[n]))
			take_request(e, &ret_events[n++]);
	}
	e->next_events++;
	return n;
}

unsigned int sp_engine_records(struct sp_engine *e,
			       void (*cb)(const struct sp_record *record, void *arg), void *arg,
			       unsigned int max)
{
	struct sp_record record;
	unsigned int n = 0;

	if (!e->config.records_max)
		return 0;
	for (uint32_t i = 0; i < e->config.workers; i++) {
		struct sp_worker *w = e->stations[(e->next_records + i) % e->config.workers].worker;

		for (; n < max && sp_ring_pop(&w->records, &record); n++)
			cb(&record, arg);
	}
	e->next_records++;
	return n;
}

unsigned int sp_engine_drops(struct sp_engine *e, struct sp_drop_event *ret_events,
			     unsigned int max)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < e->config.workers && n < max; i++) {
		struct sp_worker *w = e->stations[(e->next_events + i) % e->config.workers].worker;

		while (n < max && sp_ring_pop(&w->drops, &ret_events[n]))
			n++;
	}
	e->next_events++;
	return n;
}

int sp_engine_worker_stats(const struct sp_engine *e, uint32_t worker,
			   struct sp_worker_stats *ret_stats)
{
	const struct sp_station *s;
	struct sp_worker *w;

	if (worker >= e->config.workers)
		return -ENOENT;
	s = &e->stations[worker];
	w = s->worker;
	*ret_stats = (struct sp_worker_stats){.loops = w->loops,
					      .packets_up = w->packets_up,
					      .packets_down = w->packets_down,
					      .bytes_up = w->bytes_up,
					      .bytes_down = w->bytes_down,
					      .polls = w->polls,
					      .flows = w->flows,
					      .flows_max = w->config.flows_max,
					      .bindings = w->bindings,
					      .bindings_max = w->bindings_max,
					      .frames_free = w->frames_free,
					      .nat_exhausted = w->nat_exhausted,
					      .log_lost = w->log_lost,
					      .records_lost = w->records.full,
					      .cpu = s->cpu};
	if (s->is_running)
		strncpy(ret_stats->transmit, w->transmit->ops->name(w->transmit),
			sizeof(ret_stats->transmit) - 1);
	return 0;
}
