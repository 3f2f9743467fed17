/* SPDX-License-Identifier: Apache-2.0 */
/* What the exit tells of a drop: who, which rule, which packet; at its pace, and what is left out counts. */
#include "progrun/plain_lab.h"

#include <bpf/libbpf.h>

#include "sallyport/core/bucket.h"
#include "sallyport/core/pace.h"

#define EVENTS_MAX 8192
#define HIT	   9

static struct ring_buffer *ring;
static struct sp_drop_pace *paces;
static struct sp_drop_event events[EVENTS_MAX];
static uint32_t event_count;

static int take_event(void *ctx, void *data, size_t bytes)
{
	cr_assert_eq(bytes, sizeof(*events));
	cr_assert_lt(event_count, EVENTS_MAX);
	memcpy(&events[event_count++], data, bytes);
	return 0;
}

static uint32_t read_events(void)
{
	event_count = 0;
	cr_assert_geq(ring_buffer__consume(ring), 0);
	return event_count;
}

static void use_ring(uint32_t per_s)
{
	ring = ring_buffer__new(MAP_FD(sp_drop_events), take_event, NULL, NULL);
	cr_assert_not_null(ring);
	gateway->event_cost_ns = per_s ? 1000000000 / per_s : 0;
}

static void tunnel_start(void)
{
	lab_open();
	use_ring(50);
}

static void plain_start(void)
{
	plain_open();
	use_ring(50);
}

TestSuite(events_tunnel, .init = tunnel_start, .fini = progrun_close);
TestSuite(events_plain, .init = plain_start, .fini = progrun_close);

/* The one event of the one drop. */
static const struct sp_drop_event *only_event(const struct frame *f, enum sp_direction direction,
					      enum sp_reason reason)
{
	uint64_t before_ns = now_ns();

	expect_drop(f, direction, reason, "told");
	cr_assert_eq(read_events(), 1);
	cr_assert_eq(events[0].reason, reason);
	cr_assert_eq(events[0].direction, direction);
	cr_assert_eq(events[0].bytes, f->n);
	cr_assert_eq(events[0].ifindex, LOOPBACK);
	cr_assert_eq(events[0].generation, gateway->generation);
	cr_assert(events[0].at_ns >= before_ns && events[0].at_ns <= now_ns());
	cr_assert_eq(events[0].waited, 0);
	return &events[0];
}

static void expect_ends(const struct sp_drop_event *e, const char *src, uint16_t sport,
			const char *dst, uint16_t dport)
{
	struct sp_addr from = addr_of(src), to = addr_of(dst);

	cr_expect(sp_addr_equal(&e->src, &from));
	cr_expect(sp_addr_equal(&e->dst, &to));
	cr_expect_eq(ntohs(e->sport_be), sport);
	cr_expect_eq(ntohs(e->dport_be), dport);
}

Test(events_tunnel, a_session_that_is_blocked_names_its_user_and_peer)
{
	uint8_t data[32] = {4, [4] = RECEIVER & 0xff, (RECEIVER >> 8) & 0xff,
			    (RECEIVER >> 16) & 0xff, (RECEIVER >> 24) & 0xff};

	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = {.src = f->remote,
				 .dst = f->host,
				 .proto = SP_PROTO_UDP,
				 .sport = 4444,
				 .dport = PORT,
				 .payload = data,
				 .bytes = sizeof(data)};
		struct frame in = frame_of(&s);
		const struct sp_drop_event *e;

		put_session(RECEIVER, SP_SESSION_BLOCKED, now_ns() + 60000000000);
		e = only_event(&in, SP_DIR_UP, SP_R_SESSION_BLOCKED);
		cr_expect_eq(e->user_id, USER);
		cr_expect_eq(e->peer_id, PEER);
		cr_expect_eq(e->rule_id, 0);
		cr_expect_eq(e->proto, SP_PROTO_UDP);
		cr_expect_eq(e->tunnelled, 0);
		expect_ends(e, f->remote, 4444, f->host, PORT);
	}
}

Test(events_tunnel, a_stranger_is_nobody)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = {.src = f->remote,
				 .dst = f->pool,
				 .proto = SP_PROTO_TCP,
				 .sport = 443,
				 .dport = 30000,
				 .tcp_flags = 0x12};
		struct frame in = frame_of(&s);
		const struct sp_drop_event *e = only_event(&in, SP_DIR_DOWN, SP_R_NO_FLOW);

		cr_expect_eq(e->user_id, SP_USER_NOBODY);
		cr_expect_eq(e->peer_id, SP_PEER_NONE);
		cr_expect_eq(e->rule_id, 0);
		cr_expect_eq(e->hit_id, 0);
		cr_expect_eq(e->tcp_flags, 0x12);
		expect_ends(e, f->remote, 443, f->pool, 30000);
	}
}

