/* SPDX-License-Identifier: Apache-2.0 */
/* What happens in the house: packets in, batches through, packets out, drops counted. */
#ifndef SP_TESTS_ENGINE_HOUSE_RUN_H
#define SP_TESTS_ENGINE_HOUSE_RUN_H

#include "house_open.h"

static inline struct sp_item *house_frame(struct house *h, const struct sp_meta *meta)
{
	struct sp_item *item = &h->w->items[h->waiting++];

	item->data = sp_frame_get(&h->w->frames) + SP_FRAME_HEADROOM;
	memcpy(item->data - sizeof(*meta), meta, sizeof(*meta));
	memset(item->data, 0, 14);
	item->data[5] = 1;
	item->data[11] = 2;
	item->slot = 0;
	return item;
}

/* An answer that XDP un-NATed arrives, in the next batch. */
static inline void house_down(struct house *h, uint32_t peer, const struct packet *inner,
			      uint8_t flags)
{
	struct sp_item *item = house_frame(h, &(struct sp_meta){.magic = SP_META_MAGIC,
								.kind = SP_META_REPLY,
								.flags = flags,
								.l3_off = 14,
								.peer_id = peer});

	memcpy(item->data + 14, inner->b, inner->bytes);
	item->bytes = 14 + inner->bytes;
}

/* The batch goes through; what was sent before is forgotten. The number of frames that left. */
static inline unsigned int house_run(struct house *h)
{
	h->sent_count = 0;
	sp_worker_batch(h->w, h->now_ns, h->waiting);
	h->waiting = 0;
	return h->sent_count;
}

/* Sent frame i as an IP packet outside, every checksum checked. */
static inline struct sp_packet house_outside(const struct house *h, unsigned int i,
					     struct packet *ret_packet)
{
	cr_assert_lt(i, h->sent_count);
	ret_packet->bytes = h->sent[i].bytes - 14;
	memcpy(ret_packet->b, h->sent[i].b + 14, ret_packet->bytes);
	return packet_check(ret_packet->b, ret_packet->bytes);
}

static inline uint64_t house_drops(const struct house *h, enum sp_direction direction,
				   enum sp_reason reason)
{
	return h->w->lane[direction * (SP_DROP_STRIDE / 4) + reason].packets;
}

static inline uint64_t house_all_drops(const struct house *h)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < SP_DROP_STRIDE; i++)
		sum += h->w->lane[i].packets;
	return sum;
}

static inline bool house_event(struct house *h, struct sp_engine_event *ret_event)
{
	return sp_ring_pop(&h->w->events, ret_event);
}

#endif
