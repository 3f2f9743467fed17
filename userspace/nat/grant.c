/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks and addresses of single users, dealt out before anything takes effect. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "nat/table.h"
#include "sallyport/core/addr.h"

struct dealer {
	struct sp_nat_pool *pool;
	const struct sp_nat_pool *before;
	uint32_t *first; /* block of each address; one more at the end */
	uint32_t *left;	 /* free blocks of each address */
	bool *taken;
};

static void dealer_fini(struct dealer *d)
{
	free(d->first);
	free(d->left);
	free(d->taken);
}

static uint32_t blocks_of(const struct sp_nat_pool *pool, const struct sp_nat_address *a)
{
	return pool->block ? (a->port_max - a->port_min + 1u) / pool->block : 0;
}

static int dealer_init(struct dealer *d)
{
	const struct sp_nat_pool *pool = d->pool;
	uint32_t total = 0;

	d->first = calloc(pool->address_count + 1u, sizeof(*d->first));
	d->left = calloc(pool->address_count + 1u, sizeof(*d->left));
	if (!d->first || !d->left)
		return -ENOMEM;
	for (uint32_t i = 0; i < pool->address_count; i++) {
		d->first[i] = total;
		d->left[i] = blocks_of(pool, &pool->addresses[i]);
		total += d->left[i];
	}
	d->first[pool->address_count] = total;
	d->taken = calloc(total + 1u, sizeof(*d->taken));
	return d->taken ? 0 : -ENOMEM;
}

static void give(struct dealer *d, uint32_t user_id, bool v4, uint32_t address, uint32_t block)
{
	const struct sp_nat_pool *pool = d->pool;
	uint32_t port = pool->addresses[address].port_min + block * pool->block;

	d->taken[d->first[address] + block] = true;
	d->left[address]--;
	d->pool->grants[d->pool->grant_count++] =
		(struct sp_nat_grant){.user_id = user_id,
				      .version = v4 ? 4 : 6,
				      .address = (uint16_t)address,
				      .port_min = (uint16_t)port,
				      .port_max = (uint16_t)(port + pool->block - 1u)};
}

static bool may_have(const struct dealer *d, const struct sp_nat_wish *wish, bool v4,
		     uint32_t address)
{
	const struct sp_nat_address *a = &d->pool->addresses[address];

	if (sp_addr_is_v4(&a->addr) != v4 || a->draining)
		return false;
	return !(v4 ? wish->has_v4 : wish->has_v6) ||
	       sp_addr_equal(&a->addr, v4 ? &wish->v4 : &wish->v6);
}

/* What he has he keeps: his flows stand there. */
static bool keep(struct dealer *d, const struct sp_nat_wish *wish, bool v4)
{
	const struct sp_nat_pool *pool = d->pool, *before = d->before;
	const struct sp_nat_grant *old;

	old = before ? sp_nat_grants_find(before->grants, before->grant_count, wish->user_id, v4)
		     : NULL;
	if (!old || old->address >= before->address_count)
		return false;
	for (uint32_t i = 0; i < pool->address_count; i++) {
		uint32_t offset = (uint32_t)old->port_min - pool->addresses[i].port_min;
		uint32_t block = offset / pool->block;

		if (!may_have(d, wish, v4, i) ||
		    !sp_addr_equal(&pool->addresses[i].addr, &before->addresses[old->address].addr))
			continue;
		if (old->port_min < pool->addresses[i].port_min || offset % pool->block ||
		    old->port_max != old->port_min + pool->block - 1u ||
		    block >= d->first[i + 1] - d->first[i] || d->taken[d->first[i] + block])
			return false;
		give(d, wish->user_id, v4, i, block);
		return true;
	}
	return false;
}

