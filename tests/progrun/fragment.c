/* SPDX-License-Identifier: Apache-2.0 */
/* Answers in fragments: the first opens the way by its ports, for the others of its datagram only. */
#include "progrun/lab.h"

#include "sallyport/core/bucket.h"
#include "sallyport/core/fragment.h"

TestSuite(fragment, .init = lab_open, .fini = progrun_close);

static uint8_t datagram[3000]; /* from the transport header on, as the remote sends it */

/* The whole answer, so that its checksum is right; then what every fragment carries of it. */
static void prepare(const struct binding *b, bool inside)
{
	bool echo = b->proto == b->f->icmp;
	uint32_t header = b->proto == SP_PROTO_TCP ? 20 : 8;
	static uint8_t payload[1500];
	struct frame whole;

	for (uint32_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 11 + 3);
	whole = frame_of(&(struct spec){.src = b->f->remote,
					.dst = inside || !b->nat ? b->f->client : b->nat,
					.proto = b->proto,
					.sport = echo ? b->f->answer : b->rport,
					.dport = inside || !b->nat ? b->cport : b->nport,
					.tcp_flags = SP_TCP_ACK,
					.payload = payload,
					.bytes = sizeof(payload)});
	memcpy(datagram, whole.b + whole.l4, header + sizeof(payload));
}

#define WHOLE(b) (((b)->proto == SP_PROTO_TCP ? 20u : 8u) + 1500u)

/* Bytes [from, to) of the datagram, as they arrive (inside: as the user must get them). */
static struct frame piece(const struct binding *b, bool inside, uint32_t from, uint32_t to,
			  uint16_t id)
{
	struct spec s = {.src = b->f->remote,
			 .dst = inside || !b->nat ? b->f->client : b->nat,
			 .proto = b->proto,
			 .fragment = (uint16_t)(from / 8 | (to < WHOLE(b) ? 0x2000 : 0)),
			 .id = id};
	struct frame f;

	prepare(b, inside);
	if (from) {
		s.payload = datagram + from;
		s.bytes = to - from;
		return frame_of(&s);
	}
	/* Another checksum than the builder's: it covers what is not in this fragment. */
	s.bytes = to - (b->proto == SP_PROTO_TCP ? 20 : 8);
	f = frame_of(&s);
	memcpy(f.b + f.l4, datagram, to);
	return f;
}

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

static uint32_t records(void)
{
	struct sp_fragment_key key, next;
	uint32_t n = 0;

	for (void *at = NULL; !bpf_map_get_next_key(MAP_FD(sp_fragments), at, &next); n++) {
		key = next;
		at = &key;
	}
	return n;
}

static void pass(const struct binding *b, uint32_t from, uint32_t to, uint16_t id, const char *row)
{
	struct frame in = piece(b, false, from, to, id), want = piece(b, true, from, to, id);
	struct sp_meta m = expect_worker(&in, &want, SP_META_REPLY, row);

	cr_assert_eq(m.peer_id, PEER, "%s", row);
	cr_assert_eq(m.user_id, USER, "%s", row);
	cr_assert_eq(ntohs(m.sport_be), b->rport, "%s", row);
	cr_assert_eq(ntohs(m.dport_be), b->cport, "%s", row);
}

static void refuse(const struct binding *b, uint32_t from, uint32_t to, uint16_t id,
		   enum sp_reason reason, const char *row)
{
	struct frame in = piece(b, false, from, to, id);

	expect_drop(&in, SP_DIR_DOWN, reason, row);
}

Test(fragment, every_byte_of_an_answer_arrives_un_nated)
{
	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int i = 0; i < 3 * 3; i++) {
			const char *nats[] = {f->pool, f->shared, NULL};
			struct binding b = binding_of(f, nats[i / 3], i % 3);

			if (!b.nat && f == families)
				continue; /* IPv4 is always translated */
			put_flow(&b, SP_FLOW_REPLY, 0);
			pass(&b, 0, 600, 7, "first");
			cr_assert_eq(records(), 1, "%s", f->name);
			pass(&b, 600, 1200, 7, "second");
			pass(&b, 1200, WHOLE(&b), 7, "last");
			cr_assert_eq(records(), 0, "%s: whole, and forgotten", f->name);
			cr_assert_eq(flow_of(&b).packets, 3);
		}
}

