/* SPDX-License-Identifier: Apache-2.0 */
/* Flows end by the clock, and TCP's clock follows what both sides have shown. */
#include "progrun/lab.h"

#include "sallyport/core/bucket.h"
#include "sallyport/core/flow.h"

TestSuite(expiry, .init = lab_open, .fini = progrun_close);

static struct binding binding_of(const struct family *f, uint8_t proto, uint32_t ago_s)
{
	return (struct binding){
		.f = f,
		.nat = f->pool,
		.proto = proto,
		.rport = proto == f->icmp ? 0 : 443,
		.nport = 30001,
		.cport = 50123,
		.kind = SP_FLOW_TUNNEL,
		.seen_ns = now_ns() - ago_s * 1000000000ull,
	};
}

static struct frame answer(const struct binding *b, const char *to, uint8_t tcp_flags)
{
	struct spec s = {.src = b->f->remote,
			 .dst = to,
			 .proto = b->proto,
			 .sport = b->proto == b->f->icmp ? b->f->answer : b->rport,
			 .dport = to == b->nat ? b->nport : b->cport,
			 .tcp_flags = tcp_flags};

	return frame_of(&s);
}

/* Needs a machine that has been up for longer than the flow's silence. */
static void skip_when_young(uint64_t s)
{
	if (now_ns() < s * 1000000000ull)
		cr_skip_test("the machine is up for less than %llu s", (unsigned long long)s);
}

Test(expiry, an_idle_flow_has_ended)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, SP_PROTO_UDP, 2);
		struct frame in = answer(&b, b.nat, 0), want = answer(&b, f->client, 0);

		b.idle_s = 3;
		put_flow(&b, SP_FLOW_REPLY, 0);
		expect_worker(&in, &want, SP_META_REPLY, "a second before");
		cr_assert_geq(flow_of(&b).seen_ns, b.seen_ns + 2000000000, "refreshed");
		b.seen_ns = now_ns() - 3000000000;
		put_flow(&b, SP_FLOW_REPLY, 0);
		expect_drop(&in, SP_DIR_DOWN, SP_R_FLOW_EXPIRED, "at its end");
	}
}

Test(expiry, what_the_user_sends_keeps_the_flow_alive)
{
	static const uint8_t protos[] = {SP_PROTO_UDP, SP_PROTO_TCP, 0};

	skip_when_young(400);
	for (const struct family *f = families; f < families + 2; f++)
		for (int i = 0; i < 3; i++) {
			struct binding b = binding_of(f, i == 2 ? f->icmp : protos[i], 350), o = b;
			struct frame in = answer(&b, b.nat, 0), want = answer(&b, f->client, 0);

			put_flow(&b, SP_FLOW_REPLY, 0);
			expect_drop(&in, SP_DIR_DOWN, SP_R_FLOW_EXPIRED, "both silent");
			put_flow(&o, SP_FLOW_ORIGINAL, 0);
			expect_drop(&in, SP_DIR_DOWN, SP_R_FLOW_EXPIRED, "an old original");
			o.seen_ns = now_ns();
			put_flow(&o, SP_FLOW_ORIGINAL, 0);
			expect_worker(&in, &want, SP_META_REPLY, "the user spoke just now");
		}
}

Test(expiry, established_tcp_may_be_silent_for_two_hours)
{
	skip_when_young(400);
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, SP_PROTO_TCP, 350);
		struct frame in = answer(&b, b.nat, SP_TCP_ACK);
		struct frame want = answer(&b, f->client, SP_TCP_ACK);

		b.idle_s = SP_FLOW_TCP_TRANSITORY_S;
		put_flow(&b, SP_FLOW_REPLY, SP_TCP_SEEN_SYN);
		put_flow(&b, SP_FLOW_ORIGINAL, SP_TCP_SEEN_SYN);
		expect_drop(&in, SP_DIR_DOWN, SP_R_FLOW_EXPIRED, "half open");
		put_flow(&b, SP_FLOW_REPLY, SP_TCP_SEEN_SYN | SP_TCP_SEEN_ACK);
		put_flow(&b, SP_FLOW_ORIGINAL, SP_TCP_SEEN_SYN | SP_TCP_SEEN_ACK);
		expect_worker(&in, &want, SP_META_REPLY, "established");
		cr_assert_eq(flow_of(&b).idle_s, SP_FLOW_TCP_ESTABLISHED_S);
		put_flow(&b, SP_FLOW_REPLY, SP_TCP_SEEN_SYN | SP_TCP_SEEN_FIN);
		put_flow(&b, SP_FLOW_ORIGINAL, SP_TCP_SEEN_ACK | SP_TCP_SEEN_FIN);
		expect_drop(&in, SP_DIR_DOWN, SP_R_FLOW_EXPIRED, "both have closed");
	}
}

