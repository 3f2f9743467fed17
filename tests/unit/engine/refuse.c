/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that may not pass, each with its own reason and nothing sent. */
#include "tunnel.h"

#include <stdio.h>

#include "sallyport/core/flow.h"

/* One packet of that peer; it must be dropped for that reason and no other. */
static void assert_refused(struct house *h, uint32_t peer, const struct shape *shape,
			   enum sp_reason reason, const char *name)
{
	uint64_t before = house_drops(h, SP_DIR_UP, reason), all = house_all_drops(h);

	cr_assert_eq(house_say(h, peer, shape), 0, "%s", name);
	cr_assert_eq(house_drops(h, SP_DIR_UP, reason), before + 1, "%s", name);
	cr_assert_eq(house_all_drops(h), all + 1, "%s", name);
}

Test(engine_refuse, inner_packets_by_reason)
{
	static const struct {
		const char *name;
		struct shape shape;
		enum sp_reason reason;
	} rows[] = {
		{"a rule denies", {"10.9.0.2", "192.0.2.66", 0, 1, 2, 3}, SP_R_POLICY_DENY},
		{"no rule allows", {"10.9.0.2", "8.8.8.8", 0, 1, 2, 3}, SP_R_POLICY_DEFAULT},
		{"no rule allows, v6",
		 {"fd00:9::2", "2001:db8:2::1", 0, 1, 2, 3},
		 SP_R_POLICY_DEFAULT},
		{"another peer's address",
		 {"10.9.0.3", "192.0.2.1", 0, 1, 2, 3},
		 SP_R_SOURCE_NOT_ALLOWED},
		{"the gateway's address",
		 {"10.9.0.1", "192.0.2.1", 0, 1, 2, 3},
		 SP_R_SOURCE_NOT_ALLOWED},
		{"nobody's address",
		 {"172.16.0.1", "192.0.2.1", 0, 1, 2, 3},
		 SP_R_SOURCE_NOT_ALLOWED},
		{"nobody's address, v6",
		 {"fd00:8::2", "2001:db8:1::1", 0, 1, 2, 3},
		 SP_R_SOURCE_NOT_ALLOWED},
		{"multicast", {"10.9.0.2", "224.0.0.251", 0, 1, 2, 3}, SP_R_UNSPECIFIED},
		{"loopback", {"10.9.0.2", "127.0.0.1", 0, 1, 2, 3}, SP_R_UNSPECIFIED},
		{"broadcast", {"10.9.0.2", "255.255.255.255", 0, 1, 2, 3}, SP_R_UNSPECIFIED},
		{"nowhere", {"10.9.0.2", "0.0.0.0", 0, 1, 2, 3}, SP_R_UNSPECIFIED},
		{"multicast, v6", {"fd00:9::2", "ff02::1", 0, 1, 2, 3}, SP_R_UNSPECIFIED},
		{"link-local, v6", {"fd00:9::2", "fe80::1", 0, 1, 2, 3}, SP_R_UNSPECIFIED},
		{"GRE cannot be translated", {"10.9.0.2", "192.0.2.1", 47, 0, 0, 30}, SP_R_PROTOCOL},
		{"ICMP timestamp",
		 {"10.9.0.2", "192.0.2.1", SP_PROTO_ICMP, 1, 0, 12, .icmp_type = 13},
		 SP_R_PROTOCOL},
		{"neighbour solicitation",
		 {"fd00:9::2", "2001:db8:1::1", SP_PROTO_ICMPV6, 1, 0, 16, .icmp_type = 135},
		 SP_R_PROTOCOL},
		{"an echo reply nobody asked for",
		 {"fd00:9::2", "2001:db8:1::1", SP_PROTO_ICMPV6, 1, 0, 16, .icmp_type = 129},
		 SP_R_NO_FLOW},
		{"an ICMP error in fragments",
		 {"10.9.0.2", "192.0.2.1", SP_PROTO_ICMP, 1, 0, 64, .icmp_type = 3,
		  .more_fragments = true},
		 SP_R_FRAGMENT},
	};
	struct house h;

	house_open(&h);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_refused(&h, ALICE, &rows[i].shape, rows[i].reason, rows[i].name);
	house_close(&h);
}

