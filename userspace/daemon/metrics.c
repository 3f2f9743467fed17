/* SPDX-License-Identifier: Apache-2.0 */
/* What Prometheus reads. No user name is a label: their number has no bound. */
#include <stdlib.h>

#include "base/clock.h"
#include "daemon/daemon.h"
#include "daemon/drops.h"
#include "daemon/egress.h"
#include "daemon/records.h"
#include "dataplane/drops.h"
#include "dataplane/plain.h"
#include "observe/metrics.h"
#include "observe/reasons.h"

static const char *const directions[] = {"up", "down", "host"};

static void add_gateway(struct sp_metrics *m, struct sp_daemon *daemon)
{
	struct sp_peer_state *peer, *next;
	unsigned int up = 0;

	HASH_ITER (hh, daemon->peers, peer, next)
		up += atomic_load(&peer->session->sending) != NULL;
	sp_metrics_family(m, "build_info", SP_METRIC_GAUGE, "Version, always 1.");
	sp_metrics_sample(m, 1, "version=\"%s\"", SP_VERSION);
	sp_metrics_family(m, "policy_generation", SP_METRIC_GAUGE,
			  "Generation of the policy in force.");
	sp_metrics_sample(m, daemon->shared->gateway->generation, NULL);
	sp_metrics_family(m, "policy_last_reload_success", SP_METRIC_GAUGE,
			  "1 if the last reload was taken.");
	sp_metrics_sample(m, daemon->last_reload.ok, NULL);
	sp_metrics_family(m, "policy_last_reload_timestamp_seconds", SP_METRIC_GAUGE,
			  "Time of the last reload, since 1970.");
	sp_metrics_sample(m, (double)daemon->last_reload.at_realtime_ns / 1e9, NULL);
	sp_metrics_family(m, "peers", SP_METRIC_GAUGE, "Configured peers.");
	sp_metrics_sample(m, HASH_COUNT(daemon->peers), NULL);
	sp_metrics_family(m, "peers_up", SP_METRIC_GAUGE, "Peers with a live session.");
	sp_metrics_sample(m, up, NULL);
}

static void add_drops(struct sp_metrics *m, struct sp_daemon *daemon)
{
	static const char *const labels[] = {
#define SP_X(number, name, label, text) [number] = label,
		SP_REASONS(SP_X)
#undef SP_X
	};
	static struct sp_drop_totals totals;

	sp_dataplane_drops_collect(daemon->dataplane, &totals);
	sp_metrics_family(m, "drop_packets_total", SP_METRIC_COUNTER, "Packets dropped.");
	for (int r = 1; r < SP_R_COUNT; r++) {
		for (int d = 0; labels[r] && d < SP_DIR_COUNT; d++)
			sp_metrics_sample(m, (double)totals.cell[d][r].packets,
					  "reason=\"%s\",direction=\"%s\"", labels[r],
					  directions[d]);
	}
}

static void add_untold(struct sp_metrics *m, const uint64_t *by_reason)
{
	for (uint32_t r = 1; r < SP_R_COUNT; r++) {
		if (by_reason[r])
			sp_metrics_sample(m, (double)by_reason[r], "reason=\"%s\"",
					  sp_reason_label(r));
	}
}

/* What was told of drops, and what was not. */
static void add_events(struct sp_metrics *m, struct sp_daemon *daemon)
{
	static struct sp_untold_totals untold;
	struct sp_drops_stats stats;

	sp_dataplane_untold_collect(daemon->dataplane, &untold);
	sp_drops_stats(daemon, &stats);
	sp_metrics_family(m, "drop_events_total", SP_METRIC_COUNTER, "Drops that were told of.");
	sp_metrics_sample(m, (double)stats.told, NULL);
	sp_metrics_family(m, "drop_events_left_out_total", SP_METRIC_COUNTER,
			  "Drops that were not told of, above the pace.");
	add_untold(m, untold.left_out);
	sp_metrics_family(m, "drop_events_lost_total", SP_METRIC_COUNTER,
			  "Drops that were not told of, a ring was full.");
	add_untold(m, untold.lost);
	sp_metrics_family(m, "drop_log_left_out_total", SP_METRIC_COUNTER,
			  "Drops that were not logged, above log_drops.");
	sp_metrics_sample(m, (double)stats.log_left_out, NULL);
	sp_metrics_family(m, "drop_records", SP_METRIC_GAUGE, "Drops remembered for why.");
	sp_metrics_sample(m, stats.records, NULL);
}

