/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/coalesce.h"

#include <string.h>

#include "base/sum.h"
#include "sallyport/core/checksum.h"

#define IP_BYTES_MAX 65535
#define TCP_PSH	     0x08
#define TCP_URG	     0x20
#define TCP_CWR	     0x80
#define TCP_ALONE    (SP_TCP_SYN | SP_TCP_RST | TCP_URG | TCP_CWR)
#define TCP_LAST     (SP_TCP_FIN | TCP_PSH) /* a device leaves these to the last segment */
#define HASH_PRIME   0x9e3779b97f4a7c15ull

static uint32_t hash_words(const uint8_t *p, uint32_t bytes, uint64_t hash)
{
	for (; bytes >= 4; bytes -= 4, p += 4)
		hash = (hash ^ sp_load32(p)) * HASH_PRIME;
	return (uint32_t)(hash >> 32);
}

/* Offset of the transport header, 0 when the frame leaves alone: options, fragments, others. */
static uint32_t read_ip(const struct sp_tx *tx, uint8_t *ret_proto)
{
	const uint8_t *ip = tx->data + SP_ETH_BYTES;
	uint32_t bytes = tx->bytes - SP_ETH_BYTES;

	if (tx->bytes < SP_ETH_BYTES + SP_IPV4_BYTES)
		return 0;
	if (ip[0] == 0x45 && sp_swap16(sp_load16(ip + 2)) == bytes &&
	    !(sp_load16(ip + 6) & sp_swap16(0xbfff))) {
		*ret_proto = ip[9];
		return SP_ETH_BYTES + SP_IPV4_BYTES;
	}
	if (ip[0] >> 4 == 6 && bytes >= SP_IPV6_BYTES &&
	    sp_swap16(sp_load16(ip + 4)) == bytes - SP_IPV6_BYTES) {
		*ret_proto = ip[6];
		return SP_ETH_BYTES + SP_IPV6_BYTES;
	}
	return 0;
}

/* Bytes of the transport header of a frame that may travel with others, else 0. */
static uint32_t read_transport(const struct sp_tx *tx, uint32_t l4_off, uint8_t proto)
{
	const uint8_t *l4 = tx->data + l4_off;
	uint32_t left = tx->bytes - l4_off, header;

	/* A datagram without a checksum could not stay without one. */
	if (proto == SP_PROTO_UDP)
		return left > SP_UDP_BYTES && sp_swap16(sp_load16(l4 + 4)) == left &&
				       (tx->udp_off || sp_load16(l4 + 6))
			       ? SP_UDP_BYTES
			       : 0;
	if (left < SP_TCP_BYTES || l4[13] & TCP_ALONE)
		return 0;
	header = (uint32_t)(l4[12] >> 4) * 4;
	return header >= SP_TCP_BYTES && header < left ? header : 0;
}

static struct sp_burst_frame read_frame(const struct sp_tx *tx)
{
	struct sp_burst_frame f = {.kind = SP_BURST_OTHER, .is_alone = true};
	uint8_t proto = 0;
	uint32_t header;
	bool is_v4;

	f.l4_off = (uint16_t)read_ip(tx, &proto);
	if (!f.l4_off || tx->bytes < f.l4_off + 4u ||
	    (proto != SP_PROTO_TCP && proto != SP_PROTO_UDP))
		return f;
	is_v4 = f.l4_off == SP_ETH_BYTES + SP_IPV4_BYTES;
	f.kind = proto == SP_PROTO_TCP ? (is_v4 ? SP_BURST_TCP4 : SP_BURST_TCP6)
				       : (is_v4 ? SP_BURST_UDP4 : SP_BURST_UDP6);
	/* Addresses and ports stand side by side. */
	f.hash = is_v4 ? hash_words(tx->data + f.l4_off - 8, 12, proto)
		       : hash_words(tx->data + f.l4_off - 32, 36, proto);
	header = read_transport(tx, f.l4_off, proto);
	f.is_alone = !header;
	f.payload_off = (uint16_t)(f.l4_off + header);
	f.payload_bytes = tx->bytes - f.payload_off;
	return f;
}

static bool is_verified(const struct sp_tx *tx, const struct sp_burst_frame *f)
{
	const uint8_t *ip = tx->data + SP_ETH_BYTES;
	uint32_t bytes = tx->bytes - f->l4_off;
	bool is_v4 = f->kind == SP_BURST_TCP4 || f->kind == SP_BURST_UDP4;
	uint8_t proto = is_v4 ? ip[9] : ip[6];
	uint64_t sum = (uint64_t)sp_swap16((uint16_t)bytes) + sp_swap16(proto);

	if (tx->udp_off)
		return true; /* made by the device */
	sum = sp_csum_partial(is_v4 ? ip + 12 : ip + 8, is_v4 ? 8 : 32, sum);
	if (is_v4 && sp_csum_fold(sp_csum_partial(ip, SP_IPV4_BYTES, 0)) != 0xffff)
		return false;
	return sp_csum_fold(sp_sum(tx->data + f->l4_off, bytes, sum)) == 0xffff;
}

