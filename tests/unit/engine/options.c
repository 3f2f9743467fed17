/* SPDX-License-Identifier: Apache-2.0 */
/* What rules do beyond allowing and denying: answers, counters, deadlines, limits, log lines. */
#include "tunnel.h"

#include "sallyport/core/flow.h"

static const struct shape syn = {"10.9.0.2", "192.0.2.1", SP_PROTO_TCP, 5000, 443, 0, .mss = 1400};
static const struct shape udp = {"10.9.0.2", "192.0.2.1", 0, 5000, 53, 10};
static const struct shape back = {"192.0.2.1", "10.9.0.2", 0, 53, 5000, 10};

static struct sp_rule_hit *hit(struct house *h, uint32_t rule)
{
	return &h->w->hits[rule];
}

static void policy(struct house *h, struct rule rule)
{
	house_rules(h, &rule, 1);
}

/* The one frame sent, as the TCP segment that alice gets. */
static const uint8_t *reset_of(struct house *h, struct packet *ret_packet)
{
	struct sp_packet ip = house_inside(h, 0, ALICE, ret_packet);

	cr_assert_eq(h->sent_count, 1);
	cr_assert_eq(ip.proto, SP_PROTO_TCP);
	cr_assert(ip.tcp_flags & SP_TCP_RST);
	return ret_packet->b + ip.l4_off;
}

static void put_numbers(struct packet *p, uint32_t seq, uint32_t ack, uint8_t flags)
{
	uint8_t *tcp = p->b + (p->b[0] >> 4 == 4 ? 20 : 40);

	put16(tcp + 4, seq >> 16);
	put16(tcp + 6, seq & 0xffff);
	put16(tcp + 8, ack >> 16);
	put16(tcp + 10, ack & 0xffff);
	tcp[13] = flags;
	packet_finish(p, SP_PROTO_TCP, false);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* RFC 9293 3.10.7.1 in both of its forms, over both families; every checksum is checked. */
Test(engine_options, reject_answers_tcp_with_a_reset_that_fits)
{
	static const struct shape shapes[] = {
		{"10.9.0.2", "192.0.2.1", SP_PROTO_TCP, 5000, 443, 30},
		{"fd00:9::2", "2001:db8:1::1", SP_PROTO_TCP, 5000, 443, 30},
	};
	struct packet in, out;
	const uint8_t *tcp;
	struct house h;

	house_open(&h);
	house_rules(&h, (struct rule[]){{"0.0.0.0/0", .reject = true}, {"::/0", .reject = true}},
		    2);
	for (int v6 = 0; v6 < 2; v6++) {
		/* --> SYN { seq 0xfffffff0, 30 bytes } <-- RST, ACK { seq 0, ack 0xf } */
		in = packet_make(&shapes[v6]);
		put_numbers(&in, 0xfffffff0, 0, SP_TCP_SYN);
		house_up(&h, ALICE, &in);
		cr_assert_eq(house_run(&h), 1);
		tcp = reset_of(&h, &out);
		cr_expect_eq(tcp[13], SP_TCP_RST | SP_TCP_ACK);
		cr_expect_eq(get32(tcp + 4), 0);
		cr_expect_eq(get32(tcp + 8), 15);
		cr_expect_eq(get16(tcp), 443);
		cr_expect_eq(get16(tcp + 2), 5000);
		/* --> ACK { seq 7, ack 0x12345678 } <-- RST { seq 0x12345678 } */
		put_numbers(&in, 7, 0x12345678, SP_TCP_ACK);
		house_up(&h, ALICE, &in);
		cr_assert_eq(house_run(&h), 1);
		tcp = reset_of(&h, &out);
		cr_expect_eq(tcp[13], SP_TCP_RST);
		cr_expect_eq(get32(tcp + 4), 0x12345678);
		/* Never a reset to a reset. */
		put_numbers(&in, 7, 8, SP_TCP_RST | SP_TCP_ACK);
		house_up(&h, ALICE, &in);
		cr_assert_eq(house_run(&h), 0);
	}
	cr_expect_eq(house_drops(&h, SP_DIR_UP, SP_R_POLICY_DENY), 6);
	house_close(&h);
}

Test(engine_options, reject_answers_the_rest_with_prohibited_and_deny_is_silent)
{
	static const struct shape v6 = {"fd00:9::2", "2001:db8:1::1", 0, 5000, 53, 10};
	struct packet out;
	struct sp_packet ip;
	struct house h;

	house_open(&h);
	house_rules(&h,
		    (struct rule[]){{"192.0.2.66/32"},
				    {"0.0.0.0/0", .reject = true},
				    {"::/0", .reject = true}},
		    3);
	cr_assert_eq(house_say(&h, ALICE, &udp), 1);
	ip = house_inside(&h, 0, ALICE, &out);
	cr_expect_eq(ip.icmp, SP_ICMP_UNREACHABLE << 8 | 13);
	assert_addr(ip.src, "10.9.0.1");
	cr_assert_eq(house_say(&h, ALICE, &v6), 1);
	ip = house_inside(&h, 0, ALICE, &out);
	cr_expect_eq(ip.icmp, SP_ICMP6_UNREACHABLE << 8 | 1);
	cr_assert_eq(house_say(&h, ALICE, &(struct shape){"10.9.0.2", "192.0.2.66", 0, 1, 2, 3}),
		     0);
	cr_expect_eq(house_drops(&h, SP_DIR_UP, SP_R_POLICY_DENY), 3);
	house_close(&h);
}

Test(engine_options, reject_is_rate_limited)
{
	unsigned int answers = 0;
	struct house h;

	house_open(&h);
	policy(&h, (struct rule){"0.0.0.0/0", .reject = true});
	for (int i = 0; i < 300; i++)
		answers += house_say(&h, ALICE, &syn);
	cr_expect_geq(answers, 64);
	cr_expect_leq(answers, 66);
	cr_expect_eq(house_drops(&h, SP_DIR_UP, SP_R_POLICY_DENY), 300, "each is counted");
	h.now_ns += 10 * S_NS / 1000;
	for (answers = 0; answers < 20 && house_say(&h, ALICE, &syn); answers++)
		;
	cr_expect_eq(answers, 10, "one a millisecond");
	house_close(&h);
}

Test(engine_options, live_connection_is_reset_when_a_new_policy_rejects_it)
{
	struct packet in = packet_make(&(struct shape){"10.9.0.2", "192.0.2.1", SP_PROTO_TCP, 5000,
						       443, 30}),
		      out;
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &syn), 1);
	policy(&h, (struct rule){"0.0.0.0/0", .reject = true});
	put_numbers(&in, 100, 0xabcdef01, SP_TCP_ACK);
	house_up(&h, ALICE, &in);
	cr_assert_eq(house_run(&h), 1);
	cr_expect_eq(get32(reset_of(&h, &out) + 4), 0xabcdef01);
	cr_expect_eq(h.w->user_flows[2], 0);
	house_close(&h);
}

