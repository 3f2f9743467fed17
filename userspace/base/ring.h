/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded ring between exactly one producer thread and one consumer thread. */
#ifndef SP_BASE_RING_H
#define SP_BASE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct sp_ring {
	_Alignas(64) _Atomic uint32_t head; /* producer writes */
	_Alignas(64) _Atomic uint32_t tail; /* consumer writes */
	uint32_t mask, item_bytes;
	_Atomic uint64_t full; /* pushes refused */
	uint8_t *items;
};

/* entries: a power of two. 0 or -ENOMEM. */
int sp_ring_init(struct sp_ring *ring, uint32_t entries, uint32_t item_bytes);
void sp_ring_fini(struct sp_ring *ring);

/* Producer. False when full (counted). */
static inline bool sp_ring_push(struct sp_ring *ring, const void *item)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&ring->tail, memory_order_acquire) > ring->mask) {
		atomic_fetch_add_explicit(&ring->full, 1, memory_order_relaxed);
		return false;
	}
	memcpy(ring->items + (size_t)(head & ring->mask) * ring->item_bytes, item,
	       ring->item_bytes);
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
	return true;
}

/* Consumer. False when empty. */
static inline bool sp_ring_pop(struct sp_ring *ring, void *ret_item)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	if (tail == atomic_load_explicit(&ring->head, memory_order_acquire))
		return false;
	memcpy(ret_item, ring->items + (size_t)(tail & ring->mask) * ring->item_bytes,
	       ring->item_bytes);
	atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
	return true;
}

#endif
