/* SPDX-License-Identifier: Apache-2.0 */
/* The peers' ends of the tunnels: seal towards the house, open what it sealed. */
#ifndef SP_TESTS_ENGINE_TUNNEL_H
#define SP_TESTS_ENGINE_TUNNEL_H

#include "house_run.h"

#define TUNNEL_PORT 4000 /* of every peer, until it moves */

/* type, index and counter of a data message (WireGuard paper, 5.4.6), little endian. */
static inline void tunnel_header(uint8_t *p, uint32_t index, uint64_t counter)
{
	memset(p, 0, 16);
	p[0] = 4;
	for (int i = 0; i < 4; i++)
		p[4 + i] = (uint8_t)(index >> (8 * i));
	for (int i = 0; i < 8; i++)
		p[8 + i] = (uint8_t)(counter >> (8 * i));
}

/* Seals inner, padded to 16, with that counter; 0 bytes is a keepalive. */
static inline void tunnel_send(struct house *h, uint32_t id, const struct packet *inner,
			       uint64_t counter)
{
	const struct house_peer *peer = &h->peers[id];
	uint32_t padded = (inner->bytes + 15) & ~15u;
	struct shape shape = {.src = peer->address,
			      .dst = strchr(peer->address, ':') ? "2001:db8:aa::10"
								: "203.0.113.10",
			      .sport = TUNNEL_PORT,
			      .dport = 51820,
			      .tos = peer->outer_tos,
			      .payload = (uint16_t)(16 + padded + 16)};
	struct packet outer = packet_make(&shape);
	uint32_t header = outer.bytes - shape.payload;
	struct sp_aead_job job = {.key = &peer->keypair->receive, .bytes = padded};
	struct sp_item *item;

	item = house_frame(h, &(struct sp_meta){.magic = SP_META_MAGIC,
						.kind = SP_META_TUNNEL,
						.l3_off = 14,
						.l4_off = (uint16_t)(14 + header),
						.ifindex = 7});
	tunnel_header(outer.b + header, peer->keypair->local_index, counter);
	job.data = outer.b + header + 16;
	memset(job.data, 0, padded);
	memcpy(job.data, inner->b, inner->bytes);
	sp_aead_nonce_counter(job.nonce, counter);
	sp_aead_openssl.seal_batch(h->aead, &job, 1);
	memcpy(item->data + 14, outer.b, outer.bytes);
	item->bytes = 14 + outer.bytes;
}

/* A sealed packet of that peer arrives, in the next batch. */
static inline void house_up(struct house *h, uint32_t id, const struct packet *inner)
{
	tunnel_send(h, id, inner, h->peers[id].counter++);
}

/* The same alone, with its shape: the number of frames that left. */
static inline unsigned int house_say(struct house *h, uint32_t id, const struct shape *shape)
{
	struct packet inner = packet_make(shape);

	house_up(h, id, &inner);
	return house_run(h);
}

static inline uint64_t load_le(const uint8_t *p, int bytes)
{
	uint64_t v = 0;

	for (int i = bytes; i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

/* Sent frame i, opened by the peer it was sealed for: what is inside may be a fragment. */
static inline void house_opened(struct house *h, unsigned int i, uint32_t id,
				struct packet *ret_packet)
{
	const struct sp_keypair *keypair = h->peers[id].keypair;
	struct packet outer;
	struct sp_packet ip = house_outside(h, i, &outer), inner = {0};
	uint8_t *wg = outer.b + ip.payload_off;
	struct sp_aead_job job = {.key = &keypair->send,
				  .data = wg + 16,
				  .bytes = outer.bytes - ip.payload_off - 32u};

	assert_addr(ip.dst, h->peers[id].address);
	cr_assert_eq(sp_swap16((uint16_t)ip.sport_be), 51820);
	cr_assert_eq(sp_swap16((uint16_t)ip.dport_be), TUNNEL_PORT);
	cr_assert_eq(load_le(wg, 4), 4);
	cr_assert_eq(load_le(wg + 4, 4), keypair->remote_index);
	sp_aead_nonce_counter(job.nonce, load_le(wg + 8, 8));
	sp_aead_openssl.open_batch(h->aead, &job, 1);
	cr_assert(job.authentic, "the peer can open it");
	cr_assert(job.bytes % 16 == 0 || job.bytes == h->peers[id].peer->mtu,
		  "padded, but never beyond the MTU");
	cr_assert_eq(sp_parse_ip(job.data, job.data + job.bytes, 0, &inner), SP_R_NONE);
	memcpy(ret_packet->b, job.data, inner.l3_bytes);
	ret_packet->bytes = inner.l3_bytes;
}

/* The same for a whole packet. Outside and inside are checked. */
static inline struct sp_packet house_inside(struct house *h, unsigned int i, uint32_t id,
					    struct packet *ret_packet)
{
	house_opened(h, i, id, ret_packet);
	return packet_check(ret_packet->b, ret_packet->bytes);
}

#endif