static void add_forward(struct sp_metrics *m, struct sp_daemon *daemon)
{
	static const char *const kinds[] = {[SP_FLOW_TUNNEL] = "tunnel",
					    [SP_FLOW_HAIRPIN] = "hairpin",
					    [SP_FLOW_HOST] = "host",
					    [SP_FLOW_PLAIN] = "plain"};
	struct sp_forward_totals totals;

	sp_dataplane_forward_collect(daemon->dataplane, &totals);
	sp_metrics_family(m, "forward_packets_total", SP_METRIC_COUNTER, "Packets let through.");
	for (int i = 0; i < SP_FORWARD_STRIDE; i++)
		sp_metrics_sample(m, (double)totals.cell[i / 2][i % 2].packets,
				  "direction=\"%s\",kind=\"%s\"", directions[i % 2], kinds[i / 2]);
	sp_metrics_family(m, "forward_bytes_total", SP_METRIC_COUNTER, "IP bytes let through.");
	for (int i = 0; i < SP_FORWARD_STRIDE; i++)
		sp_metrics_sample(m, (double)totals.cell[i / 2][i % 2].bytes,
				  "direction=\"%s\",kind=\"%s\"", directions[i % 2], kinds[i / 2]);
}

/* Every worker's value of one field as a family of its own. */
#define ADD_WORKERS(m, stats, count, name, type, help, field)                               \
	do {                                                                                \
		sp_metrics_family(m, name, type, help);                                     \
		for (uint32_t k = 0; k < (count); k++)                                      \
			sp_metrics_sample(m, (double)(stats)[k].field, "worker=\"%u\"", k); \
	} while (0)

static void add_workers(struct sp_metrics *m, struct sp_daemon *daemon)
{
	static struct sp_worker_stats stats[SP_WORKER_MAX];
	uint32_t n = daemon->workers;

	for (uint32_t k = 0; k < n; k++)
		sp_engine_worker_stats(daemon->engine, k, &stats[k]);
	ADD_WORKERS(m, stats, n, "forward_up_packets_total", SP_METRIC_COUNTER,
		    "Packets from users, let out.", packets_up);
	ADD_WORKERS(m, stats, n, "forward_up_bytes_total", SP_METRIC_COUNTER,
		    "Inner bytes from users, let out.", bytes_up);
	ADD_WORKERS(m, stats, n, "forward_down_packets_total", SP_METRIC_COUNTER,
		    "Packets sealed for users.", packets_down);
	ADD_WORKERS(m, stats, n, "forward_down_bytes_total", SP_METRIC_COUNTER,
		    "Inner bytes sealed for users.", bytes_down);
	ADD_WORKERS(m, stats, n, "flows", SP_METRIC_GAUGE, "Flows open.", flows);
	ADD_WORKERS(m, stats, n, "flows_max", SP_METRIC_GAUGE, "Flows there is room for.",
		    flows_max);
	ADD_WORKERS(m, stats, n, "nat_bindings", SP_METRIC_GAUGE, "NAT bindings in use.", bindings);
	ADD_WORKERS(m, stats, n, "nat_exhausted_total", SP_METRIC_COUNTER,
		    "Flows refused for want of a port.", nat_exhausted);
	ADD_WORKERS(m, stats, n, "policy_log_lost_total", SP_METRIC_COUNTER,
		    "Decisions of rules with a log mark that were not written.", log_lost);
	ADD_WORKERS(m, stats, n, "frames_free", SP_METRIC_GAUGE, "Packet buffers free.",
		    frames_free);
}

static void add_canary(struct sp_metrics *m, const struct sp_daemon *daemon)
{
	sp_metrics_family(m, "policy_canary_total", SP_METRIC_COUNTER,
			  "Times that a packet of nobody was asked about and denied.");
	sp_metrics_sample(m, (double)daemon->canary.runs, NULL);
	sp_metrics_family(m, "policy_canary_failures_total", SP_METRIC_COUNTER,
			  "Times that it was allowed: the gateway closed itself.");
	sp_metrics_sample(m, (double)daemon->canary.failures, NULL);
}

