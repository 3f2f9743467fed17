/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that may pass: what they look like on the other side. */
#include "tunnel.h"

static uint16_t port(__be16 be)
{
	return sp_swap16((uint16_t)be);
}

/* Sends one packet of alice outside and turns what left into the answer that XDP would hand back. */
static struct packet answer_to(struct house *h, const struct shape *shape)
{
	struct shape back = *shape;

	cr_assert_eq(house_say(h, ALICE, shape), 1);
	back.src = shape->dst;
	back.dst = shape->src;
	back.sport = shape->dport;
	back.dport = shape->sport;
	if (shape->proto == SP_PROTO_ICMP || shape->proto == SP_PROTO_ICMPV6) {
		back.sport = shape->sport; /* the identifier */
		back.icmp_type =
			shape->proto == SP_PROTO_ICMP ? SP_ICMP_ECHO_REPLY : SP_ICMP6_ECHO_REPLY;
	}
	return packet_make(&back);
}

Test(engine_forward, leaves_translated_and_comes_back)
{
	static const struct {
		const char *name;
		struct shape shape;
		const char *outside;
	} rows[] = {
		{"udp4", {"10.9.0.2", "192.0.2.1", 0, 5000, 53, 100}, "203.0.113.10"},
		{"udp4, no checksum",
		 {"10.9.0.2", "192.0.2.1", 0, 5001, 53, 9, .no_udp_checksum = true},
		 "203.0.113.10"},
		{"tcp4", {"10.9.0.2", "192.0.2.1", SP_PROTO_TCP, 5000, 80, 301}, "203.0.113.10"},
		{"icmp4", {"10.9.0.2", "192.0.2.1", SP_PROTO_ICMP, 77, 0, 56}, "203.0.113.10"},
		{"udp6", {"fd00:9::2", "2001:db8:1::5", 0, 5000, 53, 1}, "2001:db8:aa::10"},
		{"tcp6",
		 {"fd00:9::2", "2001:db8:1::5", SP_PROTO_TCP, 5000, 80, 0},
		 "2001:db8:aa::10"},
		{"icmp6",
		 {"fd00:9::2", "2001:db8:1::5", SP_PROTO_ICMPV6, 9, 0, 40},
		 "2001:db8:aa::10"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct packet out, in, reply;
		struct sp_packet ip;
		struct house h;

		house_open(&h);
		reply = answer_to(&h, &rows[i].shape);
		ip = house_outside(&h, 0, &out);
		assert_addr(ip.src, rows[i].outside);
		assert_addr(ip.dst, rows[i].shape.dst);
		cr_assert_eq(ip.ttl, 63, "%s", rows[i].name);
		cr_assert(port(ip.sport_be) >= 20000 && port(ip.sport_be) <= 20999, "%s",
			  rows[i].name);
		cr_assert_eq(h.sent[0].b[5], ip.version == 4 ? 1 : 2, "to the next hop");
		house_down(&h, ALICE, &reply, 0);
		cr_assert_eq(house_run(&h), 1, "%s", rows[i].name);
		ip = house_inside(&h, 0, ALICE, &in);
		cr_assert_eq(ip.ttl, 63);
		assert_addr(ip.dst, rows[i].shape.src);
		cr_assert_eq(memcmp(in.b + ip.payload_off, reply.b + ip.payload_off,
				    rows[i].shape.payload),
			     0, "%s", rows[i].name);
		cr_assert_eq(house_all_drops(&h), 0, "%s", rows[i].name);
		house_close(&h);
	}
}

Test(engine_forward, flow_stands_in_the_map_before_its_packet_leaves)
{
	const struct shape shape = {"10.9.0.2", "192.0.2.1", 0, 5000, 53, 10};
	struct sp_flow_key key = {.src = addr_of("192.0.2.1"), .dst = addr_of("203.0.113.10")};
	struct sp_flow flow;
	struct packet out;
	struct sp_packet ip;
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &shape), 1);
	ip = house_outside(&h, 0, &out);
	key.sport_be = ip.dport_be;
	key.dport_be = ip.sport_be;
	key.proto = SP_PROTO_UDP;
	cr_assert_eq(sp_dataplane_flow_lookup(h.dp, &key, &flow), 0, "the reply half");
	cr_assert_eq(flow.side, SP_FLOW_REPLY);
	cr_assert_eq(flow.peer_id, ALICE);
	cr_assert_eq(flow.user_id, 2);
	cr_assert_eq(flow.rule_id, 2);
	cr_assert_eq(flow.generation, h.published.generation);
	cr_assert(flow.translated);
	assert_addr(flow.nat_addr, "10.9.0.2");
	cr_assert_eq(port(flow.nat_port_be), 5000);
	sp_packet_flow_key(&ip, &key);
	key.src = addr_of("10.9.0.2");
	key.sport_be = flow.nat_port_be;
	cr_assert_eq(sp_dataplane_flow_lookup(h.dp, &key, &flow), 0, "the original half");
	assert_addr(flow.nat_addr, "203.0.113.10");
	cr_assert_eq(flow.nexthop_id, 1);
	/* The second packet is of the same flow. */
	cr_assert_eq(house_say(&h, ALICE, &shape), 1);
	cr_assert_eq(h.w->table.count, 1);
	cr_assert_eq(sp_flow_table_lookup(&h.w->table, &key)->packets, 2);
	house_close(&h);
}