Test(events_tunnel, an_answer_above_the_rate_names_its_flow)
{
	sp_bucket_set(&buckets[6], 8, 3028);
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = {.f = f,
				    .nat = f->pool,
				    .proto = SP_PROTO_UDP,
				    .rport = 53,
				    .nport = 30001,
				    .cport = 40001};
		struct spec s = {.src = f->remote,
				 .dst = f->pool,
				 .proto = SP_PROTO_UDP,
				 .sport = 53,
				 .dport = 30001,
				 .payload = "answer",
				 .bytes = 6};
		struct frame in = frame_of(&s);
		const struct sp_drop_event *e;

		put_flow(&b, SP_FLOW_REPLY, 0);
		buckets[6].tat_ns = now_ns() + 3600000000000000;
		e = only_event(&in, SP_DIR_DOWN, SP_R_LIMIT_DOWN);
		cr_expect_eq(e->user_id, USER);
		cr_expect_eq(e->peer_id, PEER);
		cr_expect_eq(e->rule_id, RULE);
	}
}

Test(events_plain, a_denial_names_zone_and_rule_and_the_default_has_none)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 1, 40000);
		struct frame in = frame_of(&s);
		const struct sp_drop_event *e;

		reload(DENY, 0);
		policy[(gateway->generation & 1) * POLICY_NODES + DENY].rule.hit_id = HIT;
		e = only_event(&in, SP_DIR_UP, SP_R_POLICY_DENY);
		cr_expect_eq(e->user_id, USER);
		cr_expect_eq(e->rule_id, 2);
		cr_expect_eq(e->hit_id, HIT);
		expect_ends(e, workload(f), 40000, f->remote, 443);
		reload(NOTHING, 0);
		e = only_event(&in, SP_DIR_UP, SP_R_POLICY_DEFAULT);
		cr_expect_eq(e->user_id, USER);
		cr_expect_eq(e->rule_id, 0);
		cr_expect_eq(e->hit_id, 0, "nothing is left of the packet before");
	}
}

Test(events_plain, what_was_not_asked_about_says_nothing_of_the_packet_before)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 1, 40000);
		struct frame in = frame_of(&s);
		const struct sp_drop_event *e;

		put_policy(gateway->generation, DENY, 0);
		(void)only_event(&in, SP_DIR_UP, SP_R_POLICY_DENY);
		s.src = f->remote;
		s.dst = f->router;
		in = frame_of(&s);
		e = only_event(&in, SP_DIR_UP, SP_R_SPOOFED_SOURCE);
		cr_expect_eq(e->user_id, SP_USER_NOBODY);
		cr_expect_eq(e->rule_id, 0);
		s = plain_spec(f, 1, 40000);
		s.proto = 132; /* SCTP */
		in = frame_of(&s);
		e = only_event(&in, SP_DIR_UP, SP_R_PROTOCOL);
		cr_expect_eq(e->user_id, USER, "the zone is known by the address");
		cr_expect_eq(e->rule_id, 0);
	}
}

Test(events_plain, a_rules_limit_names_the_rule_of_the_flow)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 0, KEPT_PORT);
		struct frame in = frame_of(&s);
		struct sp_policy_rule *rule;
		const struct sp_drop_event *e;

		put_policy(gateway->generation, ALLOW, 0);
		rule = &policy[(gateway->generation & 1) * POLICY_NODES + ALLOW].rule;
		rule->hit_id = HIT;
		rule->bucket_up = 20;
		sp_bucket_set(&buckets[20], 8, 3028);
		buckets[20].tat_ns = 0;
		expect(&in, XDP_REDIRECT, SP_DIR_HOST, SP_R_NONE, "its burst");
		buckets[20].tat_ns = now_ns() + 3600000000000000;
		e = only_event(&in, SP_DIR_UP, SP_R_LIMIT_RULE);
		cr_expect_eq(e->user_id, USER);
		cr_expect_eq(e->rule_id, 1);
		cr_expect_eq(e->hit_id, HIT);
	}
}

