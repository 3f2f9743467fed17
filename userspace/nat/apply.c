/* SPDX-License-Identifier: Apache-2.0 */
#include "nat/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/core/addr.h"

void sp_nat_pools_close(struct sp_nat_pools *pools)
{
	if (!pools)
		return;
	for (uint32_t i = 0; i < pools->count && i < SP_NAT_POOL_MAX; i++) {
		free(pools->pools[i].addresses);
		free(pools->pools[i].excluded);
		free(pools->pools[i].grants);
	}
	free(pools);
}

const struct sp_nat_pool *sp_nat_pools_find(const struct sp_nat_pools *pools, uint16_t pool_id)
{
	for (uint32_t i = 0; i < pools->count; i++)
		if (!pool_id || pools->pools[i].id == pool_id)
			return &pools->pools[i];
	return NULL;
}

/* RFC 4787 REQ-2, and the same rank as for the workers' offers. */
const struct sp_nat_address *sp_nat_pool_choose(const struct sp_nat_pool *pool, uint32_t user_id,
						bool v4)
{
	const struct sp_nat_grant *grant =
		sp_nat_grants_find(pool->grants, pool->grant_count, user_id, v4);
	const struct sp_nat_address *best = NULL;
	uint64_t rank, best_rank = 0;

	if (grant || pool->block)
		return grant && grant->address < pool->address_count
			       ? &pool->addresses[grant->address]
			       : NULL;
	for (uint32_t i = 0; i < pool->address_count; i++) {
		const struct sp_nat_address *a = &pool->addresses[i];

		if (sp_addr_is_v4(&a->addr) != v4 || a->draining)
			continue;
		rank = sp_nat_mix(sp_nat_addr_key(&a->addr) ^ user_id);
		if (!best || rank > best_rank) {
			best = a;
			best_rank = rank;
		}
	}
	return best;
}

bool sp_nat_pool_range(const struct sp_nat_pool *pool, uint32_t user_id, bool v4,
		       struct sp_nat_address *ret_address)
{
	const struct sp_nat_address *a = sp_nat_pool_choose(pool, user_id, v4);
	const struct sp_nat_grant *grant =
		sp_nat_grants_find(pool->grants, pool->grant_count, user_id, v4);

	if (!a)
		return false;
	*ret_address = *a;
	if (grant) {
		ret_address->port_min = grant->port_min;
		ret_address->port_max = grant->port_max;
	}
	return true;
}

static int compare_grants(const void *a, const void *b)
{
	const struct sp_nat_grant *x = a, *y = b;

	if (x->user_id != y->user_id)
		return x->user_id < y->user_id ? -1 : 1;
	return x->version < y->version ? -1 : x->version > y->version;
}

const struct sp_nat_grant *sp_nat_grants_find(const struct sp_nat_grant *grants, uint32_t count,
					      uint32_t user_id, bool v4)
{
	struct sp_nat_grant key = {.user_id = user_id, .version = v4 ? 4 : 6};

	return count ? bsearch(&key, grants, count, sizeof(key), compare_grants) : NULL;
}

/* RFC 4787 REQ-2: one address for all of a user's bindings (rendezvous hashing, Thaler 1998). */
static struct sp_nat_offer *offer_for(struct sp_nat_offers *pool, uint32_t user_id, bool v4)
{
	struct sp_nat_offer *best = NULL;
	uint64_t rank, best_rank = 0;

	for (uint32_t i = 0; i < pool->count; i++) {
		if (pool->list[i].v4 != v4 || pool->list[i].draining)
			continue;
		rank = sp_nat_mix(pool->list[i].rank_key ^ user_id);
		if (!best || rank > best_rank) {
			best = &pool->list[i];
			best_rank = rank;
		}
	}
	return best;
}

struct sp_nat_share sp_nat_share_of(struct sp_nat_offers *pool, uint32_t user_id, bool v4)
{
	const struct sp_nat_grant *grant =
		sp_nat_grants_find(pool->grants, pool->grant_count, user_id, v4);
	struct sp_nat_share share = {0};

