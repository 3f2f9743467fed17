/* SPDX-License-Identifier: Apache-2.0 */
/* The generator's clients: their packets, and the gateway made to know them. One thread. */
#ifndef SP_TESTS_BENCH_GENERATOR_TUNNEL_H
#define SP_TESTS_BENCH_GENERATOR_TUNNEL_H

#include "bench/generator_run.h"

#define PROBE_TRIES   20
#define PROBE_WAIT_US 100000
#define NEW_PER_PORT  16 /* new flows of one source port, so of one NAT port */

static inline uint32_t padded(uint32_t bytes)
{
	uint32_t up = (bytes + 15) & ~15u;

	return up > 1420 && bytes <= 1420 ? 1420 : up;
}

/* The next inner packet of a client, not yet sealed, into a frame towards the gateway. */
static inline struct sp_aead_job put_tunnel(struct client *c, uint8_t *frame, uint32_t bytes,
					    uint32_t *ret_frame_bytes)
{
	const struct wire_ends inner = {WIRE_INNER + c->number,
					WIRE_SERVER + c->flow % NEW_PER_PORT,
					(uint16_t)(WIRE_SPORT + c->flow / NEW_PER_PORT),
					WIRE_DPORT};
	const struct wire_ends outer = {WIRE_CLIENTS + c->number, WIRE_GATEWAY, WIRE_CLIENT_PORT,
					WIRE_GW_PORT};
	uint32_t sealed = SP_WG_DATA_HEADER + padded(bytes) + SP_AEAD_TAG_BYTES;
	uint8_t *ip = frame + SP_ETH_BYTES, *wg = ip + SP_IPV4_BYTES + SP_UDP_BYTES;
	struct sp_aead_job job = {.data = wg + SP_WG_DATA_HEADER, .bytes = padded(bytes)};

	wire_ethernet(frame, wire_mac_tun, wire_mac_t0);
	wire_ipv4(ip, &outer, SP_PROTO_UDP, (uint16_t)c->counter,
		  SP_IPV4_BYTES + SP_UDP_BYTES + sealed);
	wire_udp(ip + SP_IPV4_BYTES, &outer, SP_UDP_BYTES + sealed);
	wire_le(wg, SP_WG_DATA, 4);
	wire_le(wg + 4, c->keys.remote_index, 4);
	wire_le(wg + 8, c->counter, 8);
	sp_aead_nonce_counter(job.nonce, c->counter++);
	memset(job.data, 0, job.bytes);
	wire_tcp_packet(job.data, &inner, c->id++, c->seq, bytes);
	c->seq += bytes - WIRE_TCP_BYTES;
	*ret_frame_bytes = SP_ETH_BYTES + SP_IPV4_BYTES + SP_UDP_BYTES + sealed;
	return job;
}

/* One packet through the tunnel by the socket; what leaves tells the connection's outside end. */
static inline void probe(struct generator *g, struct client *c, int tap)
{
	struct sp_aead_key key = {SP_AEAD_CHACHA20_POLY1305, c->keys.send};
	uint8_t frame[2048], seen[2048];
	uint32_t frame_bytes;

	for (int tries = 0; tries < PROBE_TRIES; tries++) {
		uint32_t seq = c->seq = c->number << 8 | (uint32_t)tries;
		struct sp_aead_job job = put_tunnel(c, frame, 64, &frame_bytes);

		job.key = &key;
		g->ops->seal_batch(g->aead, &job, 1);
		MUST(send(c->fd, job.data - SP_WG_DATA_HEADER,
			  SP_WG_DATA_HEADER + job.bytes + SP_AEAD_TAG_BYTES, 0) > 0);
		for (ssize_t n; (n = recv(tap, seen, sizeof(seen), 0)) > 0;) {
			const uint8_t *ip = seen + SP_ETH_BYTES, *tcp = ip + SP_IPV4_BYTES;

			if (n < SP_ETH_BYTES + WIRE_TCP_BYTES || ip[9] != SP_PROTO_TCP ||
			    sp_swap32(sp_load32(tcp + 4)) != seq)
				continue;
			c->outside = (struct wire_ends){sp_swap32(sp_load32(ip + 12)), WIRE_SERVER,
							sp_swap16(sp_load16(tcp)), WIRE_DPORT};
			return;
		}
	}
	fprintf(stderr, "generator: no packet of client %u came through\n", c->number);
	exit(1);
}

static inline void connect_all(struct generator *g)
{
	struct timeval wait = {.tv_usec = PROBE_WAIT_US};
	int tap = generator_tap("o0");

	MUST(setsockopt(tap, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0);
	for (uint32_t i = 0; i < g->client_count; i++) {
		g->clients[i].number = g->first_client + i;
		client_connect(&g->clients[i], &g->gateway);
		probe(g, &g->clients[i], tap);
		close(g->clients[i].fd);
		g->clients[i].seq = 1u << 31;
	}
	close(tap);
	fputs("ready\n", stderr);
}

#endif
