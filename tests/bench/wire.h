/* SPDX-License-Identifier: Apache-2.0 */
/* The bench's world: who has which address, and the packets between them. Any thread. */
#ifndef SP_TESTS_BENCH_WIRE_H
#define SP_TESTS_BENCH_WIRE_H

#include <string.h>

#include "sallyport/core/checksum.h"

/*
 *   far t0 198.18.0.2 --- 198.18.0.1 tun0 gateway out0 198.18.1.1 --- 198.18.1.2 o0 far
 * Clients are 198.19.0.2 and on, their inner addresses 10.64.0.2 and on; the server is 203.0.113.10.
 */
#define WIRE_GATEWAY	 0xc6120001u
#define WIRE_CLIENTS	 0xc6130002u
#define WIRE_STRANGERS	 0xc6138000u /* 198.19.128.0 and on */
#define WIRE_INNER	 0x0a400002u
#define WIRE_SERVER	 0xcb00710au
#define WIRE_GW_PORT	 51820
#define WIRE_CLIENT_PORT 4000
#define WIRE_SPORT	 5000 /* of the inner connection */
#define WIRE_DPORT	 443
#define WIRE_TCP_BYTES	 (SP_IPV4_BYTES + 20)

static const uint8_t wire_mac_tun[6] = {2, 0, 0, 0, 1, 1}, wire_mac_t0[6] = {2, 0, 0, 0, 1, 2},
		     wire_mac_out[6] = {2, 0, 0, 0, 2, 1}, wire_mac_o0[6] = {2, 0, 0, 0, 2, 2};

struct wire_ends {
	uint32_t src, dst; /* host order */
	uint16_t sport, dport;
};

static inline void wire_le(uint8_t *p, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

static inline void wire_ethernet(uint8_t *p, const uint8_t *dst, const uint8_t *src)
{
	memcpy(p, dst, 6);
	memcpy(p + 6, src, 6);
	sp_store16(p + 12, sp_swap16(SP_ETHERTYPE_IPV4));
}

static inline void wire_ipv4(uint8_t *ip, const struct wire_ends *e, uint8_t proto, uint16_t id,
			     uint32_t bytes)
{
	memset(ip, 0, SP_IPV4_BYTES);
	ip[0] = 0x45;
	sp_store16(ip + 2, sp_swap16((uint16_t)bytes));
	sp_store16(ip + 4, sp_swap16(id));
	sp_store16(ip + 6, sp_swap16(proto == SP_PROTO_TCP ? 0x4000 : 0)); /* DF */
	ip[8] = 64;
	ip[9] = proto;
	sp_store32(ip + 12, sp_swap32(e->src));
	sp_store32(ip + 16, sp_swap32(e->dst));
	sp_store16(ip + 10, (uint16_t)~sp_csum_fold(sp_csum_partial(ip, SP_IPV4_BYTES, 0)));
}

static inline void wire_udp(uint8_t *udp, const struct wire_ends *e, uint32_t bytes)
{
	sp_store16(udp, sp_swap16(e->sport));
	sp_store16(udp + 2, sp_swap16(e->dport));
	sp_store16(udp + 4, sp_swap16((uint16_t)bytes));
	sp_store16(udp + 6, 0);
}

/* What Linux sends, and what receive offload of UDP asks for. */
static inline void wire_udp_checksum(uint8_t *ip)
{
	struct sp_addr src = sp_addr_from_v4((__be32)sp_load32(ip + 12));
	struct sp_addr dst = sp_addr_from_v4((__be32)sp_load32(ip + 16));
	uint8_t *udp = ip + SP_IPV4_BYTES;
	uint32_t bytes = sp_swap16(sp_load16(udp + 4));
	uint64_t sum = sp_csum_pseudo(&src, &dst, SP_PROTO_UDP, bytes);
	uint16_t check = (uint16_t)~sp_csum_fold(sp_csum_partial(udp, bytes, sum));

	sp_store16(udp + 6, check ? check : 0xffff);
}

/*
 * A TCP segment in the middle of a bulk transfer, bytes long with its IP header. Identifiers count
 * up, as Linux numbers a bulk transfer: segmentation offload knows no other way.
 */
static inline void wire_tcp_packet(uint8_t *ip, const struct wire_ends *e, uint16_t id,
				   uint32_t seq, uint32_t bytes)
{
	struct sp_addr src = sp_addr_from_v4((__be32)sp_swap32(e->src));
	struct sp_addr dst = sp_addr_from_v4((__be32)sp_swap32(e->dst));
	uint8_t *tcp = ip + SP_IPV4_BYTES;
	uint32_t tcp_bytes = bytes - SP_IPV4_BYTES;
	uint64_t sum = sp_csum_pseudo(&src, &dst, SP_PROTO_TCP, tcp_bytes);

	wire_ipv4(ip, e, SP_PROTO_TCP, id, bytes);
	memset(tcp, 0, 20);
	sp_store16(tcp, sp_swap16(e->sport));
	sp_store16(tcp + 2, sp_swap16(e->dport));
	sp_store32(tcp + 4, sp_swap32(seq));
	sp_store32(tcp + 8, sp_swap32(1));
	tcp[12] = 5 << 4;
	tcp[13] = SP_TCP_ACK;
	sp_store16(tcp + 14, 0xffff);
	for (uint32_t i = 20; i < tcp_bytes; i++)
		tcp[i] = (uint8_t)i;
	sp_store16(tcp + 16, (uint16_t)~sp_csum_fold(sp_csum_partial(tcp, tcp_bytes, sum)));
}

#endif
