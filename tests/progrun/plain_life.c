/* SPDX-License-Identifier: Apache-2.0 */
/* Plain flows under a new policy, in silence, and in ICMP errors; and between two zones. */
#include "progrun/plain_lab.h"

#include "sallyport/core/flow.h"

TestSuite(plain_life, .init = plain_open, .fini = progrun_close);

static struct frame request(const struct family *f)
{
	struct spec s = plain_spec(f, 1, KEPT_PORT);

	return frame_of(&s);
}

static bool both_there(const struct family *f)
{
	struct sp_flow_key k = plain_key(f, 1, KEPT_PORT), back;
	struct sp_flow flow;
	bool there = flow_there(&k, &flow);

	sp_flow_key_reverse(&k, &back);
	back.dst = addr_of(f->pool);
	cr_assert_eq(flow_there(&back, &flow), there, "a half without the other");
	return there;
}

Test(plain_life, a_denial_cuts_a_live_flow_by_its_next_packet_either_way)
{
	static const struct {
		uint32_t node;
		enum sp_reason reason;
	} rows[] = {{DENY, SP_R_POLICY_DENY}, {NOTHING, SP_R_POLICY_DEFAULT}};

	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int i = 0; i < 4; i++) {
			struct frame up = request(f);
			struct frame down = plain_answer(f, 1, f->pool, KEPT_PORT, 64);
			bool answer = i & 1;

			put_policy(gateway->generation, ALLOW, 0);
			plain_send(f, 1, KEPT_PORT);
			reload(rows[i / 2].node, 0);
			put_iface(answer ? SP_ROLE_EGRESS : SP_ROLE_INSIDE, 1);
			expect_drop(answer ? &down : &up, answer ? SP_DIR_DOWN : SP_DIR_UP,
				    rows[i / 2].reason, f->name);
			put_iface(SP_ROLE_INSIDE, 1);
			cr_assert_not(both_there(f));
			cr_assert_eq(users[USER].plain_flows, 0);
		}
}

Test(plain_life, what_its_rule_keeps_is_kept_and_what_is_allowed_is_marked)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct sp_flow_key k = plain_key(f, 1, KEPT_PORT);
		struct frame down = plain_answer(f, 1, f->pool, KEPT_PORT, 64);
		struct frame want = plain_answer(f, 1, workload(f), KEPT_PORT, 63);
		struct sp_flow flow;

		put_policy(gateway->generation, ALLOW, 1);
		plain_send(f, 1, KEPT_PORT);
		reload(DENY, 0);
		cr_assert_eq(plain_send(f, 1, KEPT_PORT), KEPT_PORT);
		cr_assert(flow_there(&k, &flow));
		cr_assert_eq(flow.generation, gateway->generation);
		cr_assert_eq(flow.rule_id, 1, "of the rule that once allowed it");
		reload(ALLOW, 0);
		put_iface(SP_ROLE_EGRESS, 1);
		expect_out(&down, &want, "by an answer");
		put_iface(SP_ROLE_INSIDE, 1);
		cr_assert(flow_there(&k, &flow));
		cr_assert_eq(flow.generation, gateway->generation);
		cr_assert_eq(flow.on_change, 0, "the new rule's word");
	}
}

Test(plain_life, a_source_that_left_its_zone_loses_its_flows)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct frame up = request(f);

		plain_send(f, 1, KEPT_PORT);
		put_zone(inside[f - families], 128, USER + 1);
		reload(ALLOW, 0);
		expect_drop(&up, SP_DIR_UP, SP_R_SPOOFED_SOURCE, f->name);
		cr_assert_not(both_there(f));
	}
}

static void age(const struct family *f, uint64_t s)
{
	struct sp_flow_key k = plain_key(f, 1, KEPT_PORT), back;
	struct sp_flow flow;

	sp_flow_key_reverse(&k, &back);
	back.dst = addr_of(f->pool);
	for (int i = 0; i < 2; i++) {
		cr_assert(flow_there(i ? &back : &k, &flow));
		flow.seen_ns = now_ns() - s * SP_NS_PER_S;
		map_put(MAP_FD(sp_flows), i ? &back : &k, &flow);
	}
}

Test(plain_life, silence_ends_it_without_a_daemon)
{
	if (now_ns() < 400 * SP_NS_PER_S)
		cr_skip_test("the machine is up for less than 400 s");
	for (const struct family *f = families; f < families + 2; f++) {
		struct frame down = plain_answer(f, 1, f->pool, KEPT_PORT, 64);
		struct sp_flow_key k = plain_key(f, 1, KEPT_PORT);
		struct sp_flow flow;

		plain_send(f, 1, KEPT_PORT);
		age(f, SP_FLOW_TCP_TRANSITORY_S + 1);
		put_iface(SP_ROLE_EGRESS, 1);
		expect_drop(&down, SP_DIR_DOWN, SP_R_FLOW_EXPIRED, f->name);
		put_iface(SP_ROLE_INSIDE, 1);
		plain_send(f, 1, KEPT_PORT);
		cr_assert(flow_there(&k, &flow));
		cr_assert_eq(flow.packets, 1, "a new flow, not the old one");
		cr_assert_eq(users[USER].plain_flows, f == families ? 1 : 2);
	}
}

