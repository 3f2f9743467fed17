/* SPDX-License-Identifier: Apache-2.0 */
/* A gateway's worker without a device: real maps, sessions, policy, NAT and AEAD, frames in memory. */
#ifndef SP_TESTS_ENGINE_HOUSE_H
#define SP_TESTS_ENGINE_HOUSE_H

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/pipeline.h"
#include "packet.h"
#include "rules.h"
#include "sallyport/core/bucket.h"

#define ALICE 1 /* peers: 10.9.0.2 and fd00:9::2 of user 2 */
#define BOB   2 /* 10.9.0.3 and fd00:9::3 of user 3 */
#define S_NS  1000000000ull

struct house_peer { /* the far end of the tunnel */
	struct sp_peer *peer;
	struct sp_keypair *keypair;
	uint64_t counter; /* next to send */
	uint8_t outer_tos;
	const char *address; /* outer */
};

struct house {
	struct sp_transmit transmit;
	struct sp_dataplane *dp;
	struct sp_shared *shared;
	struct sp_sessions *sessions;
	struct sp_worker *w;
	struct sp_published published;
	struct house_peer peers[3];
	struct sp_aead *aead;
	int host_fd; /* the kernel's side of the TUN device */
	uint64_t now_ns;
	unsigned int waiting;		/* items of the next batch */
	struct packet sent[SP_OUT_MAX]; /* Ethernet frames that left */
	uint32_t sent_slot[SP_OUT_MAX];
	unsigned int sent_count;
	unsigned int room; /* of the transmit ring */
};

/* A transmit back end: copies and gives the frame back. */
static inline bool house_queue(struct sp_transmit *t, const struct sp_tx *tx)
{
	struct house *h = (struct house *)t;

	if (h->sent_count >= h->room)
		return false;
	sp_tx_finish(tx);
	memcpy(h->sent[h->sent_count].b, tx->data, tx->bytes);
	h->sent[h->sent_count].bytes = tx->bytes;
	h->sent_slot[h->sent_count++] = tx->slot;
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

static inline void house_rules(struct house *h, const struct rule *rules, uint32_t count)
{
	h->published.generation++;
	h->published.serial++;
	rules_apply(rules, count, h->published.generation, h->now_ns, h->shared->policy,
		    h->shared->policy_nodes_max);
	__atomic_store_n(&h->shared->gateway->generation, h->published.generation,
			 __ATOMIC_RELEASE);
	sp_worker_apply(h->w, &h->published);
}

static const struct rule house_usual[] = {
	{"192.0.2.66/32", false, SP_ON_CHANGE_KILL, 0},
	{"192.0.2.0/24", true, SP_ON_CHANGE_KILL, 0},
	{"198.51.100.0/24", true, SP_ON_CHANGE_KEEP, 0},
	{"2001:db8:1::/48", true, SP_ON_CHANGE_KILL, 0},
	{"10.9.0.0/24", true, SP_ON_CHANGE_KILL, 0},
	{"fd00:9::/64", true, SP_ON_CHANGE_KILL, 0},
	{NULL, true, SP_ON_CHANGE_KILL, 0},
};
#define HOUSE_USUAL house_usual, sizeof(house_usual) / sizeof(house_usual[0])

static inline void house_inner(struct house *h, const char *prefix, enum sp_inner_kind kind,
			       uint32_t peer_id)
{
	struct sp_inner inner = {.kind = kind, .peer_id = peer_id};
	struct sp_prefix p;

	cr_assert_eq(sp_prefix_parse(prefix, &p), 0);
	cr_assert_eq(sp_dataplane_inner_put(h->dp, &p, &inner), 0);
}

static inline void house_route(struct house *h, uint32_t at, const char *prefix, uint32_t nexthop)
{
	struct sp_route route = {.nexthop_id = nexthop, .ifindex = 7, .slot = 0};

	cr_assert_eq(sp_prefix_parse(prefix, &route.prefix), 0);
	h->shared->routes[at] = route;
	if (h->shared->gateway->route_count <= at)
		h->shared->gateway->route_count = at + 1;
	h->shared->gateway->route_seq += 2;
}

static inline void house_nexthop(struct house *h, uint32_t id, const char *addr)
{
	h->shared->nexthops[id] = (struct sp_nexthop){.state = SP_NEXTHOP_READY,
						      .addr = addr_of(addr),
						      .ifindex = 7,
						      .mtu = 1500,
						      .dmac = {2, 0, 0, 0, 1, (uint8_t)id},
						      .smac = {2, 0, 0, 0, 0, 1}};
}

/* A new keypair for the tunnel; the gateway was its initiator if told so. */
static inline void house_key(struct house *h, uint32_t id, bool initiator, uint64_t born_ns)
{
	struct sp_keypair_material m = {
		.remote_index = 0xabcd0000 + id, .initiator = initiator, .born_ns = born_ns};

	cr_assert_eq(sp_keypair_reserve_index(h->sessions, &m.local_index), 0);
	memset(&m.receive, (int)(0x10 + id), sizeof(m.receive));
	memset(&m.send, (int)(0x20 + id), sizeof(m.send));
	cr_assert_eq(sp_keypair_install(h->sessions, h->peers[id].peer, &m, &h->peers[id].keypair),
		     0);
	h->peers[id].counter = 0;
}

#endif
