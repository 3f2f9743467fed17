/* SPDX-License-Identifier: Apache-2.0 */
/* A workload's datagrams in fragments: the first is judged, the others of its datagram follow it. */
#include "progrun/plain_lab.h"

#include "sallyport/core/fragment.h"

TestSuite(plain_fragment, .init = plain_open, .fini = progrun_close);

#define PAYLOAD	 1900u
#define WHOLE	 (8u + PAYLOAD)
#define OUT_LINK "\x06\0\0\0\0\x05\x06\0\0\0\0\x01"
#define IN_LINK	 "\x02\0\0\0\0\x02\x02\0\0\0\0\x01"

/* Bytes [from, to) of a UDP or echo datagram from src to dst, as of a sender with so many hops. */
struct datagram {
	const struct family *f;
	const char *src, *dst;
	uint16_t sport, dport; /* echo: type and identifier */
	bool echo;
	uint8_t hops;
};

static struct frame piece(const struct datagram *d, uint32_t from, uint32_t to, uint16_t id)
{
	static uint8_t payload[PAYLOAD], all[WHOLE];
	struct spec s = {.src = d->src,
			 .dst = d->dst,
			 .proto = d->echo ? d->f->icmp : SP_PROTO_UDP,
			 .sport = d->sport,
			 .dport = d->dport,
			 .payload = payload,
			 .bytes = PAYLOAD,
			 .hops = d->hops};
	struct frame whole, f;

	for (uint32_t i = 0; i < PAYLOAD; i++)
		payload[i] = (uint8_t)(i * 13 + 5);
	whole = frame_of(&s);
	memcpy(all, whole.b + whole.l4, WHOLE);
	s.fragment = (uint16_t)(from / 8 | (to < WHOLE ? 0x2000 : 0));
	s.id = id;
	s.payload = from ? all + from : NULL;
	s.bytes = from ? to - from : to - 8;
	f = frame_of(&s);
	if (!from) /* its checksum covers what is not in this fragment */
		memcpy(f.b + f.l4, all, to);
	return f;
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

static struct datagram sent(const struct family *f, bool echo)
{
	return (struct datagram){.f = f,
				 .src = workload(f),
				 .dst = f->remote,
				 .sport = echo ? f->ask : KEPT_PORT,
				 .dport = echo ? KEPT_PORT : 443,
				 .echo = echo,
				 .hops = 64};
}

static void expect_piece(const struct datagram *d, const struct datagram *want, const char *link,
			 uint32_t from, uint32_t to, const char *row)
{
	struct frame in = piece(d, from, to, 7), out = piece(want, from, to, 7);

	memcpy(out.b, link, 12);
	expect_out(&in, &out, row);
}

Test(plain_fragment, every_byte_leaves_translated_and_the_answer_comes_back)
{
	for (const struct family *f = families; f < families + 2; f++)
		for (int echo = 0; echo < 2; echo++) {
			struct datagram up = sent(f, echo), out = up;
			struct datagram down = {.f = f,
						.src = f->remote,
						.dst = f->pool,
						.sport = echo ? f->answer : 443,
						.dport = KEPT_PORT,
						.echo = echo,
						.hops = 64};
			struct datagram in = down;

			out.src = f->pool;
			out.hops = in.hops = 63;
			in.dst = workload(f);
			expect_piece(&up, &out, OUT_LINK, 0, 800, "first");
			cr_assert_eq(records(), 1, "%s", f->name);
			expect_piece(&up, &out, OUT_LINK, 1600, WHOLE, "last, before its time");
			expect_piece(&up, &out, OUT_LINK, 800, 1600, "second");
			cr_assert_eq(records(), 0, "%s: whole, and forgotten", f->name);
			put_iface(SP_ROLE_EGRESS, 1);
			expect_piece(&down, &in, IN_LINK, 0, 800, "first answer");
			expect_piece(&down, &in, IN_LINK, 800, WHOLE, "last answer");
			cr_assert_eq(records(), 0, "%s", f->name);
			put_iface(SP_ROLE_INSIDE, 1);
		}
}

Test(plain_fragment, what_covers_the_first_one_or_hides_its_ports_is_dropped)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct datagram up = sent(f, false);
		struct frame in = piece(&up, 0, 800, 7), cut;