Test(engine_options, shadow_counts_and_does_not_act)
{
	struct house h;

	house_open(&h);
	house_rules(&h,
		    (struct rule[]){{"192.0.2.1/32", .shadow = true},
				    {"192.0.2.0/24", true},
				    {"192.0.2.0/25", .shadow = true, .reject = true}},
		    3);
	cr_assert_eq(house_say(&h, ALICE, &udp), 1);
	cr_assert_eq(house_say(&h, ALICE, &udp), 1);
	cr_expect_eq(hit(&h, 1)->flows, 1, "would have denied");
	cr_expect_eq(hit(&h, 1)->packets, 0);
	cr_expect_eq(hit(&h, 2)->flows, 1);
	cr_expect_eq(hit(&h, 2)->packets, 2);
	cr_expect_eq(hit(&h, 2)->first_ns, h.now_ns);
	cr_expect_eq(hit(&h, 3)->flows, 0, "stands behind the rule that decides");
	cr_assert_eq(house_say(&h, ALICE, &(struct shape){"10.9.0.2", "192.0.3.1", 0, 1, 2, 3}), 0);
	cr_expect_eq(hit(&h, 0)->flows, 1, "the default");
	house_close(&h);
}

Test(engine_options, refusals_are_counted_by_packet)
{
	struct house h;

	house_open(&h);
	policy(&h, (struct rule){"192.0.2.0/24"});
	for (int i = 0; i < 5; i++)
		cr_assert_eq(house_say(&h, ALICE, &udp), 0);
	cr_expect_eq(hit(&h, 1)->flows, 1);
	cr_expect_eq(hit(&h, 1)->packets, 5);
	h.now_ns += 2 * S_NS;
	cr_assert_eq(house_say(&h, ALICE, &udp), 0);
	cr_expect_eq(hit(&h, 1)->flows, 2);
	cr_expect_eq(hit(&h, 1)->last_ns, h.now_ns);
	cr_expect_eq(hit(&h, 1)->first_ns, h.now_ns - 2 * S_NS);
	house_close(&h);
}