Test(engine_refuse, malformed_inner_packets_at_every_length)
{
	const struct shape shape = {"10.9.0.2", "192.0.2.1", SP_PROTO_TCP, 1, 2, 8};
	struct packet whole = packet_make(&shape);
	struct house h;

	house_open(&h);
	/* 32 bytes of 48 are sent as 32: what the header says must be there. */
	for (uint32_t bytes = 1; bytes <= 32; bytes++) {
		struct packet cut = whole;

		cut.bytes = bytes;
		house_up(&h, ALICE, &cut);
		cr_assert_eq(house_run(&h), 0);
		cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_INNER_MALFORMED), bytes);
	}
	whole.b[0] = 0x75;
	house_up(&h, ALICE, &whole);
	cr_assert_eq(house_run(&h), 0);
	cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_INNER_MALFORMED), 33);
	house_close(&h);
}

Test(engine_refuse, denied_stream_is_remembered_for_a_second)
{
	const struct shape shape = {"10.9.0.2", "192.0.2.66", 0, 1, 2, 3};
	struct house h;

	house_open(&h);
	assert_refused(&h, ALICE, &shape, SP_R_POLICY_DENY, "first");
	cr_assert_eq(h.w->table.refusals, 1);
	/* Another peer that uses the same tuple is not alice, remembered or not. */
	assert_refused(&h, BOB, &shape, SP_R_SOURCE_NOT_ALLOWED, "bob");
	assert_refused(&h, ALICE, &shape, SP_R_POLICY_DENY, "again");
	h.now_ns += 2 * S_NS;
	for (int i = 0; i < 3; i++)
		sp_housekeep(h.w, h.now_ns += S_NS / 50);
	cr_assert_eq(h.w->table.refusals, 0);
	cr_assert_eq(h.w->table.count, 0);
	/* A stream of different ones never takes more than its part of the table. */
	for (uint16_t port = 1; port < 100; port++) {
		struct shape other = shape;

		other.sport = port;
		assert_refused(&h, ALICE, &other, SP_R_POLICY_DENY, "many");
	}
	cr_assert_eq(h.w->table.refusals, h.w->table.max / 8);
	cr_assert_eq(house_say(&h, ALICE, &(struct shape){"10.9.0.2", "192.0.2.1", 0, 1, 2, 3}), 1);
	house_close(&h);
}

Test(engine_refuse, way_out_is_missing)
{
	const struct shape v4 = {"10.9.0.2", "192.0.2.1", 0, 1, 2, 3};
	const struct shape on_link = {"10.9.0.2", "198.51.100.9", 0, 1, 2, 3};
	const struct sp_neighbour_key key = {.addr = addr_of("198.51.100.9"), .ifindex = 7};
	struct sp_neighbour neighbour = {.nexthop_id = 3};
	struct sp_engine_event event;
	struct packet out;
	struct house h;

	house_open(&h);
	/* An on-link destination whose link address nobody knows: the daemon is told once. */
	assert_refused(&h, ALICE, &on_link, SP_R_NO_NEIGHBOUR, "unknown neighbour");
	assert_refused(&h, ALICE, &on_link, SP_R_NO_NEIGHBOUR, "and again");
	cr_assert(house_event(&h, &event));
	cr_assert_eq(event.kind, SP_EVENT_RESOLVE);
	cr_assert_eq(event.ifindex, 7);
	assert_addr(event.addr, "198.51.100.9");
	cr_assert_not(house_event(&h, &event), "one event for both packets");
	house_nexthop(&h, 3, "198.51.100.9");
	cr_assert_eq(sp_dataplane_neighbour_put(h.dp, &key, &neighbour), 0);
	cr_assert_eq(house_say(&h, ALICE, &on_link), 1);
	house_outside(&h, 0, &out);
	cr_assert_eq(h.sent[0].b[5], 3);
	/* Its number was given to another address: the packet must not go there. */
	house_nexthop(&h, 3, "198.51.100.10");
	house_nexthop(&h, 5, "198.51.100.9");
	neighbour.nexthop_id = 5;
	cr_assert_eq(sp_dataplane_neighbour_put(h.dp, &key, &neighbour), 0);
	cr_assert_eq(house_say(&h, ALICE, &on_link), 1);
	cr_assert_eq(h.sent[0].b[5], 5);
	/* Another route, and a next hop that was lost. */
	cr_assert_eq(house_say(&h, ALICE, &v4), 1);
	house_nexthop(&h, 1, "203.0.113.99");
	house_nexthop(&h, 4, "203.0.113.1");
	house_route(&h, 1, "0.0.0.0/0", 4);
	cr_assert_eq(house_say(&h, ALICE, &v4), 1);
	cr_assert_eq(h.sent[0].b[5], 4);
	h.shared->nexthops[4].state = SP_NEXTHOP_PENDING;
	assert_refused(&h, ALICE, &v4, SP_R_NO_NEIGHBOUR, "pending next hop");
	h.shared->gateway->route_count = 1;
	h.shared->gateway->route_seq += 2;
	assert_refused(&h, ALICE, &v4, SP_R_NO_ROUTE, "no default route");
	house_close(&h);
}

