/* SPDX-License-Identifier: Apache-2.0 */
/* status and show interfaces. */
#include <unistd.h>

#include "base/clock.h"
#include "daemon/daemon.h"
#include "daemon/records.h"

static json_t *roles_of(uint32_t roles)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{SP_ROLE_TUNNEL, "tunnel"}, {SP_ROLE_EGRESS, "egress"}, {SP_ROLE_INSIDE, "inside"}};
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (roles & names[i].bit)
			json_array_append_new(list, json_string(names[i].name));
	}
	return list;
}

static json_t *interface_of(const struct sp_engine_iface *entry, const struct sp_attach_info *info)
{
	return json_pack("{s:s, s:o, s:s, s:b, s:s, s:i, s:i, s:i}", "name", entry->iface.name,
			 "roles", roles_of(entry->iface.roles), "mode",
			 info->mode == SP_ATTACH_NATIVE ? "native" : "generic", "dispatcher",
			 info->dispatcher, "reason", info->reason, "queues",
			 (int)entry->iface.queues, "mtu", (int)entry->iface.mtu, "ifindex",
			 (int)entry->ifindex);
}

json_t *sp_show_interfaces(struct sp_daemon *daemon)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < daemon->iface_count; i++)
		json_array_append_new(list, interface_of(&daemon->ifaces[i], &daemon->attached[i]));
	return list;
}

static json_t *worker_of(struct sp_daemon *daemon, uint32_t id)
{
	struct sp_worker_stats stats = {0};

	if (sp_engine_worker_stats(daemon->engine, id, &stats))
		return json_null();
	return json_pack(
		"{s:i, s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:i, s:i, s:i, s:i, s:i, s:I, s:I}", "id",
		(int)id, "cpu", stats.cpu, "transmit", stats.transmit, "aead",
		daemon->aead_ops->name, "packets_up", (json_int_t)stats.packets_up, "packets_down",
		(json_int_t)stats.packets_down, "bytes_up", (json_int_t)stats.bytes_up,
		"bytes_down", (json_int_t)stats.bytes_down, "flows", (int)stats.flows, "flows_max",
		(int)stats.flows_max, "frames_free", (int)stats.frames_free, "bindings",
		(int)stats.bindings, "bindings_max", (int)stats.bindings_max, "nat_exhausted",
		(json_int_t)stats.nat_exhausted, "log_lost", (json_int_t)stats.log_lost);
}

static json_t *workers_of(struct sp_daemon *daemon, uint32_t *ret_flows)
{
	json_t *list = json_array();

	*ret_flows = 0;
	for (uint32_t i = 0; i < daemon->workers; i++) {
		json_t *worker = worker_of(daemon, i);

		*ret_flows += (uint32_t)json_integer_value(json_object_get(worker, "flows"));
		json_array_append_new(list, worker);
	}
	return list;
}

static json_t *files_of(const struct sp_config *config)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < config->file_count; i++)
		json_array_append_new(list, json_string(config->files[i]));
	return list;
}

static json_t *reload_of(const struct sp_reload_result *reload)
{
	return json_pack("{s:b, s:I, s:s*}", "ok", reload->ok, "time",
			 (json_int_t)(reload->at_realtime_ns / SP_NS_PER_S), "error",
			 reload->error);
}

static uint32_t count_sessions(const struct sp_daemon *daemon)
{
	struct sp_peer_state *peer, *next;
	uint32_t count = 0;

	HASH_ITER (hh, daemon->peers, peer, next) {
		for (int i = 0; i < SP_KEYPAIRS_PER_PEER; i++)
			count += peer->keypairs[i].local_index != 0;
	}
	return count;
}

json_t *sp_show_status(struct sp_daemon *daemon)
{
	uint32_t flows;
	json_t *workers = workers_of(daemon, &flows);

	return json_pack(
		"{s:s, s:s, s:i, s:I, s:i, s:o, s:o, s:o, s:i, s:i, s:i, s:s, s:o, s:o, s:o, s:o}",
		"name", daemon->config->gateway.name, "version", SP_VERSION, "pid", (int)getpid(),
		"uptime_s", (json_int_t)((sp_clock_now_ns() - daemon->started_ns) / SP_NS_PER_S),
		"generation", (int)daemon->shared->gateway->generation, "config_files",
		files_of(daemon->config), "interfaces", sp_show_interfaces(daemon), "workers",
		workers, "sessions", (int)count_sessions(daemon), "peers",
		(int)HASH_COUNT(daemon->peers), "flows", (int)(flows + sp_plain_count(daemon)),
		"aead", daemon->aead_text, "last_reload", reload_of(&daemon->last_reload),
		"running", sp_show_running(daemon), "trial", sp_show_trial(daemon), "records",
		sp_show_records(daemon));
}
