/* SPDX-License-Identifier: Apache-2.0 */
/* Opens and closes the house, its peers and their keys. One thread. */
#ifndef SP_TESTS_BENCH_HOUSE_OPEN_H
#define SP_TESTS_BENCH_HOUSE_OPEN_H

#include "bench/house.h"

static inline struct sp_endpoint house_endpoint(uint32_t i)
{
	struct sp_endpoint at = {.remote = sp_addr_from_v4((__be32)sp_swap32(0xc6120002u + i)),
				 .local = house_addr(HOUSE_ADDRESS),
				 .remote_port_be = (__be16)sp_swap16(4000),
				 .local_port_be = (__be16)sp_swap16(51820),
				 .dmac = {2, 0, 0, 0, 9, 9},
				 .smac = {2, 0, 0, 0, 0, 1}};

	return at;
}

static inline void house_peer(struct house *h, uint32_t i)
{
	struct sp_inner inner = {.kind = SP_INNER_PEER, .peer_id = i + 1};
	struct sp_prefix prefix = {.addr = house_inner(i), .len = 128};
	struct sp_keypair_material m = {
		.remote_index = i, .initiator = true, .born_ns = sp_clock_now_ns()};
	struct sp_endpoint at = house_endpoint(i);
	struct sp_peer *peer;

	MUST(sp_dataplane_inner_put(h->dp, &prefix, &inner) == 0);
	MUST(sp_peer_add(h->sessions, i + 1, HOUSE_FIRST_USER + i % HOUSE_USERS, 1, HOUSE_MTU,
			 &peer) == 0);
	sp_peer_endpoint_set(peer, &at);
	MUST(sp_keypair_reserve_index(h->sessions, &m.local_index) == 0);
	memset(&m.receive, (int)(i * 7 + 1), sizeof(m.receive));
	memset(&m.send, (int)(i * 5 + 3), sizeof(m.send));
	MUST(sp_keypair_install(h->sessions, peer, &m, &h->keypairs[i]) == 0);
}

static inline void house_open(struct house *h, uint32_t peers, const struct sp_aead_ops *aead)
{
	const struct sp_dataplane_config maps = {.flows_max = 2 * peers + 1024,
						 .sessions_max = 64,
						 .users_max = HOUSE_FIRST_USER + HOUSE_USERS,
						 .policy_nodes_max = HOUSE_POLICY_MAX,
						 .workers = 1};
	struct sp_engine_iface iface = {.ifindex = 7,
					.iface = {.roles = SP_ROLE_TUNNEL | SP_ROLE_EGRESS,
						  .queues = 1,
						  .mtu = 1500,
						  .name = "wan"}};
	struct sp_worker_config config = {.workers = 1,
					  .ifaces = &iface,
					  .iface_count = 1,
					  .frames = 512,
					  .flows_max = peers + 1024,
					  .aead = aead,
					  .tun_fd = -1};

	*h = (struct house){.transmit.ops = &house_transmit, .peers = peers};
	MUST(sp_dataplane_open(&maps, &h->dp) == 0);
	h->shared = sp_dataplane_shared(h->dp);
	h->shared->gateway->open = 1;
	house_paths(h);
	MUST(sp_sessions_open(peers, 2 * peers, 1, &h->sessions) == 0);
	config.event_fd = eventfd(0, EFD_NONBLOCK);
	config.dataplane = h->dp;
	config.sessions = h->sessions;
	MUST(sp_worker_open(&config, &h->w) == 0);
	h->w->transmit = &h->transmit;
	MUST(aead->open(&h->aead) == 0);
	h->keypairs = calloc(peers, sizeof(struct sp_keypair *));
	h->counters = calloc(peers, sizeof(*h->counters));
	MUST(h->keypairs && h->counters);
	for (uint32_t i = 0; i < peers; i++)
		house_peer(h, i);
	house_policy(h);
	h->published.pools = house_pools();
	sp_worker_apply(h->w, &h->published);
}

static inline uint64_t house_drops(const struct house *h)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < SP_DROP_STRIDE; i++) {
		if (h->w->lane[i].packets)
			fprintf(stderr, "dropped: %lu of direction %u, reason %u\n",
				(unsigned long)h->w->lane[i].packets, i / (SP_DROP_STRIDE / 4),
				i % (SP_DROP_STRIDE / 4));
		sum += h->w->lane[i].packets;
	}
	return sum;
}

static inline void house_close(struct house *h)
{
	const struct sp_aead_ops *aead = h->w->config.aead;

	MUST(house_drops(h) == 0);
	MUST(h->w->frames.free_count == h->w->frames.count);
	close(h->w->config.event_fd);
	sp_worker_close(h->w);
	aead->close(h->aead);
	sp_sessions_close(h->sessions);
	sp_nat_pools_close(h->published.pools);
	sp_dataplane_close(h->dp);
	free(h->keypairs);
	free(h->counters);
}

#endif