/* An interface that is no way out is none, wherever the routes lead. */
Test(engine_refuse, way_out_needs_the_role)
{
	const struct shape out = {"10.9.0.2", "192.0.2.1", 0, 5000, 53, 10};
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &out), 1);
	h.w->ifaces[0].iface.roles = SP_ROLE_TUNNEL | SP_ROLE_INSIDE;
	cr_assert_eq(house_say(&h, ALICE, &out), 0);
	h.shared->gateway->route_seq += 2;
	cr_assert_eq(house_say(&h, ALICE, &out), 0);
	cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_NO_ROUTE), 2);
	house_close(&h);
}

Test(engine_refuse, source_route_past_the_judged_destination)
{
	static const struct {
		const char *name;
		uint8_t options[8];
		enum sp_reason reason;
	} rows[] = {
		{"router alert", {148, 4, 0, 0, 0}, SP_R_NONE},
		{"nop, timestamp", {1, 68, 4, 5, 0}, SP_R_NONE},
		{"loose", {131, 7, 4, 192, 0, 2, 66, 0}, SP_R_PROTOCOL},
		{"strict, behind nops", {1, 137, 7, 4, 192, 0, 2, 66}, SP_R_PROTOCOL},
		{"behind the end", {0, 131, 7, 4, 192, 0, 2, 66}, SP_R_NONE},
		{"no length", {148, 0, 131, 3, 4}, SP_R_PROTOCOL},
		{"a length of one", {148, 1, 131, 3, 4}, SP_R_PROTOCOL},
		{"beyond the header", {148, 9, 0, 0, 0, 0, 0, 0}, SP_R_PROTOCOL},
		{"cut", {1, 1, 1, 1, 1, 1, 1, 148}, SP_R_PROTOCOL},
	};
	const struct shape shape = {"10.9.0.2", "192.0.2.1", 0, 5000, 53, 10};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct packet plain = packet_make(&shape), inner = plain;
		struct house h;

		house_open(&h);
		memcpy(inner.b + 20, rows[i].options, 8);
		memcpy(inner.b + 28, plain.b + 20, plain.bytes - 20);
		inner.bytes = plain.bytes + 8;
		inner.b[0] = 0x47;
		inner.b[3] = (uint8_t)inner.bytes;
		house_up(&h, ALICE, &inner);
		cr_assert_eq(house_run(&h), rows[i].reason == SP_R_NONE, "%s", rows[i].name);
		cr_assert_eq(house_all_drops(&h), rows[i].reason != SP_R_NONE, "%s", rows[i].name);
		cr_assert_eq(house_drops(&h, SP_DIR_UP, rows[i].reason),
			     rows[i].reason != SP_R_NONE, "%s", rows[i].name);
		house_close(&h);
	}
}

/* Who talks to every address of a link does not fill the ring that handshakes need, too. */
Test(engine_refuse, scan_of_a_link_asks_the_daemon_at_a_rate)
{
	struct shape on_link = {"10.9.0.2", NULL, 0, 1, 2, 3};
	struct sp_engine_event event;
	unsigned int events = 0;
	char address[32];
	struct house h;

	house_open(&h);
	for (int i = 1; i < 250; i++) {
		snprintf(address, sizeof(address), "198.51.100.%d", i);
		on_link.dst = address;
		cr_assert_eq(house_say(&h, ALICE, &on_link), 0);
	}
	while (house_event(&h, &event))
		events++;
	cr_assert_eq(events, 32);
	h.now_ns += S_NS;
	on_link.dst = "198.51.100.250";
	cr_assert_eq(house_say(&h, ALICE, &on_link), 0);
	cr_assert(house_event(&h, &event), "later there is room again");
	house_close(&h);
}

Test(engine_refuse, at_each_limit)
{
	struct sp_nat_pools none = {.count = 0};
	struct shape shape = {"10.9.0.2", "192.0.2.1", 0, 100, 2, 3};
	struct house h;

	house_open(&h);
	for (uint16_t i = 0; i < 16; i++, shape.sport++)
		cr_assert_eq(house_say(&h, ALICE, &shape), 1);
	assert_refused(&h, ALICE, &shape, SP_R_FLOW_QUOTA, "the seventeenth flow");
	cr_assert_eq(house_say(&h, BOB, &(struct shape){"10.9.0.3", "192.0.2.1", 0, 1, 2, 3}), 1,
		     "another user is not concerned");
	h.shared->users[2].flow_max = 1000;
	while (h.w->table.count < h.w->table.max) {
		shape.sport++;
		cr_assert_eq(house_say(&h, ALICE, &shape), 1);
	}
	shape.sport++;
	assert_refused(&h, ALICE, &shape, SP_R_FLOW_TABLE_FULL, "the worker's table");
	house_close(&h);

	house_open(&h);
	cr_assert_eq(sp_nat_apply(h.w->nat, &none), 0);
	assert_refused(&h, ALICE, &shape, SP_R_NAT_NO_POOL, "no pool at all");
	cr_assert_eq(h.w->table.count, 0, "nothing is left of the attempt");
	cr_assert_eq(h.w->user_flows[2], 0);
	house_close(&h);
}

