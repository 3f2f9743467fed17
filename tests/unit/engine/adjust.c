/* SPDX-License-Identifier: Apache-2.0 */
/* What changes on the way: TTL, MTU and its ICMP answers, MSS, ECN, ICMP errors. */
#include "tunnel.h"

static const struct shape up4 = {"10.9.0.2", "192.0.2.1", 0, 5000, 53, 100};
static const struct shape down4 = {"192.0.2.1", "10.9.0.2", 0, 53, 5000, 100};

static struct shape with_payload(struct shape shape, uint16_t payload)
{
	shape.payload = payload;
	return shape;
}

/* What the answer quotes must be what was sent. */
static void assert_quotes(const struct packet *answer, const struct sp_packet *ip,
			  const uint8_t *sent)
{
	cr_assert_eq(memcmp(answer->b + ip->payload_off, sent, 28), 0);
}

Test(engine_adjust, hop_limit_ends_here)
{
	static const struct shape rows[] = {
		{"10.9.0.2", "192.0.2.1", 0, 1, 2, 10, .ttl = 1},
		{"fd00:9::2", "2001:db8:1::1", 0, 1, 2, 10, .ttl = 1},
		{"10.9.0.2", "10.9.0.3", 0, 1, 2, 10, .ttl = 1},
	};

	for (int i = 0; i < 3; i++) {
		struct packet sent = packet_make(&rows[i]), answer;
		struct sp_packet ip;
		struct house h;

		house_open(&h);
		cr_assert_eq(house_say(&h, ALICE, &rows[i]), 1, "only the answer");
		ip = house_inside(&h, 0, ALICE, &answer);
		cr_assert_eq(ip.icmp, ip.version == 4 ? 11 << 8 : 3 << 8);
		assert_addr(ip.src, ip.version == 4 ? "10.9.0.1" : "fd00:9::1");
		assert_addr(ip.dst, rows[i].src);
		assert_quotes(&answer, &ip, sent.b);
		cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_TTL_EXPIRED), 1);
		house_close(&h);
	}
}

Test(engine_adjust, next_hop_takes_less)
{
	struct shape big = with_payload(up4, 1280 - 28 + 1);
	struct packet sent, answer;
	struct sp_packet ip;
	struct house h;

	big.no_split = true;
	sent = packet_make(&big);
	house_open(&h);
	h.shared->nexthops[1].mtu = 1280;
	cr_assert_eq(house_say(&h, ALICE, &big), 1);
	ip = house_inside(&h, 0, ALICE, &answer);
	cr_assert_eq(ip.icmp, 3 << 8 | 4);
	cr_assert_eq(get16(answer.b + ip.l4_off + 6), 1280);
	assert_quotes(&answer, &ip, sent.b);
	cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_TOO_BIG), 1);
	cr_assert_eq(house_say(&h, ALICE,
			       &(struct shape){"10.9.0.2", "192.0.2.1", 0, 5000, 53, 1280 - 28}),
		     1, "just fits");
	house_outside(&h, 0, &answer);
	house_close(&h);
}

/* Outside must see its own packet quoted: to the gateway's address and port. */
Test(engine_adjust, tunnel_takes_less_than_outside_sends)
{
	static const struct {
		struct shape up, down;
		const char *outside;
		uint16_t icmp;
	} rows[] = {
		{{"10.9.0.2", "192.0.2.1", 0, 5000, 53, 10},
		 {"192.0.2.1", "10.9.0.2", 0, 53, 5000, 1420 - 28 + 1, .no_split = true},
		 "203.0.113.10",
		 3 << 8 | 4},
		{{"fd00:9::2", "2001:db8:1::5", 0, 5000, 53, 10},
		 {"2001:db8:1::5", "fd00:9::2", 0, 53, 5000, 1420 - 48 + 1},
		 "2001:db8:aa::10",
		 2 << 8},
	};

	for (int i = 0; i < 2; i++) {
		struct packet out, answer, big = packet_make(&rows[i].down);
		struct sp_packet left, ip, quoted = {0};
		struct house h;

		house_open(&h);
		cr_assert_eq(house_say(&h, ALICE, &rows[i].up), 1);
		left = house_outside(&h, 0, &out);
		house_down(&h, ALICE, &big, 0);
		cr_assert_eq(house_run(&h), 1);
		ip = house_outside(&h, 0, &answer);
		cr_assert_eq(ip.icmp, rows[i].icmp);
		assert_addr(ip.src, rows[i].outside);
		assert_addr(ip.dst, rows[i].down.src);
		cr_assert_eq(get16(answer.b + ip.l4_off + 6), 1420);
		cr_assert_eq(sp_parse_embedded(answer.b, answer.b + answer.bytes, &ip, &quoted),
			     SP_R_NONE);
		assert_addr(quoted.dst, rows[i].outside);
		cr_assert_eq(quoted.dport_be, left.sport_be);
		cr_assert_eq(house_drops(&h, SP_DIR_DOWN, SP_R_TOO_BIG), 1);
		/* One byte less passes, and is padded no further than the MTU. */
		big = packet_make(&(struct shape){rows[i].down.src, rows[i].down.dst, 0, 53, 5000,
						  (uint16_t)(rows[i].down.payload - 1)});
		house_down(&h, ALICE, &big, 0);
		cr_assert_eq(house_run(&h), 1);
		house_inside(&h, 0, ALICE, &answer);
		house_close(&h);
	}
}

