/* SPDX-License-Identifier: Apache-2.0 */
/* IPv6 and its chain of extension headers, read slowly. Tests only. */
#ifndef SP_TESTS_PROGRUN_MODEL_IPV6_H
#define SP_TESTS_PROGRUN_MODEL_IPV6_H

#include "progrun/model_packet.h"

static inline bool is_extension(int proto)
{
	return proto == 0 || proto == 43 || proto == 44 || proto == 60;
}

static inline enum sp_reason read_extensions(const struct reading *r, struct seen *s)
{
	for (int i = 0; s->piece != LATER && is_extension(s->proto); i++) {
		const uint8_t *h = r->b + s->l4;
		int kind = s->proto;
		enum sp_reason wrong;

		if (i == 6)
			return SP_R_TOO_DEEP;
		if (s->l4 + 8 > s->stop)
			return too_short(s);
		if (kind == 0 && i > 0)
			return SP_R_BAD_HEADER;
		if (kind == 43 && h[3])
			return SP_R_PROTOCOL;
		s->proto = h[0];
		if (kind != 44) {
			s->l4 += 8 + h[1] * 8u;
			s->begins += 8 + h[1] * 8u;
			continue;
		}
		if (s->piece != WHOLE)
			return SP_R_BAD_HEADER;
		s->l4 += 8;
		memcpy(&s->id, h + 4, 4);
		wrong = read_fragment(s, be16(h + 2) & 0xfff8, h[3] & 1);
		if (wrong)
			return wrong;
	}
	return SP_R_NONE;
}

static inline enum sp_reason read_ipv6(const struct reading *r, struct seen *s)
{
	const uint8_t *h = r->b + s->l3;
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (r->n < s->l3 + 40)
		return SP_R_TRUNCATED;
	memcpy(s->src, h + 8, 16);
	memcpy(s->dst, h + 24, 16);
	if (!memcmp(s->src, mapped, 12) || !memcmp(s->dst, mapped, 12) || 40 + be16(h + 4) > 65535)
		return SP_R_BAD_HEADER;
	s->stop = s->end = s->l3 + 40 + be16(h + 4);
	if (r->quoted)
		s->stop = r->n;
	else if (s->end > r->n)
		return SP_R_BAD_HEADER;
	s->proto = h[6];
	s->ttl = h[7];
	s->l4 = s->l3 + 40;
	return read_extensions(r, s);
}

#endif
