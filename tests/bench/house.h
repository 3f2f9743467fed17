/* SPDX-License-Identifier: Apache-2.0 */
/* A worker with many peers and no device: real maps, sessions, policy, NAT; frames in memory. One thread. */
#ifndef SP_TESTS_BENCH_HOUSE_H
#define SP_TESTS_BENCH_HOUSE_H

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/addr.h"
#include "bench/measure.h"
#include "crypto/aead_select.h"
#include "engine/pipeline.h"
#include "policy/policy.h"

#define HOUSE_USERS	 16
#define HOUSE_FIRST_USER 2
#define HOUSE_POLICY_MAX 4096
#define HOUSE_MTU	 1420
#define HOUSE_ADDRESS	 "203.0.113.10"

struct house {
	struct sp_transmit transmit; /* first: the back end's own struct */
	struct sp_dataplane *dp;
	struct sp_shared *shared;
	struct sp_sessions *sessions;
	struct sp_worker *w;
	struct sp_aead *aead;
	struct sp_published published;
	struct sp_keypair **keypairs; /* of peer i + 1 */
	uint64_t *counters;	      /* next that the peer sends */
	uint32_t peers;
	uint64_t left, left_bytes; /* frames that left */
};

static inline bool house_queue(struct sp_transmit *t, const struct sp_tx *tx)
{
	struct house *h = (struct house *)t;

	h->left++;
	h->left_bytes += tx->bytes;
	sp_frame_put(&h->w->frames, tx->data);
	return true;
}

static inline void house_nothing(struct sp_transmit *t)
{
}

static inline const char *house_name(const struct sp_transmit *t)
{
	return "memory";
}

static const struct sp_transmit_ops house_transmit = {
	.queue = house_queue, .flush = house_nothing, .reap = house_nothing, .name = house_name};

static inline struct sp_addr house_addr(const char *text)
{
	struct sp_addr a;

	MUST(sp_addr_parse(text, &a) == 0);
	return a;
}

/* Inner address of peer i + 1: 10.0.0.2 and on. */
static inline struct sp_addr house_inner(uint32_t i)
{
	return sp_addr_from_v4((__be32)sp_swap32(0x0a000002u + i));
}

/* One rule: every user may go everywhere outside. */
static inline void house_policy(struct house *h)
{
	struct sp_config_user users[HOUSE_USERS];
	struct sp_prefix inner = {.addr = house_addr("10.0.0.0"), .len = 104};
	struct sp_config_peer peer = {.addresses = &inner, .address_count = 1};
	struct sp_config_pool pool = {.name = "pool", .id = 1};
	struct sp_config_rule rule = {.name = "out",
				      .from_any = true,
				      .to_any = true,
				      .service_any = true,
				      .allow = true};
	struct sp_config config = {.gateway = {.name = "bench"},
				   .users = users,
				   .user_count = HOUSE_USERS,
				   .peers = &peer,
				   .peer_count = 1,
				   .pools = &pool,
				   .pool_count = 1,
				   .rules = &rule,
				   .rule_count = 1};
	struct sp_policy_image image;

	for (uint32_t i = 0; i < HOUSE_USERS; i++)
		users[i] = (struct sp_config_user){.name = "user", .id = HOUSE_FIRST_USER + i};
	MUST(sp_policy_compile(&config, HOUSE_POLICY_MAX, &image, NULL) == 0);
	h->published.generation = 1;
	h->published.serial = 1;
	MUST(sp_policy_apply(&image, 1, h->shared->policy + HOUSE_POLICY_MAX, HOUSE_POLICY_MAX) ==
	     0);
	sp_policy_image_fini(&image);
	h->shared->gateway->generation = 1;
}

static inline void house_paths(struct house *h)
{
	h->shared->nexthops[1] = (struct sp_nexthop){.state = SP_NEXTHOP_READY,
						     .addr = house_addr("203.0.113.1"),
						     .ifindex = 7,
						     .mtu = 1500,
						     .dmac = {2, 0, 0, 0, 1, 1},
						     .smac = {2, 0, 0, 0, 0, 1}};
	h->shared->routes[0] =
		(struct sp_route){.prefix = {.addr = house_addr("0.0.0.0"), .len = 96},
				  .nexthop_id = 1,
				  .ifindex = 7};
	h->shared->gateway->route_count = 1;
	h->shared->gateway->route_seq = 2;
}

/* User i gets an address of its own out of these, so that ports suffice for every peer. */
static inline struct sp_nat_pools *house_pools(void)
{
	struct sp_nat_pools *pools = calloc(1, sizeof(*pools));
	struct sp_nat_address *list = calloc(HOUSE_USERS, sizeof(*list));

	MUST(pools && list);
	for (uint32_t i = 0; i < HOUSE_USERS; i++)
		list[i] = (struct sp_nat_address){
			.addr = sp_addr_from_v4((__be32)sp_swap32(0xcb00710au + i)),
			.port_min = 1024,
			.port_max = 65535};
	pools->count = 1;
	pools->pools[0] =
		(struct sp_nat_pool){.id = 1, .address_count = HOUSE_USERS, .addresses = list};
	return pools;
}

#endif
