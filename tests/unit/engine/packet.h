/* SPDX-License-Identifier: Apache-2.0 */
/* Whole IP packets made and checked from first principles: every checksum by full computation. */
#ifndef SP_TESTS_ENGINE_PACKET_H
#define SP_TESTS_ENGINE_PACKET_H

#include <criterion/criterion.h>
#include <string.h>

#include "base/addr.h"
#include "sums.h"
#include "sallyport/core/parse.h"

struct packet {
	uint8_t b[4000];
	uint32_t bytes;
};

/* What to make. Zero means the usual; a shape says only what matters. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
struct shape {
	const char *src, *dst;
	uint8_t proto;	       /* 0 = UDP */
	uint16_t sport, dport; /* ICMP echo: sport is the identifier */
	uint16_t payload;      /* bytes behind the transport header */
	uint16_t mss;	       /* TCP: SYN with this option */
	uint8_t tcp_flags;     /* 0 = ACK, or SYN with mss */
	uint8_t ttl;	       /* 0 = 64 */
	uint8_t tos;
	uint8_t icmp_type; /* 0 = echo request */
	bool more_fragments, no_udp_checksum, no_split;
};

static inline struct sp_addr addr_of(const char *text)
{
	struct sp_addr a;

	cr_assert_eq(sp_addr_parse(text, &a), 0, "%s", text);
	return a;
}

static inline uint32_t put_transport(uint8_t *p, const struct shape *s, uint8_t proto, bool v4)
{
	put16(p, s->sport);
	put16(p + 2, s->dport);
	if (proto == SP_PROTO_UDP) {
		put16(p + 4, 8u + s->payload);
		return 8;
	}
	if (proto == SP_PROTO_TCP) {
		uint32_t header = s->mss ? 24 : 20;

		p[12] = (uint8_t)(header / 4 << 4);
		p[13] = s->tcp_flags ? s->tcp_flags : s->mss ? SP_TCP_SYN : SP_TCP_ACK;
		if (s->mss)
			memcpy(p + 20, (uint8_t[]){2, 4, (uint8_t)(s->mss >> 8), (uint8_t)s->mss},
			       4);
		return header;
	}
	if (proto != SP_PROTO_ICMP && proto != SP_PROTO_ICMPV6)
		return 0;
	p[0] = s->icmp_type ? s->icmp_type : v4 ? SP_ICMP_ECHO : SP_ICMP6_ECHO;
	p[1] = 0;
	put16(p + 2, 0);
	put16(p + 4, s->sport);
	return 8;
}

/* Checksums as a sender computes them. */
static inline void packet_finish(struct packet *p, uint8_t proto, bool no_udp_checksum)
{
	bool v4 = p->b[0] >> 4 == 4;
	uint8_t *l4 = p->b + (v4 ? 20 : 40);
	uint32_t at = proto == SP_PROTO_TCP ? 16 : proto == SP_PROTO_UDP ? 6 : 2, sum;

	if (v4) {
		put16(p->b + 10, 0);
		put16(p->b + 10, ~sum_bytes(p->b, 20, 0) & 0xffff);
	}
	if (no_udp_checksum || (proto != SP_PROTO_TCP && proto != SP_PROTO_UDP &&
				proto != SP_PROTO_ICMP && proto != SP_PROTO_ICMPV6))
		return;
	put16(l4 + at, 0);
	sum = ~sum_transport(p->b, p->bytes, proto) & 0xffff;
	put16(l4 + at, sum || proto != SP_PROTO_UDP ? sum : 0xffff);
}

static inline struct packet packet_make(const struct shape *s)
{
	struct sp_addr src = addr_of(s->src), dst = addr_of(s->dst);
	uint8_t proto = s->proto ? s->proto : SP_PROTO_UDP, ttl = s->ttl ? s->ttl : 64;
	bool v4 = sp_addr_is_v4(&src);
	struct packet p = {.bytes = v4 ? 20 : 40};
	uint8_t *b = p.b;

	p.bytes += put_transport(b + p.bytes, s, proto, v4);
	for (uint32_t i = 0; i < s->payload; i++)
		b[p.bytes++] = (uint8_t)(i * 7 + 1);
	if (v4) {
		memcpy(b, (uint8_t[]){0x45, s->tos}, 2);
		put16(b + 2, p.bytes);
		put16(b + 6, s->more_fragments ? 0x2000 : s->no_split ? 0x4000 : 0);
		b[8] = ttl;
		b[9] = proto;
		memcpy(b + 12, src.b + 12, 4);
		memcpy(b + 16, dst.b + 12, 4);
	} else {
		put16(b, 0x6000u | (uint32_t)s->tos << 4);
		put16(b + 4, p.bytes - 40);
		b[6] = proto;
		b[7] = ttl;
		memcpy(b + 8, src.b, 16);
		memcpy(b + 24, dst.b, 16);
	}
	packet_finish(&p, proto, s->no_udp_checksum);
	return p;
}

/* Parses, and proves every checksum in it. */
static inline struct sp_packet packet_check(const uint8_t *b, uint32_t bytes)
{
	struct sp_packet ip;

	cr_assert_eq(sp_parse_ip(b, b + bytes, 0, &ip), SP_R_NONE);
	cr_assert_eq(ip.l3_bytes, bytes, "exactly one packet");
	if (ip.version == 4)
		cr_assert_eq(sum_bytes(b, 20, 0), 0xffff, "IPv4 header checksum");
	if (ip.proto == SP_PROTO_UDP && ip.version == 4 && get16(b + 26) == 0)
		return ip;
	cr_assert_eq(sum_transport(b, bytes, ip.proto), 0xffff, "transport checksum");
	return ip;
}

static inline void assert_addr(struct sp_addr a, const char *text)
{
	char buf[SP_ADDR_TEXT];

	cr_assert_str_eq(sp_addr_format(&a, buf), text);
}

#endif
