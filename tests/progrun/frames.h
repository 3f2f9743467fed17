/* SPDX-License-Identifier: Apache-2.0 */
/* Frames built from a description, with every checksum right. Tests only. */
#ifndef SP_TESTS_PROGRUN_FRAMES_H
#define SP_TESTS_PROGRUN_FRAMES_H

#include "progrun/headers.h"

static inline uint32_t frame_l4(struct frame *f, const struct spec *s)
{
	uint8_t *h;

	if ((s->fragment & 0x1fff) || (s->proto != SP_PROTO_TCP && s->proto != SP_PROTO_UDP &&
				       s->proto != SP_PROTO_ICMP && s->proto != SP_PROTO_ICMPV6))
		return 0;
	h = frame_grow(f, s->proto == SP_PROTO_TCP ? 20 : 8);
	put16(h, s->sport);
	put16(h + (s->proto == SP_PROTO_ICMP || s->proto == SP_PROTO_ICMPV6 ? 4 : 2), s->dport);
	if (s->proto == SP_PROTO_UDP)
		put16(h + 4, (uint16_t)(8 + s->bytes));
	if (s->proto == SP_PROTO_TCP) {
		h[12] = 5 << 4;
		h[13] = s->tcp_flags;
	}
	return s->proto == SP_PROTO_TCP ? 16 : s->proto == SP_PROTO_UDP ? 6 : 2;
}

/* The checksum of what stands at l4, as it must be on the wire when check is 0. */
static inline uint16_t frame_l4_sum(const struct frame *f, const struct spec *s, uint32_t end)
{
	struct sp_addr src = addr_of(s->src), dst = addr_of(s->dst);
	uint64_t sum =
		s->proto == SP_PROTO_ICMP ? 0 : sp_csum_pseudo(&src, &dst, s->proto, end - f->l4);

	return (uint16_t)~sp_csum_fold(sp_csum_partial(f->b + f->l4, end - f->l4, sum));
}

static inline struct frame frame_of(const struct spec *s)
{
	struct frame f = {.n = 0};
	bool v4 = strchr(s->src, ':') == NULL;
	uint32_t check, end;
	uint16_t sum;

	memcpy(frame_grow(&f, 12), "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
	for (uint32_t i = 0; i < s->tags; i++) {
		put16(frame_grow(&f, 2), SP_ETHERTYPE_VLAN);
		put16(frame_grow(&f, 2), 0xe000 | s->vlan);
	}
	put16(frame_grow(&f, 2), v4 ? SP_ETHERTYPE_IPV4 : SP_ETHERTYPE_IPV6);
	f.l3 = f.n;
	if (v4)
		frame_ipv4(&f, s);
	else
		frame_ipv6(&f, s);
	f.l4 = f.n;
	check = frame_l4(&f, s);
	if (s->bytes && s->payload)
		memcpy(frame_grow(&f, s->bytes), s->payload, s->bytes);
	else
		frame_grow(&f, s->bytes);
	end = f.n;
	if (v4)
		put16(f.b + f.l3 + 2, (uint16_t)(end - f.l3));
	else
		put16(f.b + f.l3 + 4, (uint16_t)(end - f.l3 - 40));
	if (v4) {
		sum = (uint16_t)~sp_csum_fold(sp_csum_partial(f.b + f.l3, f.l4 - f.l3, 0));
		memcpy(f.b + f.l3 + 10, &sum, 2);
	}
	if (check) {
		sum = frame_l4_sum(&f, s, end);
		memcpy(f.b + f.l4 + check, &sum, 2);
	}
	frame_grow(&f, s->padding);
	return f;
}

/* The ICMP error that quotes the first bytes of a packet, as a router at src would send it. */
static inline struct frame frame_error(const char *src, const char *dst, uint16_t type,
				       const struct frame *about, uint32_t quoted_bytes)
{
	struct spec s = {
		.src = src,
		.dst = dst,
		.proto = strchr(src, ':') ? SP_PROTO_ICMPV6 : SP_PROTO_ICMP,
		.sport = type,
		.payload = about->b + about->l3,
		.bytes = quoted_bytes,
	};

	return frame_of(&s);
}

#endif