	if (grant && grant->address < pool->count)
		share = (struct sp_nat_share){&pool->list[grant->address], grant->port_min,
					      grant->port_max};
	else if (!grant && !pool->block)
		share.offer = offer_for(pool, user_id, v4);
	if (share.offer && !grant) {
		share.port_min = share.offer->port_min;
		share.port_max = share.offer->port_max;
	}
	return share;
}

struct sp_nat_offers *sp_nat_pool_lookup(struct sp_nat *nat, uint16_t pool_id)
{
	if (!pool_id)
		return nat->pool_count ? &nat->pools[0] : NULL;
	for (uint32_t i = 0; i < nat->pool_count; i++)
		if (nat->pools[i].pool_id == pool_id)
			return &nat->pools[i];
	return NULL;
}

struct sp_nat_offer *sp_nat_offer_lookup(struct sp_nat *nat, struct sp_nat_offers *pool,
					 const struct sp_addr *addr)
{
	for (uint32_t i = 0; i < pool->count; i++)
		if (sp_addr_equal(&nat->outsides[pool->list[i].outside]->addr, addr))
			return &pool->list[i];
	return NULL;
}

static void offer_allow(const struct sp_nat *nat, const struct sp_nat_pool *pool,
			const struct sp_nat_address *address, struct sp_nat_offer *offer)
{
	/* Port 0 is no port, whatever the range says. */
	for (uint32_t port = address->port_min ? address->port_min : 1; port <= address->port_max;
	     port++)
		if ((port >> 1) % nat->workers == nat->worker)
			offer->allowed[port / 64] |= 1ull << port % 64;
	for (uint32_t i = 0; i < pool->excluded_count; i++)
		offer->allowed[pool->excluded[i] / 64] &= ~(1ull << pool->excluded[i] % 64);
}

/* Index of the outside address, made if new. -ENOMEM. */
static int outside_get(struct sp_nat *nat, const struct sp_addr *addr, uint32_t *ret_index)
{
	struct sp_nat_outside *o, **list;
	uint32_t i, hole = nat->outside_count;

	for (i = 0; i < nat->outside_count; i++) {
		if (!nat->outsides[i])
			hole = i;
		else if (sp_addr_equal(&nat->outsides[i]->addr, addr))
			break;
	}
	if (i < nat->outside_count) {
		*ret_index = i;
		return 0;
	}
	if (hole == nat->outside_count) {
		list = reallocarray(nat->outsides, nat->outside_count + 1u,
				    sizeof(struct sp_nat_outside *));
		if (!list)
			return -ENOMEM;
		list[nat->outside_count++] = NULL;
		nat->outsides = list;
	}
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->addr = *addr;
	for (i = 0; i < SP_NAT_SPACES; i++)
		o->ports[i].cool_head = o->ports[i].cool_tail = SP_NAT_NONE;
	nat->outsides[hole] = o;
	*ret_index = hole;
	return 0;
}

static int offers_make(struct sp_nat *nat, const struct sp_nat_pool *pool,
		       struct sp_nat_offers *ret_offers)
{
	struct sp_nat_offers offers = {.pool_id = pool->id,
				       .route_ipv6 = pool->route_ipv6,
				       .fallback = pool->fallback,
				       .block = pool->block,
				       .grant_count = pool->grant_count};

	offers.list = calloc(pool->address_count + 1u, sizeof(*offers.list));
	offers.grants = calloc(pool->grant_count + 1u, sizeof(*offers.grants));
	if (!offers.list || !offers.grants) {
		free(offers.list);
		free(offers.grants);
		return -ENOMEM;
	}
	if (pool->grant_count)
		memcpy(offers.grants, pool->grants, pool->grant_count * sizeof(*offers.grants));
	for (uint32_t i = 0; i < pool->address_count; i++) {
		const struct sp_nat_address *address = &pool->addresses[i];
		struct sp_nat_offer *offer = &offers.list[i];

		if (outside_get(nat, &address->addr, &offer->outside)) {
			free(offers.list);
			free(offers.grants);
			return -ENOMEM;
		}
		offer->draining = address->draining;
		offer->use = address->use;
		offer->port_min = address->port_min;
		offer->port_max = address->port_max;
		offer->v4 = sp_addr_is_v4(&address->addr);
		offer->rank_key = sp_nat_addr_key(&address->addr);
		offer_allow(nat, pool, address, offer);
		offers.count++;
	}
	*ret_offers = offers;
	return 0;
}

