/* SPDX-License-Identifier: Apache-2.0 */
/* What the loop waits for: netlink, the workers' events, timers, signals. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/egress.h"
#include "daemon/records.h"
#include "daemon/drops.h"
#include "dataplane/drops.h"
#include "dataplane/plain.h"

#define SWEEP_S	      0.025 /* one slice */
#define SWEEP_SLICES  10    /* every peer four times a second */
#define LOAD_SLICES   4	    /* ten times a second */
#define EVENT_BATCH   64
#define EVENT_BATCHES 16

static void on_paths_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct sp_daemon *daemon = watcher->data;

	sp_paths_on_readable(daemon->paths);
}

static void on_engine_event(struct sp_daemon *daemon, const struct sp_engine_event *event)
{
	struct sp_peer_state *peer = sp_peer_by_id(daemon, event->peer_id);
	uint64_t now_ns = sp_clock_now_ns();

	switch (event->kind) {
	case SP_EVENT_RESOLVE:
		sp_paths_resolve(daemon->paths, event->ifindex, &event->addr);
		break;
	case SP_EVENT_HANDSHAKE:
		if (peer) {
			sp_wg_peer_want_session(peer->wg, now_ns);
			sp_peer_advance(peer, now_ns); /* so that the sweep knows of its retries */
		}
		break;
	case SP_EVENT_CONFIRMED:
		if (peer)
			sp_wg_peer_on_confirmed(peer->wg, now_ns, event->local_index);
		break;
	case SP_EVENT_REKEY:
		if (peer)
			sp_peer_advance(peer, now_ns);
		break;
	case SP_EVENT_RULE:
		sp_rule_log(daemon, event);
		break;
	}
}

static void on_engine_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct sp_daemon *daemon = watcher->data;
	struct sp_engine_event list[EVENT_BATCH];

	for (int batch = 0; batch < EVENT_BATCHES; batch++) {
		unsigned int n = sp_engine_events(daemon->engine, list, EVENT_BATCH);

		for (unsigned int i = 0; i < n; i++)
			on_engine_event(daemon, &list[i]);
		if (n < EVENT_BATCH)
			return;
	}
	/* The descriptor is drained already, so what is left must call again by itself. */
	ev_feed_event(loop, watcher, EV_READ);
}

static void on_plain_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct sp_daemon *daemon = watcher->data;

	sp_dataplane_events(daemon->dataplane);
}

static bool is_live(const struct sp_peer_state *peer)
{
	for (int i = 0; i < SP_KEYPAIRS_PER_PEER; i++) {
		if (peer->keypairs[i].local_index)
			return true;
	}
	return false;
}

static void on_sweep(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct sp_daemon *daemon = timer->data;
	uint32_t slice = daemon->sweep_at++ % SWEEP_SLICES;
	uint64_t now_ns = sp_clock_now_ns();

	for (uint32_t id = 1 + slice; id <= daemon->peer_limit; id += SWEEP_SLICES) {
		struct sp_peer_state *peer = daemon->peers_by_id[id];

		if (peer && (is_live(peer) || now_ns >= peer->due_ns))
			sp_peer_advance(peer, now_ns);
	}
	if (daemon->sweep_at % LOAD_SLICES == 0) {
		for (struct sp_listener_state *l = daemon->listeners; l; l = l->next)
			sp_listener_measure(l);
	}
	sp_drops_collect(daemon);
	if (slice == 0)
		sp_epoch_reclaim(daemon->sessions);
	sp_plain_sweep(daemon);
	sp_daemon_collect_records(daemon);
}

static void on_second(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct sp_daemon *daemon = timer->data;

	int rc = sp_paths_on_readable(daemon->paths); /* once more what a failed dump left undone */

	if (rc)
		sp_warning("paths: failed to read the kernel's tables: %s", strerror(-rc));
	sp_dataplane_drops_collect(daemon->dataplane, NULL);
	sp_paths_tick(daemon->paths, sp_clock_now_ns());
	sp_daemon_renew_policy(daemon);
	sp_canary_tick(daemon);
	sp_egress_tick(daemon);
}

static void on_hup(struct ev_loop *loop, ev_signal *watcher, int revents)
{
	const struct sp_asker who = {.origin = SP_HISTORY_SIGNAL};
	struct sp_daemon *daemon = watcher->data;
	char *text = NULL;

	sp_daemon_reload(daemon, &who, 0, &text); /* logs what was wrong */
	free(text);
}

static void on_stop(struct ev_loop *loop, ev_signal *watcher, int revents)
{
	sp_info("sallyportd: stopping");
	ev_break(loop, EVBREAK_ALL);
}

void sp_daemon_watch(struct sp_daemon *daemon)
{
	struct ev_loop *loop = daemon->loop;

	ev_io_init(&daemon->paths_readable, on_paths_readable, sp_paths_fd(daemon->paths), EV_READ);
	ev_io_init(&daemon->engine_readable, on_engine_readable, sp_engine_event_fd(daemon->engine),
		   EV_READ);
	ev_timer_init(&daemon->sweep, on_sweep, SWEEP_S, SWEEP_S);
	ev_timer_init(&daemon->second, on_second, 1.0, 1.0);
	ev_signal_init(&daemon->on_hup, on_hup, SIGHUP);
	ev_signal_init(&daemon->on_term, on_stop, SIGTERM);
	ev_signal_init(&daemon->on_int, on_stop, SIGINT);
	daemon->paths_readable.data = daemon->engine_readable.data = daemon;
	daemon->sweep.data = daemon->second.data = daemon;
	daemon->on_hup.data = daemon->on_term.data = daemon->on_int.data = daemon;
	ev_io_start(loop, &daemon->paths_readable);
	ev_io_start(loop, &daemon->engine_readable);
	if (daemon->plain) {
		ev_io_init(&daemon->plain_readable, on_plain_readable,
			   sp_dataplane_event_fd(daemon->dataplane), EV_READ);
		daemon->plain_readable.data = daemon;
		ev_io_start(loop, &daemon->plain_readable);
	}
	ev_timer_start(loop, &daemon->sweep);
	ev_timer_start(loop, &daemon->second);
	ev_signal_start(loop, &daemon->on_hup);
	ev_signal_start(loop, &daemon->on_term);
	ev_signal_start(loop, &daemon->on_int);
}

void sp_daemon_unwatch(struct sp_daemon *daemon)
{
	struct ev_loop *loop = daemon->loop;

	ev_io_stop(loop, &daemon->paths_readable);
	ev_io_stop(loop, &daemon->engine_readable);
	if (daemon->plain)
		ev_io_stop(loop, &daemon->plain_readable);
	ev_timer_stop(loop, &daemon->sweep);
	ev_timer_stop(loop, &daemon->second);
	ev_signal_stop(loop, &daemon->on_hup);
	ev_signal_stop(loop, &daemon->on_term);
	ev_signal_stop(loop, &daemon->on_int);
}
