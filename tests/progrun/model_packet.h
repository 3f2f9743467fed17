/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A frame read slowly: what each header says, and why one is refused. Written from the RFCs and
 * docs/datapath.md, with nothing of core/parse.h. Tests only.
 */
#ifndef SP_TESTS_PROGRUN_MODEL_PACKET_H
#define SP_TESTS_PROGRUN_MODEL_PACKET_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "sallyport/abi/verdict.h"

enum piece {
	WHOLE,
	FIRST,
	LATER
};

struct seen {
	enum sp_reason wrong;		     /* NONE: readable */
	int version;			     /* 0: not IP */
	uint32_t l3, l4, payload, stop, end; /* end: of what the IP packet says; stop: as quoted */
	uint8_t src[16], dst[16];	     /* IPv4 in its mapped form */
	int proto, ttl, type, code, tcp_flags, tags;
	enum piece piece;
	bool more, error;
	uint32_t id, begins; /* of a fragment, begins: where l4 lies in the whole */
	uint16_t sport, dport;
};

struct reading {
	const uint8_t *b;
	uint32_t n; /* bytes that may be read */
	bool quoted;
};

static inline uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline enum sp_reason too_short(const struct seen *s)
{
	return s->piece == FIRST ? SP_R_FRAGMENT_TINY : SP_R_TRUNCATED;
}

static inline enum sp_reason read_fragment(struct seen *s, uint32_t offset, bool more)
{
	uint32_t bytes = s->end - s->l4;

	s->begins = offset;
	s->more = more;
	s->piece = offset ? LATER : more ? FIRST : WHOLE;
	if (s->piece == LATER && (int64_t)offset + (int32_t)bytes > 65535)
		return SP_R_BAD_HEADER;
	if (s->piece == LATER && s->proto == 6 && offset < 20)
		return SP_R_FRAGMENT_TINY;
	return SP_R_NONE;
}

static inline enum sp_reason read_ipv4(const struct reading *r, struct seen *s)
{
	const uint8_t *h = r->b + s->l3;
	uint32_t header, total, field;

	if (r->n < s->l3 + 20)
		return SP_R_TRUNCATED;
	header = (h[0] & 15u) * 4;
	if (header < 20)
		return SP_R_BAD_HEADER;
	if (r->n < s->l3 + header)
		return SP_R_TRUNCATED;
	total = be16(h + 2);
	s->stop = s->end = s->l3 + total;
	if (r->quoted)
		s->stop = r->n;
	else if (total < header || s->end > r->n)
		return SP_R_BAD_HEADER;
	memcpy(s->src, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	memcpy(s->dst, s->src, 12);
	memcpy(s->src + 12, h + 12, 4);
	memcpy(s->dst + 12, h + 16, 4);
	s->ttl = h[8];
	s->proto = h[9];
	s->l4 = s->l3 + header;
	memcpy(&s->id, h + 4, 2);
	field = be16(h + 6);
	return read_fragment(s, (field & 0x1fff) * 8, field >> 13 & 1);
}

#endif
