/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to flows: un-NATed byte for byte and handed over, or dropped for one reason. */
#include "progrun/lab.h"

#include "sallyport/core/bucket.h"

TestSuite(reply, .init = lab_open, .fini = progrun_close);

/* The answer as it arrives at to, and as the user must get it; extra tells tags and the like. */
static struct frame answer(const struct binding *b, const char *to, bool inside, struct spec extra)
{
	bool echo = b->proto == b->f->icmp;
	struct spec s = extra;

	s.src = b->f->remote;
	s.dst = to;
	s.proto = b->proto;
	s.sport = echo ? b->f->answer : b->rport;
	s.dport = inside || !b->nat ? b->cport : b->nport;
	s.payload = "an answer";
	s.bytes = 9;
	return frame_of(&s);
}

static struct frame arriving(const struct binding *b)
{
	return answer(b, b->nat ? b->nat : b->f->client, false, (struct spec){.tcp_flags = 0x10});
}

static struct frame undone(const struct binding *b)
{
	return answer(b, b->f->client, true, (struct spec){.tcp_flags = 0x10});
}

/* udp, tcp, echo */
static struct binding binding_of(const struct family *f, const char *nat, unsigned int kind)
{
	static const uint8_t protos[] = {SP_PROTO_UDP, SP_PROTO_TCP, 0};

	return (struct binding){
		.f = f,
		.nat = nat,
		.proto = kind == 2 ? f->icmp : protos[kind],
		.rport = kind == 2 ? 0 : 443,
		.nport = 30001,
		.cport = 50123,
		.kind = SP_FLOW_TUNNEL,
	};
}

Test(reply, is_un_nated_and_handed_to_the_worker)
{
	static const struct spec extras[] = {
		{.tcp_flags = 0x10},
		{.tags = 1, .padding = 3},
		{.tags = 2, .options = 8, .extensions = 2},
		{.options = 40, .extensions = 6},
	};

	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int i = 0; i < 3 * 2 * 4; i++) {
			struct binding b = binding_of(f, i & 1 ? f->shared : f->pool, i / 2 % 3);
			struct frame in = answer(&b, b.nat, false, extras[i / 6]);
			struct frame want = answer(&b, f->client, true, extras[i / 6]);
			struct sp_flow flow;
			struct sp_meta m;

			put_flow(&b, SP_FLOW_REPLY, 0);
			m = expect_worker(&in, &want, SP_META_REPLY, f->name);
			flow = flow_of(&b);
			cr_assert_eq(m.peer_id, PEER);
			cr_assert_eq(m.user_id, USER);
			cr_assert_eq(m.rule_id, RULE);
			cr_assert_eq(m.flags, 0);
			cr_assert_eq(flow.packets, 1);
			cr_assert_eq(flow.bytes, in.n - in.l3 - extras[i / 6].padding);
		}
}

Test(reply, another_vlan_has_no_flows_of_ours)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, f->pool, 0);
		struct spec tagged = {.tcp_flags = 0x10, .tags = 1, .vlan = 7};
		struct frame in = answer(&b, b.nat, false, tagged);

		put_flow(&b, SP_FLOW_REPLY, 0);
		expect_drop(&in, SP_DIR_DOWN, SP_R_NO_FLOW, f->name);
	}
}

Test(reply, a_udp_checksum_of_none_stays_none)
{
	struct binding b = binding_of(families, families[0].pool, 0);
	struct frame in = arriving(&b), want = undone(&b);

	put_flow(&b, SP_FLOW_REPLY, 0);
	put16(in.b + in.l4 + 6, 0);
	put16(want.b + want.l4 + 6, 0);
	expect_worker(&in, &want, SP_META_REPLY, "0");
}

Test(reply, routed_ipv6_arrives_at_the_inner_address_itself)
{
	const struct family *f = &families[1];

	for (unsigned int i = 0; i < 3; i++) {
		struct binding b = binding_of(f, NULL, i);
		struct frame in = arriving(&b);

		expect_drop(&in, SP_DIR_DOWN, SP_R_INNER_FROM_OUTSIDE, "before a flow asks");
		put_flow(&b, SP_FLOW_REPLY, 0);
		expect_worker(&in, &in, SP_META_REPLY, "after");
	}
}

