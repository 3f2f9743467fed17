/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/station.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/pipeline.h"

#define FILL_MAX      1024
#define SPINS	      64 /* empty rounds before the worker sleeps */
#define HOST_EVERY    16 /* batches between looks at the TUN device while busy */
#define SLEEP_MS      10 /* housekeeping goes on while flows are open */
#define SLEEP_LONG_MS 250

static uint32_t queues_of(const struct sp_worker_config *c, uint32_t queues)
{
	return queues > c->index ? (queues - c->index + c->workers - 1) / c->workers : 0;
}

static int open_sockets(struct sp_station *s, bool force_copy)
{
	const struct sp_worker_config *c = &s->worker->config;
	/* Half of the frames wait for packets, half are on their way out. */
	uint32_t share = c->frames / 2 / (s->xsk_count ? s->xsk_count : 1);
	uint32_t opened = 0;

	for (uint32_t i = 0; i < c->iface_count; i++) {
		for (uint32_t q = c->index; q < c->ifaces[i].iface.queues; q += c->workers) {
			const struct sp_xsk_config config = {
				.area = &s->area,
				.frames = &s->worker->frames,
				.iface = &c->ifaces[i],
				.queue = q,
				.fill_target = share < FILL_MAX ? share : FILL_MAX,
				.force_copy = force_copy};
			struct sp_xsk *xsk = &s->xsks[opened];
			int rc = sp_xsk_open(&config, xsk);

			if (!rc)
				rc = sp_dataplane_xsk_put(c->dataplane, xsk->map_index,
							  xsk_socket__fd(xsk->socket));
			if (rc)
				return rc;
			opened++;
		}
	}
	return 0;
}

static void set_polls(struct sp_station *s)
{
	for (uint32_t i = 0; i < s->xsk_count; i++)
		s->polls[i] =
			(struct pollfd){.fd = xsk_socket__fd(s->xsks[i].socket), .events = POLLIN};
	s->polls[s->xsk_count] = (struct pollfd){.fd = s->wake_fd, .events = POLLIN};
	if (s->worker->config.tun_fd >= 0)
		s->polls[s->xsk_count + 1] =
			(struct pollfd){.fd = s->worker->config.tun_fd, .events = POLLIN};
}

/* The best way that the configuration allows and a device offers. */
static int choose_transmit(struct sp_station *s, enum sp_engine_transmit wanted)
{
	bool is_forced = wanted == SP_TRANSMIT_GSO;
	int rc;

	sp_transmit_xdp_init(&s->transmit, s->xsks, s->xsk_count);
	s->worker->transmit = &s->transmit.base;
	if (wanted == SP_TRANSMIT_AF_XDP)
		return 0;
	s->gso = calloc(1, sizeof(*s->gso));
	if (!s->gso)
		return -ENOMEM;
	rc = sp_transmit_gso_open(s->gso, &s->transmit, s->worker, is_forced);
	if (!rc) {
		s->worker->transmit = &s->gso->base;
		return 0;
	}
	if (is_forced)
		sp_warning("engine: failed to use segmentation offload: no interface offers any");
	return 0;
}

int sp_station_open(struct sp_station *s, const struct sp_engine_config *config)
{
	const struct sp_worker_config *c = &s->worker->config;
	int rc;

	s->xsk_count = 0;
	for (uint32_t i = 0; i < c->iface_count; i++)
		s->xsk_count += queues_of(c, c->ifaces[i].iface.queues);
	s->poll_count = s->xsk_count + (c->tun_fd >= 0 ? 2 : 1);
	s->xsks = calloc(s->xsk_count + 1, sizeof(*s->xsks));
	s->polls = calloc(s->poll_count, sizeof(*s->polls));
	if (!s->xsks || !s->polls)
		return -ENOMEM;
	rc = sp_xsk_area_open(&s->worker->frames, &s->area);
	if (!rc)
		rc = open_sockets(s, config->force_copy);
	if (rc)
		return rc;
	set_polls(s);
	return choose_transmit(s, config->transmit);
}

void sp_station_close(struct sp_station *s)
{
	if (s->gso)
		sp_transmit_gso_close(s->gso);
	free(s->gso);
	s->gso = NULL;
	for (uint32_t i = 0; s->xsks && i < s->xsk_count; i++) {
		if (!s->xsks[i].socket)
			continue;
		sp_dataplane_xsk_put(s->worker->config.dataplane, s->xsks[i].map_index, -1);
		sp_xsk_close(&s->xsks[i]);
	}
	sp_xsk_area_close(&s->area);
	sp_frames_reset(&s->worker->frames);
	free(s->xsks);
	free(s->polls);
	s->xsks = NULL;
	s->polls = NULL;
	s->xsk_count = 0;
}

