/* SPDX-License-Identifier: Apache-2.0 */
/* What a test says of a packet, and the headers up to IP made from it. Tests only. */
#ifndef SP_TESTS_PROGRUN_HEADERS_H
#define SP_TESTS_PROGRUN_HEADERS_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

#include "base/addr.h"
#include "sallyport/core/checksum.h"
#include "sallyport/core/wire.h"

#define FRAME_MAX 2048

struct frame {
	uint8_t b[FRAME_MAX];
	uint32_t n, l3, l4;
};

struct spec {
	const char *src, *dst; /* both of one version */
	uint8_t proto;
	uint16_t sport, dport; /* host order; ICMP: type << 8 | code, and identifier */
	uint8_t tcp_flags;
	const void *payload;
	uint32_t bytes;
	uint32_t tags;	     /* VLAN tags ... */
	uint16_t vlan;	     /* ... all of this VLAN; 0: only a priority */
	uint32_t options;    /* bytes of IPv4 options, a multiple of 4 */
	uint32_t extensions; /* IPv6: destination options headers of 8 bytes */
	uint16_t fragment;   /* as in the IPv4 header: MF 0x2000 | offset / 8 */
	uint16_t id;	     /* identification of IPv4, or of the fragment header */
	uint8_t hops;	     /* 0 = 64 */
	uint32_t padding;    /* bytes behind the IP packet */
};

static inline struct sp_addr addr_of(const char *text)
{
	struct sp_addr a;

	cr_assert_eq(sp_addr_parse(text, &a), 0, "%s", text);
	return a;
}

static inline uint8_t *frame_grow(struct frame *f, uint32_t bytes)
{
	uint8_t *p = f->b + f->n;

	cr_assert_leq(f->n + bytes, FRAME_MAX);
	memset(p, 0, bytes);
	f->n += bytes;
	return p;
}

static inline void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void frame_ipv4(struct frame *f, const struct spec *s)
{
	struct sp_addr src = addr_of(s->src), dst = addr_of(s->dst);
	uint8_t *h = frame_grow(f, 20 + s->options);

	h[0] = (uint8_t)(0x45 + s->options / 4);
	put16(h + 4, s->id);
	put16(h + 6, s->fragment);
	h[8] = s->hops ? s->hops : 64;
	h[9] = s->proto;
	memcpy(h + 12, src.b + 12, 4);
	memcpy(h + 16, dst.b + 12, 4);
	memset(h + 20, 1, s->options); /* no-operation */
}

static inline void frame_ipv6(struct frame *f, const struct spec *s)
{
	struct sp_addr src = addr_of(s->src), dst = addr_of(s->dst);
	uint8_t *h = frame_grow(f, 40), *next = h + 6;

	h[0] = 0x60;
	h[7] = s->hops ? s->hops : 64;
	memcpy(h + 8, src.b, 16);
	memcpy(h + 24, dst.b, 16);
	for (uint32_t i = 0; i < s->extensions; i++) {
		*next = SP_PROTO_DESTINATION;
		next = frame_grow(f, 8);
		next[2] = 1; /* PadN */
		next[3] = 4;
	}
	if (s->fragment) {
		*next = SP_PROTO_FRAGMENT;
		next = frame_grow(f, 8);
		put16(next + 2, (uint16_t)(s->fragment << 3 | (s->fragment & 0x2000 ? 1 : 0)));
		put16(next + 6, s->id);
	}
	*next = s->proto;
}

#endif
