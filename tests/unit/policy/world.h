/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations that stand in one object, and what they compile to. Tests only, one thread. */
#ifndef SP_TESTS_POLICY_WORLD_H
#define SP_TESTS_POLICY_WORLD_H

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "policy/policy.h"

#define ZONES 4

static uint64_t seed;

static inline uint32_t rnd(uint32_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((seed >> 33) % below);
}

/* A config whose arrays stand in one object, so that a test can write it down in a few lines. */
struct world {
	struct sp_config config;
	struct sp_config_wireguard wireguards[1];
	struct sp_prefix gateway[2];
	struct sp_config_group groups[4];
	struct sp_config_user users[20];
	uint32_t user_groups[20][4];
	struct sp_config_peer peers[20];
	struct sp_prefix peer_addresses[20][2];
	struct sp_config_destination destinations[8];
	struct sp_prefix prefixes[8][4];
	struct sp_config_service services[8];
	struct sp_config_port_range ports[8][4];
	struct sp_config_pool pools[64];
	struct sp_config_zone zones[ZONES];
	struct sp_prefix zone_prefixes[ZONES][2];
	struct sp_config_rule rules[40];
	uint32_t lists[40][4][4];
	struct sp_prefix where[40][3];
	struct sp_config_country countries[2];
	uint32_t where_countries[40][2];
};

static uint32_t first_user_id, user_id_step = 1;

static inline void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->config = (struct sp_config){
		.gateway = {.name = "gw"},
		.wireguards = w->wireguards,
		.groups = w->groups,
		.users = w->users,
		.peers = w->peers,
		.destinations = w->destinations,
		.services = w->services,
		.pools = w->pools,
		.zones = w->zones,
		.pool_count = 64,
		.rules = w->rules,
	};
	for (uint16_t i = 0; i < 64; i++)
		w->pools[i].id = (uint16_t)(100 + i);
	/* Ids are not indexes: names keep theirs over reloads. */
	for (uint32_t i = 0; i < 20; i++)
		w->users[i].id = 2 + (i * 7 + first_user_id) % 20 * user_id_step;
}

static inline struct sp_prefix prefix(const char *text)
{
	struct sp_prefix p = {0};

	cr_assert_eq(sp_prefix_parse(text, &p), 0, "%s", text);
	return p;
}

static inline struct sp_addr addr(const char *text)
{
	struct sp_addr a = {0};

	cr_assert_eq(sp_addr_parse(text, &a), 0, "%s", text);
	return a;
}

/* One user, one peer 10.9.0.2 and fd00:9::2, gateway 10.9.0.1/24 and fd00:9::1/64. */
static inline void world_small(struct world *w)
{
	world_init(w);
	cr_assert_eq(sp_prefix_parse_host("10.9.0.1/24", &w->gateway[0]), 0);
	cr_assert_eq(sp_prefix_parse_host("fd00:9::1/64", &w->gateway[1]), 0);
	w->wireguards[0] =
		(struct sp_config_wireguard){.addresses = w->gateway, .address_count = 2};
	w->config.wireguard_count = 1;
	w->config.user_count = 1;
	w->peer_addresses[0][0] = prefix("10.9.0.2/32");
	w->peer_addresses[0][1] = prefix("fd00:9::2/128");
	w->peers[0].addresses = w->peer_addresses[0];
	w->peers[0].address_count = 2;
	w->config.peer_count = 1;
}

static inline struct sp_config_rule *rule_add(struct world *w, bool allow)
{
	struct sp_config_rule *r = &w->rules[w->config.rule_count++];

	*r = (struct sp_config_rule){
		.name = "rule",
		.from_any = true,
		.service_any = true,
		.allow = allow,
		.pool = UINT32_MAX,
		.users = w->lists[w->config.rule_count - 1][0],
		.groups = w->lists[w->config.rule_count - 1][1],
		.destinations = w->lists[w->config.rule_count - 1][2],
		.services = w->lists[w->config.rule_count - 1][3],
	};
	return r;
}

static inline struct sp_config_rule *rule_to(struct world *w, bool allow, const char *prefix_text)
{
	struct sp_config_rule *r = rule_add(w, allow);
	uint32_t n = w->config.destination_count++;

	w->prefixes[n][0] = prefix(prefix_text);
	w->destinations[n].prefixes = w->prefixes[n];
	w->destinations[n].prefix_count = 1;
	r->destinations[r->destination_count++] = n;
	return r;
}

static inline void rule_service(struct world *w, struct sp_config_rule *r, uint8_t proto,
				uint16_t min, uint16_t max)
{
	uint32_t n = w->config.service_count++;

	w->ports[n][0] = (struct sp_config_port_range){min, max};
	w->services[n] = (struct sp_config_service){
		.proto = proto, .ports = w->ports[n], .port_count = max ? 1 : 0};
	r->service_any = false;
	r->services[r->service_count++] = n;
}

#endif
