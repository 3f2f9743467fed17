/* SPDX-License-Identifier: Apache-2.0 */
/* A gateway with one user of each IP version, as the daemon would describe it. Tests only. */
#ifndef SP_TESTS_PROGRUN_LAB_H
#define SP_TESTS_PROGRUN_LAB_H

#include "progrun/expect.h"

#define PORT	 51820 /* of the listener, inside the NAT's range so that the order shows */
#define NAT_MIN	 20000
#define NAT_MAX	 60000
#define RECEIVER 0x11223344
#define PEER	 7
#define USER	 3
#define RULE	 12

struct family {
	const char *name, *host, *shared, *pool, *gateway, *client, *remote, *router, *broadcast;
	uint8_t icmp;
	uint16_t ask, answer, unreachable, too_big;
	uint32_t ip_bytes;
};

static const struct family families[] = {
	{"v4", "198.51.100.2", "198.51.100.1", "198.51.100.3", "10.8.0.1", "10.8.0.2",
	 "203.0.113.9", "203.0.113.1", "255.255.255.255", SP_PROTO_ICMP, 0x0800, 0x0000, 0x0301,
	 0x0304, 20},
	{"v6", "2001:db8:1::2", "2001:db8:1::1", "2001:db8:1::3", "fd00:8::1", "fd00:8::2",
	 "2001:db8:9::9", "2001:db8:9::1", "ff02::1", SP_PROTO_ICMPV6, 0x8000, 0x8100, 0x0100,
	 0x0200, 40},
};

static inline void put_session(uint32_t receiver, enum sp_session_state state, uint64_t until_ns)
{
	struct sp_session s = {.state = state,
			       .protocol = SP_TUNNEL_WIREGUARD,
			       .peer_id = PEER,
			       .user_id = USER,
			       .valid_until_ns = until_ns};

	map_put(MAP_FD(sp_sessions), &receiver, &s);
}

static inline void lab_open(void)
{
	struct sp_listener_key k = {.port_be = htons(PORT)};
	struct sp_listener v = {.protocol = SP_TUNNEL_WIREGUARD, .listener_id = 1};

	progrun_open();
	put_iface(TUNNEL, 1);
	put_worker(true);
	map_put(MAP_FD(sp_listeners), &k, &v);
	for (const struct family *f = families; f < families + 2; f++) {
		put_local(f->host, SP_LOCAL_HOST, 0, 0);
		put_local(f->shared, SP_LOCAL_SHARED, NAT_MIN, NAT_MAX);
		put_local(f->pool, SP_LOCAL_POOL, 1024, 65535);
		put_local(f->gateway, SP_LOCAL_INNER, 0, 0);
		put_inner(f->gateway, SP_INNER_GATEWAY, 0);
		put_inner(f->client, SP_INNER_PEER, PEER);
	}
	put_local("198.51.100.255", SP_LOCAL_SUBNET, 0, 0);
	put_session(RECEIVER, SP_SESSION_FULL, now_ns() + 60000000000);
	users[USER].bucket_up = 5;
	users[USER].bucket_down = 6;
}

/* A reply entry as a worker makes it: the answer from remote:rport to nat:nport. */
struct binding {
	const struct family *f;
	const char *nat; /* NULL: not translated */
	uint8_t proto;
	uint16_t rport, nport, cport;
	enum sp_flow_kind kind;
	uint32_t idle_s;
	uint64_t seen_ns;
	uint64_t until_ns;
	uint32_t bucket_down;
};

static inline struct sp_flow_key reply_key(const struct binding *b)
{
	struct sp_flow_key k = {
		.src = addr_of(b->f->remote),
		.dst = addr_of(b->nat ? b->nat : b->f->client),
		.sport_be = htons(b->rport),
		.dport_be = htons(b->nat ? b->nport : b->cport),
		.proto = b->proto,
	};

	return k;
}

static inline struct sp_flow_key original_key(const struct binding *b)
{
	struct sp_flow_key k = {
		.src = addr_of(b->f->client),
		.dst = addr_of(b->f->remote),
		.sport_be = htons(b->cport),
		.dport_be = htons(b->rport),
		.proto = b->proto,
	};

	return k;
}

static inline void put_flow(const struct binding *b, enum sp_flow_side side, uint8_t tcp_seen)
{
	struct sp_flow_key k = side == SP_FLOW_REPLY ? reply_key(b) : original_key(b);
	struct sp_flow v = {
		.side = side,
		.kind = b->kind,
		.generation = gateway->generation,
		.rule_id = RULE,
		.user_id = USER,
		.peer_id = PEER,
		.nat_addr = addr_of(side == SP_FLOW_REPLY || !b->nat ? b->f->client : b->nat),
		.nat_port_be = htons(side == SP_FLOW_REPLY || !b->nat ? b->cport : b->nport),
		.translated = b->nat != NULL,
		.tcp_seen = tcp_seen,
		.idle_s = b->idle_s ? b->idle_s : 300,
		.seen_ns = b->seen_ns ? b->seen_ns : now_ns(),
		.until_ns = b->until_ns,
		.bucket_down = b->bucket_down,
	};

	map_put(MAP_FD(sp_flows), &k, &v);
}

static inline struct sp_flow flow_of(const struct binding *b)
{
	struct sp_flow_key k = reply_key(b);
	struct sp_flow v = {0};

	cr_assert_eq(bpf_map_lookup_elem(MAP_FD(sp_flows), &k, &v), 0);
	return v;
}

#endif