Test(fragment, order_behind_the_first_does_not_matter)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, f->pool, 0);

		put_flow(&b, SP_FLOW_REPLY, 0);
		pass(&b, 0, 600, 7, "first");
		pass(&b, 1200, WHOLE(&b), 7, "last");
		pass(&b, 600, 1200, 7, "second");
		refuse(&b, 600, 1200, 7, SP_R_FRAGMENT, "once more");
	}
}

Test(fragment, without_their_first_they_are_refused)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, f->pool, 0), s = binding_of(f, f->shared, 0);
		struct binding routed = binding_of(f, NULL, 0), other = b;
		struct frame in;

		put_flow(&b, SP_FLOW_REPLY, 0);
		put_flow(&s, SP_FLOW_REPLY, 0);
		put_flow(&routed, SP_FLOW_REPLY, 0);
		refuse(&b, 600, 1200, 7, SP_R_FRAGMENT, "to the pool");
		in = piece(&s, false, 600, 1200, 7);
		expect_pass(&in, "to the shared address: nobody's without its first");
		refuse(&routed, 600, 1200, 7, SP_R_INNER_FROM_OUTSIDE, "to the inner address");
		pass(&b, 0, 600, 7, "first");
		refuse(&b, 600, 1200, 8, SP_R_FRAGMENT, "another identification");
		other.nat = f->shared;
		in = piece(&other, false, 600, 1200, 7);
		expect_pass(&in, "another address of ours");
		if (f == families) {
			other = b;
			other.proto = SP_PROTO_TCP;
			refuse(&other, 600, 1200, 7, SP_R_FRAGMENT, "another protocol");
		}
		pass(&b, 600, 1200, 7, "its own");
	}
}

/* A first fragment that no flow asked for leaves nothing behind. */
Test(fragment, what_nobody_asked_for_opens_nothing)
{
	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int i = 0; i < 3; i++) {
			struct binding b = binding_of(f, f->pool, i),
				       s = binding_of(f, f->shared, i);
			struct frame in;

			refuse(&b, 0, 600, 7, SP_R_NO_FLOW, "first");
			for (uint32_t from = 24; from < 1200; from += 8)
				refuse(&b, from, from + 8, 7, SP_R_FRAGMENT, "later");
			if (i < 2)
				refuse(&s, 0, 600, 7, SP_R_NO_FLOW, "first, shared address");
			in = piece(&s, false, 600, 1200, 7);
			expect_pass(&in, "the kernel never gets its first");
			cr_assert_eq(records(), 0, "%s", f->name);
		}
}

Test(fragment, nobody_waits_longer_than_fifteen_seconds)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, f->pool, 0);
		struct sp_fragment_key key;
		struct sp_fragment v;

		put_flow(&b, SP_FLOW_REPLY, 0);
		pass(&b, 0, 600, 7, "first");
		cr_assert_eq(bpf_map_get_next_key(MAP_FD(sp_fragments), NULL, &key), 0);
		cr_assert_eq(bpf_map_lookup_elem(MAP_FD(sp_fragments), &key, &v), 0);
		v.since_ns = now_ns() - SP_FRAGMENT_LIFE_NS + 5000000000;
		map_put(MAP_FD(sp_fragments), &key, &v);
		pass(&b, 600, 1200, 7, "in time");
		v.since_ns = now_ns() - SP_FRAGMENT_LIFE_NS;
		map_put(MAP_FD(sp_fragments), &key, &v);
		refuse(&b, 1200, WHOLE(&b), 7, SP_R_FRAGMENT, "too late");
		pass(&b, 0, 640, 7, "the identification has come round");
		pass(&b, 640, 1200, 7, "and its own follows");
		cr_assert_eq(bpf_map_delete_elem(MAP_FD(sp_fragments), &key), 0);
	}
}

/* RFC 1858, RFC 3128, RFC 5722: headers that were judged are not written over. */
Test(fragment, none_lies_over_the_first)
{
	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int i = 0; i < 6; i++) {
			struct binding b = binding_of(f, i < 3 ? f->pool : f->shared, i % 3);

			put_flow(&b, SP_FLOW_REPLY, 0);
			pass(&b, 0, 600, 7, "first");
			for (uint32_t from = 24; from < 600; from += 24)
				refuse(&b, from, 1200, 7, SP_R_FRAGMENT_TINY, f->name);
			pass(&b, 600, WHOLE(&b), 7, "behind it");
		}
}

