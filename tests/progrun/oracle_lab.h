/* SPDX-License-Identifier: Apache-2.0 */
/* A random policy in the loaded program, and the way of one plain packet through it. Tests only. */
#ifndef SP_TESTS_PROGRUN_ORACLE_LAB_H
#define SP_TESTS_PROGRUN_ORACLE_LAB_H

#define POLICY_NODES (1u << 16)
#include "progrun/plain_maps.h"
#include "policy/policy.h"
#include "unit/policy/model.h"
#include "unit/policy/random.h"

#define FIRST_POOL 100 /* the world's pools have ids from here on */
#define POOLS	   64

/* What a rule's pool, or none, leaves as: every other one translates. */
static inline struct sp_addr pool_address(uint32_t pool, bool v4)
{
	struct sp_addr a = addr_of(v4 ? "198.51.100.0" : "2001:db8:1::");

	a.b[15] = (uint8_t)pool;
	return a;
}

static inline bool is_routed(uint32_t pool)
{
	return pool % 2;
}

static inline void put_pool(uint32_t user_id, uint32_t named, uint32_t pool, uint8_t version)
{
	struct sp_egress_key k = {
		.user_id = user_id, .pool_id = (uint16_t)named, .version = version};
	struct sp_egress v = {.addr = pool_address(pool, version == 4),
			      .port_min = 1024,
			      .port_max = 65535,
			      .slices = 1,
			      .pool_id = (uint8_t)pool,
			      .routed = is_routed(pool)};

	map_put(MAP_FD(sp_egress), &k, &v);
}

static inline void put_pools(void)
{
	for (uint32_t user_id = 2; user_id < 2 + 20; user_id++)
		for (uint8_t version = 4; version <= 6; version += 2) {
			put_pool(user_id, 0, FIRST_POOL, version);
			for (uint32_t p = FIRST_POOL; p < FIRST_POOL + POOLS; p++)
				put_pool(user_id, p, p, version);
		}
}

/* The zones of the world are the zones of the loopback interface, and no others. */
static inline void put_zones(const struct world *w, bool there)
{
	for (uint32_t i = 0; i < w->config.zone_count; i++)
		for (uint32_t k = 0; k < 2; k++) {
			const struct sp_prefix *p = &w->zone_prefixes[i][k];
			struct sp_zone_key key = {.prefixlen = 32u + p->len, .slot = 0};
			struct sp_zone v = {.user_id = w->users[i].id};

			memcpy(key.addr, p->addr.b, 16);
			if (there)
				map_put(MAP_FD(sp_zones), &key, &v);
			else
				(void)bpf_map_delete_elem(MAP_FD(sp_zones), &key);
		}
}

/* Who sends from there: the longest prefix that holds it; of two alike the later one was written. */
static inline uint32_t model_zone(const struct world *w, const struct sp_addr *src)
{
	uint32_t user_id = 0, longest = 0;

	for (uint32_t i = 0; i < w->config.zone_count; i++)
		for (uint32_t k = 0; k < 2; k++) {
			const struct sp_prefix *p = &w->zone_prefixes[i][k];

			if (in_prefix(p, src) && p->len >= longest) {
				user_id = w->users[i].id;
				longest = p->len;
			}
		}
	return user_id;
}

/* The tunnels' addresses of the lab lie among the world's: XDP would not ask about them. */
static inline void forget_tunnels(void)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct sp_addr addr = addr_of(f->gateway);

		cr_assert_eq(bpf_map_delete_elem(MAP_FD(sp_locals), &addr), 0);
		for (int i = 0; i < 2; i++) {
			struct sp_lpm_key k = {.prefixlen = 128};

			addr = addr_of(i ? f->gateway : f->client);
			memcpy(k.addr, addr.b, 16);
			cr_assert_eq(bpf_map_delete_elem(MAP_FD(sp_inner), &k), 0);
		}
	}
}

static inline void oracle_open(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	cr_assert_eq(sched_setaffinity(0, sizeof(here), &here), 0);
	plain_open();
	forget_tunnels();
	put_zone(inside_net[0], 96 + 24, 0);
	put_zone(inside_net[1], 64, 0);
	put_pools();
	for (uint32_t u = 2; u < 2 + 20; u++)
		users[u] = (struct sp_user){.flow_max = 0};
	memset(policy, 0, 2 * POLICY_NODES * sizeof(*policy));
}

/* The world's policy into the half that is not in force; then the word that turns. */
static inline void oracle_apply(const struct world *w)
{
	struct sp_policy_image image = {0};
	uint32_t next = gateway->generation + 1;
	int r;

	r = sp_policy_compile_at(&w->config, &compiled_at, POLICY_NODES, &image, NULL);
	cr_assert_eq(r, 0, "compile: %s", strerror(-r));
	r = sp_policy_apply(&image, next, policy + (next & 1) * POLICY_NODES, POLICY_NODES);
	cr_assert_eq(r, 0);
	gateway->generation = next;
	sp_policy_image_fini(&image);
}

#endif