Test(engine_forward, between_peers_untranslated_and_answered)
{
	static const struct {
		struct shape there, back;
	} rows[] = {
		{{"10.9.0.2", "10.9.0.3", 0, 5000, 53, 100},
		 {"10.9.0.3", "10.9.0.2", 0, 53, 5000, 7}},
		{{"fd00:9::2", "fd00:9::3", SP_PROTO_ICMPV6, 5, 0, 16},
		 {"fd00:9::3", "fd00:9::2", SP_PROTO_ICMPV6, 5, 0, 16, .icmp_type = 129}},
	};

	for (size_t i = 0; i < 2; i++) {
		struct sp_packet ip;
		struct packet in;
		struct house h;

		house_open(&h);
		cr_assert_eq(house_say(&h, ALICE, &rows[i].there), 1);
		ip = house_inside(&h, 0, BOB, &in);
		assert_addr(ip.src, rows[i].there.src);
		cr_assert_eq(ip.ttl, 63);
		/* Only the answer may come back when the rules no longer let bob begin. */
		cr_assert_eq(house_say(&h, BOB, &rows[i].back), 1);
		ip = house_inside(&h, 0, ALICE, &in);
		assert_addr(ip.src, rows[i].back.src);
		cr_assert_eq(h.w->table.count, 2, "one flow, two entries");
		cr_assert_eq(h.w->user_flows[2], 1);
		cr_assert_eq(h.w->user_flows[3], 0);
		house_close(&h);
	}
}

Test(engine_forward, answer_of_a_peer_finds_another_workers_flow)
{
	const struct shape back = {"10.9.0.3", "10.9.0.2", 0, 53, 5000, 7};
	struct sp_flow flow = {.side = SP_FLOW_REPLY,
			       .kind = SP_FLOW_HAIRPIN,
			       .user_id = 2,
			       .peer_id = ALICE,
			       .worker = 1,
			       .created_ns = 1};
	struct sp_flow_key key;
	struct packet in = packet_make(&back);
	struct sp_packet ip = packet_check(in.b, in.bytes);
	struct house h;

	house_open(&h);
	/* bob may begin nothing: what passes is an answer */
	house_rules(&h, (const struct rule[]){{"10.9.0.3/32", true, SP_ON_CHANGE_KILL, 0}}, 1);
	flow.generation = h.published.generation;
	sp_packet_flow_key(&ip, &key);
	cr_assert_eq(house_say(&h, BOB, &back), 0);
	cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_POLICY_DEFAULT), 1);
	h.now_ns += 2 * S_NS; /* the refusal is forgotten */
	cr_assert_eq(sp_dataplane_flow_put(h.dp, &key, &flow, 1), 1);
	cr_assert_eq(house_say(&h, BOB, &back), 1);
	house_inside(&h, 0, ALICE, &in);
	/* Its numbers are added to the other worker's entry. */
	for (int i = 0; i < 3; i++)
		sp_housekeep(h.w, h.now_ns += S_NS);
	cr_assert_eq(sp_dataplane_flow_lookup(h.dp, &key, &flow), 0);
	cr_assert_eq(flow.packets, 1);
	cr_assert_eq(flow.bytes, in.bytes);
	house_close(&h);
}

