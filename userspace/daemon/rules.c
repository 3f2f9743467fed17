/* SPDX-License-Identifier: Apache-2.0 */
/* Rules: a name keeps its counters and its buckets over every reload. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "limits/limits.h"

#define SHADOW_MARK '~' /* no name has it: counting and acting rules of one name are two */
#define TIME_TEXT   24

static void state_key(const struct sp_config_rule *rule, char key[static SP_NAME_BYTES + 1])
{
	size_t len = strnlen(rule->name, SP_NAME_BYTES - 1);

	memcpy(key, rule->name, len);
	if (rule->shadow)
		key[len++] = SHADOW_MARK;
	key[len] = '\0';
}

static void remove_state(struct sp_daemon *daemon, struct sp_rule_state *state)
{
	HASH_DEL(daemon->rules, state);
	free(state);
}

/* Nobody counts there now: the workers have left the policy in which it was another's. */
static void clear(struct sp_shared *shared, uint32_t hit_id)
{
	for (uint32_t lane = 0; lane < shared->drop_lanes; lane++)
		memset(&shared->hits[(size_t)lane * (shared->rules_max + 1) + hit_id], 0,
		       sizeof(*shared->hits));
	memset(&shared->buckets[shared->rule_buckets + 2 * hit_id], 0,
	       2 * sizeof(*shared->buckets));
}

static int add_state(struct sp_daemon *daemon, const char *key, uint8_t *used, uint32_t *free_id,
		     struct sp_rule_state **ret_state)
{
	struct sp_rule_state *state;

	while (*free_id <= daemon->shared->rules_max && used[*free_id])
		++*free_id;
	if (*free_id > daemon->shared->rules_max)
		return -ENOSPC;
	state = calloc(1, sizeof(*state));
	if (!state)
		return -ENOMEM;
	memcpy(state->key, key, strnlen(key, SP_NAME_BYTES));
	state->hit_id = *free_id;
	used[*free_id] = 1;
	clear(daemon->shared, state->hit_id);
	HASH_ADD_STR(daemon->rules, key, state);
	*ret_state = state;
	return 0;
}

static void name_rule(const struct sp_shared *shared, const struct sp_rule_state *state,
		      struct sp_config_rule *rule)
{
	uint32_t bucket = shared->rule_buckets + 2 * state->hit_id;

	rule->hit_id = state->hit_id;
	rule->bucket_up = rule->limit.up_bps ? bucket + SP_DIR_UP : 0;
	rule->bucket_down = rule->limit.down_bps ? bucket + SP_DIR_DOWN : 0;
}

int sp_daemon_name_rules(struct sp_daemon *daemon, struct sp_config *config)
{
	uint8_t *used = calloc(daemon->shared->rules_max + 1u, 1);
	struct sp_rule_state *state, *next;
	char key[SP_NAME_BYTES + 1];
	uint32_t free_id = 1;
	int rc = used ? 0 : -ENOMEM;

	HASH_ITER (hh, daemon->rules, state, next) {
		if (!state->in_force)
			remove_state(daemon, state); /* of a reload that was refused */
		else if (used)
			used[state->hit_id] = 1;
	}
	for (uint32_t i = 0; i < config->rule_count && !rc; i++) {
		state_key(&config->rules[i], key);
		HASH_FIND_STR(daemon->rules, key, state);
		if (!state)
			rc = add_state(daemon, key, used, &free_id, &state);
		if (!rc)
			name_rule(daemon->shared, state, &config->rules[i]);
	}
	free(used);
	return rc;
}

void sp_daemon_publish_rules(struct sp_daemon *daemon, const struct sp_config *config)
{
	struct sp_bucket *buckets = daemon->shared->buckets + daemon->shared->rule_buckets;

	for (uint32_t i = 0; i < config->rule_count; i++) {
		const struct sp_config_rule *rule = &config->rules[i];

		sp_limits_apply(&rule->limit, &buckets[2 * rule->hit_id + SP_DIR_UP],
				&buckets[2 * rule->hit_id + SP_DIR_DOWN]);
	}
}

