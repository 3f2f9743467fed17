/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways around a policy that others have fallen for (case T46): fragments that are put together to
 * something else than was judged, chains of extension headers, and helpers that open pinholes.
 * SP_SOAK: 3 million attacks instead of 60,000.
 */
#include "progrun/reassemble.h"

#define ATTACKS	  (getenv("SP_SOAK") ? 3000000u : 60000u)
#define ALLOWED	  443 /* the one port that anybody may reach */
#define FORBIDDEN 25

static void bypass_open(void)
{
	struct sp_policy_node *half;

	plain_open();
	/* Whoever it is and whatever protocol: that port. */
	half = policy + (gateway->generation & 1) * POLICY_NODES;
	half[4].branch.word = SP_POLICY_WORD_SERVICE;
	half[4].branch.match = ALLOWED;
	half[4].branch.mask = 0xffff;
	users[USER].flow_max = 0;
	gateway->handshake_cost_ns = 0;
}

TestSuite(bypass, .init = bypass_open, .fini = progrun_close);

/* A datagram's transport part: to be sent in pieces. */
static void transport(uint8_t *b, uint32_t bytes, uint8_t proto, uint16_t sport, uint16_t dport)
{
	for (uint32_t i = 0; i < bytes; i++)
		b[i] = (uint8_t)roll(256);
	put16(b, sport);
	put16(b + 2, dport);
	if (proto == SP_PROTO_TCP) {
		b[12] = 5 << 4;
		b[13] = 0x10;
	} else {
		put16(b + 4, (uint16_t)bytes);
		put16(b + 6, 0);
	}
}

/* One piece of it, wherever an attacker likes. */
static struct frame piece(const struct attack *a, const uint8_t *whole, uint32_t from, uint32_t to,
			  bool more)
{
	struct spec s = {.src = a->src,
			 .dst = a->dst,
			 .proto = a->proto,
			 .id = a->id,
			 .fragment = (uint16_t)(from / 8 | (more ? 0x2000 : 0)),
			 .extensions = roll(8) ? 0 : roll(3)};
	struct frame f;

	/* frame_of would write a transport header of its own: a neutral protocol keeps it away. */
	s.proto = 200;
	s.payload = whole + from;
	s.bytes = to - from;
	f = frame_of(&s);
	if (strchr(a->src, ':')) {
		f.b[f.l4 - (s.fragment ? 8 : 0)] = a->proto;
		if (!s.fragment)
			f.b[f.l3 + (s.extensions ? 40 + 8 * (s.extensions - 1) : 6)] = a->proto;
	} else {
		f.b[f.l3 + 9] = a->proto;
		put16(f.b + f.l3 + 10, 0);
	}
	return f;
}

static void send_piece(const struct attack *a, struct heap *heap, const uint8_t *whole,
		       uint32_t from, uint32_t to, bool more)
{
	struct frame f = piece(a, whole, from, to, more);
	struct outcome o = progrun(&f);

	cr_assert(o.action == XDP_REDIRECT || o.action == XDP_DROP, "action %u", o.action);
	if (o.action == XDP_REDIRECT)
		heap_add(heap, &o, f.l3);
}

/* Pieces of an allowed and of a forbidden datagram, laid over one another in some order. */
static void attack(struct attack *a, struct heap *heap, uint16_t good[2], uint16_t bad[2])
{
	uint8_t allowed[WHOLE_MAX], forbidden[WHOLE_MAX];
	uint32_t bytes = 24 + 8 * roll(12), pieces = 2 + roll(5);

	transport(allowed, bytes, a->proto, good[0], good[1]);
	transport(forbidden, bytes, a->proto, bad[0], bad[1]);
	for (uint32_t i = 0; i < pieces; i++) {
		bool is_first = i == 0 ? roll(8) != 0 : roll(4) == 0;
		uint32_t from = is_first ? 0 : 8 * roll(bytes / 8);
		uint32_t to = from + 8 + 8 * roll(4);
		bool last = to >= bytes || roll(8) == 0;

		to = to > bytes ? bytes : to;
		send_piece(a, heap, roll(3) && i ? forbidden : allowed, from, to,
			   !last || roll(8) == 0);
	}
	/* The rest, so that there is something whole to be had. */
	if (roll(2)) {
		send_piece(a, heap, forbidden, 8, bytes, false);
		send_piece(a, heap, forbidden, 24, bytes, false);
	}
}