Test(events_plain, a_flood_is_paced_and_counted_and_hides_no_rare_reason)
{
	struct spec s = plain_spec(families, 1, 40000), rare = plain_spec(families, 0, 40000);
	struct frame in = frame_of(&s), other;
	struct sp_drop_pace sum = {0};
	uint32_t told, waited = 0;

	gateway->event_cost_ns = 1000000000; /* one a second, so that time adds none */
	put_policy(gateway->generation, NOTHING, 0);
	for (int i = 0; i < 5000; i++)
		expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DEFAULT, "flood");
	rare.src = "192.0.2.77";
	other = frame_of(&rare);
	expect_drop(&other, SP_DIR_UP, SP_R_SPOOFED_SOURCE, "rare");
	told = read_events();
	cr_assert_geq(told, SP_PACE_BURST + 1);
	cr_assert_eq(events[told - 1].reason, SP_R_SPOOFED_SOURCE, "the rare one is there");
	paces = map_shared(skel->maps.sp_drop_paces,
			   (size_t)libbpf_num_possible_cpus() * SP_PACE_STRIDE * sizeof(*paces));
	/* Criterion's process may move between CPUs: at most one burst for each. */
	cr_assert_leq(told, 1 + (SP_PACE_BURST + 1) * (uint32_t)libbpf_num_possible_cpus());
	for (uint32_t i = 0; i < told; i++)
		waited += events[i].waited;
	for (int i = 0; i < libbpf_num_possible_cpus() * SP_PACE_STRIDE; i++) {
		sum.left_out += paces[i].left_out;
		sum.waiting += paces[i].waiting;
		sum.lost += paces[i].lost;
	}
	cr_assert_eq(sum.left_out, 5001 - told);
	cr_assert_eq(sum.lost, 0);
	cr_assert_eq(sum.left_out, (uint64_t)sum.waiting + waited, "nothing vanishes");
}

Test(events_plain, a_full_ring_loses_and_counts)
{
	struct spec s = plain_spec(families, 1, 40000);
	struct frame in = frame_of(&s);
	uint64_t lost = 0, told;

	gateway->event_cost_ns = 1; /* as fast as the clock */
	put_policy(gateway->generation, NOTHING, 0);
	for (int i = 0; i < 4000; i++)
		expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DEFAULT, "flood");
	told = read_events();
	paces = map_shared(skel->maps.sp_drop_paces,
			   (size_t)libbpf_num_possible_cpus() * SP_PACE_STRIDE * sizeof(*paces));
	for (int i = 0; i < libbpf_num_possible_cpus() * SP_PACE_STRIDE; i++)
		lost += paces[i].lost;
	cr_assert_leq(told, SP_DROP_EVENT_BYTES / (sizeof(*events) + 8));
	cr_assert_eq(told + lost, 4000);
	cr_assert_gt(told, 2000);
}

Test(events_plain, none_are_told_when_switched_off)
{
	struct spec s = plain_spec(families, 1, 40000);
	struct frame in = frame_of(&s);

	gateway->event_cost_ns = 0;
	put_policy(gateway->generation, NOTHING, 0);
	expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DEFAULT, "silent");
	cr_assert_eq(read_events(), 0);
}

Test(events_plain, what_passes_is_counted_by_direction)
{
	struct sp_forward_cell *cells;
	struct spec s = plain_spec(families, 0, KEPT_PORT);
	struct frame in = frame_of(&s), back;
	uint64_t up = 0, down = 0, bytes = 0;
	uint32_t cpus = (uint32_t)libbpf_num_possible_cpus();

	put_policy(gateway->generation, ALLOW, 0);
	for (int i = 0; i < 3; i++)
		expect(&in, XDP_REDIRECT, SP_DIR_HOST, SP_R_NONE, "out");
	back = plain_answer(families, 0, families->pool, KEPT_PORT, 64);
	put_iface(SP_ROLE_EGRESS, 1);
	expect(&back, XDP_REDIRECT, SP_DIR_HOST, SP_R_NONE, "back");
	cells = map_shared(skel->maps.sp_forward_lanes,
			   (size_t)cpus * SP_FORWARD_STRIDE * sizeof(*cells));
	for (uint32_t i = 0; i < cpus; i++) {
		const struct sp_forward_cell *plain =
			&cells[i * SP_FORWARD_STRIDE + SP_FLOW_PLAIN * 2];

		up += plain[0].packets;
		bytes += plain[0].bytes;
		down += plain[1].packets;
	}
	cr_expect_eq(up, 3);
	cr_expect_eq(bytes, 3 * (in.n - in.l3));
	cr_expect_eq(down, 1);
}
