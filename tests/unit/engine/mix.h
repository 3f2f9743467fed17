/* SPDX-License-Identifier: Apache-2.0 */
/* A random mix of flows whose packets mostly follow each other, and sometimes do not in one way. */
#ifndef SP_TESTS_ENGINE_MIX_H
#define SP_TESTS_ENGINE_MIX_H

#include "engine/transmit.h"
#include "packet.h"

enum mix_kind {
	MIX_TCP4,
	MIX_TCP6,
	MIX_UDP4,
	MIX_UDP6,
	MIX_TUNNEL4,
	MIX_TUNNEL6,
	MIX_ICMP4,
	MIX_KINDS,
};
struct mix_flow {
	enum mix_kind kind;
	uint16_t port, id, window;
	uint32_t seq, ack;
	uint16_t payload;
	uint8_t ttl, tos;
	bool is_id_fixed;
};

#define MIX_FLOWS 12

struct mix {
	struct mix_flow flows[MIX_FLOWS];
	unsigned int current;
};

static inline uint32_t mix_random(uint32_t below)
{
	return (uint32_t)rand() % below;
}

static inline void mix_init(struct mix *m, unsigned int seed)
{
	srand(seed);
	m->current = 0;
	for (unsigned int i = 0; i < MIX_FLOWS; i++)
		m->flows[i] = (struct mix_flow){.kind = (enum mix_kind)(i % MIX_KINDS),
						.port = (uint16_t)(1000 + i),
						.id = (uint16_t)rand(),
						.window = 500,
						.seq = (uint32_t)rand() * 7919u,
						.payload = (uint16_t)(1 + mix_random(1200)),
						.ttl = 64,
						.is_id_fixed = i == 7};
}

static inline bool mix_is_v4(const struct mix_flow *f)
{
	return f->kind == MIX_TCP4 || f->kind == MIX_UDP4 || f->kind == MIX_TUNNEL4 ||
	       f->kind == MIX_ICMP4;
}

static inline bool mix_is_tcp(const struct mix_flow *f)
{
	return f->kind == MIX_TCP4 || f->kind == MIX_TCP6;
}

/* One thing that ends a run of segments, now and then. */
static inline void mix_disturb(struct mix_flow *f)
{
	uint32_t what = mix_random(60);

	f->ack += what == 0;
	f->window = (uint16_t)(f->window + (what == 1));
	f->ttl = (uint8_t)(f->ttl - (what == 2));
	f->tos ^= what == 3 ? 0xb8 : 0;
	f->seq += what == 4 ? 1000 : 0;
	f->id = (uint16_t)(f->id + (what == 5 ? 5 : 0));
	if (what == 6)
		f->payload = (uint16_t)(1 + mix_random(1200));
	if (what == 7)
		f->is_id_fixed = !f->is_id_fixed;
}

static inline uint8_t mix_tcp_flags(void)
{
	static const uint8_t odd[] = {SP_TCP_ACK | 0x08, SP_TCP_ACK | SP_TCP_FIN,
				      SP_TCP_SYN,	 SP_TCP_ACK | SP_TCP_RST,
				      SP_TCP_ACK | 0x20, SP_TCP_ACK | 0x40,
				      SP_TCP_ACK | 0x80};

	return mix_random(10) ? SP_TCP_ACK : odd[mix_random(sizeof(odd))];
}

static inline void mix_tcp(struct mix_flow *f, uint8_t *tcp, uint16_t payload)
{
	for (int i = 0; i < 4; i++) {
		tcp[4 + i] = (uint8_t)(f->seq >> (24 - 8 * i));
		tcp[8 + i] = (uint8_t)(f->ack >> (24 - 8 * i));
	}
	put16(tcp + 14, f->window);
	f->seq += payload;
}

/* The next frame of the mix at data; the tunnel datagrams among them wait for their checksum. */
static inline struct sp_tx mix_next(struct mix *m, uint8_t *data)
{
	static const uint8_t ethernet[12] = {2, 0, 0, 0, 9, 2, 2, 0, 0, 0, 9, 1};
	struct mix_flow *f;
	struct shape s;
	struct packet p;
	bool v4;

	if (!mix_random(8))
		m->current = mix_random(MIX_FLOWS);
	f = &m->flows[m->current];
	mix_disturb(f);
	v4 = mix_is_v4(f);
	s = (struct shape){.src = v4 ? "192.0.2.1" : "2001:db8::1",
			   .dst = v4 ? "192.0.2.2" : "2001:db8::2",
			   .proto = mix_is_tcp(f)	   ? SP_PROTO_TCP
				    : f->kind != MIX_ICMP4 ? SP_PROTO_UDP
							   : SP_PROTO_ICMP,
			   .sport = f->port,
			   .dport = 443,
			   .payload =
				   mix_random(30) ? f->payload : (uint16_t)mix_random(f->payload),
			   .tcp_flags = mix_tcp_flags(),
			   .ttl = f->ttl,
			   .tos = f->tos,
			   .no_udp_checksum = v4 && !mix_random(50)};
	p = packet_make(&s);
	if (v4) {
		put16(p.b + 4, f->id);
		put16(p.b + 6, mix_random(50) ? 0x4000 : 0);
		f->id = (uint16_t)(f->id + !f->is_id_fixed);
	}
	if (mix_is_tcp(f))
		mix_tcp(f, p.b + (v4 ? 20 : 40), s.payload);
	packet_finish(&p, s.proto, s.no_udp_checksum);
	if (!mix_random(40))
		p.b[p.bytes - 1] ^= 1; /* a checksum that is wrong stays wrong */
	memcpy(data, ethernet, sizeof(ethernet));
	put16(data + 12, v4 ? 0x0800 : 0x86dd);
	memcpy(data + 14, p.b, p.bytes);
	return (struct sp_tx){
		.data = data,
		.bytes = 14 + p.bytes,
		.udp_off = f->kind == MIX_TUNNEL4 || f->kind == MIX_TUNNEL6 ? (v4 ? 34 : 54) : 0};
}

#endif
