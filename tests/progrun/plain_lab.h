/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of a workload and their answers, as they come and as they must leave. Tests only. */
#ifndef SP_TESTS_PROGRUN_PLAIN_LAB_H
#define SP_TESTS_PROGRUN_PLAIN_LAB_H

#include "progrun/plain_maps.h"

/* A packet of a workload's, of protocol 0 udp, 1 tcp, 2 echo. */
static inline struct spec plain_spec(const struct family *f, unsigned int proto, uint16_t sport)
{
	static const uint8_t kinds[] = {SP_PROTO_UDP, SP_PROTO_TCP};
	struct spec s = {.src = workload(f),
			 .dst = f->remote,
			 .proto = proto == 2 ? f->icmp : kinds[proto],
			 .sport = proto == 2 ? f->ask : sport,
			 .dport = proto == 2 ? sport : 443,
			 .tcp_flags = 0x10,
			 .payload = "a request",
			 .bytes = 9};

	return s;
}

/* The same behind the gateway: one hop less, as another, between other link addresses. */
static inline struct frame plain_left(struct spec s, const char *src, uint16_t port, bool echo)
{
	struct frame f;

	s.src = src;
	*(echo ? &s.dport : &s.sport) = port;
	s.hops = 63;
	f = frame_of(&s);
	memcpy(f.b, "\x06\0\0\0\0\x05\x06\0\0\0\0\x01", 12);
	return f;
}

/* What the remote answers to whom, and as it must reach the workload (hops 63). */
static inline struct frame plain_answer(const struct family *f, unsigned int proto, const char *to,
					uint16_t port, uint8_t hops)
{
	struct spec s = plain_spec(f, proto, 443);
	struct frame out;

	s.src = f->remote;
	s.dst = to;
	s.sport = proto == 2 ? f->answer : 443;
	s.dport = port;
	s.hops = hops;
	out = frame_of(&s);
	if (hops == 63)
		memcpy(out.b, "\x02\0\0\0\0\x02\x02\0\0\0\0\x01", 12);
	return out;
}

/* One hop further, between other link addresses; frame_error gives 64 hops. */
static inline void plain_hop(struct frame *f, const char *link)
{
	uint8_t *ip = f->b + f->l3;
	uint16_t sum;

	memcpy(f->b, link, 12);
	if (ip[0] >> 4 == 6) {
		ip[7]--;
		return;
	}
	ip[8]--;
	put16(ip + 10, 0);
	sum = (uint16_t)~sp_csum_fold(sp_csum_partial(ip, 20, 0));
	memcpy(ip + 10, &sum, 2);
}

static inline struct sp_flow_key plain_key(const struct family *f, unsigned int proto,
					   uint16_t sport)
{
	struct spec s = plain_spec(f, proto, sport);
	struct sp_flow_key k = {.src = addr_of(s.src),
				.dst = addr_of(s.dst),
				.sport_be = htons(sport),
				.dport_be = htons(proto == 2 ? 0 : 443),
				.proto = s.proto};

	return k;
}

static inline bool flow_there(const struct sp_flow_key *k, struct sp_flow *ret)
{
	return bpf_map_lookup_elem(MAP_FD(sp_flows), k, ret) == 0;
}

/* One packet through, whatever port it gets: that port. */
static inline uint16_t plain_send(const struct family *f, unsigned int proto, uint16_t sport)
{
	struct spec s = plain_spec(f, proto, sport);
	struct frame in = frame_of(&s);
	struct outcome o = expect(&in, XDP_REDIRECT, SP_DIR_HOST, SP_R_NONE, f->name);

	return get16(o.b + in.l4 + (proto == 2 ? 4 : 0));
}

#endif