static unsigned int receive(struct sp_station *s, uint32_t first)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < s->xsk_count && n < SP_BATCH; i++) {
		struct sp_xsk *xsk = &s->xsks[(first + i) % s->xsk_count];

		n += sp_xsk_receive(xsk, &s->worker->items[n], SP_BATCH - n);
	}
	return n;
}

static void serve_host(struct sp_station *s, uint64_t now_ns, bool is_due)
{
	if (!s->is_tun_ready && !is_due)
		return;
	s->is_tun_ready = sp_host_run(s->worker, now_ns) > 0;
}

/* A TUN device or interface that is down is always "ready": it is not asked for a second. */
static void mute_broken(struct sp_station *s, uint64_t now_ns)
{
	if (s->is_muted && now_ns - s->muted_ns >= SP_NS_PER_S) {
		set_polls(s);
		s->is_muted = false;
	}
	for (uint32_t i = 0; i < s->poll_count; i++) {
		if (!(s->polls[i].revents & (POLLERR | POLLHUP | POLLNVAL)) || s->polls[i].fd < 0)
			continue;
		s->polls[i].fd = -1;
		s->is_muted = true;
		s->muted_ns = now_ns;
	}
}

static void sleep_until_needed(struct sp_station *s)
{
	struct sp_worker *w = s->worker;
	uint64_t told;

	sp_epoch_offline(w->config.sessions, w->config.index);
	poll(s->polls, s->poll_count, w->table.count ? SLEEP_MS : SLEEP_LONG_MS);
	sp_epoch_online(w->config.sessions, w->config.index);
	mute_broken(s, sp_clock_now_ns());
	atomic_store_explicit(&w->polls, w->polls + 1, memory_order_relaxed);
	if (s->polls[s->xsk_count].revents & POLLIN)
		(void)!read(s->wake_fd, &told, sizeof(told));
	if (w->config.tun_fd >= 0 && (s->polls[s->xsk_count + 1].revents & POLLIN))
		s->is_tun_ready = true;
}

/* One round; true when there was nothing to do. */
static bool go_round(struct sp_station *s, uint64_t round)
{
	struct sp_worker *w = s->worker;
	unsigned int n;
	uint64_t now_ns;

	sp_worker_apply(w, atomic_load_explicit(s->published, memory_order_acquire));
	n = receive(s, (uint32_t)round);
	now_ns = sp_clock_now_ns();
	if (n)
		sp_worker_batch(w, now_ns, n);
	serve_host(s, now_ns, n && round % HOST_EVERY == 0);
	sp_housekeep(w, now_ns);
	w->transmit->ops->flush(w->transmit);
	w->transmit->ops->reap(w->transmit);
	for (uint32_t i = 0; i < s->xsk_count; i++)
		sp_xsk_refill(&s->xsks[i]);
	sp_epoch_quiescent(w->config.sessions, w->config.index);
	atomic_store_explicit(&w->loops, w->loops + 1, memory_order_relaxed);
	return n == 0 && !s->is_tun_ready;
}

static void *run(void *arg)
{
	struct sp_station *s = arg;
	struct sp_worker *w = s->worker;
	unsigned int idle = 0;

	sp_epoch_online(w->config.sessions, w->config.index);
	for (uint64_t round = 0; !atomic_load_explicit(&s->stop, memory_order_acquire); round++) {
		idle = go_round(s, round) ? idle + 1 : 0;
		if (idle > SPINS) {
			sleep_until_needed(s);
			idle = 0;
		}
	}
	sp_epoch_offline(w->config.sessions, w->config.index);
	return NULL;
}

int sp_station_start(struct sp_station *s)
{
	char name[16];
	cpu_set_t cpus;
	int rc;

	atomic_store(&s->stop, false);
	rc = -pthread_create(&s->thread, NULL, run, s);
	if (rc)
		return rc;
	s->is_running = true;
	snprintf(name, sizeof(name), "sp-worker-%u", s->worker->config.index);
	pthread_setname_np(s->thread, name);
	if (s->cpu < 0)
		return 0;
	CPU_ZERO(&cpus);
	CPU_SET(s->cpu, &cpus);
	rc = pthread_setaffinity_np(s->thread, sizeof(cpus), &cpus);
	if (rc)
		sp_warning("engine: failed to pin worker %u to CPU %d: %s", s->worker->config.index,
			   s->cpu, strerror(rc));
	return 0;
}

void sp_station_wake(struct sp_station *s)
{
	uint64_t one = 1;

	(void)!write(s->wake_fd, &one, sizeof(one));
}

void sp_station_stop(struct sp_station *s)
{
	if (!s->is_running)
		return;
	atomic_store_explicit(&s->stop, true, memory_order_release);
	sp_station_wake(s);
	pthread_join(s->thread, NULL);
	s->is_running = false;
}