void sp_daemon_retire_rules(struct sp_daemon *daemon, const struct sp_config *config)
{
	struct sp_rule_state *state, *next;
	char key[SP_NAME_BYTES + 1];

	HASH_ITER (hh, daemon->rules, state, next)
		state->in_force = false;
	for (uint32_t i = 0; i < config->rule_count; i++) {
		state_key(&config->rules[i], key);
		HASH_FIND_STR(daemon->rules, key, state);
		if (state)
			state->in_force = true;
	}
	HASH_ITER (hh, daemon->rules, state, next) {
		if (!state->in_force)
			remove_state(daemon, state);
	}
}

void sp_daemon_forget_rules(struct sp_daemon *daemon)
{
	struct sp_rule_state *state, *next;

	HASH_ITER (hh, daemon->rules, state, next)
		remove_state(daemon, state);
}

static void sum_hits(const struct sp_shared *shared, uint32_t hit_id, struct sp_rule_hit *ret_hit)
{
	struct sp_rule_hit sum = {0};

	for (uint32_t lane = 0; lane < shared->drop_lanes && hit_id <= shared->rules_max; lane++) {
		const struct sp_rule_hit *cell =
			&shared->hits[(size_t)lane * (shared->rules_max + 1) + hit_id];
		uint64_t first_ns = __atomic_load_n(&cell->first_ns, __ATOMIC_RELAXED);
		uint64_t last_ns = __atomic_load_n(&cell->last_ns, __ATOMIC_RELAXED);

		sum.packets += __atomic_load_n(&cell->packets, __ATOMIC_RELAXED);
		sum.flows += __atomic_load_n(&cell->flows, __ATOMIC_RELAXED);
		if (first_ns && (!sum.first_ns || first_ns < sum.first_ns))
			sum.first_ns = first_ns;
		if (last_ns > sum.last_ns)
			sum.last_ns = last_ns;
	}
	*ret_hit = sum;
}

static json_t *wall_time(time_t t)
{
	char text[TIME_TEXT];
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return json_null();
	return json_string(text);
}

/* A moment of the monotonic clock as the wall clock has it now. */
static json_t *wall_time_of(uint64_t at_ns)
{
	uint64_t ago_ns = sp_clock_now_ns() - at_ns;

	return at_ns ? wall_time((time_t)((sp_clock_realtime_ns() - ago_ns) / SP_NS_PER_S))
		     : json_null();
}

json_t *sp_rule_numbers(struct sp_daemon *daemon, const struct sp_config_rule *rule)
{
	struct sp_rule_hit hit;

	sum_hits(daemon->shared, rule->hit_id, &hit);
	return json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "mode",
			 rule->shadow ? "shadow" : "enforce", "hits",
			 (json_int_t)(rule->shadow ? 0 : hit.flows), "would_hits",
			 (json_int_t)(rule->shadow ? hit.flows : 0), "packets",
			 (json_int_t)hit.packets, "first_hit", wall_time_of(hit.first_ns),
			 "last_hit", wall_time_of(hit.last_ns), "expires",
			 rule->expires_s ? wall_time((time_t)rule->expires_s) : json_null());
}

static const char *rule_name(const struct sp_config *config, uint32_t rule_id, uint32_t hit_id)
{
	if (rule_id && rule_id <= config->rule_count && config->rules[rule_id - 1].hit_id == hit_id)
		return config->rules[rule_id - 1].name;
	for (uint32_t i = 0; i < config->rule_count; i++) {
		if (config->rules[i].hit_id == hit_id)
			return config->rules[i].name;
	}
	return "gone";
}

/* The pace is the workers' and XDP's: 200 lines a second for each worker and CPU. */
void sp_rule_log(struct sp_daemon *daemon, const struct sp_engine_event *event)
{
	static const char *const actions[] = {
		[SP_ACTION_DENY] = "deny", [SP_ACTION_ALLOW] = "allow", [SP_ACTION_REJECT] = "reject"};
	const struct sp_flow_key *key = &event->key;
	struct sp_sockaddr from = {.addr = key->src, .port_be = key->sport_be};
	struct sp_sockaddr to = {.addr = key->dst, .port_be = key->dport_be};
	char from_text[SP_ENDPOINT_TEXT], to_text[SP_ENDPOINT_TEXT];

	sp_info("flow: rule=%s action=%s mode=%s user=%s protocol=%u source=%s destination=%s",
		rule_name(daemon->config, event->rule_id, event->hit_id), actions[event->action],
		event->shadow ? "shadow" : "enforce", sp_user_name(daemon, event->user_id),
		key->proto, sp_sockaddr_format(&from, from_text), sp_sockaddr_format(&to, to_text));
}