Test(expiry, tcp_flags_of_the_answers_are_kept_and_set_the_clock)
{
	static const struct {
		uint8_t flags, original, seen;
		uint32_t idle_s;
	} rows[] = {
		{0x12, SP_TCP_SEEN_SYN, SP_TCP_SEEN_SYN, 240},
		{0x10, SP_TCP_SEEN_SYN | SP_TCP_SEEN_ACK, SP_TCP_SEEN_SYN | SP_TCP_SEEN_ACK, 7440},
		{0x11, SP_TCP_SEEN_SYN | SP_TCP_SEEN_ACK,
		 SP_TCP_SEEN_SYN | SP_TCP_SEEN_ACK | SP_TCP_SEEN_FIN, 7440},
		{0x14, SP_TCP_SEEN_SYN | SP_TCP_SEEN_ACK,
		 SP_TCP_SEEN_SYN | SP_TCP_SEEN_ACK | SP_TCP_SEEN_FIN | SP_TCP_SEEN_RST, 240},
	};

	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, SP_PROTO_TCP, 0);

		put_flow(&b, SP_FLOW_REPLY, 0);
		for (size_t i = 0; i < 4; i++) {
			struct frame in = answer(&b, b.nat, rows[i].flags);
			struct frame want = answer(&b, f->client, rows[i].flags);

			put_flow(&b, SP_FLOW_ORIGINAL, rows[i].original);
			expect_worker(&in, &want, SP_META_REPLY, f->name);
			cr_assert_eq(flow_of(&b).tcp_seen, rows[i].seen, "row %zu", i);
			cr_assert_eq(flow_of(&b).idle_s, rows[i].idle_s, "row %zu", i);
		}
	}
}

Test(expiry, a_verdict_that_is_over_is_asked_for_again)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, SP_PROTO_UDP, 0);
		struct frame in = answer(&b, b.nat, 0), want = answer(&b, f->client, 0);

		b.until_ns = now_ns() + 3600000000000;
		put_flow(&b, SP_FLOW_REPLY, 0);
		cr_expect_eq(expect_worker(&in, &want, SP_META_REPLY, "an hour before").flags, 0);
		b.until_ns = now_ns();
		put_flow(&b, SP_FLOW_REPLY, 0);
		cr_expect_eq(expect_worker(&in, &want, SP_META_REPLY, "at its end").flags,
			     SP_META_STALE);
	}
}

Test(expiry, the_rate_of_the_rule_holds_beside_that_of_the_user)
{
	const struct family *f = families;
	struct binding b = binding_of(f, SP_PROTO_UDP, 0);
	struct frame in = answer(&b, b.nat, 0), want = answer(&b, f->client, 0);

	sp_bucket_set(&buckets[40], 8000, 4096);
	b.bucket_down = 40;
	put_flow(&b, SP_FLOW_REPLY, 0);
	expect_worker(&in, &want, SP_META_REPLY, "within it");
	buckets[40].tat_ns = now_ns() + 3600000000000;
	expect_drop(&in, SP_DIR_DOWN, SP_R_LIMIT_RULE, "above it");
	b.bucket_down = 9999;
	put_flow(&b, SP_FLOW_REPLY, 0);
	expect_drop(&in, SP_DIR_DOWN, SP_R_LIMIT_RULE, "a bucket that the map does not hold");
}
