/* SPDX-License-Identifier: Apache-2.0 */
/* Workloads leave through XDP alone and are answered; who may not, for which reason. */
#include "progrun/plain_lab.h"

#include "sallyport/core/bucket.h"

TestSuite(plain, .init = plain_open, .fini = progrun_close);

Test(plain, a_first_packet_makes_its_flow_and_leaves)
{
	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int proto = 0; proto < 3; proto++) {
			struct spec s = plain_spec(f, proto, KEPT_PORT);
			struct frame in = frame_of(&s);
			struct frame want = plain_left(s, f->pool, KEPT_PORT, proto == 2);
			struct sp_flow_key k = plain_key(f, proto, KEPT_PORT);
			int32_t flows = users[USER].plain_flows;
			struct sp_flow flow;

			for (int i = 0; i < 2; i++) {
				expect_out(&in, &want, f->name);
				cr_assert_eq(users[USER].plain_flows, flows + 1, "counted once");
			}
			cr_assert(flow_there(&k, &flow));
			cr_assert_eq(flow.kind, SP_FLOW_PLAIN);
			cr_assert_eq(flow.rule_id, 1);
			cr_assert_eq(flow.user_id, USER);
			cr_assert_eq(flow.packets, 2);
		}
}

Test(plain, answers_return_to_where_the_packet_came_from)
{
	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int proto = 0; proto < 3; proto++) {
			uint16_t port = plain_send(f, proto, 50123);
			struct frame in = plain_answer(f, proto, f->pool, port, 64);
			struct frame want = plain_answer(f, proto, workload(f), 50123, 63);

			cr_assert(port >= 20000 && port <= 29999 && port / 2 % 2 == 1, "%u", port);
			put_iface(SP_ROLE_EGRESS, 1);
			expect_out(&in, &want, f->name);
			put_iface(SP_ROLE_INSIDE, 1);
		}
}

Test(plain, policy_decides_and_a_denied_packet_leaves_nothing_behind)
{
	static const struct {
		uint32_t node;
		enum sp_reason reason;
	} rows[] = {{DENY, SP_R_POLICY_DENY}, {NOTHING, SP_R_POLICY_DEFAULT}};

	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int i = 0; i < 6; i++) {
			struct spec s = plain_spec(f, i % 3, KEPT_PORT);
			struct frame in = frame_of(&s);
			struct sp_flow_key k = plain_key(f, i % 3, KEPT_PORT);
			struct sp_flow flow;

			reload(rows[i / 3].node, 0);
			expect_drop(&in, SP_DIR_UP, rows[i / 3].reason, f->name);
			cr_assert_not(flow_there(&k, &flow));
			cr_assert_eq(users[USER].plain_flows, 0);
		}
}

Test(plain, an_image_of_another_generation_denies)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 1, KEPT_PORT);
		struct frame in = frame_of(&s);

		policy[(gateway->generation & 1) * POLICY_NODES].header.generation += 2;
		expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DEFAULT, "being filled");
		put_policy(gateway->generation, ALLOW, 0);
		policy[(gateway->generation & 1) * POLICY_NODES].header.count = POLICY_NODES + 1;
		expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DEFAULT, "larger than its half");
		put_policy(gateway->generation, ALLOW, 0);
	}
}

Test(plain, sources_of_no_zone_are_spoofed)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 1, KEPT_PORT);
		struct frame in;

		s.src = f->remote;
		s.dst = f->router;
		in = frame_of(&s);
		expect_drop(&in, SP_DIR_UP, SP_R_SPOOFED_SOURCE, "nobody's");
		s.src = f->host;
		put_zone(f->host, 128, USER);
		in = frame_of(&s);
		expect_drop(&in, SP_DIR_UP, SP_R_SPOOFED_SOURCE, "our own, though in a zone");
		s.src = f->client;
		put_zone(f->client, 128, USER);
		in = frame_of(&s);
		expect_drop(&in, SP_DIR_UP, SP_R_INNER_FROM_OUTSIDE, "a peer's, though in a zone");
		s.src = workload(f);
		s.dst = f->client;
		in = frame_of(&s);
		expect_drop(&in, SP_DIR_UP, SP_R_INNER_FROM_OUTSIDE, "to a peer");
	}
}

Test(plain, a_known_flow_from_another_interface_is_looked_at_anew)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 1, KEPT_PORT);
		struct frame in = frame_of(&s);
		uint32_t k = LOOPBACK;
		struct sp_iface v = {.roles = SP_ROLE_INSIDE, .slot = 2, .queues = 1, .mtu = 1500};

		plain_send(f, 1, KEPT_PORT);
		map_put(MAP_FD(sp_ifaces), &k, &v);
		expect_drop(&in, SP_DIR_UP, SP_R_SPOOFED_SOURCE, "no zone there has it");
		put_iface(SP_ROLE_INSIDE, 1);
	}
}

