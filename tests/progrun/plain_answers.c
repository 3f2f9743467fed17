/* SPDX-License-Identifier: Apache-2.0 */
/* What XDP tells the sender of a plain flow's packet that it drops: every byte, and every bound. */
#include "progrun/plain_lab.h"

#include "sallyport/core/icmp.h"
#include "sallyport/core/reset.h"

#define INSIDE_MTU  1300
#define ANSWER_TTL  64
#define SERVER_PORT 443

static const char *const ours[] = {"10.50.0.1", "fd00:50::1"};

static void put_side(uint32_t roles, bool addresses)
{
	struct sp_iface v = {.roles = roles, .xsk_base = 64, .queues = 1, .mtu = INSIDE_MTU};
	uint32_t k = LOOPBACK;

	if (addresses) {
		v.addr4 = addr_of(ours[0]);
		v.addr6 = addr_of(ours[1]);
	}
	map_put(MAP_FD(sp_ifaces), &k, &v);
}

static void answers_open(void)
{
	plain_open();
	put_side(SP_ROLE_INSIDE, true);
}

TestSuite(plain_answers, .init = answers_open, .fini = progrun_close);

static void reject(void)
{
	reload(DENY, 0);
	policy[(gateway->generation & 1) * POLICY_NODES + DENY].rule.action = SP_ACTION_REJECT;
}

/* The answer as a frame: back between the same link addresses. */
static struct frame framed(const struct frame *about, const uint8_t *ip, uint32_t bytes)
{
	struct frame f = {.l3 = SP_ETH_BYTES, .n = SP_ETH_BYTES + bytes};

	cr_assert_gt(bytes, 0);
	memcpy(f.b, about->b + 6, 6);
	memcpy(f.b + 6, about->b, 6);
	put16(f.b + 12, ip[0] >> 4 == 4 ? SP_ETHERTYPE_IPV4 : SP_ETHERTYPE_IPV6);
	memcpy(f.b + SP_ETH_BYTES, ip, bytes);
	return f;
}

static void expect_answer(const struct frame *in, const struct frame *want,
			  enum sp_direction direction, enum sp_reason reason, const char *row)
{
	uint64_t before = drops_of((int)(direction * (SP_DROP_STRIDE / 4) + reason)).packets;
	struct sp_drop_cell cell;
	struct outcome o = progrun(in);

	cell = drops_of((int)(direction * (SP_DROP_STRIDE / 4) + reason));
	cr_assert_eq(cell.packets, before + 1, "%s: counted", row);
	cr_assert_eq(o.action, XDP_REDIRECT, "%s: action %u", row, o.action);
	cr_assert_eq(o.n, want->n, "%s: %u bytes, not %u", row, o.n, want->n);
	for (uint32_t i = 0; i < o.n; i++)
		cr_assert_eq(o.b[i], want->b[i], "%s: byte %u is %02x, not %02x", row, i, o.b[i],
			     want->b[i]);
}

/* An ICMP error written by hand: RFC 792, RFC 4443. */
static struct frame error_about(const struct frame *about, const char *from, const char *to,
				uint16_t type, uint32_t word, uint32_t quoted)
{
	bool v4 = strchr(from, ':') == NULL;
	struct frame f = frame_error(from, to, type, about, quoted);
	uint8_t *ip = f.b + f.l3, *icmp;
	uint32_t header = v4 ? 20 : 40;
	struct sp_addr src = addr_of(from), dst = addr_of(to);
	uint64_t sum;
	uint16_t check;

	icmp = ip + header;
	put16(icmp + 4, (uint16_t)(word >> 16));
	put16(icmp + 6, (uint16_t)word);
	put16(icmp + 2, 0);
	sum = v4 ? 0 : sp_csum_pseudo(&src, &dst, SP_PROTO_ICMPV6, 8 + quoted);
	check = (uint16_t)~sp_csum_fold(sp_csum_partial(icmp, 8 + quoted, sum));
	memcpy(icmp + 2, &check, 2);
	if (v4) { /* RFC 1812 4.3.2.5: precedence 6; RFC 6864: DF, so no identification */
		ip[1] = 0xc0;
		put16(ip + 4, 0);
		put16(ip + 6, 0x4000);
		ip[8] = ANSWER_TTL;
		put16(ip + 10, 0);
		check = (uint16_t)~sp_csum_fold(sp_csum_partial(ip, 20, 0));
		memcpy(ip + 10, &check, 2);
	} else {
		ip[0] = 0x6c;
		ip[1] = ip[2] = ip[3] = 0;
		ip[7] = ANSWER_TTL;
	}
	return framed(about, ip, header + 8 + quoted);
}

