/* SPDX-License-Identifier: Apache-2.0 */
/* Flows that began, ended or were denied: from the workers' and XDP's rings, with names, to the store. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/records.h"
#include "dataplane/plain.h"
#include "sallyport/core/flow.h"

#define COLLECT_NS    (2 * SP_NS_PER_MS) /* of the loop's time, every 25 ms */
#define COLLECT_BATCH 256

static void name_rule(const struct sp_config *config, const struct sp_record *record,
		      struct sp_records_names *names)
{
	const struct sp_config_rule *rule = NULL;

	if (record->rule_id && record->rule_id <= config->rule_count)
		rule = &config->rules[record->rule_id - 1];
	if (rule && record->hit_id && rule->hit_id != record->hit_id)
		rule = NULL; /* of another policy: its name may stand elsewhere now */
	for (uint32_t i = 0; !rule && record->hit_id && i < config->rule_count; i++) {
		if (config->rules[i].hit_id == record->hit_id)
			rule = &config->rules[i];
	}
	if (rule) {
		names->rule = rule->name;
		names->file = rule->source.file;
		names->line = rule->source.line;
	} else {
		names->rule = record->reason == SP_R_POLICY_DEFAULT ? "default"
			      : record->rule_id			    ? "gone"
								    : "gateway";
		names->file = "";
	}
}

void sp_record_names(struct sp_daemon *daemon, const struct sp_record *record,
		     struct sp_records_names *ret_names)
{
	struct sp_peer_state *state = sp_peer_by_id(daemon, record->peer_id);
	struct sp_peer *peer =
		record->peer_id ? sp_peer_lookup(daemon->sessions, record->peer_id) : NULL;
	struct sp_records_names names = {.user = sp_user_name(daemon, record->user_id),
					 .device = state ? state->name : ""};
	struct sp_endpoint endpoint;

	if (peer && sp_peer_endpoint_get(peer, &endpoint))
		names.outer = endpoint.remote;
	name_rule(daemon->config, record, &names);
	*ret_names = names;
}

static void take(const struct sp_record *record, void *arg)
{
	struct sp_daemon *daemon = arg;
	struct sp_records_names names;

	sp_record_names(daemon, record, &names);
	sp_records_put(daemon->records, record, &names,
		       (int64_t)(sp_clock_realtime_ns() - sp_clock_now_ns()));
}

void sp_daemon_collect_records(struct sp_daemon *daemon)
{
	uint64_t start_ns = sp_clock_now_ns();
	uint32_t tunnel, plain;

	if (!daemon->records)
		return;
	do {
		tunnel = sp_engine_records(daemon->engine, take, daemon, COLLECT_BATCH);
		plain = sp_dataplane_records(daemon->dataplane, COLLECT_BATCH);
	} while ((tunnel == COLLECT_BATCH || plain == COLLECT_BATCH) &&
		 sp_clock_now_ns() - start_ns < COLLECT_NS);
}

void sp_daemon_record_end(struct sp_daemon *daemon, const struct sp_flow_key *key,
			  const struct sp_flow *flow, const struct sp_flow *reply)
{
	struct sp_record record = {
		.key = *key,
		.egress = flow->translated ? flow->nat_addr : key->src,
		.egress_port_be = flow->translated ? flow->nat_port_be : key->sport_be,
		.begun_ns = flow->created_ns,
		.seen_ns = flow->seen_ns,
		.ended_ns = sp_clock_now_ns(),
		.packets = flow->packets,
		.bytes = flow->bytes,
		.user_id = flow->user_id,
		.rule_id = flow->rule_id,
		.hit_id = flow->hit_id,
		.what = SP_RECORD_ENDED,
		.kind = (uint8_t)flow->kind,
	};

	if (!daemon->records)
		return;
	if (reply) {
		record.back_packets = reply->packets;
		record.back_bytes = reply->bytes;
		if (reply->seen_ns > record.seen_ns)
			record.seen_ns = reply->seen_ns;
	}
	take(&record, daemon);
}

/* The folder is the history's too, which has made it. */
void sp_daemon_open_records(struct sp_daemon *daemon)
{
	const struct sp_config_gateway *gateway = &daemon->config->gateway;
	_cleanup_free_ char *path = NULL;
	struct sp_records_config config;
	int rc = 0;

	daemon->shared->gateway->records = 0;
	daemon->records_dir = strdup(gateway->state_dir);
	if (!gateway->records.enabled || !daemon->records_dir)
		return;
	if (asprintf(&path, "%s/%s", gateway->state_dir, SP_RECORDS_FILE) < 0)
		path = NULL;
	config = (struct sp_records_config){.path = path,
					    .keep_s = gateway->records.keep_s,
					    .size_bytes = gateway->records.size_bytes};
	rc = path ? sp_records_open(&config, &daemon->records) : -ENOMEM;
	if (!rc)
		rc = sp_dataplane_records_open(daemon->dataplane, take, daemon);
	if (rc) {
		sp_warning("records: failed to begin: %s: no flow is recorded", strerror(-rc));
		sp_records_close(daemon->records);
		daemon->records = NULL;
		return;
	}
	daemon->shared->gateway->records = 1;
}

/* The workers stand, their last records wait in the rings. */
void sp_daemon_close_records(struct sp_daemon *daemon)
{
	if (!daemon->records)
		return;
	daemon->shared->gateway->records = 0;
	while (daemon->engine &&
	       sp_engine_records(daemon->engine, take, daemon, COLLECT_BATCH) == COLLECT_BATCH)
		;
	if (daemon->engine)
		sp_dataplane_records(daemon->dataplane, SP_RECORD_BYTES);
	sp_records_close(daemon->records);
	daemon->records = NULL;
}

json_t *sp_show_records(struct sp_daemon *daemon)
{
	const struct sp_config_records *config = &daemon->config->gateway.records;
	uint64_t lost_rings = daemon->shared->gateway->records_lost;
	struct sp_store_writer_numbers numbers;

	if (!daemon->records)
		return json_null();
	for (uint32_t k = 0; k < daemon->workers; k++) {
		struct sp_worker_stats stats = {0};

		if (!sp_engine_worker_stats(daemon->engine, k, &stats))
			lost_rings += stats.records_lost;
	}
	sp_records_numbers(daemon->records, &numbers);
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "open", numbers.is_open,
			 "written", (json_int_t)numbers.written, "lost_rings",
			 (json_int_t)lost_rings, "lost_queue", (json_int_t)numbers.lost_queue,
			 "lost_store", (json_int_t)numbers.lost_store, "used_bytes",
			 (json_int_t)numbers.used_bytes, "size_bytes",
			 (json_int_t)config->size_bytes, "keep_s", (json_int_t)config->keep_s,
			 "problem", numbers.problem);
}