Test(engine_adjust, answers_are_limited)
{
	struct shape dying = {"10.9.0.2", "192.0.2.1", 0, 1, 2, 10, .ttl = 1};
	unsigned int answers = 0;
	struct house h;

	house_open(&h);
	for (int i = 0; i < 500; i++)
		answers += house_say(&h, ALICE, &dying);
	cr_assert_eq(answers, 65, "a burst, and the clock stands still");
	h.now_ns += S_NS / 100;
	for (int i = 0; i < 500; i++)
		answers += house_say(&h, ALICE, &dying);
	cr_assert_eq(answers, 75, "1000 a second");
	house_close(&h);
}

static uint32_t mss_of(const struct packet *p, const struct sp_packet *ip)
{
	return get16(p->b + ip->l4_off + 22);
}

Test(engine_adjust, mss_fits_the_smallest_mtu_both_ways)
{
	const struct shape syn = {"10.9.0.2", "192.0.2.1", SP_PROTO_TCP, 5000, 80, .mss = 1460};
	const struct shape synack = {"192.0.2.1", "10.9.0.2", SP_PROTO_TCP, 80, 5000, .mss = 1460};
	const struct shape syn6 = {"fd00:9::2", "fd00:9::3", SP_PROTO_TCP, 5000, 80, .mss = 1440};
	const struct shape small = {"10.9.0.2", "192.0.2.1", SP_PROTO_TCP, 5001, 80, .mss = 500};
	struct packet p, back = packet_make(&synack);
	struct sp_packet ip;
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &syn), 1);
	ip = house_outside(&h, 0, &p);
	cr_assert_eq(mss_of(&p, &ip), 1420 - 40, "the tunnel is the smaller one");
	house_down(&h, ALICE, &back, 0);
	cr_assert_eq(house_run(&h), 1);
	ip = house_inside(&h, 0, ALICE, &p);
	cr_assert_eq(mss_of(&p, &ip), 1420 - 40);
	h.peers[BOB].peer->mtu = 1300;
	cr_assert_eq(house_say(&h, ALICE, &syn6), 1);
	ip = house_inside(&h, 0, BOB, &p);
	cr_assert_eq(mss_of(&p, &ip), 1300 - 60);
	cr_assert_eq(house_say(&h, ALICE, &small), 1);
	ip = house_outside(&h, 0, &p);
	cr_assert_eq(mss_of(&p, &ip), 500, "never raised");
	house_close(&h);
}

/* RFC 6040, figure 4, with DSCP untouched inside and none outside. */
Test(engine_adjust, ecn_through_the_tunnel)
{
	static const struct {
		uint8_t outer, inner, after;
		bool drop;
	} rows[] = {
		{0, 0, 0, false}, {3, 0, 0, true},  {1, 0, 0, false},
		{0, 2, 2, false}, {3, 2, 3, false}, {1, 2, 1, false},
		{3, 1, 3, false}, {2, 3, 3, false}, {0, 3, 3, false},
	};
	struct shape back = down4;
	struct packet p, in;
	struct sp_packet ip;
	struct house h;

	house_open(&h);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct shape shape = up4;

		shape.tos = (uint8_t)(0xb8 | rows[i].inner);
		h.peers[ALICE].outer_tos = rows[i].outer;
		cr_assert_eq(house_say(&h, ALICE, &shape), rows[i].drop ? 0 : 1, "row %zu", i);
		if (rows[i].drop)
			continue;
		ip = house_outside(&h, 0, &p);
		cr_assert_eq(ip.tos, 0xb8 | rows[i].after, "row %zu", i);
	}
	cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_ECN_INVALID), 1);
	back.tos = 0xb8 | 2;
	p = packet_make(&back);
	house_down(&h, ALICE, &p, 0);
	cr_assert_eq(house_run(&h), 1);
	cr_assert_eq(h.sent[0].b[15], 2, "ECN is copied out, DSCP is not");
	ip = house_inside(&h, 0, ALICE, &in);
	cr_assert_eq(ip.tos, 0xb8 | 2);
	house_close(&h);
}