Test(engine_options, grace_cuts_after_its_seconds_in_both_directions)
{
	struct packet answer = packet_make(&back);

	for (int down = 0; down < 2; down++) {
		struct house h;

		house_open(&h);
		policy(&h, (struct rule){"192.0.2.0/24", true, SP_ON_CHANGE_GRACE, .grace_s = 30});
		cr_assert_eq(house_say(&h, ALICE, &udp), 1);
		policy(&h, (struct rule){"198.51.100.0/24", true});
		cr_assert_eq(house_say(&h, ALICE, &udp), 1, "its grace begins");
		h.now_ns += 20 * S_NS;
		policy(&h, (struct rule){"198.51.100.0/24", true});
		cr_assert_eq(house_say(&h, ALICE, &udp), 1,
			     "another reload does not begin it anew");
		house_down(&h, ALICE, &answer, SP_META_STALE);
		cr_assert_eq(house_run(&h), 1);
		h.now_ns += 10 * S_NS - 1;
		cr_assert_eq(house_say(&h, ALICE, &udp), 1, "until the last moment");
		h.now_ns++;
		if (down) {
			house_down(&h, ALICE, &answer, SP_META_STALE);
			cr_assert_eq(house_run(&h), 0);
			cr_expect_eq(house_drops(&h, SP_DIR_DOWN, SP_R_POLICY_DEFAULT), 1);
		} else {
			cr_assert_eq(house_say(&h, ALICE, &udp), 0);
			cr_expect_eq(house_drops(&h, SP_DIR_UP, SP_R_POLICY_DEFAULT), 1);
		}
		cr_expect_eq(h.w->user_flows[2], 0);
		house_close(&h);
	}
}

Test(engine_options, grace_ends_when_the_flow_is_allowed_again)
{
	const struct rule allow = {"192.0.2.0/24", true, SP_ON_CHANGE_GRACE, .grace_s = 30};
	struct house h;

	house_open(&h);
	policy(&h, allow);
	cr_assert_eq(house_say(&h, ALICE, &udp), 1);
	policy(&h, (struct rule){"198.51.100.0/24", true});
	cr_assert_eq(house_say(&h, ALICE, &udp), 1);
	policy(&h, allow);
	cr_assert_eq(house_say(&h, ALICE, &udp), 1);
	h.now_ns += 100 * S_NS;
	cr_assert_eq(house_say(&h, ALICE, &udp), 1);
	house_close(&h);
}

static int until_of(const struct sp_flow_key *key, const struct sp_flow *flow, void *arg)
{
	*(uint64_t *)arg = flow->until_ns;
	return flow->side == SP_FLOW_REPLY;
}

Test(engine_options, rule_that_ends_takes_its_flows_with_it)
{
	struct rule rules[] = {{"192.0.2.1/32", true, .expires_s = 60}, {"192.0.2.0/24"}};
	struct packet answer = packet_make(&back);
	uint64_t until_ns = 0, end_ns;
	struct house h;

	house_open(&h);
	end_ns = h.now_ns + 60 * S_NS;
	house_rules(&h, rules, 2);
	cr_assert_eq(house_say(&h, ALICE, &udp), 1);
	sp_dataplane_flow_each(h.dp, until_of, &until_ns);
	cr_expect_eq(until_ns, end_ns, "XDP knows when to ask again");
	h.now_ns = end_ns - 1;
	cr_assert_eq(house_say(&h, ALICE, &udp), 1);
	h.now_ns = end_ns;
	house_down(&h, ALICE, &answer, SP_META_STALE);
	cr_assert_eq(house_run(&h), 0);
	cr_expect_eq(house_drops(&h, SP_DIR_DOWN, SP_R_POLICY_DENY), 1, "what comes next decides");
	cr_assert_eq(house_say(&h, ALICE, &udp), 0);
	cr_expect_eq(house_drops(&h, SP_DIR_UP, SP_R_POLICY_DENY), 1);
	house_close(&h);
}

Test(engine_options, rule_that_ends_hands_its_flows_to_the_next)
{
	struct rule rules[] = {{"192.0.2.1/32", true, .expires_s = 60}, {"192.0.2.0/24", true}};
	struct house h;

	house_open(&h);
	house_rules(&h, rules, 2);
	cr_assert_eq(house_say(&h, ALICE, &udp), 1);
	h.now_ns += 61 * S_NS;
	cr_assert_eq(house_say(&h, ALICE, &udp), 1);
	cr_assert_eq(house_say(&h, ALICE, &udp), 1);
	cr_expect_eq(hit(&h, 1)->packets, 1);
	cr_expect_eq(hit(&h, 2)->packets, 2);
	house_close(&h);
}

Test(engine_options, limit_is_shared_by_all_who_use_the_rule)
{
	const struct shape of_bob = {"10.9.0.3", "192.0.2.1", 0, 5000, 53, 972};
	const struct shape of_alice = {"10.9.0.2", "192.0.2.1", 0, 5000, 53, 972};
	unsigned int passed = 0;
	uint32_t bucket;
	struct house h;

	house_open(&h);
	bucket = h.shared->rule_buckets + 2;
	policy(&h, (struct rule){"192.0.2.0/24", true, .bucket_up = bucket});
	sp_bucket_set(&h.shared->buckets[bucket], 8000, 4000); /* 1000 B a second, 4000 at once */
	for (int i = 0; i < 3; i++)
		passed += house_say(&h, ALICE, &of_alice) + house_say(&h, BOB, &of_bob);
	cr_expect_eq(passed, 4);
	cr_expect_eq(house_drops(&h, SP_DIR_UP, SP_R_LIMIT_RULE), 2);
	h.now_ns += S_NS;
	cr_expect_eq(house_say(&h, BOB, &of_bob), 1);
	cr_expect_eq(house_say(&h, ALICE, &of_alice), 0);
	house_close(&h);
}

