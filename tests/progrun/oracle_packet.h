/* SPDX-License-Identifier: Apache-2.0 */
/* A plain packet of random ends, and what becomes of it in the loaded program. Tests only. */
#ifndef SP_TESTS_PROGRUN_ORACLE_PACKET_H
#define SP_TESTS_PROGRUN_ORACLE_PACKET_H

#include "progrun/oracle_lab.h"
#include "progrun/plain_lab.h"

static inline bool is_icmp(uint8_t proto)
{
	return proto == SP_PROTO_ICMP || proto == SP_PROTO_ICMPV6;
}

/* What XDP settles before anybody asks a policy; tests of their own look at that. */
static inline bool goes_anywhere(const struct sp_addr *a)
{
	static const uint8_t zero[15];
	uint8_t first = sp_addr_is_v4(a) ? a->b[12] : a->b[0];

	if (sp_addr_is_v4(a))
		return first && first != 127 && first < 224;
	return first != 0xff && first != 0xfe && memcmp(a->b, zero, 15) != 0;
}

/* Mostly of a zone. */
static inline struct sp_addr random_source(const struct world *w)
{
	struct sp_prefix p;

	if (!rnd(8) || !w->config.zone_count)
		return random_addr();
	p = w->zone_prefixes[rnd(w->config.zone_count)][rnd(2)];
	if (p.len <= 120)
		p.addr.b[15] = (uint8_t)rnd(256);
	return p.addr;
}

static inline struct sp_flow_key random_packet(const struct world *w)
{
	static const uint8_t kinds[] = {SP_PROTO_TCP, SP_PROTO_UDP, SP_PROTO_ICMP, 47};
	static uint32_t packets;
	struct sp_flow_key k = {.src = random_source(w), .proto = kinds[rnd(16) ? rnd(3) : 3]};
	bool v4 = sp_addr_is_v4(&k.src);
	struct sp_policy_query q;

	do {
		q = random_query(w);
		if (!rnd(4) && w->config.zone_count)
			q.dst = w->zone_prefixes[rnd(w->config.zone_count)][rnd(2)].addr;
	} while (sp_addr_is_v4(&q.dst) != v4 || !goes_anywhere(&q.dst) ||
		 !memcmp(k.src.b, q.dst.b, 16));
	k.dst = q.dst;
	if (k.proto == SP_PROTO_ICMP && !v4)
		k.proto = SP_PROTO_ICMPV6;
	/* Never the port of a flow that lives: two flows of one binding would end together. */
	k.sport_be = htons((uint16_t)(1024 + packets++ % 60000));
	k.dport_be = is_icmp(k.proto) ? 0 : q.dport_be;
	return k;
}

/* Checksums but the IPv4 header's stay zero: XDP looks at none, it only changes them. */
static inline struct frame packet_frame(const struct sp_flow_key *k)
{
	bool v4 = sp_addr_is_v4(&k->src);
	struct frame f = {.l3 = 14, .l4 = v4 ? 34 : 54, .n = v4 ? 60 : 80};
	uint8_t *ip = f.b + 14, *l4 = f.b + f.l4;
	uint16_t sum;

	memset(f.b, 0, f.n);
	memcpy(f.b,
	       v4 ? "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0"
		  : "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x86\xdd",
	       14);
	ip[0] = v4 ? 0x45 : 0x60;
	put16(ip + (v4 ? 2 : 4), v4 ? 46 : 26);
	ip[v4 ? 8 : 7] = 64;
	ip[v4 ? 9 : 6] = k->proto;
	memcpy(ip + (v4 ? 12 : 8), k->src.b + (v4 ? 12 : 0), v4 ? 4 : 16);
	memcpy(ip + (v4 ? 16 : 24), k->dst.b + (v4 ? 12 : 0), v4 ? 4 : 16);
	if (v4) {
		sum = (uint16_t)~sp_csum_fold(sp_csum_partial(ip, 20, 0));
		memcpy(ip + 10, &sum, 2);
	}
	if (is_icmp(k->proto)) {
		l4[0] = v4 ? 8 : 128;
		memcpy(l4 + 4, &k->sport_be, 2);
		return f;
	}
	memcpy(l4, &k->sport_be, 2);
	memcpy(l4 + 2, &k->dport_be, 2);
	if (k->proto == SP_PROTO_TCP)
		l4[12] = 5 << 4, l4[13] = 0x10;
	else
		put16(l4 + 4, 26);
	return f;
}

/* Drops are in the lane of the one CPU that the test runs on. */
static inline uint64_t drops_up(enum sp_reason reason)
{
	return lanes[sched_getcpu() * SP_DROP_STRIDE + SP_DIR_UP * (SP_DROP_STRIDE / 4) + reason]
		.packets;
}

/* Why the last packet was dropped, for messages: the cell that was written last. */
static inline unsigned int last_reason(void)
{
	const struct sp_drop_cell *mine = lanes + sched_getcpu() * SP_DROP_STRIDE;
	unsigned int last = 0;

	for (unsigned int i = 1; i < SP_DROP_STRIDE; i++)
		if (mine[i].last_ns > mine[last].last_ns)
			last = i;
	return last % (SP_DROP_STRIDE / 4);
}

/* Both entries of the flow, its binding and its port. */
static inline void forget_flow(const struct sp_flow_key *k)
{
	struct sp_binding_key binding = {.src = k->src, .sport_be = k->sport_be, .proto = k->proto};
	struct sp_flow_key reply = {.src = k->dst, .sport_be = k->dport_be, .proto = k->proto};
	struct sp_port_key port = {.proto = k->proto};
	struct sp_flow flow;

	if (!flow_there(k, &flow))
		return;
	reply.dst = port.addr = flow.translated ? flow.nat_addr : k->src;
	reply.dport_be = port.port_be = flow.translated ? flow.nat_port_be : k->sport_be;
	binding.user_id = flow.user_id;
	binding.pool_id = (uint8_t)flow.pool_id;
	cr_assert_eq(bpf_map_delete_elem(MAP_FD(sp_flows), k), 0);
	cr_assert_eq(bpf_map_delete_elem(MAP_FD(sp_flows), &reply), 0, "no reply entry");
	if (flow.translated) {
		cr_assert_eq(bpf_map_delete_elem(MAP_FD(sp_bindings), &binding), 0, "no binding");
		cr_assert_eq(bpf_map_delete_elem(MAP_FD(sp_ports), &port), 0, "no port");
	}
}

#endif