/* The ICMP error that code and type make about a packet, quoting it. */
static struct packet error_about(const struct packet *about, const char *src, const char *dst,
				 uint8_t type)
{
	struct shape shape = {src, dst, about->b[0] >> 4 == 4 ? SP_PROTO_ICMP : SP_PROTO_ICMPV6,
			      .icmp_type = type};
	struct packet p;

	shape.payload = (uint16_t)about->bytes;
	p = packet_make(&shape);
	memcpy(p.b + p.bytes - about->bytes, about->b, about->bytes);
	packet_finish(&p, shape.proto, false);
	return p;
}

Test(engine_adjust, error_of_a_user_is_translated_with_its_quotation)
{
	static const struct {
		struct shape up, down;
		const char *outside;
		uint8_t type;
	} rows[] = {
		{{"10.9.0.2", "192.0.2.1", 0, 5000, 53, 10},
		 {"192.0.2.1", "10.9.0.2", 0, 53, 5000, 20},
		 "203.0.113.10",
		 3},
		{{"fd00:9::2", "2001:db8:1::5", SP_PROTO_TCP, 5000, 53, 10},
		 {"2001:db8:1::5", "fd00:9::2", SP_PROTO_TCP, 53, 5000, 20},
		 "2001:db8:aa::10",
		 1},
	};

	for (int i = 0; i < 2; i++) {
		struct packet p, error, answer = packet_make(&rows[i].down);
		struct sp_packet left, ip, quoted = {0};
		struct house h;

		house_open(&h);
		cr_assert_eq(house_say(&h, ALICE, &rows[i].up), 1);
		left = house_outside(&h, 0, &p);
		error = error_about(&answer, rows[i].up.src, rows[i].up.dst, rows[i].type);
		house_up(&h, ALICE, &error);
		cr_assert_eq(house_run(&h), 1);
		ip = house_outside(&h, 0, &p);
		assert_addr(ip.src, rows[i].outside);
		assert_addr(ip.dst, rows[i].up.dst);
		cr_assert_eq(sp_parse_embedded(p.b, p.b + p.bytes, &ip, &quoted), SP_R_NONE);
		assert_addr(quoted.dst, rows[i].outside);
		cr_assert_eq(quoted.dport_be, left.sport_be);
		cr_assert_eq(sum_transport(p.b + quoted.l3_off, quoted.l3_bytes, quoted.proto),
			     0xffff, "the quoted checksum is right too");
		/* Nobody else may speak about this flow, nor about one that is not there. */
		house_up(&h, BOB, &error);
		cr_assert_eq(house_run(&h), 0);
		put16(error.b + ip.payload_off + (ip.version == 4 ? 22 : 42), 5001);
		house_up(&h, ALICE, &error);
		cr_assert_eq(house_run(&h), 0);
		cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_ICMP_UNMATCHED), 2);
		house_close(&h);
	}
}

Test(engine_adjust, errors_reach_the_other_user_and_the_gateway)
{
	const struct shape to_bob = {"10.9.0.2", "10.9.0.3", 0, 5000, 53, 10};
	const struct shape to_gateway = {"10.9.0.2", "10.9.0.1", 0, 5000, 53, 10};
	struct packet p, error;
	struct sp_packet ip;
	uint8_t got[100];
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &to_bob), 1);
	house_inside(&h, 0, BOB, &p);
	error = error_about(&p, "10.9.0.3", "10.9.0.2", 3);
	house_up(&h, BOB, &error);
	cr_assert_eq(house_run(&h), 1);
	ip = house_inside(&h, 0, ALICE, &p);
	cr_assert_eq(ip.icmp, 3 << 8);
	assert_addr(ip.src, "10.9.0.3");
	/* The gateway's kernel refuses a port: alice is told. */
	cr_assert_eq(house_say(&h, ALICE, &to_gateway), 0);
	p.bytes = (uint32_t)read(h.host_fd, p.b, sizeof(got));
	error = error_about(&p, "10.9.0.1", "10.9.0.2", 3);
	cr_assert_eq(write(h.host_fd, error.b, error.bytes), error.bytes);
	cr_assert_eq(sp_host_run(h.w, h.now_ns), 1);
	ip = house_inside(&h, 0, ALICE, &p);
	cr_assert_eq(ip.icmp, 3 << 8);
	assert_addr(ip.src, "10.9.0.1");
	house_close(&h);
}

/* What XDP has already matched and translated goes into the tunnel as it is. */
Test(engine_adjust, error_from_outside_reaches_the_user)
{
	struct packet sent = packet_make(&up4), error, p;
	struct sp_packet ip;
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &up4), 1);
	error = error_about(&sent, "192.0.2.254", "10.9.0.2", 3);
	house_down(&h, ALICE, &error, SP_META_ICMP_ERROR | SP_META_STALE);
	cr_assert_eq(house_run(&h), 1);
	ip = house_inside(&h, 0, ALICE, &p);
	assert_addr(ip.src, "192.0.2.254");
	house_close(&h);
}
