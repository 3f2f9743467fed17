/* SPDX-License-Identifier: Apache-2.0 */
/* Packets from a description, checksums summed naively: the second opinion of core's tests. */
#ifndef SP_TESTS_CORE_BUILD_H
#define SP_TESTS_CORE_BUILD_H

#include <string.h>

#include "sallyport/core/packet.h"
#include "unit/core/sum.h"

struct spec {
	bool ip_only; /* no Ethernet header */
	uint8_t vlans;
	uint8_t version;
	uint8_t options[40]; /* IPv4 */
	uint32_t options_bytes;
	uint8_t extensions[8]; /* IPv6 header numbers, in order */
	uint32_t extension_count;
	uint32_t extension_words; /* length field of each, 8 bytes more */
	uint8_t tos, ttl, proto, fragment;
	struct sp_addr src, dst;
	uint16_t sport, dport, id;
	uint8_t icmp_type, icmp_code, tcp_flags;
	bool no_check;
	uint8_t tcp_options[40];
	uint32_t tcp_options_bytes;
	uint8_t payload[64];
	uint32_t payload_bytes;
	const uint8_t *quoted; /* ICMP error: what follows its 8 bytes, instead of payload */
	uint32_t quoted_bytes;
};

struct built {
	uint8_t b[2048];
	uint32_t bytes, l3_off, l4_off, payload_off;
};

static inline void build_l3(const struct spec *s, struct built *o)
{
	uint8_t *h = o->b + o->l3_off;

	if (s->version == 4) {
		h[0] = (uint8_t)(0x40 | (20 + s->options_bytes) / 4);
		h[1] = s->tos;
		put16(h + 4, 0x4242);
		put16(h + 6, s->fragment == 1 ? 0x2000 : s->fragment == 2 ? 8 : 0);
		h[8] = s->ttl;
		h[9] = s->proto;
		memcpy(h + 12, s->src.b + 12, 4);
		memcpy(h + 16, s->dst.b + 12, 4);
		memcpy(h + 20, s->options, s->options_bytes);
		o->l4_off = o->l3_off + 20 + s->options_bytes;
		return;
	}
	h[0] = (uint8_t)(0x60 | s->tos >> 4);
	h[1] = (uint8_t)(s->tos << 4 | 0x5);
	h[6] = s->extension_count ? s->extensions[0] : s->proto;
	h[7] = s->ttl;
	memcpy(h + 8, s->src.b, 16);
	memcpy(h + 24, s->dst.b, 16);
	o->l4_off = o->l3_off + 40;
	for (uint32_t i = 0; i < s->extension_count; i++) {
		bool fragment = s->extensions[i] == 44;

		h = o->b + o->l4_off;
		h[0] = i + 1 < s->extension_count ? s->extensions[i + 1] : s->proto;
		h[1] = fragment ? 0 : (uint8_t)s->extension_words;
		if (fragment)
			put16(h + 2, s->fragment == 1 ? 1 : s->fragment == 2 ? 64 : 0);
		o->l4_off += fragment ? 8 : 8 + s->extension_words * 8;
	}
}

static inline void build_l4(const struct spec *s, struct built *o)
{
	uint8_t *h = o->b + o->l4_off;

	o->payload_off = o->l4_off;
	if (s->fragment == 2)
		return;
	if (s->proto == 6) {
		put16(h, s->sport);
		put16(h + 2, s->dport);
		h[12] = (uint8_t)((20 + s->tcp_options_bytes) / 4 << 4);
		h[13] = s->tcp_flags;
		memcpy(h + 20, s->tcp_options, s->tcp_options_bytes);
		o->payload_off += 20 + s->tcp_options_bytes;
	} else if (s->proto == 17) {
		put16(h, s->sport);
		put16(h + 2, s->dport);
		put16(h + 4, 8 + s->payload_bytes);
		o->payload_off += 8;
	} else if (s->proto == 1 || s->proto == 58) {
		h[0] = s->icmp_type;
		h[1] = s->icmp_code;
		put16(h + 4, s->id);
		o->payload_off += 8;
	}
}

/* Everything that depends on everything else: lengths, then checksums from nothing. */
static inline void build_seal(const struct spec *s, struct built *o)
{
	uint8_t *l3 = o->b + o->l3_off, *l4 = o->b + o->l4_off;
	uint32_t l4_bytes = o->bytes - o->l4_off, sum = 0;
	uint32_t at = s->proto == 6 ? 16 : s->proto == 17 ? 6 : 2;
	uint32_t address_bytes = s->version == 4 ? 4 : 16;

	if (s->version == 4) {
		put16(l3 + 2, o->bytes - o->l3_off);
		put16(l3 + 10, 0xffff & ~naive_sum(l3, o->l4_off - o->l3_off, 0));
	} else {
		put16(l3 + 4, o->bytes - o->l3_off - 40);
	}
	if (s->fragment == 2 || s->no_check ||
	    (s->proto != 6 && s->proto != 17 && s->proto != 1 && s->proto != 58))
		return;
	if (s->proto != 1) {
		sum = naive_sum(s->src.b + 16 - address_bytes, address_bytes, 0);
		sum = naive_sum(s->dst.b + 16 - address_bytes, address_bytes, sum);
		sum += s->proto + l4_bytes;
	}
	sum = 0xffff & ~naive_sum(l4, l4_bytes, sum);
	put16(l4 + at, s->proto == 17 && sum == 0 ? 0xffff : sum);
}

static inline void build(const struct spec *s, struct built *o)
{
	uint32_t i;

	memset(o, 0, sizeof(*o));
	if (!s->ip_only) {
		o->l3_off = 14u + 4u * s->vlans;
		for (i = 0; i < s->vlans; i++) {
			put16(o->b + 12 + 4 * i, i + 1 < s->vlans ? 0x88a8 : 0x8100);
			put16(o->b + 14 + 4 * i, (uint16_t)(100 + i));
		}
		put16(o->b + 12 + 4 * i, s->version == 4 ? 0x0800 : 0x86dd);
	}
	build_l3(s, o);
	build_l4(s, o);
	o->bytes = o->payload_off + (s->quoted ? s->quoted_bytes : s->payload_bytes);
	memcpy(o->b + o->payload_off, s->quoted ? s->quoted : s->payload,
	       o->bytes - o->payload_off);
	build_seal(s, o);
}

#endif