Test(engine_forward, gateway_itself_is_reached_and_answers)
{
	const struct shape there = {"10.9.0.2", "10.9.0.1", SP_PROTO_TCP, 5000, 22, 10};
	const struct shape back = {"10.9.0.1", "10.9.0.2", SP_PROTO_TCP, 22, 5000, 10};
	const struct shape own = {"10.9.0.1", "10.9.0.3", SP_PROTO_ICMP, 3, 0, 10};
	struct packet in = packet_make(&there), out = packet_make(&back);
	struct sp_packet ip;
	uint8_t got[2000];
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &there), 0);
	cr_assert_eq(read(h.host_fd, got, sizeof(got)), in.bytes);
	cr_assert_eq(memcmp(got, in.b, in.bytes), 0, "delivered, not forwarded: same TTL");
	cr_assert_eq(write(h.host_fd, out.b, out.bytes), out.bytes);
	cr_assert_eq(sp_host_run(h.w, h.now_ns), 1);
	house_inside(&h, 0, ALICE, &in);
	cr_assert_eq(memcmp(in.b, out.b, out.bytes), 0);
	cr_assert_eq(h.w->user_flows[SP_USER_GATEWAY], 0, "an answer, not a flow of its own");
	/* The gateway may ping its peers without a rule. */
	out = packet_make(&own);
	cr_assert_eq(write(h.host_fd, out.b, out.bytes), out.bytes);
	h.sent_count = 0;
	cr_assert_eq(sp_host_run(h.w, h.now_ns), 1);
	ip = house_inside(&h, 0, BOB, &in);
	assert_addr(ip.src, "10.9.0.1");
	cr_assert_eq(h.w->user_flows[SP_USER_GATEWAY], 1);
	/* But nothing from another address, and nothing outside. */
	out = packet_make(&(struct shape){"203.0.113.10", "10.9.0.3", 0, 1, 2, 3});
	cr_assert_eq(write(h.host_fd, out.b, out.bytes), out.bytes);
	out = packet_make(&(struct shape){"10.9.0.1", "192.0.2.1", 0, 1, 2, 3});
	cr_assert_eq(write(h.host_fd, out.b, out.bytes), out.bytes);
	cr_assert_eq(sp_host_run(h.w, h.now_ns), 2);
	cr_assert_eq(house_drops(&h, SP_DIR_HOST, SP_R_SOURCE_NOT_ALLOWED), 2);
	house_close(&h);
}

Test(engine_forward, a_full_batch_of_two_peers_keeps_its_order)
{
	struct packet out;
	struct sp_packet ip;
	unsigned int alice = 0, bob = 0;
	struct house h;

	house_open(&h);
	for (unsigned int i = 0; i < SP_BATCH; i++) {
		struct shape shape = {i & 1 ? "10.9.0.3" : "10.9.0.2",
				      "192.0.2.1",
				      0,
				      5000,
				      53,
				      (uint16_t)(i + 1)};
		struct packet inner = packet_make(&shape);

		house_up(&h, i & 1 ? BOB : ALICE, &inner);
	}
	cr_assert_eq(house_run(&h), SP_BATCH);
	for (unsigned int i = 0; i < SP_BATCH; i++) {
		ip = house_outside(&h, i, &out);
		if ((ip.l3_bytes - 28) & 1)
			cr_assert_eq(ip.l3_bytes - 28u, 2 * alice++ + 1);
		else
			cr_assert_eq(ip.l3_bytes - 28u, 2 * bob++ + 2);
	}
	cr_assert_eq(alice, 32);
	cr_assert_eq(bob, 32);
	cr_assert_eq(h.peers[ALICE].peer->received_packets, 32);
	house_close(&h);
}
