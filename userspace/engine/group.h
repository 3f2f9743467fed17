/* SPDX-License-Identifier: Apache-2.0 */
/* Puts things with one key side by side, in the order of arrival, in one pass. Its worker's thread. */
#ifndef SP_ENGINE_GROUP_H
#define SP_ENGINE_GROUP_H

#include <stdint.h>
#include <string.h>

#define SP_GROUP_MAX   64
#define SP_GROUP_SLOTS 256 /* four times as many as keys: a probe ends at once */

struct sp_grouping {
	const void *key[SP_GROUP_MAX];
	uint8_t first[SP_GROUP_MAX], last[SP_GROUP_MAX], next[SP_GROUP_MAX];
	uint8_t slots[SP_GROUP_SLOTS]; /* number of a group and 1; 0 = free */
	uint32_t count;
};

static inline uint32_t sp_group_hash(const void *key)
{
	return (uint32_t)(((uintptr_t)key >> 4) * 0x9e3779b97f4a7c15ull >> 56);
}

static inline void sp_group_add(struct sp_grouping *g, const void *key, uint32_t i)
{
	uint32_t at = sp_group_hash(key);
	uint32_t group;

	while (g->slots[at] && g->key[g->slots[at] - 1] != key)
		at = (at + 1) % SP_GROUP_SLOTS;
	if (g->slots[at]) {
		group = g->slots[at] - 1u;
		g->next[g->last[group]] = (uint8_t)i;
	} else {
		group = g->count++;
		g->slots[at] = (uint8_t)(group + 1);
		g->key[group] = key;
		g->first[group] = (uint8_t)i;
	}
	g->last[group] = (uint8_t)i;
}

/* keys[0 .. n), at most SP_GROUP_MAX. ret_order[k]: which of them stands in place k. */
static inline void sp_group_order(const void *const *keys, uint32_t n, uint8_t *ret_order)
{
	struct sp_grouping g;
	uint32_t at = 0;

	g.count = 0;
	memset(g.slots, 0, sizeof(g.slots));
	for (uint32_t i = 0; i < n; i++)
		sp_group_add(&g, keys[i], i);
	for (uint32_t group = 0; group < g.count; group++) {
		uint8_t i = g.first[group];

		for (ret_order[at++] = i; i != g.last[group]; ret_order[at++] = i)
			i = g.next[i];
	}
}

#endif