/* The address that hashing prefers for him among those with room; there the first free block. */
static int deal(struct dealer *d, const struct sp_nat_wish *wish, bool v4)
{
	const struct sp_nat_pool *pool = d->pool;
	uint32_t best = UINT32_MAX, count, at;
	uint64_t rank, best_rank = 0;

	for (uint32_t i = 0; i < pool->address_count; i++) {
		if (!d->left[i] || !may_have(d, wish, v4, i))
			continue;
		rank = sp_nat_mix(sp_nat_addr_key(&pool->addresses[i].addr) ^ wish->user_id);
		if (best == UINT32_MAX || rank > best_rank) {
			best = i;
			best_rank = rank;
		}
	}
	if (best == UINT32_MAX)
		return -ENOSPC;
	count = d->first[best + 1] - d->first[best];
	at = (uint32_t)(best_rank % count);
	while (d->taken[d->first[best] + at])
		at = (at + 1) % count;
	give(d, wish->user_id, v4, best, at);
	return 0;
}

static bool has_family(const struct sp_nat_pool *pool, bool v4)
{
	for (uint32_t i = 0; i < pool->address_count; i++) {
		if (sp_addr_is_v4(&pool->addresses[i].addr) == v4)
			return true;
	}
	return false;
}

static int deal_family(struct dealer *d, const struct sp_nat_wish *wishes, uint32_t count, bool v4,
		       uint32_t *ret_room)
{
	_cleanup_free_ bool *has = calloc(count + 1u, sizeof(*has));
	int rc = has ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < count && !rc; i++)
		has[i] = keep(d, &wishes[i], v4);
	for (uint32_t i = 0; i < count && !rc; i++) {
		if (!has[i])
			rc = deal(d, &wishes[i], v4);
	}
	if (!rc)
		return 0;
	*ret_room = 0;
	for (uint32_t i = 0; i < d->pool->address_count; i++) {
		if (sp_addr_is_v4(&d->pool->addresses[i].addr) == v4 &&
		    !d->pool->addresses[i].draining)
			*ret_room += d->first[i + 1] - d->first[i];
	}
	return rc;
}

/* Without blocks: the whole of the address that was named. One that drains is none, and no other is. */
static void pin(struct sp_nat_pool *pool, const struct sp_nat_wish *wish, bool v4)
{
	for (uint32_t i = 0; i < pool->address_count; i++) {
		const struct sp_nat_address *a = &pool->addresses[i];

		if (!(v4 ? wish->has_v4 : wish->has_v6) || sp_addr_is_v4(&a->addr) != v4 ||
		    !sp_addr_equal(&a->addr, v4 ? &wish->v4 : &wish->v6))
			continue;
		pool->grants[pool->grant_count++] =
			(struct sp_nat_grant){.user_id = wish->user_id,
					      .version = v4 ? 4 : 6,
					      .address = a->draining ? UINT16_MAX : (uint16_t)i,
					      .port_min = a->port_min,
					      .port_max = a->port_max};
		return;
	}
}

static int compare(const void *a, const void *b)
{
	const struct sp_nat_grant *x = a, *y = b;

	if (x->user_id != y->user_id)
		return x->user_id < y->user_id ? -1 : 1;
	return x->version - y->version;
}

int sp_nat_pool_grant(struct sp_nat_pool *pool, const struct sp_nat_wish *wishes, uint32_t count,
		      const struct sp_nat_pool *before, uint32_t *ret_room)
{
	_cleanup_(dealer_fini) struct dealer d = {.pool = pool, .before = before};
	int rc = 0;

	free(pool->grants);
	pool->grant_count = 0;
	pool->grants = calloc(2 * (size_t)count + 1, sizeof(*pool->grants));
	if (!pool->grants)
		return -ENOMEM;
	for (uint32_t i = 0; i < count && !pool->block; i++) {
		pin(pool, &wishes[i], true);
		pin(pool, &wishes[i], false);
	}
	if (!pool->block)
		return 0;
	rc = dealer_init(&d);
	if (!rc && has_family(pool, true))
		rc = deal_family(&d, wishes, count, true, ret_room);
	if (!rc && has_family(pool, false) && !pool->route_ipv6)
		rc = deal_family(&d, wishes, count, false, ret_room);
	qsort(pool->grants, pool->grant_count, sizeof(*pool->grants), compare);
	return rc;
}
