/* SPDX-License-Identifier: Apache-2.0 */
/* Fragments of users: they follow their first one, and nothing else opens the way to them. */
#include "pieces.h"

#define SECOND 1000000000ull

static const struct shape udp4 = {"10.9.0.2", "192.0.2.1", 0, 5000, 53, 3000};

static unsigned int say(struct house *h, uint32_t id, const struct packet *p)
{
	house_up(h, id, p);
	return house_run(h);
}

/* All of them in one batch; what left outside. */
static struct pieces pass(struct house *h, const struct pieces *in)
{
	struct pieces out = {.n = 0};

	for (unsigned int i = 0; i < in->n; i++)
		house_up(h, ALICE, &in->p[i]);
	cr_assert_eq(house_run(h), in->n);
	for (; out.n < in->n; out.n++)
		out.p[out.n] = piece_outside(h, out.n);
	return out;
}

static void assert_payload(const struct packet *a, const struct packet *b, uint32_t transport)
{
	uint32_t header = (a->b[0] >> 4 == 4 ? 20 : 40) + transport;

	cr_assert_eq(a->bytes, b->bytes);
	cr_assert_eq(memcmp(a->b + header, b->b + header, a->bytes - header), 0);
}

Test(engine_fragments, leave_translated_and_whole)
{
	static const struct {
		struct shape shape;
		const char *outside;
		uint32_t transport;
	} rows[] = {
		{{"10.9.0.2", "192.0.2.1", 0, 5000, 53, 3000}, "203.0.113.10", 8},
		{{"10.9.0.2", "192.0.2.1", SP_PROTO_TCP, 5000, 80, 3333}, "203.0.113.10", 20},
		{{"10.9.0.2", "192.0.2.1", SP_PROTO_ICMP, 77, 0, 2992}, "203.0.113.10", 8},
		{{"fd00:9::2", "2001:db8:1::5", 0, 5000, 53, 3001}, "2001:db8:aa::10", 8},
		{{"fd00:9::2", "2001:db8:1::5", SP_PROTO_TCP, 5000, 80, 2000},
		 "2001:db8:aa::10",
		 20},
		{{"fd00:9::2", "2001:db8:1::5", SP_PROTO_ICMPV6, 9, 0, 2992}, "2001:db8:aa::10", 8},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct packet sent = packet_make(&rows[i].shape), got;
		struct pieces in = cut(&sent, 1360, 0x1234), out;
		struct sp_packet ip;
		struct house h;

		house_open(&h);
		out = pass(&h, &in);
		got = join(&out);
		ip = packet_check(got.b, got.bytes);
		assert_addr(ip.src, rows[i].outside);
		assert_addr(ip.dst, rows[i].shape.dst);
		cr_assert_eq(ip.ttl, 63);
		assert_payload(&got, &sent, rows[i].transport);
		cr_assert_eq(h.w->table.count, 1, "one flow");
		cr_assert_eq(h.w->fragments.count, 0, "whole, and forgotten");
		cr_assert_eq(say(&h, ALICE, &in.p[1]), 0, "no more of them pass");
		cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_FRAGMENT), 1);
		house_close(&h);
	}
}

Test(engine_fragments, reach_the_other_user_and_the_gateway)
{
	const struct shape rows[] = {{"10.9.0.2", "10.9.0.3", 0, 5000, 53, 3000},
				     {"fd00:9::2", "fd00:9::3", SP_PROTO_ICMPV6, 7, 0, 3000}};
	const struct shape host = {"10.9.0.2", "10.9.0.1", SP_PROTO_ICMP, 5, 0, 2000};
	struct pieces in, out;
	struct packet sent, got;
	struct house h;

	house_open(&h);
	for (int i = 0; i < 2; i++) {
		sent = packet_make(&rows[i]);
		in = cut(&sent, 1368, 0x7777);
		for (unsigned int k = 0; k < in.n; k++)
			house_up(&h, ALICE, &in.p[k]);
		cr_assert_eq(house_run(&h), in.n);
		for (out.n = 0; out.n < in.n; out.n++)
			house_opened(&h, out.n, BOB, &out.p[out.n]);
		got = join(&out);
		packet_check(got.b, got.bytes);
		assert_payload(&got, &sent, 8);
	}
	sent = packet_make(&host);
	in = cut(&sent, 1000, 9);
	for (out.n = 0; out.n < in.n; out.n++) {
		cr_assert_eq(say(&h, ALICE, &in.p[out.n]), 0);
		out.p[out.n].bytes =
			(uint32_t)read(h.host_fd, out.p[out.n].b, sizeof(out.p[out.n].b));
	}
	got = join(&out);
	cr_assert_eq(memcmp(got.b + 20, sent.b + 20, sent.bytes - 20), 0, "untouched");
	cr_assert_eq(house_all_drops(&h), 0);
	house_close(&h);
}