Test(engine_options, log_mark_tells_each_decision_once)
{
	struct sp_engine_event event;
	struct house h;

	house_open(&h);
	house_rules(&h,
		    (struct rule[]){{"192.0.2.1/32", .shadow = true, .reject = true, .log = true},
				    {"192.0.2.0/24", true, .log = true},
				    {"198.51.100.0/24", true}},
		    3);
	cr_assert_eq(house_say(&h, ALICE, &udp), 1);
	cr_assert_eq(house_say(&h, ALICE, &udp), 1);
	cr_assert(house_event(&h, &event));
	cr_expect_eq(event.kind, SP_EVENT_RULE);
	cr_expect_eq(event.rule_id, 2);
	cr_expect_eq(event.action, SP_ACTION_ALLOW);
	cr_expect_eq(event.user_id, 2);
	assert_addr(event.key.dst, "192.0.2.1");
	cr_expect_not(event.shadow);
	cr_assert(house_event(&h, &event));
	cr_expect_eq(event.rule_id, 1);
	cr_expect_eq(event.action, SP_ACTION_REJECT);
	cr_expect(event.shadow);
	cr_expect_not(house_event(&h, &event), "once for each flow");
	house_close(&h);
}

Test(engine_options, log_lines_above_the_rate_are_counted)
{
	struct sp_engine_event event;
	struct shape shape = udp;
	unsigned int told = 0;
	struct house h;

	house_open(&h);
	policy(&h, (struct rule){"192.0.2.0/24", .log = true});
	for (uint16_t i = 0; i < 300; i++, shape.sport++)
		house_say(&h, ALICE, &shape);
	while (house_event(&h, &event))
		told++;
	cr_expect_eq(told, 201);
	cr_expect_eq(h.w->log_lost, 99);
	house_close(&h);
}

static void go_to(struct house *h, const char *outer)
{
	struct sp_endpoint at;

	cr_assert(sp_peer_endpoint_get(h->peers[ALICE].peer, &at));
	at.remote = addr_of(outer);
	sp_peer_endpoint_set(h->peers[ALICE].peer, &at);
	h->peers[ALICE].address = outer;
}

Test(engine_options, rule_for_a_place_holds_only_there)
{
	struct rule rules[] = {{"192.0.2.0/24", true, .where = "198.51.100.0/24"},
			       {"192.0.2.0/25", .where = "198.51.0.0/16"}};
	struct house h;

	house_open(&h);
	house_rules(&h, rules, 2);
	cr_assert_eq(house_say(&h, ALICE, &udp), 0);
	cr_expect_eq(house_drops(&h, SP_DIR_UP, SP_R_POLICY_DEFAULT), 1, "from elsewhere: no rule");
	go_to(&h, "198.51.100.7");
	h.now_ns += 2 * S_NS;
	cr_assert_eq(house_say(&h, ALICE, &udp), 1);
	go_to(&h, "198.51.100.8");
	cr_assert_eq(house_say(&h, ALICE, &udp), 1, "the same place");
	go_to(&h, "198.51.7.8");
	cr_assert_eq(house_say(&h, ALICE, &udp), 0, "the flow is judged again at once");
	cr_expect_eq(house_drops(&h, SP_DIR_UP, SP_R_POLICY_DENY), 1);
	cr_expect_eq(h.w->user_flows[2], 0);
	house_close(&h);
}

Test(engine_options, peer_that_moved_loses_what_it_only_listens_to)
{
	struct rule rules[] = {{"192.0.2.0/24", true, .where = "192.0.2.0/24"},
			       {"198.51.100.0/24", true}};
	struct packet answer = packet_make(&back);
	struct house h;

	house_open(&h);
	house_rules(&h, rules, 2);
	cr_assert_eq(house_say(&h, ALICE, &udp), 1);
	h.now_ns += S_NS;
	sp_housekeep(h.w, h.now_ns);
	cr_expect_eq(h.w->user_flows[2], 1);
	go_to(&h, "198.51.100.7");
	h.now_ns += S_NS;
	sp_housekeep(h.w, h.now_ns);
	cr_expect_eq(h.w->user_flows[2], 0);
	house_down(&h, ALICE, &answer, SP_META_STALE);
	cr_expect_eq(house_run(&h), 0);
	house_close(&h);
}
