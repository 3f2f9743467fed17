/* SPDX-License-Identifier: Apache-2.0 */
/* The house's policy, compiled by the real compiler from a configuration that stands in memory. */
#ifndef SP_TESTS_ENGINE_RULES_H
#define SP_TESTS_ENGINE_RULES_H

#include <criterion/criterion.h>

#include "policy/policy.h"
#include "sallyport/abi/verdict.h"
#include "base/addr.h"

/* A rule for everybody: to a prefix, or to the gateway where prefix is NULL. */
struct rule {
	const char *prefix;
	bool allow;
	enum sp_on_change on_change;
	uint8_t proto; /* 0 = any */
	bool reject, shadow, log;
	uint32_t grace_s;
	int64_t expires_s; /* from now, on both clocks */
	uint32_t bucket_up, bucket_down;
	const char *where; /* outer prefix */
};

#define RULES_MAX 12

/* Users 2 (alice) and 3 (bob) with the peers 1 and 2. */
static inline void rules_apply(const struct rule *rules, uint32_t count, uint32_t generation,
			       uint64_t now_ns, struct sp_policy_node *policy, uint32_t nodes_max)
{
	const struct sp_policy_time time = {.now_ns = now_ns, .realtime_ns = 1790000000000000000};
	struct sp_config_rule list[RULES_MAX] = {0};
	struct sp_config_destination destinations[RULES_MAX] = {0};
	struct sp_config_service services[RULES_MAX] = {0};
	struct sp_prefix prefixes[RULES_MAX], wheres[RULES_MAX], inner[4], gateway[2];
	uint32_t index[RULES_MAX];
	struct sp_config_user users[2] = {{.name = "alice", .id = 2}, {.name = "bob", .id = 3}};
	struct sp_config_peer peers[2] = {{.addresses = inner, .address_count = 2},
					  {.user = 1, .addresses = inner + 2, .address_count = 2}};
	struct sp_config_wireguard wireguard = {.addresses = gateway, .address_count = 2};
	struct sp_config_pool pool = {.name = "pool", .id = 1};
	struct sp_config config = {.gateway = {.name = "house"},
				   .users = users,
				   .user_count = 2,
				   .peers = peers,
				   .peer_count = 2,
				   .wireguards = &wireguard,
				   .wireguard_count = 1,
				   .destinations = destinations,
				   .destination_count = count,
				   .services = services,
				   .service_count = count,
				   .pools = &pool,
				   .pool_count = 1,
				   .rules = list,
				   .rule_count = count};
	struct sp_policy_image image;

	sp_prefix_parse("10.9.0.2/32", &inner[0]);
	sp_prefix_parse("fd00:9::2/128", &inner[1]);
	sp_prefix_parse("10.9.0.3/32", &inner[2]);
	sp_prefix_parse("fd00:9::3/128", &inner[3]);
	sp_prefix_parse_host("10.9.0.1/24", &gateway[0]);
	sp_prefix_parse_host("fd00:9::1/64", &gateway[1]);
	for (uint32_t i = 0; i < count; i++) {
		index[i] = i;
		list[i] = (struct sp_config_rule){.name = "rule",
						  .from_any = true,
						  .to_gateway = !rules[i].prefix,
						  .destinations = &index[i],
						  .destination_count = rules[i].prefix ? 1 : 0,
						  .service_any = !rules[i].proto,
						  .services = &index[i],
						  .service_count = rules[i].proto ? 1 : 0,
						  .allow = rules[i].allow,
						  .on_change = rules[i].on_change,
						  .reject = rules[i].reject,
						  .shadow = rules[i].shadow,
						  .log = rules[i].log,
						  .grace_s = rules[i].grace_s,
						  .bucket_up = rules[i].bucket_up,
						  .bucket_down = rules[i].bucket_down,
						  .hit_id = i + 1,
						  .pool = 0};
		destinations[i] =
			(struct sp_config_destination){.prefixes = &prefixes[i], .prefix_count = 1};
		services[i] = (struct sp_config_service){.proto = rules[i].proto};
		if (rules[i].prefix)
			cr_assert_eq(sp_prefix_parse(rules[i].prefix, &prefixes[i]), 0);
	}
	for (uint32_t i = 0; i < count; i++) {
		list[i].from_where = rules[i].where;
		list[i].from_prefixes = &wheres[i];
		list[i].from_prefix_count = rules[i].where ? 1 : 0;
		if (rules[i].where)
			cr_assert_eq(sp_prefix_parse(rules[i].where, &wheres[i]), 0);
		if (rules[i].expires_s)
			list[i].expires_s =
				(int64_t)(time.realtime_ns / 1000000000) + rules[i].expires_s;
	}
	cr_assert_eq(sp_policy_compile_at(&config, &time, nodes_max, &image, NULL), 0);
	cr_assert_eq(sp_policy_apply(&image, generation,
				     policy + (size_t)(generation & 1) * nodes_max, nodes_max),
		     0);
	sp_policy_image_fini(&image);
}

#endif
