/* SPDX-License-Identifier: Apache-2.0 */
/* What decides about packets, in the words that every command uses: rule, limit, NAT, quota. */
#include <string.h>

#include "base/clock.h"
#include "daemon/daemon.h"
#include "daemon/drops.h"

const struct sp_config_rule *sp_explain_find_rule(const struct sp_daemon *daemon, uint32_t rule_id,
						  uint32_t hit_id)
{
	const struct sp_config *config = daemon->config;
	const struct sp_config_rule *rule =
		rule_id && rule_id <= config->rule_count ? &config->rules[rule_id - 1] : NULL;

	if (!hit_id || (rule && rule->hit_id == hit_id))
		return rule;
	for (uint32_t i = 0; i < config->rule_count; i++) {
		if (config->rules[i].hit_id == hit_id)
			return &config->rules[i];
	}
	return NULL;
}

json_t *sp_explain_rule(const char *name, const char *file, uint32_t line)
{
	return json_pack("{s:s, s:s, s:i}", "name", name, "file", file, "line", (int)line);
}

/* Bytes that a time is worth; what does not fit a number of JSON is no limit that anybody meets. */
static json_int_t bytes_of(uint64_t time_ns, uint64_t cost_q16)
{
	double bytes = (double)time_ns * 65536 / (double)cost_q16;

	return bytes < 9e15 ? (json_int_t)bytes : (json_int_t)9e15;
}

json_t *sp_explain_limit(const struct sp_daemon *daemon, const char *of, uint32_t bucket_id)
{
	const struct sp_bucket *bucket = &daemon->shared->buckets[bucket_id];
	uint64_t now_ns = sp_clock_now_ns();
	uint64_t tat_ns, burst_ns, cost_q16, ahead_ns;

	if (!bucket_id || bucket_id >= daemon->shared->buckets_max)
		return json_null();
	tat_ns = __atomic_load_n(&bucket->tat_ns, __ATOMIC_RELAXED);
	burst_ns = __atomic_load_n(&bucket->burst_ns, __ATOMIC_RELAXED);
	cost_q16 = __atomic_load_n(&bucket->cost_q16, __ATOMIC_RELAXED);
	if (!cost_q16)
		return json_null();
	ahead_ns = tat_ns > now_ns ? tat_ns - now_ns : 0;
	return json_pack("{s:s, s:I, s:I, s:I, s:I}", "of", of, "rate_bps",
			 (json_int_t)bucket->rate_bps, "burst_bytes", bytes_of(burst_ns, cost_q16),
			 "tokens_bytes",
			 bytes_of(burst_ns > ahead_ns ? burst_ns - ahead_ns : 0, cost_q16),
			 "dropped_packets",
			 (json_int_t)__atomic_load_n(&bucket->dropped_packets, __ATOMIC_RELAXED));
}

/* rule NULL: the first pool, as of a rule without one. */
json_t *sp_explain_nat(const struct sp_daemon *daemon, const struct sp_config_rule *rule)
{
	const struct sp_config *config = daemon->config;
	uint32_t pool = rule && rule->pool < config->pool_count ? rule->pool : 0;
	uint64_t bindings = 0, bindings_max = 0, exhausted = 0;
	struct sp_worker_stats stats;

	for (uint32_t k = 0; k < daemon->workers; k++) {
		if (sp_engine_worker_stats(daemon->engine, k, &stats))
			continue;
		bindings += stats.bindings;
		bindings_max += stats.bindings_max;
		exhausted += stats.nat_exhausted;
	}
	return json_pack("{s:s, s:i, s:I, s:I, s:I}", "pool",
			 config->pool_count ? config->pools[pool].name : "", "addresses",
			 config->pool_count ? (int)config->pools[pool].address_count : 0,
			 "bindings", (json_int_t)bindings, "bindings_max", (json_int_t)bindings_max,
			 "exhausted", (json_int_t)exhausted);
}

json_t *sp_explain_quota(const struct sp_daemon *daemon, uint32_t user_id)
{
	if (user_id >= daemon->shared->users_max)
		return json_null();
	return json_pack("{s:i}", "flows_max", (int)daemon->shared->users[user_id].flow_max);
}
