/* SPDX-License-Identifier: Apache-2.0 */
/* What follows the IP header, and whole frames and quotations, read slowly. Tests only. */
#ifndef SP_TESTS_PROGRUN_MODEL_TRANSPORT_H
#define SP_TESTS_PROGRUN_MODEL_TRANSPORT_H

#include "progrun/model_ipv6.h"

static inline bool has_icmp(const struct seen *s)
{
	return s->proto == (s->version == 4 ? 1 : 58);
}

static inline bool is_request(const struct seen *s)
{
	return has_icmp(s) && s->type == (s->version == 4 ? 8 : 128);
}

static inline bool is_reply(const struct seen *s)
{
	return has_icmp(s) && s->type == (s->version == 4 ? 0 : 129);
}

static inline void read_icmp(const uint8_t *h, struct seen *s)
{
	s->type = h[0];
	s->code = h[1];
	if (is_request(s))
		s->sport = (uint16_t)be16(h + 4);
	else if (is_reply(s))
		s->dport = (uint16_t)be16(h + 4);
	else if (s->version == 4)
		s->error = s->type == 3 || s->type == 11 || s->type == 12;
	else
		s->error = s->type >= 1 && s->type <= 4;
}

static inline enum sp_reason read_ports(const struct reading *r, struct seen *s)
{
	const uint8_t *h = r->b + s->l4;
	uint32_t bytes;

	s->sport = (uint16_t)be16(h);
	s->dport = (uint16_t)be16(h + 2);
	if (r->quoted)
		return SP_R_NONE;
	if (s->proto == 17) {
		bytes = be16(h + 4);
		return bytes < 8 || (s->piece == WHOLE && s->l4 + bytes > s->stop) ? SP_R_BAD_HEADER
										   : SP_R_NONE;
	}
	if (s->l4 + 20 > s->stop)
		return too_short(s);
	bytes = (h[12] >> 4) * 4u;
	if (bytes < 20)
		return SP_R_BAD_HEADER;
	if (s->l4 + bytes > s->stop)
		return too_short(s);
	s->tcp_flags = h[13];
	s->payload = s->l4 + bytes;
	return SP_R_NONE;
}

static inline enum sp_reason read_transport(const struct reading *r, struct seen *s)
{
	s->payload = s->l4;
	if (s->piece == LATER)
		return s->l4 > s->stop ? SP_R_TRUNCATED : SP_R_NONE;
	if (s->l4 > s->stop)
		return too_short(s);
	if (s->proto != 6 && s->proto != 17 && !has_icmp(s))
		return SP_R_NONE;
	if (s->l4 + 8 > s->stop)
		return too_short(s);
	s->payload = s->l4 + 8;
	if (!has_icmp(s))
		return read_ports(r, s);
	read_icmp(r->b + s->l4, s);
	return SP_R_NONE;
}

static inline enum sp_reason read_ip(const struct reading *r, struct seen *s)
{
	enum sp_reason wrong;

	if (r->n < s->l3 + 1)
		return SP_R_TRUNCATED;
	s->version = r->b[s->l3] >> 4;
	if (s->version != 4 && s->version != 6)
		return SP_R_BAD_HEADER;
	wrong = s->version == 4 ? read_ipv4(r, s) : read_ipv6(r, s);
	return wrong ? wrong : read_transport(r, s);
}

static inline struct seen read_frame(const uint8_t *b, uint32_t n)
{
	struct reading r = {.b = b, .n = n};
	struct seen s = {.l3 = 14};
	uint32_t ethertype;

	if (n < 14) {
		s.wrong = SP_R_TRUNCATED;
		return s;
	}
	ethertype = be16(b + 12);
	for (int tags = 0; ethertype == 0x8100 || ethertype == 0x88a8; tags++) {
		if (tags == 2 || n < s.l3 + 4) {
			s.wrong = tags == 2 ? SP_R_TOO_DEEP : SP_R_TRUNCATED;
			return s;
		}
		s.tags += (be16(b + s.l3) & 0xfff) != 0;
		ethertype = be16(b + s.l3 + 2);
		s.l3 += 4;
	}
	if (ethertype != 0x0800 && ethertype != 0x86dd)
		return s;
	s.wrong = read_ip(&r, &s);
	if (!s.wrong && s.version != (ethertype == 0x0800 ? 4 : 6))
		s.wrong = SP_R_BAD_HEADER;
	return s;
}

/* What an ICMP error quotes: its own length is not to be trusted. */
static inline struct seen read_quoted(const uint8_t *b, const struct seen *outer)
{
	struct reading r = {.b = b, .n = outer->stop, .quoted = true};
	struct seen s = {.l3 = outer->l4 + 8};

	s.wrong = read_ip(&r, &s);
	if (!s.wrong && s.version != outer->version)
		s.wrong = SP_R_BAD_HEADER;
	return s;
}

#endif