Test(fragment, a_first_too_short_for_its_ports_is_refused)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, f->pool, 1);
		struct frame in;

		put_flow(&b, SP_FLOW_REPLY, 0);
		in = piece(&b, false, 0, 24, 7);
		in.n -= 8; /* 16 bytes of TCP */
		if (f == families)
			put16(in.b + in.l3 + 2, (uint16_t)(in.n - in.l3));
		else
			put16(in.b + in.l3 + 4, (uint16_t)(in.n - in.l3 - 40));
		expect_drop(&in, SP_DIR_HOST, SP_R_FRAGMENT_TINY, f->name);
		cr_assert_eq(records(), 0);
	}
}

Test(fragment, a_second_first_ends_the_datagram)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, f->pool, 0), other = b;

		other.rport = 444;
		other.nport = 30003;
		put_flow(&b, SP_FLOW_REPLY, 0);
		put_flow(&other, SP_FLOW_REPLY, 0);
		pass(&b, 0, 600, 7, "first");
		pass(&b, 0, 600, 7, "a duplicate");
		refuse(&other, 0, 600, 7, SP_R_FRAGMENT, "another flow's");
		refuse(&b, 600, 1200, 7, SP_R_FRAGMENT, "whose it was cannot be told");
		pass(&b, 0, 600, 7, "a new one");
		refuse(&b, 0, 608, 7, SP_R_FRAGMENT, "another length");
		cr_assert_eq(records(), 0);
	}
}

/* RFC 6946: a fragment header around a whole packet changes nothing, records neither. */
Test(fragment, atomic_ones_are_whole_packets)
{
	const struct family *f = &families[1];
	struct binding b = binding_of(f, f->pool, 0);
	struct frame in, want;

	put_flow(&b, SP_FLOW_REPLY, 0);
	pass(&b, 0, 600, 7, "first");
	for (unsigned int i = 0; i < 2; i++) {
		struct spec s = {.src = f->remote,
				 .dst = i ? f->client : f->pool,
				 .proto = SP_PROTO_UDP,
				 .sport = b.rport,
				 .dport = i ? b.cport : b.nport,
				 .fragment = 0x2000, /* for its header; taken back below */
				 .id = 7,
				 .bytes = 40};

		if (i == 0)
			in = frame_of(&s);
		else
			want = frame_of(&s);
	}
	put16(in.b + in.l3 + 42, 0);
	put16(want.b + want.l3 + 42, 0);
	expect_worker(&in, &want, SP_META_REPLY, "atomic, under the same identification");
	cr_assert_eq(records(), 1);
	pass(&b, 600, 1200, 7, "undisturbed");
}

Test(fragment, limit_and_expiry_hold_for_each)
{
	struct binding b = binding_of(families, families[0].pool, 0), old = b;

	put_flow(&b, SP_FLOW_REPLY, 0);
	pass(&b, 0, 600, 7, "first");
	buckets[6] = (struct sp_bucket){.tat_ns = now_ns() + 10000000000, .cost_q16 = 1 << 16};
	refuse(&b, 600, 1200, 7, SP_R_LIMIT_DOWN, "above the rate");
	refuse(&b, 0, 600, 8, SP_R_LIMIT_DOWN, "first above the rate");
	cr_assert_eq(records(), 1, "it left nothing");
	buckets[6] = (struct sp_bucket){0};
	pass(&b, 1200, 1208, 7, "within it again");
	old.idle_s = 10;
	old.seen_ns = now_ns() - 11000000000;
	put_flow(&old, SP_FLOW_REPLY, 0);
	refuse(&b, 1208, 1216, 7, SP_R_FLOW_EXPIRED, "the flow has ended");
}

Test(fragment, a_later_one_of_an_old_policy_is_marked)
{
	struct binding b = binding_of(families, families[0].pool, 0);
	struct frame in = piece(&b, false, 600, 1200, 7), want = piece(&b, true, 600, 1200, 7);
	struct sp_meta m;

	put_flow(&b, SP_FLOW_REPLY, 0);
	pass(&b, 0, 600, 7, "first");
	gateway->generation++;
	m = expect_worker(&in, &want, SP_META_REPLY, "stale");
	cr_assert_eq(m.flags, SP_META_STALE);
	cr_assert_eq(ntohs(m.dport_be), b.cport, "so that it can be judged");
}

Test(fragment, icmp_errors_do_not_come_in_fragments)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = {.src = f->router,
				 .dst = f->pool,
				 .proto = f->icmp,
				 .sport = f->unreachable,
				 .fragment = 0x2000,
				 .bytes = 48};
		struct frame in = frame_of(&s);

		expect_drop(&in, SP_DIR_DOWN, SP_R_FRAGMENT, f->name);
	}
}