/* And what the gateway's kernel sends in fragments reaches the user. */
Test(engine_fragments, come_from_the_gateway_too)
{
	const struct shape ask = {"fd00:9::2", "fd00:9::1", SP_PROTO_ICMPV6, 5, 0, 100};
	const struct shape shape = {"fd00:9::1",
				    "fd00:9::2",
				    SP_PROTO_ICMPV6,
				    5,
				    0,
				    2000,
				    .icmp_type = SP_ICMP6_ECHO_REPLY};
	struct packet sent = packet_make(&shape), got;
	struct pieces in = cut(&sent, 1232, 9), out = {.n = 0};
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &ask), 0);
	cr_assert_gt(read(h.host_fd, got.b, sizeof(got.b)), 0);
	for (unsigned int i = 0; i < in.n; i++)
		cr_assert_eq(write(h.host_fd, in.p[i].b, in.p[i].bytes), in.p[i].bytes);
	h.sent_count = 0;
	cr_assert_eq(sp_host_run(h.w, h.now_ns), in.n);
	for (; out.n < in.n; out.n++)
		house_opened(&h, out.n, ALICE, &out.p[out.n]);
	got = join(&out);
	packet_check(got.b, got.bytes);
	assert_payload(&got, &sent, 8);
	house_close(&h);
}

Test(engine_fragments, without_their_first_are_refused)
{
	struct packet sent = packet_make(&udp4);
	struct pieces in = cut(&sent, 1000, 5), other = cut(&sent, 1000, 6);
	struct house h;

	house_open(&h);
	cr_assert_eq(say(&h, ALICE, &in.p[1]), 0, "nothing went before");
	cr_assert_eq(say(&h, ALICE, &in.p[0]), 1);
	cr_assert_eq(say(&h, ALICE, &other.p[1]), 0, "another identification");
	cr_assert_eq(say(&h, BOB, &in.p[1]), 0, "out of another tunnel");
	h.now_ns += 15 * SECOND - 1;
	cr_assert_eq(say(&h, ALICE, &in.p[1]), 1, "just in time");
	h.now_ns += 1;
	cr_assert_eq(say(&h, ALICE, &in.p[2]), 0, "15 s after the first");
	cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_FRAGMENT), 4);
	cr_assert_eq(house_all_drops(&h), 4);
	house_close(&h);
}

/* RFC 1858: every fragment of what is denied is denied, in any order, and whatever they overlap. */
Test(engine_fragments, of_what_is_denied_open_nothing)
{
	static const struct shape shapes[] = {
		{"10.9.0.2", "192.0.2.66", 0, 5000, 53, 3000},
		{"10.9.0.2", "192.0.2.66", SP_PROTO_TCP, 5000, 80, 3000},
		{"10.9.0.2", "192.0.2.66", SP_PROTO_ICMP, 5000, 0, 3000},
		{"10.9.0.3", "192.0.2.1", 0, 5000, 53, 3000}, /* not alice's address */
		{"fd00:9::2", "2001:db8:2::1", 0, 5000, 53, 3000},
	};
	struct house h;

	house_open(&h);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct packet sent = packet_make(&shapes[i]);

		for (uint32_t chunk = 24; chunk < 3000; chunk += 168) {
			struct packet first = piece_of(&sent, 0, chunk, 1);
			struct packet later = piece_of(&sent, chunk, chunk + 8, 1);
			struct packet over = piece_of(&sent, 8, chunk + 8, 1);

			cr_assert_eq(say(&h, ALICE, &later), 0);
			cr_assert_eq(say(&h, ALICE, &first), 0);
			cr_assert_eq(say(&h, ALICE, &later), 0);
			cr_assert_eq(say(&h, ALICE, &over), 0);
		}
	}
	cr_assert_eq(h.w->fragments.count, 0);
	cr_assert_gt(house_drops(&h, SP_DIR_UP, SP_R_POLICY_DENY), 0);
	house_close(&h);
}

Test(engine_fragments, may_not_lie_over_their_first)
{
	const struct shape tcp6 = {"fd00:9::2", "2001:db8:1::5", SP_PROTO_TCP, 5000, 80, 2000};
	const struct shape shapes[] = {udp4, tcp6};

	for (int i = 0; i < 2; i++) {
		struct packet sent = packet_make(&shapes[i]), p = piece_of(&sent, 0, 800, 1);
		struct house h;

		house_open(&h);
		cr_assert_eq(say(&h, ALICE, &p), 1);
		for (uint32_t from = 24; from < 800; from += 8) {
			p = piece_of(&sent, from, 1600, 1);
			cr_assert_eq(say(&h, ALICE, &p), 0, "from %u", from);
		}
		cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_FRAGMENT_TINY), (800 - 24) / 8);
		p = piece_of(&sent, 800, 1600, 1);
		cr_assert_eq(say(&h, ALICE, &p), 1);
		p = piece_of(&sent, 0, i ? 16 : 0, 2);
		cr_assert_eq(say(&h, ALICE, &p), 0, "too short for its ports");
		cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_FRAGMENT_TINY), (800 - 24) / 8 + 1);
		house_close(&h);
	}
}