		(void)expect(&in, XDP_REDIRECT, SP_DIR_HOST, SP_R_NONE, f->name);
		in = piece(&up, 792, 1600, 7);
		expect_drop(&in, SP_DIR_UP, SP_R_FRAGMENT_TINY, "over the first one's end");
		in = piece(&up, 8, 1600, 7);
		expect_drop(&in, SP_DIR_UP, SP_R_FRAGMENT_TINY, "over the judged ports");
		in = piece(&up, 0, 400, 7);
		expect_drop(&in, SP_DIR_UP, SP_R_FRAGMENT, "another first one");
		in = piece(&up, 800, 1600, 7);
		expect_drop(&in, SP_DIR_UP, SP_R_FRAGMENT, "and with it both are lost");
		cut = piece(&up, 0, 800, 8);
		cut.n = cut.l4 + 4;
		put16(cut.b + cut.l3 + (f == families ? 2 : 4),
		      (uint16_t)(cut.n - cut.l3 - (f == families ? 0 : 40)));
		if (f == families) {
			uint16_t sum;

			put16(cut.b + cut.l3 + 10, 0);
			sum = (uint16_t)~sp_csum_fold(sp_csum_partial(cut.b + cut.l3, 20, 0));
			memcpy(cut.b + cut.l3 + 10, &sum, 2);
		}
		expect_drop(&cut, SP_DIR_HOST, SP_R_FRAGMENT_TINY, "ports beyond the first one");
	}
}

Test(plain_fragment, a_later_one_has_no_right_of_its_own)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct datagram up = sent(f, false), other = up;
		struct frame first = piece(&up, 0, 800, 7), later = piece(&up, 800, 1600, 7);
		struct sp_flow_key k = plain_key(f, 0, KEPT_PORT);

		expect_drop(&later, SP_DIR_UP, SP_R_FRAGMENT, "before its first one");
		reload(DENY, 0);
		expect_drop(&first, SP_DIR_UP, SP_R_POLICY_DENY, "a denied first one");
		expect_drop(&later, SP_DIR_UP, SP_R_FRAGMENT, "opens no way");
		reload(ALLOW, 0);
		(void)expect(&first, XDP_REDIRECT, SP_DIR_HOST, SP_R_NONE, f->name);
		other.src = f->router;
		later = piece(&other, 800, 1600, 7);
		expect_drop(&later, SP_DIR_UP, SP_R_SPOOFED_SOURCE, "another's source");
		later = piece(&up, 800, 1600, 9);
		expect_drop(&later, SP_DIR_UP, SP_R_FRAGMENT, "of another datagram");
		later = piece(&up, 800, 1600, 7);
		cr_assert_eq(bpf_map_delete_elem(MAP_FD(sp_flows), &k), 0);
		expect_drop(&later, SP_DIR_UP, SP_R_FRAGMENT, "its flow has ended");
	}
}

Test(plain_fragment, one_that_is_dropped_uses_nothing_up)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct datagram up = sent(f, false);
		struct frame first = piece(&up, 0, 800, 7), last = piece(&up, 800, WHOLE, 7);

		(void)expect(&first, XDP_REDIRECT, SP_DIR_HOST, SP_R_NONE, f->name);
		put_hop(SP_NEXTHOP_PENDING);
		expect_drop(&last, SP_DIR_UP, SP_R_NO_NEIGHBOUR, "not now");
		put_hop(SP_NEXTHOP_READY);
		(void)expect(&last, XDP_REDIRECT, SP_DIR_HOST, SP_R_NONE, "again");
		cr_assert_eq(records(), 0, "%s", f->name);
	}
}
