/* SPDX-License-Identifier: Apache-2.0 */
/* Users: a name keeps its id, and with it its buckets, over every reload. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"
#include "limits/limits.h"

static const char gateway_name[] = "gateway";

static uint32_t bucket_of(uint32_t user_id, enum sp_direction direction)
{
	return 2 * user_id + (direction == SP_DIR_DOWN);
}

const char *sp_user_name(const struct sp_daemon *daemon, uint32_t user_id)
{
	if (user_id == SP_USER_NOBODY || user_id >= daemon->shared->users_max)
		return "";
	return daemon->shared->users[user_id].name;
}

static uint32_t free_user_id(const struct sp_daemon *daemon, uint8_t *used)
{
	for (uint32_t id = SP_USER_GATEWAY + 1; id < daemon->shared->users_max; id++) {
		if (!used[id]) {
			used[id] = 1;
			return id;
		}
	}
	return 0;
}

static int add_user(struct sp_daemon *daemon, const char *name, uint32_t id)
{
	size_t bytes = strlen(name) + 1;
	struct sp_user_state *state = calloc(1, sizeof(*state) + bytes);

	if (!state)
		return -ENOMEM;
	memcpy(state->name, name, bytes);
	state->id = id;
	HASH_ADD_STR(daemon->users, name, state);
	return 0;
}

static int name_user(struct sp_daemon *daemon, struct sp_config_user *user, uint8_t *used)
{
	struct sp_user_state *state;
	uint32_t id;
	int rc;

	HASH_FIND_STR(daemon->users, user->name, state);
	if (!state) {
		id = free_user_id(daemon, used);
		rc = id ? add_user(daemon, user->name, id) : -ENOSPC;
		if (rc)
			return rc;
	}
	user->id = state ? state->id : id;
	return 0;
}

/* The names of an earlier run keep their ids: flows in the kernel go by them. */
int sp_daemon_import_users(struct sp_daemon *daemon)
{
	struct sp_user_state *state;
	char name[SP_NAME_BYTES];
	int rc = 0;

	for (uint32_t id = SP_USER_GATEWAY + 1; id < daemon->shared->users_max && !rc; id++) {
		memcpy(name, daemon->shared->users[id].name, sizeof(name));
		name[sizeof(name) - 1] = '\0';
		if (!name[0])
			continue;
		HASH_FIND_STR(daemon->users, name, state);
		if (!state)
			rc = add_user(daemon, name, id);
	}
	return rc;
}

int sp_daemon_name_users(struct sp_daemon *daemon, struct sp_config *config)
{
	uint8_t *used = calloc(daemon->shared->users_max, 1);
	struct sp_user_state *state, *next;
	int rc = used ? 0 : -ENOMEM;

	if (rc)
		return rc;
	HASH_ITER (hh, daemon->users, state, next)
		used[state->id] = 1;
	for (uint32_t i = 0; i < config->user_count && !rc; i++)
		rc = name_user(daemon, &config->users[i], used);
	free(used);
	for (uint32_t i = 0; i < config->pool_count; i++)
		config->pools[i].id = (uint16_t)(i + 1);
	sp_daemon_name_paths(daemon, config);
	return rc ? rc : sp_daemon_name_rules(daemon, config);
}

static void publish_user(struct sp_daemon *daemon, const struct sp_config *config, uint32_t index)
{
	const struct sp_config_user *from = &config->users[index];
	struct sp_shared *shared = daemon->shared;
	struct sp_user *to = &shared->users[from->id];
	uint32_t up = bucket_of(from->id, SP_DIR_UP), down = bucket_of(from->id, SP_DIR_DOWN);

	sp_limits_apply(&from->limit, &shared->buckets[up], &shared->buckets[down]);
	strncpy(to->name, from->name, sizeof(to->name) - 1);
	to->flow_max = from->flows_max;
	to->bucket_up = from->limit.up_bps ? up : 0;
	to->bucket_down = from->limit.down_bps ? down : 0;
}

/* Names that are gone lose their entry; their peers are closed already. */
void sp_daemon_retire_users(struct sp_daemon *daemon, const struct sp_config *config)
{
	struct sp_user_state *state, *next;

	HASH_ITER (hh, daemon->users, state, next)
		state->wanted = false;
	for (uint32_t i = 0; i < config->user_count; i++) {
		HASH_FIND_STR(daemon->users, config->users[i].name, state);
		if (state)
			state->wanted = true;
	}
	HASH_ITER (hh, daemon->users, state, next) {
		if (state->wanted)
			continue;
		/* plain_flows stays: what it counts is still to be removed. */
		memset(&daemon->shared->users[state->id], 0, offsetof(struct sp_user, plain_flows));
		HASH_DEL(daemon->users, state);
		free(state);
	}
}

void sp_daemon_publish_users(struct sp_daemon *daemon, const struct sp_config *config)
{
	struct sp_user *gateway = &daemon->shared->users[SP_USER_GATEWAY];

	memcpy(gateway->name, gateway_name, sizeof(gateway_name));
	gateway->flow_max = UINT32_MAX;
	for (uint32_t i = 0; i < config->user_count; i++)
		publish_user(daemon, config, i);
	sp_daemon_publish_rules(daemon, config);
}