Test(plain, the_flows_of_a_zone_have_a_limit)
{
	users[USER].flow_max = 2;
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 0, 50003);
		struct frame in = frame_of(&s);

		users[USER].plain_flows = 0;
		plain_send(f, 0, 50001);
		plain_send(f, 0, 50002);
		expect_drop(&in, SP_DIR_UP, SP_R_FLOW_QUOTA, "the third");
		plain_send(f, 0, 50001);
	}
}

Test(plain, a_full_table_refuses)
{
	struct spec s = plain_spec(families, 0, 50032);
	struct frame in = frame_of(&s);

	users[USER].flow_max = 0;
	for (uint16_t i = 0; i < 32; i++)
		plain_send(families, 0, (uint16_t)(50000 + i));
	expect_drop(&in, SP_DIR_UP, SP_R_FLOW_TABLE_FULL, "33rd flow of 64 entries");
	cr_assert_eq(users[USER].plain_flows, 32);
}

Test(plain, limits_hold_in_each_direction)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 0, KEPT_PORT);
		struct frame up = frame_of(&s);
		struct frame down = plain_answer(f, 0, f->pool, KEPT_PORT, 64);

		plain_send(f, 0, KEPT_PORT);
		sp_bucket_set(&buckets[5], 1000, 3028);
		sp_bucket_set(&buckets[6], 1000, 3028);
		buckets[5].tat_ns = buckets[6].tat_ns = now_ns() + buckets[5].burst_ns;
		users[USER].bucket_up = 5;
		expect_drop(&up, SP_DIR_UP, SP_R_LIMIT_UP, f->name);
		users[USER].bucket_down = 6;
		put_iface(SP_ROLE_EGRESS, 1);
		expect_drop(&down, SP_DIR_DOWN, SP_R_LIMIT_DOWN, f->name);
		put_iface(SP_ROLE_INSIDE, 1);
		users[USER].bucket_up = users[USER].bucket_down = 0;
	}
}

Test(plain, what_cannot_be_forwarded_has_its_reason)
{
	static const uint8_t big[EGRESS_MTU];
	static const struct {
		uint8_t hops;
		uint16_t bytes, fragment, tags;
		uint8_t proto;
		enum sp_reason reason;
		bool answered;
	} rows[] = {
		{.hops = 1, .reason = SP_R_TTL_EXPIRED, .answered = true},
		{.bytes = EGRESS_MTU, .reason = SP_R_TOO_BIG, .answered = true},
		{.fragment = 0x2010, .reason = SP_R_FRAGMENT},
		{.tags = 1, .reason = SP_R_NO_INTERFACE},
		{.proto = 47, .reason = SP_R_PROTOCOL},
	};

	for (const struct family *f = families; f < families + 2; f++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct spec s = plain_spec(f, 0, KEPT_PORT);
			struct frame in;

			s.hops = rows[i].hops;
			s.bytes = rows[i].bytes;
			s.payload = big;
			s.fragment = rows[i].fragment;
			s.tags = rows[i].tags;
			s.vlan = 100;
			s.proto = rows[i].proto ? rows[i].proto : s.proto;
			in = frame_of(&s);
			(void)expect(&in, rows[i].answered ? ANSWERED : XDP_DROP,
				     s.tags ? SP_DIR_HOST : SP_DIR_UP, rows[i].reason, f->name);
		}
}

Test(plain, an_echo_reply_begins_nothing)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 2, 9);
		struct frame in;

		s.sport = f->answer;
		in = frame_of(&s);
		expect_drop(&in, SP_DIR_UP, SP_R_NO_FLOW, f->name);
	}
}

Test(plain, link_local_goes_nowhere)
{
	struct spec s = plain_spec(families, 1, KEPT_PORT);
	struct frame in;

	s.dst = "169.254.169.254";
	in = frame_of(&s);
	expect_drop(&in, SP_DIR_UP, SP_R_UNSPECIFIED, "the cloud's metadata");
}

Test(plain, the_host_itself_is_reached_from_inside)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 1, KEPT_PORT);
		struct frame in;

		s.dst = f->host;
		in = frame_of(&s);
		expect_pass(&in, f->name);
	}
}

Test(plain, a_syn_is_clamped_to_the_narrower_interface)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 1, KEPT_PORT);
		uint32_t headers = f->ip_bytes + 20;
		struct outcome o;
		struct frame in;
		uint16_t sum;

		s.tcp_flags = 0x02;
		s.payload = "\x02\x04\x05\xb4";
		s.bytes = 4;
		in = frame_of(&s);
		in.b[in.l4 + 12] = 6 << 4;
		put16(in.b + in.l4 + 16, 0);
		sum = frame_l4_sum(&in, &s, in.n);
		memcpy(in.b + in.l4 + 16, &sum, 2);
		o = expect(&in, XDP_REDIRECT, SP_DIR_HOST, SP_R_NONE, f->name);
		cr_assert_eq(get16(o.b + in.l4 + 22), EGRESS_MTU - headers);
		s.src = f->pool;
		memcpy(in.b, o.b, o.n);
		cr_assert_eq(frame_l4_sum(&in, &s, in.n), 0, "checksum");
	}
}
