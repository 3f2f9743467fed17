/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include <errno.h>

int sp_ring_init(struct sp_ring *ring, uint32_t entries, uint32_t item_bytes)
{
	uint8_t *items;

	if (entries == 0 || (entries & (entries - 1)) || item_bytes == 0)
		return -EINVAL;
	items = calloc(entries, item_bytes);
	if (!items)
		return -ENOMEM;
	*ring = (struct sp_ring){.mask = entries - 1, .item_bytes = item_bytes, .items = items};
	return 0;
}

void sp_ring_fini(struct sp_ring *ring)
{
	free(ring->items);
	ring->items = NULL;
}