Test(reply, nothing_but_the_exact_answer_gets_in)
{
	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int i = 0; i < 3; i++) {
			struct binding b = binding_of(f, f->pool, i), other;
			struct frame in;

			b.nport = (uint16_t)(b.nport + 10 * i);
			put_flow(&b, SP_FLOW_REPLY, 0);
			other = b;
			other.nport++;
			in = arriving(&other);
			expect_drop(&in, SP_DIR_DOWN, SP_R_NO_FLOW, "another port of ours");
			other = b;
			other.nat = f->shared;
			in = arriving(&other);
			if (i < 2)
				expect_drop(&in, SP_DIR_DOWN, SP_R_NO_FLOW, "another address");
			else
				expect_pass(&in, "an echo of the host's own");
			other = b;
			other.proto = i == 0 ? SP_PROTO_TCP : SP_PROTO_UDP;
			in = arriving(&other);
			expect_drop(&in, SP_DIR_DOWN, SP_R_NO_FLOW, "another protocol");
			if (i < 2) {
				other = b;
				other.rport++;
				in = arriving(&other);
				expect_drop(&in, SP_DIR_DOWN, SP_R_NO_FLOW, "another remote port");
			}
		}
}

/* CVE-2019-14899: an entry between inner addresses opens nothing to the outside. */
Test(reply, flows_that_never_leave_are_not_reachable_from_outside)
{
	static const enum sp_flow_kind kinds[] = {SP_FLOW_HAIRPIN, SP_FLOW_HOST};

	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int i = 0; i < 2; i++) {
			struct binding inner = binding_of(f, NULL, 1), nat = inner;
			struct frame in;

			inner.kind = kinds[i];
			put_flow(&inner, SP_FLOW_REPLY, 0);
			in = arriving(&inner);
			expect_drop(&in, SP_DIR_DOWN, SP_R_INNER_FROM_OUTSIDE, f->name);
			nat.nat = f->pool;
			nat.kind = kinds[i];
			put_flow(&nat, SP_FLOW_REPLY, 0);
			in = arriving(&nat);
			expect_drop(&in, SP_DIR_DOWN, SP_R_NO_FLOW, f->name);
		}
}

Test(reply, an_original_entry_answers_nothing)
{
	struct binding b = binding_of(families, families[0].pool, 0);
	struct sp_flow_key k = reply_key(&b);
	struct frame in = arriving(&b);
	struct sp_flow v;

	put_flow(&b, SP_FLOW_REPLY, 0);
	v = flow_of(&b);
	v.side = SP_FLOW_ORIGINAL;
	map_put(MAP_FD(sp_flows), &k, &v);
	expect_drop(&in, SP_DIR_DOWN, SP_R_NO_FLOW, "side");
}

Test(reply, an_entry_is_translated_or_routed_never_the_other)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding pool = binding_of(f, f->pool, 0), routed = binding_of(f, NULL, 0);
		struct sp_flow_key k = reply_key(&pool);
		struct frame in = arriving(&pool);
		struct sp_flow v;

		put_flow(&pool, SP_FLOW_REPLY, 0);
		v = flow_of(&pool);
		v.translated = 0;
		map_put(MAP_FD(sp_flows), &k, &v);
		expect_drop(&in, SP_DIR_DOWN, SP_R_NO_FLOW, "routed, to the pool");
		v.translated = 1;
		k = reply_key(&routed);
		map_put(MAP_FD(sp_flows), &k, &v);
		in = arriving(&routed);
		expect_drop(&in, SP_DIR_DOWN, SP_R_INNER_FROM_OUTSIDE, "translated, inside");
	}
}

Test(reply, a_routed_flow_goes_only_to_the_peer_of_the_address)
{
	struct binding b = binding_of(&families[1], NULL, 0);
	struct frame in = arriving(&b);

	put_flow(&b, SP_FLOW_REPLY, 0);
	put_inner(families[1].client, SP_INNER_PEER, PEER + 1);
	expect_drop(&in, SP_DIR_DOWN, SP_R_INNER_FROM_OUTSIDE, "moved to another peer");
	put_inner(families[1].client, SP_INNER_GATEWAY, PEER);
	expect_drop(&in, SP_DIR_DOWN, SP_R_INNER_FROM_OUTSIDE, "the gateway's");
}

