/* SPDX-License-Identifier: Apache-2.0 */
/* Named paths: a name keeps its id over every reload, since flows go by it. */
#include <errno.h>
#include <string.h>

#include "daemon/daemon.h"

static uint32_t id_of(const struct sp_daemon *daemon, const char *name)
{
	for (uint32_t id = 1; id < SP_PATH_MAX; id++) {
		if (!strncmp(daemon->shared->paths[id].name, name, SP_NAME_BYTES))
			return id;
	}
	return 0;
}

/* Round the table: an id that was given back comes late, when no flow knows it any more. */
static uint32_t next_free(struct sp_daemon *daemon, const bool *taken)
{
	for (uint32_t i = 0; i < SP_PATH_MAX - 1; i++) {
		uint32_t id = 1 + (daemon->path_cursor + i) % (SP_PATH_MAX - 1);

		if (taken[id] || daemon->shared->paths[id].name[0])
			continue;
		daemon->path_cursor = id;
		return id;
	}
	return 0;
}

/* More than the table holds cannot be: 64 of the old configuration and 64 of the new. */
void sp_daemon_name_paths(struct sp_daemon *daemon, struct sp_config *config)
{
	bool taken[SP_PATH_MAX] = {false};

	for (uint32_t i = 0; i < config->path_count; i++)
		taken[id_of(daemon, config->paths[i].name)] = true;
	for (uint32_t i = 0; i < config->path_count; i++) {
		struct sp_config_path *path = &config->paths[i];
		uint32_t id = id_of(daemon, path->name);

		if (!id)
			id = next_free(daemon, taken);
		taken[id] = true;
		path->id = (uint8_t)id;
	}
}

int sp_daemon_put_paths(struct sp_daemon *daemon, const struct sp_config *config)
{
	int rc = 0;

	for (uint32_t i = 0; i < config->path_count && !rc; i++) {
		const struct sp_config_path *path = &config->paths[i];
		struct sp_paths_named named = {.has_v4 = path->has_v4,
					       .has_v6 = path->has_v6,
					       .nexthop_v4 = path->nexthop_v4,
					       .nexthop_v6 = path->nexthop_v6,
					       .pool_id = config->pools[path->pool].id};

		strncpy(named.name, path->name, sizeof(named.name) - 1);
		strncpy(named.interface, config->ifaces[path->iface].name,
			sizeof(named.interface) - 1);
		rc = sp_paths_named_put(daemon->paths, path->id, &named);
	}
	return rc;
}

static json_t *nexthop_of(struct sp_daemon *daemon, uint32_t id, bool has,
			  const struct sp_addr *addr, bool v4)
{
	char text[SP_ADDR_TEXT];

	if (!has)
		return json_null();
	return json_pack("{s:s, s:s}", "address", sp_addr_format(addr, text), "state",
			 sp_paths_named_is_up(daemon->paths, id, v4) ? "up" : "down");
}

static const char *state_of(struct sp_daemon *daemon, const struct sp_config_path *path)
{
	bool v4 = path->has_v4 && sp_paths_named_is_up(daemon->paths, path->id, true);
	bool v6 = path->has_v6 && sp_paths_named_is_up(daemon->paths, path->id, false);

	if (v4 == path->has_v4 && v6 == path->has_v6)
		return "up";
	return v4 || v6 ? "part" : "down";
}

json_t *sp_show_paths(struct sp_daemon *daemon)
{
	const struct sp_config *config = daemon->config;
	json_t *list = json_array();

	for (uint32_t i = 0; i < config->path_count; i++) {
		const struct sp_config_path *path = &config->paths[i];

		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "name",
						path->name, "state", state_of(daemon, path),
						"interface", config->ifaces[path->iface].name,
						"egress", config->pools[path->pool].name, "nexthop",
						nexthop_of(daemon, path->id, path->has_v4,
							   &path->nexthop_v4, true),
						"nexthop6",
						nexthop_of(daemon, path->id, path->has_v6,
							   &path->nexthop_v6, false)));
	}
	return list;
}

/* Once nobody judges by the policy before. */
void sp_daemon_retire_paths(struct sp_daemon *daemon, const struct sp_config *config)
{
	bool wanted[SP_PATH_MAX] = {false};

	for (uint32_t i = 0; i < config->path_count; i++)
		wanted[config->paths[i].id] = true;
	for (uint32_t id = 1; id < SP_PATH_MAX; id++) {
		if (!wanted[id] && daemon->shared->paths[id].name[0])
			sp_paths_named_remove(daemon->paths, id);
	}
}
