/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/inner.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "sallyport/core/addr.h"

int sp_inner_cache_init(struct sp_inner_cache *cache)
{
	struct sp_inner_cache fresh = {.slots = calloc(SP_INNER_SLOTS, sizeof(*fresh.slots))};

	if (!fresh.slots)
		return -ENOMEM;
	if (getrandom(&fresh.seed, sizeof(fresh.seed), 0) != sizeof(fresh.seed)) {
		free(fresh.slots);
		return -EIO;
	}
	*cache = fresh;
	return 0;
}

void sp_inner_cache_fini(struct sp_inner_cache *cache)
{
	free(cache->slots);
	cache->slots = NULL;
}

static struct sp_inner_slot *slot_of(const struct sp_inner_cache *cache, const struct sp_addr *addr)
{
	const union sp_addr_words *u = (const union sp_addr_words *)addr;
	uint64_t h = (u->w64[0] ^ cache->seed) * 0x9e3779b97f4a7c15ull;

	h = (h ^ h >> 32 ^ u->w64[1]) * 0xbf58476d1ce4e5b9ull;
	return &cache->slots[(h >> 32) & (SP_INNER_SLOTS - 1)];
}

int sp_inner_cache_lookup(struct sp_inner_cache *cache, struct sp_dataplane *dp,
			  const struct sp_addr *addr, struct sp_inner *ret_inner)
{
	/* Read first: what changes during the look-up makes its answer one of yesterday. */
	uint64_t seq = sp_dataplane_inner_seq(dp);
	struct sp_inner_slot *slot = slot_of(cache, addr);
	struct sp_inner inner = {0};
	int rc;

	if (slot->seq != seq || !sp_addr_equal(&slot->addr, addr)) {
		rc = sp_dataplane_inner_lookup(dp, addr, &inner);
		if (rc && rc != -ENOENT)
			return rc;
		*slot = (struct sp_inner_slot){
			.addr = *addr, .inner = inner, .seq = seq, .is_inner = !rc};
	}
	if (!slot->is_inner)
		return -ENOENT;
	*ret_inner = slot->inner;
	return 0;
}