static void add_records(struct sp_metrics *m, struct sp_daemon *daemon)
{
	static const struct {
		const char *where, *key;
	} losses[] = {{"ring", "lost_rings"}, {"queue", "lost_queue"}, {"store", "lost_store"}};
	json_t *records = sp_show_records(daemon);

	sp_metrics_family(m, "records_written_total", SP_METRIC_COUNTER,
			  "Flow records written: begins, ends and denials.");
	sp_metrics_sample(m, json_number_value(json_object_get(records, "written")), NULL);
	sp_metrics_family(m, "records_lost_total", SP_METRIC_COUNTER,
			  "Flow records lost, by where there was no room.");
	for (size_t i = 0; i < sizeof(losses) / sizeof(*losses); i++)
		sp_metrics_sample(m, json_number_value(json_object_get(records, losses[i].key)),
				  "where=\"%s\"", losses[i].where);
	sp_metrics_family(m, "records_bytes", SP_METRIC_GAUGE, "Disk that flow records use.");
	sp_metrics_sample(m, json_number_value(json_object_get(records, "used_bytes")), NULL);
	json_decref(records);
}

/* A result's text as a label: its characters are ours, spaces are fine. */
static void add_handshakes(struct sp_metrics *m, struct sp_daemon *daemon)
{
	sp_metrics_family(m, "wireguard_messages_total", SP_METRIC_COUNTER,
			  "Handshake messages received, by what became of them.");
	for (const struct sp_listener_state *l = daemon->listeners; l; l = l->next) {
		for (int r = 0; r < SP_WG_RESULT_COUNT; r++)
			sp_metrics_sample(m, (double)l->results[r], "listener=\"%s\",result=\"%s\"",
					  l->name, sp_wg_result_text((enum sp_wg_result)r));
	}
}

/* What XDP owed to the daemon and to workloads. */
static void add_plain(struct sp_metrics *m, struct sp_daemon *daemon)
{
	static const char *const kinds[SP_NOTICE_KINDS] = {[SP_NOTICE_REJECT] = "reject",
							   [SP_NOTICE_TIME] = "time_exceeded",
							   [SP_NOTICE_TOO_BIG] = "too_big"};
	struct sp_pace pace;

	if (sp_dataplane_plain_pace(daemon->dataplane, &pace))
		return;
	sp_metrics_family(m, "plain_log_lost_total", SP_METRIC_COUNTER,
			  "Decisions about workloads with a log mark that were not written.");
	sp_metrics_sample(m, (double)pace.log_lost, NULL);
	sp_metrics_family(m, "plain_answers_total", SP_METRIC_COUNTER,
			  "Dropped packets whose sender was told.");
	for (int k = 1; k < SP_NOTICE_KINDS; k++)
		sp_metrics_sample(m, (double)pace.answers[k], "kind=\"%s\"", kinds[k]);
	sp_metrics_family(m, "plain_answers_lost_total", SP_METRIC_COUNTER,
			  "Answers that were above their rate.");
	for (int k = 1; k < SP_NOTICE_KINDS; k++)
		sp_metrics_sample(m, (double)pace.answers_lost[k], "kind=\"%s\"", kinds[k]);
}

char *sp_daemon_metrics(void *arg)
{
	struct sp_daemon *daemon = arg;
	struct sp_metrics metrics;
	char *text;

	if (!daemon->engine || sp_metrics_init(&metrics))
		return NULL;
	add_gateway(&metrics, daemon);
	add_drops(&metrics, daemon);
	add_events(&metrics, daemon);
	add_forward(&metrics, daemon);
	add_workers(&metrics, daemon);
	add_plain(&metrics, daemon);
	add_canary(&metrics, daemon);
	add_handshakes(&metrics, daemon);
	sp_egress_add_metrics(&metrics, daemon);
	if (daemon->records)
		add_records(&metrics, daemon);
	text = sp_metrics_take(&metrics);
	sp_metrics_fini(&metrics);
	return text;
}