static void attack_from(const struct family *f, bool outside, uint32_t number)
{
	struct attack a = {.src = outside ? f->remote : workload(f),
			   .dst = outside ? f->pool : f->remote,
			   .proto = roll(2) ? SP_PROTO_TCP : SP_PROTO_UDP,
			   .id = (uint16_t)number};
	uint16_t good[2] = {KEPT_PORT, ALLOWED}, bad[2] = {KEPT_PORT, FORBIDDEN};
	struct heap heap = {.count = 0};

	if (outside) {
		good[0] = ALLOWED;
		good[1] = KEPT_PORT;
		bad[0] = FORBIDDEN;
	}
	put_iface(outside ? SP_ROLE_EGRESS : SP_ROLE_INSIDE, 1);
	attack(&a, &heap, good, bad);
	for (int late = 0; late < 2; late++) {
		uint8_t whole[WHOLE_MAX];
		uint32_t bytes = reassemble(&heap, late, whole);

		if (bytes < 4)
			continue;
		met_whole++;
		cr_assert_eq(get16(whole + (outside ? 0 : 2)), ALLOWED,
			     "%s, %s: attack %u: %u bytes of another flow than was judged", f->name,
			     outside ? "outside" : "inside", number, bytes);
	}
}

Test(bypass, no_fragments_make_another_datagram_than_was_judged, .timeout = 3600)
{
	uint32_t attacks = ATTACKS;

	dice = 46;
	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int proto = 0; proto < 2; proto++)
			plain_send(f, proto, KEPT_PORT);
	for (uint32_t i = 0; i < attacks; i++)
		attack_from(&families[i % 2], i / 2 % 2, i / 4);
	cr_log_info("%lu datagrams were whole", met_whole);
	cr_assert_gt(met_whole, attacks / 1000, "no attack got as far as a whole datagram");
}

/* The forbidden port behind every chain of extension headers, and none that is too long to read. */
Test(bypass, extension_headers_hide_no_port)
{
	static const uint8_t kinds[] = {0, 43, 44, 60};

	dice = 47;
	for (unsigned int i = 0; i < 20000; i++) {
		struct spec s = plain_spec(&families[1], roll(2), KEPT_PORT);
		uint32_t chain = 1 + roll(9);
		struct outcome o;
		struct frame f;

		s.dport = FORBIDDEN;
		f = frame_of(&s);
		for (uint32_t k = 0; k < chain; k++) {
			uint8_t kind = kinds[roll(4)], n = (uint8_t)(kind == 44 ? 0 : roll(3));
			uint8_t header[24] = {f.b[f.l3 + 6], n};

			if (f.n + 8 + 8u * n > FRAME_MAX)
				break;
			memmove(f.b + f.l3 + 48 + 8 * n, f.b + f.l3 + 40, f.n - f.l3 - 40);
			memcpy(f.b + f.l3 + 40, header, 8 + 8u * n);
			f.b[f.l3 + 6] = kind;
			f.n += 8 + 8u * n;
			put16(f.b + f.l3 + 4, (uint16_t)(f.n - f.l3 - 40));
		}
		o = progrun(&f);
		cr_assert_eq(o.action, XDP_DROP, "a chain of %u", chain);
	}
}

/* What a protocol says inside, no gateway of ours believes (NAT slipstreaming, CVE-2020-16043). */
Test(bypass, no_helper_opens_a_pinhole)
{
	static const char *const says[] = {
		"PORT 10,50,0,2,117,48\r\n", "EPRT |2|fd00:50::2|30000|\r\n",
		"INVITE sip:a@203.0.113.9 SIP/2.0\r\nContact: <sip:b@10.50.0.2:30000>\r\n\r\n"
		"c=IN IP4 10.50.0.2\r\nm=audio 30000 RTP/AVP 0\r\n",
		"REGISTER sip:a SIP/2.0\r\nContact: <sip:b@[fd00:50::2]:30000>\r\n\r\n"};
	static const uint16_t ports[] = {21, 5060, 1719, 69};

	for (const struct family *f = families; f < families + 2; f++)
		for (int i = 0; i < 16; i++) {
			struct spec s = plain_spec(f, i & 1, KEPT_PORT);
			struct frame out, in;

			put_iface(SP_ROLE_INSIDE, 1);
			put_policy(gateway->generation, ALLOW, 0);
			s.dport = ports[i / 4];
			s.payload = says[i % 4];
			s.bytes = (uint32_t)strlen(says[i % 4]);
			out = frame_of(&s);
			cr_assert_eq(progrun(&out).action, XDP_REDIRECT, "%s", f->name);
			put_iface(SP_ROLE_EGRESS, 1);
			for (int tcp = 0; tcp < 2; tcp++) {
				s = plain_spec(f, (unsigned int)tcp, 30000);
				s.src = f->remote;
				s.dst = f->pool;
				s.sport = 20;
				s.dport = 30000;
				in = frame_of(&s);
				expect_drop(&in, SP_DIR_DOWN, SP_R_NO_FLOW,
					    "a pinhole on the pool");
				s.dst = workload(f);
				in = frame_of(&s);
				expect_drop(&in, SP_DIR_HOST, SP_R_NOT_FOR_US,
					    "and none around it");
			}
		}
}