/* RFC 9293 3.10.7.1, by hand. */
static struct frame reset_about(const struct frame *about, const struct spec *s, uint32_t seq,
				uint32_t ack, uint8_t flags)
{
	struct spec back = {.src = s->dst,
			    .dst = s->src,
			    .proto = SP_PROTO_TCP,
			    .sport = s->dport,
			    .dport = s->sport,
			    .tcp_flags = flags};
	struct frame f = frame_of(&back);
	uint8_t *ip = f.b + f.l3, *tcp = f.b + f.l4;
	uint16_t check;

	put16(tcp + 4, (uint16_t)(seq >> 16));
	put16(tcp + 6, (uint16_t)seq);
	put16(tcp + 8, (uint16_t)(ack >> 16));
	put16(tcp + 10, (uint16_t)ack);
	put16(tcp + 16, 0);
	check = frame_l4_sum(&f, &back, f.n);
	memcpy(tcp + 16, &check, 2);
	if (ip[0] >> 4 == 4) {
		put16(ip + 4, 0);
		put16(ip + 6, 0x4000);
		ip[8] = SP_RESET_TTL;
		put16(ip + 10, 0);
		check = (uint16_t)~sp_csum_fold(sp_csum_partial(ip, 20, 0));
		memcpy(ip + 10, &check, 2);
	} else {
		ip[0] = 0x60;
		ip[7] = SP_RESET_TTL;
	}
	return framed(about, ip, f.n - f.l3);
}

static uint16_t prohibited(const struct family *f)
{
	return f == families ? 0x030d : 0x0101;
}

Test(plain_answers, a_rejected_segment_is_reset)
{
	static const struct {
		uint8_t flags, want;
		uint16_t bytes;
	} rows[] = {
		{SP_TCP_SYN, SP_TCP_RST | SP_TCP_ACK, 0},
		{SP_TCP_SYN | SP_TCP_FIN, SP_TCP_RST | SP_TCP_ACK, 9},
		{SP_TCP_ACK, SP_TCP_RST, 9},
		{SP_TCP_ACK | SP_TCP_FIN, SP_TCP_RST, 1000},
	};

	reject();
	for (const struct family *f = families; f < families + 2; f++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			static const uint8_t payload[1000];
			struct spec s = plain_spec(f, 1, KEPT_PORT);
			struct frame in, want;
			uint32_t taken = rows[i].bytes + !!(rows[i].flags & SP_TCP_SYN) +
					 !!(rows[i].flags & SP_TCP_FIN);
			bool has_ack = rows[i].flags & SP_TCP_ACK;
			uint16_t check;

			s.tcp_flags = rows[i].flags;
			s.bytes = rows[i].bytes;
			s.payload = payload;
			in = frame_of(&s);
			memcpy(in.b + in.l4 + 4, "\xff\xff\xff\xfe\x12\x34\x56\x78", 8);
			put16(in.b + in.l4 + 16, 0);
			check = frame_l4_sum(&in, &s, in.n);
			memcpy(in.b + in.l4 + 16, &check, 2);
			want = reset_about(&in, &s, has_ack ? 0x12345678 : 0,
					   has_ack ? 0 : 0xfffffffe + taken, rows[i].want);
			expect_answer(&in, &want, SP_DIR_UP, SP_R_POLICY_DENY, f->name);
			expect_answer(&in, &want, SP_DIR_UP, SP_R_POLICY_DENY, "known as refused");
		}
}