Test(engine_refuse, no_port_left)
{
	struct shape shape = {"10.9.0.2", "192.0.2.1", 0, 100, 2, 3};
	struct sp_nat_address address = {.port_min = 20000, .port_max = 20001};
	struct sp_nat_pools pools = {.count = 1, .pools = {{.id = 1, .address_count = 1}}};
	struct house h;

	house_open(&h);
	address.addr = addr_of("203.0.113.10");
	pools.pools[0].addresses = &address;
	cr_assert_eq(sp_nat_apply(h.w->nat, &pools), 0);
	for (int i = 0; i < 2; i++, shape.sport++)
		cr_assert_eq(house_say(&h, ALICE, &shape), 1);
	assert_refused(&h, ALICE, &shape, SP_R_NAT_EXHAUSTED, "two ports, three clients");
	house_close(&h);
}

/* sp_flows holds fewer flows than the worker would. */
Test(engine_refuse, flow_that_the_map_does_not_take)
{
	struct shape shape = {"10.9.0.2", "192.0.2.1", 0, 100, 2, 3};
	struct sp_flow_key key = {.proto = 1};
	struct sp_flow flow = {.kind = SP_FLOW_PLAIN};
	struct house h;

	house_open(&h);
	while (sp_dataplane_flow_put(h.dp, &key, &flow, 1) == 1)
		key.sport_be++;
	assert_refused(&h, ALICE, &shape, SP_R_FLOW_TABLE_FULL, "full map");
	cr_assert_eq(h.w->table.count, 0);
	cr_assert_eq(h.w->user_flows[2], 0);
	key.sport_be = 0;
	for (int i = 0; i < 2; i++, key.sport_be++)
		sp_dataplane_flow_remove(h.dp, &key, 1);
	cr_assert_eq(house_say(&h, ALICE, &shape), 1, "with room again it passes");
	house_close(&h);
}

Test(engine_refuse, full_rings_and_missing_metadata)
{
	const struct shape out = {"10.9.0.2", "192.0.2.1", 0, 1, 2, 3};
	struct packet inner = packet_make(&out);
	const struct sp_meta *meta;
	struct house h;

	house_open(&h);
	h.room = 0;
	assert_refused(&h, ALICE, &out, SP_R_TX_FULL, "transmit ring");
	h.room = SP_OUT_MAX;
	house_up(&h, ALICE, &inner);
	memset(h.w->items[0].data - 32, 0, 32);
	cr_assert_eq(house_run(&h), 0);
	cr_assert_eq(house_drops(&h, SP_DIR_HOST, SP_R_NO_FLOW), 1);
	/* What XDP once wrote there speaks for no later packet in that frame. */
	house_up(&h, ALICE, &inner);
	meta = (const struct sp_meta *)(h.w->items[0].data - sizeof(*meta));
	cr_assert_eq(meta->magic, SP_META_MAGIC);
	cr_assert_eq(house_run(&h), 1);
	cr_assert_eq(meta->magic, 0);
	h.shared->gateway->open = 0;
	house_up(&h, ALICE, &inner);
	cr_assert_eq(house_run(&h), 0);
	cr_assert_eq(house_drops(&h, SP_DIR_HOST, SP_R_CLOSED), 1);
	house_close(&h);
}

Test(engine_refuse, user_above_the_download_rate_between_peers)
{
	struct shape shape = {"10.9.0.2", "10.9.0.3", 0, 1, 2, 1000};
	uint64_t passed = 0;
	struct house h;

	house_open(&h);
	h.shared->users[3].bucket_down = 5;
	sp_bucket_set(&h.shared->buckets[5], 8000, 4000); /* 1000 B a second, 4000 at once */
	for (int i = 0; i < 10; i++)
		passed += house_say(&h, ALICE, &shape);
	cr_assert_eq(passed, 3);
	cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_LIMIT_DOWN), 7);
	cr_assert_eq(h.shared->buckets[5].dropped_packets, 7);
	house_close(&h);
}