Test(reply, echo_identifier_zero_is_no_skeleton_key)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, f->pool, 2);
		struct spec s = {
			.src = f->remote, .dst = f->pool, .proto = f->icmp, .sport = f->ask};
		struct frame in, quoted, error;

		b.nport = 0;
		put_flow(&b, SP_FLOW_REPLY, 0);
		in = frame_of(&s);
		expect_drop(&in, SP_DIR_DOWN, SP_R_NO_FLOW, "request");
		s.sport = 0x2a00; /* no echo at all */
		in = frame_of(&s);
		expect_drop(&in, SP_DIR_DOWN, SP_R_NO_FLOW, "another type");
		s.src = f->pool;
		s.dst = f->remote;
		quoted = frame_of(&s);
		error = frame_error(f->router, f->pool, f->unreachable, &quoted, f->ip_bytes + 8);
		expect_drop(&error, SP_DIR_DOWN, SP_R_ICMP_UNMATCHED, "error about another type");
		in = arriving(&b);
		quoted = undone(&b);
		expect_worker(&in, &quoted, SP_META_REPLY, "the answer itself");
	}
}

Test(reply, an_interface_without_the_role_carries_no_answers)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, f->pool, 1), routed = binding_of(f, NULL, 1);
		struct frame in = arriving(&b), direct = arriving(&routed);

		put_flow(&b, SP_FLOW_REPLY, 0);
		put_flow(&routed, SP_FLOW_REPLY, 0);
		put_iface(SP_ROLE_TUNNEL | SP_ROLE_INSIDE, 1);
		expect_drop(&in, SP_DIR_DOWN, SP_R_NO_FLOW, f->name);
		expect_drop(&direct, SP_DIR_UP, SP_R_SPOOFED_SOURCE, f->name);
	}
}

/* CVE-2021-3773: what stands on a listener's port is the listener's, whatever a flow says. */
Test(reply, a_listeners_port_is_never_the_nats)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, f->shared, 0);
		struct frame in, quoted, error;

		b.nport = PORT;
		put_flow(&b, SP_FLOW_REPLY, 0);
		in = arriving(&b);
		expect_drop(&in, SP_DIR_UP, SP_R_WG_MALFORMED, "data");
		quoted = frame_of(&(struct spec){.src = f->shared,
						 .dst = f->remote,
						 .proto = SP_PROTO_UDP,
						 .sport = PORT,
						 .dport = 443,
						 .bytes = 32});
		error = frame_error(f->router, f->shared, f->unreachable, &quoted, f->ip_bytes + 8);
		expect_pass(&error, "an error about a tunnel packet is the kernel's");
	}
}

Test(reply, marks_a_flow_of_an_old_policy)
{
	struct binding b = binding_of(families, families[0].pool, 0);
	struct frame in = arriving(&b), want = undone(&b);

	put_flow(&b, SP_FLOW_REPLY, 0);
	gateway->generation++;
	cr_assert_eq(expect_worker(&in, &want, SP_META_REPLY, "stale").flags, SP_META_STALE);
}

Test(reply, above_the_users_download_rate_is_dropped)
{
	struct binding b = binding_of(families, families[0].pool, 0);
	struct frame in = arriving(&b), want = undone(&b);

	sp_bucket_set(&buckets[6], 8000, 3028);
	put_flow(&b, SP_FLOW_REPLY, 0);
	for (uint32_t taken = 0; taken + 37 <= 3028; taken += 37)
		expect_worker(&in, &want, SP_META_REPLY, "within the burst");
	/* What time gave back meanwhile is used up first. */
	for (int i = 0; i < 50 && !buckets[6].dropped_packets; i++)
		(void)progrun(&in);
	cr_assert_gt(buckets[6].dropped_packets, 0);
	buckets[6].tat_ns = now_ns() + 10000000000;
	expect_drop(&in, SP_DIR_DOWN, SP_R_LIMIT_DOWN, "above it");
	cr_assert_eq(buckets[5].dropped_packets, 0, "the other direction has its own");
}

Test(reply, other_protocols_cannot_be_translated)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = {.src = f->remote, .dst = f->pool, .proto = 47, .bytes = 40};
		struct frame in = frame_of(&s);

		expect_drop(&in, SP_DIR_DOWN, SP_R_PROTOCOL, "GRE to the pool");
		s.dst = f->shared;
		in = frame_of(&s);
		expect_pass(&in, "GRE to the host");
	}
}