Test(plain_life, both_sides_of_tcp_set_its_clock)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct sp_flow_key k = plain_key(f, 1, KEPT_PORT);
		struct frame down = plain_answer(f, 1, f->pool, KEPT_PORT, 64);
		struct spec s = plain_spec(f, 1, KEPT_PORT);
		struct sp_flow flow;
		struct frame fin;

		plain_send(f, 1, KEPT_PORT);
		put_iface(SP_ROLE_EGRESS, 1);
		expect(&down, XDP_REDIRECT, SP_DIR_HOST, 0, f->name);
		put_iface(SP_ROLE_INSIDE, 1);
		s.tcp_flags = 0x12;
		fin = frame_of(&s);
		expect(&fin, XDP_REDIRECT, SP_DIR_HOST, 0, "moves the flags");
		cr_assert(flow_there(&k, &flow));
		cr_assert_eq(flow.idle_s, SP_FLOW_TCP_ESTABLISHED_S);
		s.tcp_flags = 0x14;
		fin = frame_of(&s);
		expect(&fin, XDP_REDIRECT, SP_DIR_HOST, 0, "a reset");
		cr_assert(flow_there(&k, &flow));
		cr_assert_eq(flow.idle_s, SP_FLOW_TCP_TRANSITORY_S);
	}
}

Test(plain_life, errors_about_a_flow_cross_both_ways)
{
	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int proto = 0; proto < 3; proto++) {
			struct spec out = plain_spec(f, proto, KEPT_PORT), left = out;
			struct frame got = plain_answer(f, proto, workload(f), KEPT_PORT, 64);
			struct frame sent = plain_answer(f, proto, f->pool, KEPT_PORT, 64);
			struct frame before, after, in, want;

			plain_send(f, proto, KEPT_PORT);
			left.src = f->pool;
			before = frame_of(&out);
			after = frame_of(&left);
			put_iface(SP_ROLE_EGRESS, 1);
			in = frame_error(f->router, f->pool, f->unreachable, &after,
					 f->ip_bytes + 8);
			want = frame_error(f->router, workload(f), f->unreachable, &before,
					   f->ip_bytes + 8);
			plain_hop(&want, "\x02\0\0\0\0\x02\x02\0\0\0\0\x01");
			expect_out(&in, &want, "from outside");
			put_iface(SP_ROLE_INSIDE, 1);
			in = frame_error(workload(f), f->remote, f->unreachable, &got,
					 f->ip_bytes + 8);
			want = frame_error(f->pool, f->remote, f->unreachable, &sent,
					   f->ip_bytes + 8);
			plain_hop(&want, "\x06\0\0\0\0\x05\x06\0\0\0\0\x01");
			expect_out(&in, &want, "from inside");
			in = frame_error(f->router, f->remote, f->unreachable, &got,
					 f->ip_bytes + 8);
			expect_drop(&in, SP_DIR_UP, SP_R_SPOOFED_SOURCE, "from no zone");
			in = frame_error(workload(f), f->router, f->unreachable, &got,
					 f->ip_bytes + 8);
			expect_drop(&in, SP_DIR_UP, SP_R_ICMP_UNMATCHED, "to a third party");
		}
}

/* Untranslated, and an answer counts only from where the flow's packets go. */
Test(plain_life, zones_that_may_meet_do_so_as_they_are)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct sp_iface there = {.roles = SP_ROLE_INSIDE, .slot = EGRESS_SLOT, .mtu = 1500};
		struct sp_iface here = {
			.roles = SP_ROLE_INSIDE, .slot = EGRESS_SLOT, .queues = 1, .mtu = 1500};
		uint32_t k = EGRESS_IFINDEX, loopback = LOOPBACK;
		struct spec s = plain_spec(f, 1, 50123);
		struct frame in = frame_of(&s), want = plain_left(s, workload(f), 50123, false);

		map_put(MAP_FD(sp_ifaces), &k, &there);
		expect_out(&in, &want, "there");
		in = plain_answer(f, 1, workload(f), 50123, 64);
		want = plain_answer(f, 1, workload(f), 50123, 63);
		expect_drop(&in, SP_DIR_UP, SP_R_SPOOFED_SOURCE, "back by another interface");
		map_put(MAP_FD(sp_ifaces), &loopback, &here);
		expect_out(&in, &want, "back");
		put_iface(SP_ROLE_INSIDE, 1);
	}
}

Test(plain_life, a_workload_that_moved_is_answered_there)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct frame up = request(f);
		struct frame down = plain_answer(f, 1, f->pool, KEPT_PORT, 64);
		struct outcome o;

		plain_send(f, 1, KEPT_PORT);
		up.b[11] = 0x77;
		expect(&up, XDP_REDIRECT, SP_DIR_HOST, 0, "from its new place");
		put_iface(SP_ROLE_EGRESS, 1);
		o = expect(&down, XDP_REDIRECT, SP_DIR_HOST, 0, "the answer");
		cr_assert_eq(o.b[5], 0x77);
		put_iface(SP_ROLE_INSIDE, 1);
	}
}