/* Everything in front of the transport header that cutting keeps as it is, and the identifier. */
static bool is_same_network(const struct sp_burst *b, const uint8_t *first, const uint8_t *frame)
{
	const uint8_t *x = first + SP_ETH_BYTES, *y = frame + SP_ETH_BYTES;

	if (memcmp(first, frame, SP_ETH_BYTES) != 0)
		return false;
	if (b->head.kind == SP_BURST_TCP6 || b->head.kind == SP_BURST_UDP6)
		return !memcmp(x, y, 4) && !memcmp(x + 6, y + 6, SP_IPV6_BYTES - 6);
	return !memcmp(x, y, 2) && !memcmp(x + 6, y + 6, 4) && !memcmp(x + 12, y + 12, 8) &&
	       (uint16_t)(sp_swap16(sp_load16(x + 4)) + b->count) == sp_swap16(sp_load16(y + 4));
}

static bool is_next_tcp(const struct sp_burst *b, const uint8_t *x, const uint8_t *y)
{
	uint32_t header = (uint32_t)b->head.payload_off - b->head.l4_off;

	return sp_swap32(sp_load32(x + 4)) + b->payload_bytes == sp_swap32(sp_load32(y + 4)) &&
	       !memcmp(x + 8, y + 8, 5) && x[13] == (y[13] & ~TCP_LAST) &&
	       !memcmp(x + 14, y + 14, 2) && !memcmp(x + 18, y + 18, header - 18);
}

/* May this frame be the next segment of the burst? */
static bool is_next(struct sp_bursts *bursts, struct sp_burst *b, const struct sp_tx *tx,
		    const struct sp_burst_frame *f)
{
	const struct sp_tx *first = &bursts->frames[b->first];
	const uint8_t *x = first->data + b->head.l4_off, *y = tx->data + f->l4_off;

	if (f->is_alone || b->is_closed || b->count == SP_BURST_MAX || b->head.kind != f->kind ||
	    b->slot != tx->slot || b->head.payload_off != f->payload_off ||
	    !first->udp_off != !tx->udp_off || f->payload_bytes > b->head.payload_bytes ||
	    f->payload_off - SP_ETH_BYTES + b->payload_bytes + f->payload_bytes > IP_BYTES_MAX ||
	    memcmp(x, y, 4) != 0 || !is_same_network(b, first->data, tx->data))
		return false;
	if ((f->kind == SP_BURST_TCP4 || f->kind == SP_BURST_TCP6) && !is_next_tcp(b, x, y))
		return false;
	if (!b->is_verified)
		b->is_closed = !is_verified(first, &b->head);
	b->is_verified = true;
	return !b->is_closed && is_verified(tx, f);
}

static bool is_last(const struct sp_burst *b, const struct sp_tx *tx,
		    const struct sp_burst_frame *f)
{
	bool is_tcp = f->kind == SP_BURST_TCP4 || f->kind == SP_BURST_TCP6;

	return f->payload_bytes < b->head.payload_bytes ||
	       (is_tcp && tx->data[f->l4_off + 13] & TCP_LAST);
}

static void begin(struct sp_bursts *bursts, uint16_t i, const struct sp_burst_frame *f)
{
	struct sp_burst *b = &bursts->list[bursts->count++];
	const struct sp_tx *tx = &bursts->frames[i];

	*b = (struct sp_burst){.head = *f,
			       .slot = tx->slot,
			       .count = 1,
			       .payload_bytes = f->payload_bytes,
			       .first = i,
			       .last = i};
	b->is_closed = f->is_alone || is_last(b, tx, f);
	if (f->kind != SP_BURST_OTHER)
		bursts->table[f->hash % SP_BURST_FRAMES] = (uint16_t)bursts->count;
}

void sp_bursts_make(struct sp_bursts *bursts, const struct sp_tx *frames, uint32_t n)
{
	bursts->frames = frames;
	bursts->count = 0;
	memset(bursts->table, 0, sizeof(bursts->table));
	for (uint32_t i = 0; i < n; i++) {
		const struct sp_burst_frame f = read_frame(&frames[i]);
		uint32_t at =
			f.kind == SP_BURST_OTHER ? 0 : bursts->table[f.hash % SP_BURST_FRAMES];
		struct sp_burst *b = at ? &bursts->list[at - 1] : NULL;

		if (!b || !is_next(bursts, b, &frames[i], &f)) {
			begin(bursts, (uint16_t)i, &f);
			continue;
		}
		bursts->next[b->last] = (uint16_t)i;
		b->last = (uint16_t)i;
		b->count++;
		b->payload_bytes += f.payload_bytes;
		b->is_closed = is_last(b, &frames[i], &f);
	}
}