Test(plain_answers, what_is_no_tcp_is_told_that_it_is_prohibited)
{
	static const uint16_t sizes[] = {0,   1,   2,	 3,    9,    500,  519,
					 520, 521, 1000, 1183, 1184, 1185, 1250};

	reject();
	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
			static uint8_t payload[1400];
			struct spec s = plain_spec(f, i & 1 ? 2 : 0, KEPT_PORT);
			uint32_t max = (f == families ? 576 - 28 : 1280 - 48), bytes;
			struct frame in, want;

			for (size_t b = 0; b < sizeof(payload); b++)
				payload[b] = (uint8_t)(b * 7 + i);
			s.payload = payload;
			s.bytes = sizes[i / 2];
			in = frame_of(&s);
			bytes = in.n - in.l3;
			want = error_about(&in, ours[f - families], workload(f), prohibited(f), 0,
					   bytes < max ? bytes : max);
			expect_answer(&in, &want, SP_DIR_UP, SP_R_POLICY_DENY, f->name);
		}
}

Test(plain_answers, a_denial_and_the_default_are_silent)
{
	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int proto = 0; proto < 3; proto++) {
			struct spec s = plain_spec(f, proto, KEPT_PORT);
			struct frame in = frame_of(&s);

			reload(DENY, 0);
			expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DENY, f->name);
			reload(NOTHING, 0);
			expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DEFAULT, f->name);
		}
}

Test(plain_answers, a_live_flow_that_a_new_policy_rejects_is_told)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 1, KEPT_PORT);
		struct frame in = frame_of(&s), want;

		reload(ALLOW, 0);
		plain_send(f, 1, KEPT_PORT);
		reject();
		want = reset_about(&in, &s, 0, 0, SP_TCP_RST);
		expect_answer(&in, &want, SP_DIR_UP, SP_R_POLICY_DENY, f->name);
	}
}

Test(plain_answers, what_has_no_hop_left_is_told_in_both_directions)
{
	for (const struct family *f = families; f < families + 2; f++) {
		uint16_t type = f == families ? 0x0b00 : 0x0300;
		struct spec s = plain_spec(f, 0, KEPT_PORT);
		struct frame in, want;

		s.hops = 1;
		in = frame_of(&s);
		want = error_about(&in, ours[f - families], workload(f), type, 0, in.n - in.l3);
		expect_answer(&in, &want, SP_DIR_UP, SP_R_TTL_EXPIRED, "a workload's");
		put_side(SP_ROLE_EGRESS, true);
		in = plain_answer(f, 0, f->pool, KEPT_PORT, 1);
		/* Outside nobody knows but the address that it left by. */
		want = error_about(&in, f->pool, f->remote, type, 0, in.n - in.l3);
		expect_answer(&in, &want, SP_DIR_DOWN, SP_R_TTL_EXPIRED, "an answer");
		put_side(SP_ROLE_INSIDE, true);
	}
}

Test(plain_answers, what_is_too_big_is_told_how_big_it_may_be)
{
	static const uint8_t big[EGRESS_MTU];

	for (const struct family *f = families; f < families + 2; f++) {
		uint16_t type = f == families ? 0x0304 : 0x0200;
		uint32_t max = f == families ? 576 - 28 : 1280 - 48;
		struct spec s = plain_spec(f, 0, KEPT_PORT);
		struct frame in, want;

		s.payload = big;
		s.bytes = EGRESS_MTU - f->ip_bytes - 8; /* as long as may be */
		in = frame_of(&s);
		(void)expect(&in, XDP_REDIRECT, SP_DIR_HOST, SP_R_NONE, f->name);
		s.bytes++;
		for (int df = 0; df < 2; df++) { /* also without DF: XDP cuts nothing */
			s.fragment = df && f == families ? 0x4000 : 0;
			in = frame_of(&s);
			want = error_about(&in, ours[f - families], workload(f), type, EGRESS_MTU,
					   max);
			expect_answer(&in, &want, SP_DIR_UP, SP_R_TOO_BIG, "one byte more");
		}
		put_side(SP_ROLE_EGRESS, true);
		s.src = f->remote;
		s.dst = f->pool;
		s.sport = SERVER_PORT;
		s.dport = KEPT_PORT;
		s.bytes = INSIDE_MTU - f->ip_bytes - 8;
		in = frame_of(&s);
		(void)expect(&in, XDP_REDIRECT, SP_DIR_HOST, SP_R_NONE, f->name);
		s.bytes++;
		in = frame_of(&s);
		want = error_about(&in, f->pool, f->remote, type, INSIDE_MTU, max);
		expect_answer(&in, &want, SP_DIR_DOWN, SP_R_TOO_BIG, "an answer");
		put_side(SP_ROLE_INSIDE, true);
	}
}

