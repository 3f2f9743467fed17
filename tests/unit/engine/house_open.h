/* SPDX-License-Identifier: Apache-2.0 */
/* The house is opened with two users, two peers, three routes and a pool; and closed. */
#ifndef SP_TESTS_ENGINE_HOUSE_OPEN_H
#define SP_TESTS_ENGINE_HOUSE_OPEN_H

#include "base/clock.h"
#include "house.h"

static inline void house_open_maps(struct house *h)
{
	const struct sp_dataplane_config config = {.flows_max = 256,
						   .sessions_max = 64,
						   .users_max = 16,
						   .policy_nodes_max = 1024,
						   .rules_max = 15,
						   .workers = 2};

	if (geteuid() != 0)
		cr_skip_test("needs root: the flow table is a BPF map");
	cr_assert_eq(sp_dataplane_open(&config, &h->dp), 0);
	h->shared = sp_dataplane_shared(h->dp);
	h->shared->gateway->open = 1;
	house_inner(h, "10.9.0.1/32", SP_INNER_GATEWAY, 0);
	house_inner(h, "fd00:9::1/128", SP_INNER_GATEWAY, 0);
	house_inner(h, "10.9.0.2/32", SP_INNER_PEER, ALICE);
	house_inner(h, "fd00:9::2/128", SP_INNER_PEER, ALICE);
	house_inner(h, "10.9.0.3/32", SP_INNER_PEER, BOB);
	house_inner(h, "fd00:9::3/128", SP_INNER_PEER, BOB);
	house_nexthop(h, 1, "203.0.113.1");
	house_nexthop(h, 2, "2001:db8:aa::1");
	house_route(h, 0, "198.51.100.0/24", 0);
	house_route(h, 1, "0.0.0.0/0", 1);
	house_route(h, 2, "::/0", 2);
	for (uint32_t user = 1; user < 4; user++)
		h->shared->users[user].flow_max = 16;
}

static inline struct sp_nat_pools *house_pools(void)
{
	struct sp_nat_pools *pools = calloc(1, sizeof(*pools));
	struct sp_nat_address *list = calloc(2, sizeof(*list));

	list[0] = (struct sp_nat_address){
		.addr = addr_of("203.0.113.10"), .port_min = 20000, .port_max = 20999};
	list[1] = (struct sp_nat_address){
		.addr = addr_of("2001:db8:aa::10"), .port_min = 20000, .port_max = 20999};
	pools->count = 1;
	pools->pools[0] = (struct sp_nat_pool){.id = 1, .address_count = 2, .addresses = list};
	return pools;
}

static inline void house_peer(struct house *h, uint32_t id, const char *address)
{
	struct sp_endpoint at = {.remote = addr_of(address), .local = addr_of("203.0.113.10")};

	h->peers[id].address = address;
	cr_assert_eq(sp_peer_add(h->sessions, id, id + 1, 1, 1420, &h->peers[id].peer), 0);
	at.local_port_be = (__be16)sp_swap16(51820);
	at.remote_port_be = (__be16)sp_swap16(4000);
	memcpy(at.dmac, (uint8_t[]){2, 0, 0, 0, 9, (uint8_t)id}, 6);
	memcpy(at.smac, (uint8_t[]){2, 0, 0, 0, 0, 1}, 6);
	sp_peer_endpoint_set(h->peers[id].peer, &at);
	house_key(h, id, true, h->now_ns);
}

static inline void house_open(struct house *h)
{
	struct sp_engine_iface iface = {.ifindex = 7,
					.iface = {.roles = SP_ROLE_TUNNEL | SP_ROLE_EGRESS,
						  .queues = 1,
						  .mtu = 1500,
						  .name = "wan"}};
	struct sp_worker_config config = {.workers = 2,
					  .nat_slices = 1,
					  .ifaces = &iface,
					  .iface_count = 1,
					  .frames = 512,
					  .flows_max = 64,
					  .records_max = 8,
					  .aead = &sp_aead_openssl,
					  .icmp_source_v4 = addr_of("10.9.0.1"),
					  .icmp_source_v6 = addr_of("fd00:9::1")};
	int fds[2];

	*h = (struct house){.transmit.ops = &house_transmit, .room = SP_OUT_MAX};
	h->now_ns = sp_clock_now_ns();
	house_open_maps(h);
	cr_assert_eq(sp_sessions_open(2, 16, 1, &h->sessions), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	h->host_fd = fds[1];
	config.tun_fd = fds[0];
	config.event_fd = eventfd(0, EFD_NONBLOCK);
	config.dataplane = h->dp;
	config.sessions = h->sessions;
	cr_assert_eq(sp_worker_open(&config, &h->w), 0);
	cr_assert_eq(sp_aead_openssl.open(&h->aead), 0);
	h->w->transmit = &h->transmit;
	h->published.pools = house_pools();
	house_peer(h, ALICE, "192.0.2.201");
	house_peer(h, BOB, "192.0.2.202");
	house_rules(h, HOUSE_USUAL);
}

static inline void house_close(struct house *h)
{
	cr_assert_eq(h->w->frames.free_count, 512, "every frame came back");
	close(h->w->config.tun_fd);
	close(h->w->config.event_fd);
	close(h->host_fd);
	sp_worker_close(h->w);
	sp_aead_openssl.close(h->aead);
	sp_sessions_close(h->sessions);
	sp_nat_pools_close(h->published.pools);
	sp_dataplane_close(h->dp);
}

#endif