/* The datagram's ports were judged once: a second first fragment with others is not believed. */
Test(engine_fragments, second_first_fragment_ends_the_datagram)
{
	struct shape shape = udp4;
	struct packet sent = packet_make(&udp4), another;
	struct pieces in = cut(&sent, 1000, 5), twin;
	struct house h;

	house_open(&h);
	shape.dport = 54;
	another = packet_make(&shape);
	twin = cut(&another, 1000, 5);
	cr_assert_eq(say(&h, ALICE, &in.p[0]), 1);
	cr_assert_eq(say(&h, ALICE, &in.p[0]), 1, "the same once more: a duplicate");
	cr_assert_eq(say(&h, ALICE, &in.p[1]), 1);
	cr_assert_eq(say(&h, ALICE, &twin.p[0]), 0);
	cr_assert_eq(say(&h, ALICE, &in.p[2]), 0);
	cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_FRAGMENT), 2);
	twin = cut(&another, 1008, 5);
	cr_assert_eq(say(&h, ALICE, &twin.p[0]), 1, "a new one begins");
	cr_assert_eq(say(&h, ALICE, &in.p[0]), 0, "not of the same length either");
	house_close(&h);
}

Test(engine_fragments, are_judged_by_the_policy_of_now)
{
	static const struct rule deny[] = {{"192.0.2.0/24", false, SP_ON_CHANGE_KILL, 0}};
	struct packet sent = packet_make(&udp4);
	struct pieces in = cut(&sent, 1000, 5);
	struct house h;

	house_open(&h);
	cr_assert_eq(say(&h, ALICE, &in.p[0]), 1);
	house_rules(&h, deny, 1);
	cr_assert_eq(say(&h, ALICE, &in.p[1]), 0);
	cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_POLICY_DENY), 1);
	house_close(&h);
}

/* RFC 6864 5.3: behind one address, two users' equal identifications would mix their datagrams. */
Test(engine_fragments, identifications_of_translated_packets_are_the_gateways)
{
	struct shape shapes[] = {udp4, udp4, udp4};
	struct packet p[3];
	uint32_t ids[6] = {0};
	struct pieces in;
	struct house h;

	house_open(&h);
	shapes[1].src = "10.9.0.3";
	shapes[2].no_split = true;
	shapes[2].payload = 100;
	for (int i = 0; i < 3; i++)
		p[i] = packet_make(&shapes[i]);
	for (uint32_t i = 0; i < 4; i++) {
		in = cut(&p[i % 2], 1000, 5);
		cr_assert_eq(say(&h, i % 2 ? BOB : ALICE, &in.p[0]), 1);
		ids[i] = get16(h.sent[0].b + 18);
		for (uint32_t k = 0; k < i; k++)
			cr_assert_neq(ids[i], ids[k]);
		for (unsigned int k = 1; k < in.n; k++) {
			cr_assert_eq(say(&h, i % 2 ? BOB : ALICE, &in.p[k]), 1);
			cr_assert_eq(get16(h.sent[0].b + 18), ids[i]);
		}
	}
	put16(p[2].b + 4, 5);
	packet_finish(&p[2], SP_PROTO_UDP, false);
	cr_assert_eq(say(&h, ALICE, &p[2]), 1);
	cr_assert_eq(get16(h.sent[0].b + 18), 5, "with DF it means nothing and stays");
	put16(p[2].b + 6, 0);
	packet_finish(&p[2], SP_PROTO_UDP, false);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(say(&h, ALICE, &p[2]), 1);
		ids[4 + i] = get16(h.sent[0].b + 18);
		packet_check(h.sent[0].b + 14, h.sent[0].bytes - 14);
	}
	cr_assert_neq(ids[4], ids[5], "without DF it may be split on its way");
	house_close(&h);
}

/* A reply's later fragment after a reload: XDP tells the ports that it has not. */
Test(engine_fragments, of_answers_are_judged_again_by_their_ports)
{
	static const struct rule deny[] = {{"192.0.2.0/24", false, SP_ON_CHANGE_KILL, 0}};
	const struct shape up = {"10.9.0.2", "192.0.2.1", 0, 5000, 53, 10};
	const struct shape back = {"192.0.2.1", "10.9.0.2", 0, 53, 5000, 2000};
	struct sp_meta meta = {.magic = SP_META_MAGIC,
			       .kind = SP_META_REPLY,
			       .flags = SP_META_STALE,
			       .l3_off = 14,
			       .peer_id = ALICE,
			       .sport_be = (__be16)sp_swap16(53),
			       .dport_be = (__be16)sp_swap16(5000)};
	struct packet answer = packet_make(&back), got;
	struct packet later = piece_of(&answer, 1000, 1800, 3);
	struct sp_item *item;
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	for (int allowed = 1; allowed >= 0; allowed--) {
		if (!allowed)
			house_rules(&h, deny, 1);
		item = house_frame(&h, &meta);
		memcpy(item->data + 14, later.b, later.bytes);
		item->bytes = 14 + later.bytes;
		cr_assert_eq(house_run(&h), (unsigned int)allowed);
		if (allowed) {
			house_opened(&h, 0, ALICE, &got);
			cr_assert_eq(got.bytes, later.bytes);
		}
	}
	cr_assert_eq(house_drops(&h, SP_DIR_DOWN, SP_R_POLICY_DENY), 1);
	house_close(&h);
}
