/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a forwarded frame, but its checksums, which are compared by what they leave: a sum
 * that was right stays right, and one that was wrong stays as wrong as it was. Tests only.
 */
#ifndef SP_TESTS_PROGRUN_MODEL_BYTES_H
#define SP_TESTS_PROGRUN_MODEL_BYTES_H

#include "progrun/model_stages.h"

static inline uint32_t check_at(const struct seen *s)
{
	return s->l4 + (s->proto == 6 ? 16u : s->proto == 17 ? 6u : 2u);
}

static inline bool has_l4(const struct seen *s)
{
	return s->piece != LATER && (s->proto == 6 || s->proto == 17 || has_icmp(s));
}

/* One end of a packet, source or destination, becomes addr and port. */
static inline void put_end(uint8_t *b, const struct seen *s, bool src, const uint8_t *addr,
			   uint16_t port)
{
	bool identifier = src ? is_request(s) : is_reply(s);

	if (s->version == 4)
		memcpy(b + s->l3 + (src ? 12 : 16), addr + 12, 4);
	else
		memcpy(b + s->l3 + (src ? 8 : 24), addr, 16);
	if (has_l4(s) && !has_icmp(s))
		put16(b + s->l4 + (src ? 0 : 2), port);
	else if (has_l4(s) && identifier)
		put16(b + s->l4 + 4, port);
}

/* A SYN may not promise what the narrower interface cannot carry. */
static inline void put_mss(uint8_t *b, const struct seen *s, uint32_t mtu)
{
	uint32_t off = s->l4 + 20, most = mtu - 20 - (s->version == 4 ? 20 : 40);

	if (s->piece == LATER || s->proto != 6 || !(s->tcp_flags & 2))
		return;
	for (int i = 0; i < 16 && off + 4 <= s->payload && b[off]; i++) {
		if (b[off] == 2) {
			if (b[off + 1] == 4 && be16(b + off + 2) > most)
				put16(b + off + 2, (uint16_t)most);
			return;
		}
		if (b[off] != 1 && !b[off + 1])
			return;
		off += b[off] == 1 ? 1 : b[off + 1];
	}
}

static inline void put_links(uint8_t *b, const struct seen *s, const char *links)
{
	memcpy(b, links, 12);
	b[s->l3 + (s->version == 4 ? 8 : 7)]--;
}

/* want holds the frame as it came, and then as it must leave. */
static inline void model_bytes(const struct fate *fate, uint8_t *want)
{
	const struct model_flow *f = fate->flow;
	const struct seen *s = &fate->seen;
	bool out = fate->how == FORTH;

	if (fate->how == UNTOUCHED || fate->how == TO_WORKER)
		return;
	if (f->translated) {
		const uint8_t *addr = out ? f->answer.dst.b : f->inside;
		uint16_t port = out ? ntohs(f->answer.dport_be) : f->iport;

		put_end(want, s, out, addr, port);
		if (s->error)
			put_end(want, &fate->quoted, !out, addr, port);
	}
	if (fate->how == CARRIED)
		return;
	put_mss(want, s, out ? EGRESS_MTU : MODEL_INSIDE_MTU);
	put_links(want, s,
		  out ? "\x06\0\0\0\0\x05\x06\0\0\0\0\x01" : "\x02\0\0\0\0\x02\x02\0\0\0\0\x01");
}

/* The sum of words, modulo 65535; the last odd byte counts as if a zero followed. */
static inline uint32_t words(const uint8_t *b, uint32_t from, uint32_t to)
{
	uint64_t sum = 0;

	for (uint32_t i = from; i < to; i += 2)
		sum += (uint32_t)b[i] << 8 | (i + 1 < to ? b[i + 1] : 0);
	return (uint32_t)(sum % 65535);
}

/* What is left of the sums of IP and transport: the same before and after. */
static inline bool same_sums(const uint8_t *a, const uint8_t *b, const struct seen *s, bool quoted)
{
	uint32_t check = check_at(s), l4 = s->l4, stop = s->stop;
	uint32_t from = s->version == 4 ? s->l3 + 12 : s->l3 + 8;
	uint32_t to = s->version == 4 ? s->l3 + 20 : s->l3 + 40;
	uint32_t pseudo_a = words(a, from, to), pseudo_b = words(b, from, to);

	if (s->version == 4 && words(a, s->l3, l4) != words(b, s->l3, l4))
		return false;
	if (!has_l4(s) || (quoted && check + 2 > stop))
		return true;
	if (s->proto == 17 && !be16(a + check))
		return !be16(b + check);
	if (s->proto == 17 && !be16(b + check))
		return false;
	if (s->version == 4 && has_icmp(s))
		pseudo_a = pseudo_b = 0;
	return (words(a, l4, stop) + pseudo_a) % 65535 == (words(b, l4, stop) + pseudo_b) % 65535;
}

/* RFC 1812 4.3.2.7, RFC 4443 2.4 (e) */
static inline bool may_be_told(const struct frame *f, const struct seen *s)
{
	bool query = !has_icmp(s) || is_request(s) || is_reply(s);

	for (int i = 0; i < 2; i++) {
		const uint8_t *a = i ? s->src : s->dst;

		if (is_multicast(a) || is_empty(a) || is_own(a) || (is_v4(a) && a[12] >= 224))
			return false;
	}
	return s->piece != LATER && !s->error && query && !((f->b[0] | f->b[6]) & 1);
}

#endif