Test(plain_answers, an_interface_without_an_address_answers_from_a_dummy)
{
	reject();
	put_side(SP_ROLE_INSIDE, false);
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 0, KEPT_PORT);
		struct frame in = frame_of(&s), want;

		/* RFC 7600, section 4.8 */
		want = error_about(&in, f == families ? "192.0.0.8" : f->remote, workload(f),
				   prohibited(f), 0, in.n - in.l3);
		expect_answer(&in, &want, SP_DIR_UP, SP_R_POLICY_DENY, f->name);
	}
}

/* RFC 1812 4.3.2.7, RFC 1122 3.2.2, RFC 4443 2.4 (e) */
Test(plain_answers, what_must_not_be_answered_is_not)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 1, KEPT_PORT), later = plain_spec(f, 0, KEPT_PORT);
		struct frame in, about;

		reject();
		s.tcp_flags = SP_TCP_RST;
		in = frame_of(&s);
		expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DENY, "a reset");
		s.tcp_flags = SP_TCP_RST | SP_TCP_ACK;
		in = frame_of(&s);
		expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DENY, "a reset of a connection");
		s.tcp_flags = SP_TCP_SYN;
		in = frame_of(&s);
		in.b[0] |= 1;
		expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DENY, "a frame to many");
		s.fragment = 0x2000;
		in = frame_of(&s);
		expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DENY, "a first fragment of a segment");
		reload(ALLOW, 0);
		plain_send(f, 0, KEPT_PORT);
		about = plain_answer(f, 0, workload(f), KEPT_PORT, 64);
		in = frame_error(workload(f), f->remote, f->unreachable, &about, 36 + f->ip_bytes);
		in.b[in.l3 + (f == families ? 8 : 7)] = 1;
		if (f == families) {
			uint16_t check;

			put16(in.b + in.l3 + 10, 0);
			check = (uint16_t)~sp_csum_fold(sp_csum_partial(in.b + in.l3, 20, 0));
			memcpy(in.b + in.l3 + 10, &check, 2);
		}
		expect_drop(&in, SP_DIR_UP, SP_R_TTL_EXPIRED, "an error");
		later.fragment = 0x2000;
		later.id = 77;
		in = frame_of(&later);
		(void)expect(&in, XDP_REDIRECT, SP_DIR_HOST, SP_R_NONE, f->name);
		later.fragment = 100;
		later.hops = 1;
		in = frame_of(&later);
		expect_drop(&in, SP_DIR_UP, SP_R_TTL_EXPIRED, "a later fragment");
	}
}

Test(plain_answers, answers_have_a_rate_and_the_rest_is_counted)
{
	struct spec s = plain_spec(families, 1, KEPT_PORT), t = plain_spec(families, 0, KEPT_PORT);
	static struct sp_pace lanes_of[LANES];
	uint64_t start_ns = now_ns(), said = 0, kept = 0;
	uint32_t zero = 0, told = 0, cpus = (uint32_t)libbpf_num_possible_cpus(), most;
	struct frame in;

	t.hops = 1;
	in = frame_of(&t);
	cr_assert_eq(progrun(&in).action, XDP_REDIRECT);
	reject();
	s.tcp_flags = SP_TCP_SYN;
	in = frame_of(&s);
	for (int i = 0; i < 2000; i++)
		told += progrun(&in).action == XDP_REDIRECT;
	most = cpus * (66 + (uint32_t)((now_ns() - start_ns) / 1000000));
	cr_assert_geq(told, 64, "%u", told);
	cr_assert_leq(told, most, "%u, not more than %u", told, most);
	cr_assert_eq(bpf_map_lookup_elem(MAP_FD(sp_plain_pace), &zero, lanes_of), 0);
	for (uint32_t i = 0; i < cpus; i++) {
		said += lanes_of[i].answers[SP_NOTICE_REJECT];
		kept += lanes_of[i].answers_lost[SP_NOTICE_REJECT];
	}
	cr_assert_eq(said, told);
	cr_assert_eq(said + kept, 2000);
	/* A flood of one kind takes nothing from another. */
	reload(ALLOW, 0);
	in = frame_of(&t);
	cr_assert_eq(progrun(&in).action, XDP_REDIRECT);
}