/* To whom something was granted, nothing else is offered. */
static bool is_granted(const struct sp_nat_offers *pool, const struct sp_nat_offer *offer,
		       const struct sp_nat_entry *e)
{
	const struct sp_nat_grant *grant = sp_nat_grants_find(
		pool->grants, pool->grant_count, e->key.user_id, sp_addr_is_v4(&e->key.src));

	if (!grant)
		return !pool->block;
	return grant->address < pool->count && &pool->list[grant->address] == offer &&
	       e->port >= grant->port_min && e->port <= grant->port_max;
}

/* What is still offered where it stands stays known by its inner address; the rest only drains. */
static void entries_review(struct sp_nat *nat)
{
	for (uint32_t i = 0; i < nat->entries_max; i++) {
		struct sp_nat_entry *e = &nat->entries[i];
		struct sp_nat_offers *pool;
		struct sp_nat_offer *offer = NULL;

		if (!e->taken || e->stale)
			continue;
		pool = sp_nat_pool_lookup(nat, e->key.pool_id);
		if (pool)
			offer = sp_nat_offer_lookup(nat, pool, &nat->outsides[e->outside]->addr);
		if (offer && sp_nat_bit(offer->allowed, e->port) && !offer->draining &&
		    is_granted(pool, offer, e))
			continue;
		sp_nat_entry_unhash(nat, i);
		e->stale = true;
	}
}

static void cool_evict_all(struct sp_nat *nat)
{
	for (uint32_t i = 0; i < nat->outside_count; i++)
		for (unsigned int s = 0; nat->outsides[i] && s < SP_NAT_SPACES; s++)
			while (sp_nat_cool_evict(nat, &nat->outsides[i]->ports[s]) >= 0)
				;
}

/* A quarter of the ports may cool, so that a small pool is not held back by its own past. */
static void outsides_review(struct sp_nat *nat)
{
	for (uint32_t i = 0; i < nat->outside_count; i++)
		if (nat->outsides[i])
			nat->outsides[i]->listed = false;
	for (uint32_t p = 0; p < nat->pool_count; p++) {
		for (uint32_t i = 0; i < nat->pools[p].count; i++) {
			const struct sp_nat_offer *offer = &nat->pools[p].list[i];
			struct sp_nat_outside *o = nat->outsides[offer->outside];
			uint32_t ports = 0;

			for (unsigned int w = 0; w < SP_NAT_PORT_WORDS; w++)
				ports += (uint32_t)__builtin_popcountll(offer->allowed[w]);
			o->listed = true;
			for (unsigned int s = 0; s < SP_NAT_SPACES; s++)
				o->ports[s].cool_max = ports / 4;
		}
	}
	for (uint32_t i = 0; i < nat->outside_count; i++) {
		if (nat->outsides[i] && !nat->outsides[i]->listed && !nat->outsides[i]->bindings) {
			free(nat->outsides[i]);
			nat->outsides[i] = NULL;
		}
	}
}

static void offers_free(struct sp_nat_offers *list, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		free(list[i].list);
		free(list[i].grants);
	}
}

int sp_nat_apply(struct sp_nat *nat, const struct sp_nat_pools *pools)
{
	struct sp_nat_offers fresh[SP_NAT_POOL_MAX];
	uint32_t count;

	if (pools->count > SP_NAT_POOL_MAX)
		return -E2BIG;
	for (count = 0; count < pools->count; count++) {
		if (offers_make(nat, &pools->pools[count], &fresh[count])) {
			offers_free(fresh, count);
			outsides_review(nat);
			return -ENOMEM;
		}
	}
	cool_evict_all(nat);
	offers_free(nat->pools, nat->pool_count);
	memcpy(nat->pools, fresh, count * sizeof(*fresh));
	nat->pool_count = count;
	entries_review(nat);
	outsides_review(nat);
	return 0;
}
