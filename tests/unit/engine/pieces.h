/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams cut into fragments and put together again, by rules of its own. */
#ifndef SP_TESTS_ENGINE_PIECES_H
#define SP_TESTS_ENGINE_PIECES_H

#include "tunnel.h"

#define PIECES_MAX 32

struct pieces {
	struct packet p[PIECES_MAX];
	unsigned int n;
};

/* Payload bytes [from, to) of whole as a fragment with that identification. */
static inline struct packet piece_of(const struct packet *whole, uint32_t from, uint32_t to,
				     uint32_t id)
{
	bool v4 = whole->b[0] >> 4 == 4;
	uint32_t header = v4 ? 20 : 40, more = to < whole->bytes - header;
	struct packet p = {.bytes = header};

	memcpy(p.b, whole->b, header);
	if (v4) {
		put16(p.b + 4, id);
		put16(p.b + 6, from / 8 | more << 13);
	} else {
		p.b[6] = 44;
		p.b[40] = whole->b[6];
		put16(p.b + 42, from | more);
		put16(p.b + 44, id >> 16);
		put16(p.b + 46, id);
		p.bytes += 8;
	}
	memcpy(p.b + p.bytes, whole->b + header + from, to - from);
	p.bytes += to - from;
	put16(p.b + (v4 ? 2 : 4), v4 ? p.bytes : p.bytes - 40);
	if (v4) {
		put16(p.b + 10, 0);
		put16(p.b + 10, ~sum_bytes(p.b, 20, 0) & 0xffff);
	}
	return p;
}

static inline struct pieces cut(const struct packet *whole, uint32_t chunk, uint32_t id)
{
	uint32_t payload = whole->bytes - (whole->b[0] >> 4 == 4 ? 20 : 40);
	struct pieces out = {.n = 0};

	for (uint32_t at = 0; at < payload; at += chunk)
		out.p[out.n++] =
			piece_of(whole, at, at + chunk < payload ? at + chunk : payload, id);
	return out;
}

/* Sent frame i as it is on the wire, its IPv4 header proven. */
static inline struct packet piece_outside(const struct house *h, unsigned int i)
{
	struct packet p = {.bytes = h->sent[i].bytes - 14};

	cr_assert_lt(i, h->sent_count);
	memcpy(p.b, h->sent[i].b + 14, p.bytes);
	return p;
}

struct hole {
	uint32_t from, to; /* of the payload; to is 0 for the rest of an IPv6 header */
	bool more;
	uint32_t header, id;
};

static inline struct hole hole_of(const struct packet *p)
{
	bool v4 = p->b[0] >> 4 == 4;
	uint32_t word = get16(p->b + (v4 ? 6 : 42));
	struct hole o = {.header = v4 ? (p->b[0] & 15) * 4u : 48};

	o.from = v4 ? (word & 0x1fff) * 8 : word & 0xfff8;
	o.more = v4 ? word & 0x2000 : word & 1;
	o.id = v4 ? get16(p->b + 4) : get16(p->b + 44) << 16 | get16(p->b + 46);
	o.to = o.from + p->bytes - o.header;
	if (v4) {
		cr_assert_eq(sum_bytes(p->b, o.header, 0), 0xffff, "IPv4 header checksum");
		cr_assert_eq(get16(p->b + 2), p->bytes);
	} else {
		cr_assert_eq(p->b[6], 44);
		cr_assert_eq(get16(p->b + 4), p->bytes - 40);
	}
	return o;
}

/* RFC 815 in short: every byte exactly once, one last fragment, one identification. */
static inline struct packet join(const struct pieces *in)
{
	uint32_t header = in->p[0].b[0] >> 4 == 4 ? 20 : 40, have = 0, total = 0;
	struct packet whole = {.bytes = header};
	static bool seen[4000];

	memset(seen, 0, sizeof(seen));
	for (unsigned int i = 0; i < in->n; i++) {
		struct hole o = hole_of(&in->p[i]);

		cr_assert_eq(o.id, hole_of(&in->p[0]).id, "one identification");
		cr_assert(!o.more || (o.to - o.from) % 8 == 0, "only the last may be odd");
		if (!o.more) {
			cr_assert_eq(total, 0, "one last fragment");
			total = o.to;
		}
		for (uint32_t at = o.from; at < o.to; at++) {
			cr_assert(!seen[at], "byte %u twice", at);
			seen[at] = true;
		}
		have += o.to - o.from;
		memcpy(whole.b + header + o.from, in->p[i].b + o.header, o.to - o.from);
		if (o.from == 0)
			memcpy(whole.b, in->p[i].b, header);
	}
	cr_assert(total && have == total, "%u of %u bytes", have, total);
	whole.bytes += total;
	if (header == 20) {
		put16(whole.b + 2, whole.bytes);
		put16(whole.b + 6, 0);
		put16(whole.b + 10, 0);
		put16(whole.b + 10, ~sum_bytes(whole.b, 20, 0) & 0xffff);
	} else {
		whole.b[6] = in->p[0].b[40];
		put16(whole.b + 4, total);
	}
	return whole;
}

#endif
