/* SPDX-License-Identifier: Apache-2.0 */
#include "nat/nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "nat/table.h"
#include "sallyport/core/addr.h"

#define BINDINGS_MAX (1u << 28)

static int space_of(uint8_t proto, bool v4)
{
	if (proto == IPPROTO_TCP)
		return SP_NAT_TCP;
	if (proto == IPPROTO_UDP)
		return SP_NAT_UDP;
	if (proto == (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return SP_NAT_ICMP;
	return -EPROTONOSUPPORT;
}

/* RFC 6056: not to be guessed from outside. One system call for 128 new bindings. */
static uint32_t random_next(struct sp_nat *nat)
{
	if (!nat->random_left) {
		/* Up to 256 bytes at once are never interrupted nor short (getrandom(2)). */
		for (unsigned int half = 0; half < 2; half++)
			if (getrandom(nat->random + 64 * half, 256, 0) != 256)
				nat->random[64 * half] ^= (uint32_t)sp_nat_mix(nat->exhausted);
		nat->random_left = 128;
	}
	return nat->random[--nat->random_left];
}

int sp_nat_open(uint32_t worker, uint32_t workers, uint32_t bindings_max, struct sp_nat **ret_nat)
{
	struct sp_nat *nat;
	uint32_t buckets = 16;

	if (!workers || worker >= workers || !bindings_max || bindings_max > BINDINGS_MAX)
		return -EINVAL;
	while (buckets < bindings_max * 2)
		buckets *= 2;
	nat = calloc(1, sizeof(*nat));
	if (!nat)
		return -ENOMEM;
	nat->worker = worker;
	nat->workers = workers;
	nat->entries_max = bindings_max;
	nat->bucket_mask = buckets - 1;
	nat->entries = calloc(bindings_max, sizeof(*nat->entries));
	nat->buckets = malloc(buckets * sizeof(*nat->buckets));
	if (!nat->entries || !nat->buckets ||
	    getrandom(&nat->hash_seed, sizeof(nat->hash_seed), 0) != sizeof(nat->hash_seed)) {
		sp_nat_close(nat);
		return -ENOMEM;
	}
	memset(nat->buckets, 0xff, buckets * sizeof(*nat->buckets));
	for (uint32_t i = 0; i < bindings_max; i++)
		nat->entries[i].hash_next = i + 1 < bindings_max ? i + 1 : SP_NAT_NONE;
	*ret_nat = nat;
	return 0;
}

void sp_nat_close(struct sp_nat *nat)
{
	if (!nat)
		return;
	for (uint32_t i = 0; i < nat->pool_count; i++) {
		free(nat->pools[i].list);
		free(nat->pools[i].grants);
	}
	for (uint32_t i = 0; i < nat->outside_count; i++)
		free(nat->outsides[i]);
	free(nat->outsides);
	free(nat->entries);
	free(nat->buckets);
	free(nat);
}

/* Seeded: who picks the ports must not be able to pick the bucket. */
static uint32_t *bucket_of(struct sp_nat *nat, const struct sp_nat_key *key)
{
	uint64_t words[sizeof(*key) / 8], hash = nat->hash_seed;

	_Static_assert(sizeof(*key) % 8 == 0, "the key is hashed as words");
	memcpy(words, key, sizeof(words));
	for (unsigned int i = 0; i < sizeof(words) / 8; i++)
		hash = sp_nat_mix(hash + words[i]);
	return &nat->buckets[hash & nat->bucket_mask];
}

static struct sp_nat_entry *entry_lookup(struct sp_nat *nat, const struct sp_nat_key *key)
{
	uint32_t i = *bucket_of(nat, key);

	for (; i != SP_NAT_NONE; i = nat->entries[i].hash_next)
		if (!memcmp(&nat->entries[i].key, key, sizeof(*key)))
			return &nat->entries[i];
	return NULL;
}

void sp_nat_entry_unhash(struct sp_nat *nat, uint32_t index)
{
	uint32_t *place = bucket_of(nat, &nat->entries[index].key);

	while (*place != index)
		place = &nat->entries[*place].hash_next;
	*place = nat->entries[index].hash_next;
}

static struct sp_nat_ports *ports_of(struct sp_nat *nat, const struct sp_nat_entry *e)
{
	return &nat->outsides[e->outside]->ports[e->key.space];
}

static void entry_free(struct sp_nat *nat, uint32_t index)
{
	struct sp_nat_entry *e = &nat->entries[index];

	if (!e->stale)
		sp_nat_entry_unhash(nat, index);
	ports_of(nat, e)->used[e->port / 64] &= ~(1ull << e->port % 64);
	nat->outsides[e->outside]->bindings--;
	e->taken = false;
	e->stale = false;
	e->hash_next = nat->free_head;
	nat->free_head = index;
}

static void cool_remove(struct sp_nat *nat, struct sp_nat_ports *ports, struct sp_nat_entry *e)
{
	if (e->cool_prev == SP_NAT_NONE)
		ports->cool_head = e->cool_next;
	else
		nat->entries[e->cool_prev].cool_next = e->cool_next;
	if (e->cool_next == SP_NAT_NONE)
		ports->cool_tail = e->cool_prev;
	else
		nat->entries[e->cool_next].cool_prev = e->cool_prev;
	ports->cool_count--;
}

static void cool_append(struct sp_nat *nat, struct sp_nat_ports *ports, struct sp_nat_entry *e)
{
	uint32_t index = (uint32_t)(e - nat->entries);

	e->cool_next = SP_NAT_NONE;
	e->cool_prev = ports->cool_tail;
	if (ports->cool_tail == SP_NAT_NONE)
		ports->cool_head = index;
	else
		nat->entries[ports->cool_tail].cool_next = index;
	ports->cool_tail = index;
	ports->cool_count++;
}

int sp_nat_cool_evict(struct sp_nat *nat, struct sp_nat_ports *ports)
{
	uint32_t index = ports->cool_head;

	if (index == SP_NAT_NONE)
		return -ENOENT;
	cool_remove(nat, ports, &nat->entries[index]);
	entry_free(nat, index);
	return nat->entries[index].port;
}

/* Inside a share that is not the whole of its offer, ports go round from one to the next. */
static int share_search(const struct sp_nat_ports *ports, const struct sp_nat_share *share,
			uint64_t parity, uint16_t start)
{
	uint32_t span = share->port_max - share->port_min + 1u;

	if (share->port_min == share->offer->port_min && share->port_max == share->offer->port_max)
		return sp_nat_ports_search(ports->used, share->offer->allowed, parity, start);
	for (uint32_t i = 0; i < span; i++) {
		uint16_t port = (uint16_t)(share->port_min + (start - share->port_min + i) % span);

		if (sp_nat_bit(share->offer->allowed, port) && !sp_nat_bit(ports->used, port) &&
		    parity >> port % 64 & 1)
			return port;
	}
	return -ENOSPC;
}

static bool share_has(const struct sp_nat_share *share, int port)
{
	return port >= share->port_min && port <= share->port_max &&
	       sp_nat_bit(share->offer->allowed, (uint16_t)port);
}

/* The oldest port that cools and is of the share; those of others cool on. */
static int cool_reuse(struct sp_nat *nat, struct sp_nat_ports *ports,
		      const struct sp_nat_share *share)
{
	uint32_t index = ports->cool_head;
	int port;

	while (index != SP_NAT_NONE && !share_has(share, nat->entries[index].port))
		index = nat->entries[index].cool_next;
	if (index == SP_NAT_NONE)
		return -ENOSPC;
	port = nat->entries[index].port;
	cool_remove(nat, ports, &nat->entries[index]);
	entry_free(nat, index);
	return port;
}

static int port_choose(struct sp_nat *nat, struct sp_nat_ports *ports,
		       const struct sp_nat_share *share, uint16_t wanted, bool parity)
{
	uint16_t start;
	int port;

	if (share_has(share, wanted) && !sp_nat_bit(ports->used, wanted))
		return wanted;
	start = (uint16_t)(share->port_min +
			   random_next(nat) % (share->port_max - share->port_min + 1u));
	if (parity) {
		port = share_search(ports, share,
				    wanted & 1 ? SP_NAT_PARITY_ODD : SP_NAT_PARITY_EVEN, start);
		if (port >= 0)
			return port;
	}
	port = share_search(ports, share, SP_NAT_PARITY_ANY, start);
	if (port >= 0)
		return port;
	return cool_reuse(nat, ports, share);
}

/* A free entry, if need be that of a binding that cools: these ports' oldest, else any. */
static struct sp_nat_entry *entry_take(struct sp_nat *nat, struct sp_nat_ports *ports)
{
	struct sp_nat_entry *e;

	if (nat->free_head == SP_NAT_NONE)
		sp_nat_cool_evict(nat, ports);
	for (uint32_t i = 0; i < nat->outside_count && nat->free_head == SP_NAT_NONE; i++)
		for (unsigned int s = 0; nat->outsides[i] && s < SP_NAT_SPACES; s++)
			if (sp_nat_cool_evict(nat, &nat->outsides[i]->ports[s]) >= 0)
				break;
	if (nat->free_head == SP_NAT_NONE)
		return NULL;
	e = &nat->entries[nat->free_head];
	nat->free_head = e->hash_next;
	return e;
}

static int entry_make(struct sp_nat *nat, struct sp_nat_offers *pool, const struct sp_nat_key *key,
		      struct sp_nat_entry **ret_entry)
{
	struct sp_nat_share share = sp_nat_share_of(pool, key->user_id, sp_addr_is_v4(&key->src));
	struct sp_nat_offer *offer = share.offer;
	struct sp_nat_entry *e;
	struct sp_nat_ports *ports;
	uint32_t *bucket;
	int port;

	if (!offer)
		return -ENOENT;
	if (nat->live == nat->entries_max)
		return -ENOMEM;
	ports = &nat->outsides[offer->outside]->ports[key->space];
	port = port_choose(nat, ports, &share, ntohs(key->sport_be), key->space == SP_NAT_UDP);
	if (port < 0)
		return port;
	e = entry_take(nat, ports);
	if (!e)
		return -ENOMEM;
	*e = (struct sp_nat_entry){.key = *key,
				   .outside = offer->outside,
				   .use = offer->use,
				   .port = (uint16_t)port,
				   .taken = true};
	ports->used[port / 64] |= 1ull << port % 64;
	nat->outsides[offer->outside]->bindings++;
	bucket = bucket_of(nat, key);
	e->hash_next = *bucket;
	*bucket = (uint32_t)(e - nat->entries);
	*ret_entry = e;
	return 0;
}

/* The counters are shared by all workers. */
static void use_count(const struct sp_nat_entry *e, bool begins)
{
	if (!e->use)
		return;
	if (begins)
		__atomic_fetch_add(&e->use->used[e->key.space], 1, __ATOMIC_RELAXED);
	else
		__atomic_fetch_sub(&e->use->used[e->key.space], 1, __ATOMIC_RELAXED);
}

static void use_refuse(struct sp_nat_offers *pool, const struct sp_nat_request *request)
{
	struct sp_nat_share share =
		sp_nat_share_of(pool, request->user_id, sp_addr_is_v4(&request->src));

	if (!share.offer || !share.offer->use)
		return;
	__atomic_fetch_add(&share.offer->use->refused, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&share.offer->use->refused_ns, request->now_ns, __ATOMIC_RELAXED);
}

static int entry_get(struct sp_nat *nat, struct sp_nat_offers *pool, const struct sp_nat_key *key,
		     struct sp_nat_entry **ret_entry)
{
	struct sp_nat_entry *e = entry_lookup(nat, key);
	int r;

	if (!e) {
		r = entry_make(nat, pool, key, &e);
		if (r) {
			nat->exhausted += r != -ENOENT;
			return r;
		}
	} else if (!e->refs) {
		cool_remove(nat, ports_of(nat, e), e);
	}
	if (!e->refs) {
		nat->live++;
		use_count(e, true);
	}
	e->refs++;
	*ret_entry = e;
	return 0;
}

static int get_of(struct sp_nat *nat, struct sp_nat_offers *pool,
		  const struct sp_nat_request *request, struct sp_nat_binding *ret_binding)
{
	bool v4 = sp_addr_is_v4(&request->src);
	struct sp_nat_key key = {
		.src = request->src, .user_id = request->user_id, .sport_be = request->sport_be};
	struct sp_nat_entry *e;
	int space, r;

	if (!v4 && pool->route_ipv6) {
		*ret_binding =
			(struct sp_nat_binding){.addr = request->src, .port_be = request->sport_be};
		return 0;
	}
	space = space_of(request->proto, v4);
	if (space < 0)
		return space;
	key.space = (uint8_t)space;
	key.pool_id = pool->pool_id;
	r = entry_get(nat, pool, &key, &e);
	if (r == -ENOSPC)
		use_refuse(pool, request);
	if (r)
		return r;
	*ret_binding = (struct sp_nat_binding){
		.addr = nat->outsides[e->outside]->addr,
		.port_be = htons(e->port),
		.translated = 1,
		.handle = (uint32_t)(e - nat->entries) + 1,
		.pool_id = pool->pool_id,
	};
	return 0;
}

int sp_nat_get(struct sp_nat *nat, const struct sp_nat_request *request,
	       struct sp_nat_binding *ret_binding)
{
	struct sp_nat_offers *pool = sp_nat_pool_lookup(nat, request->pool_id);
	int r = -ENOENT;

	/* Another pool's address only where the configuration names that pool as a fall-back. */
	for (int i = 0; pool && i < SP_NAT_FALLBACKS_MAX; i++) {
		r = get_of(nat, pool, request, ret_binding);
		if ((r != -ENOENT && r != -ENOSPC) || !pool->fallback)
			break;
		pool = sp_nat_pool_lookup(nat, pool->fallback);
	}
	return r;
}

void sp_nat_put(struct sp_nat *nat, uint32_t handle)
{
	struct sp_nat_ports *ports;
	struct sp_nat_entry *e;

	if (!handle || handle > nat->entries_max)
		return;
	e = &nat->entries[handle - 1];
	if (!e->refs || --e->refs)
		return;
	nat->live--;
	use_count(e, false);
	ports = ports_of(nat, e);
	if (e->stale || !ports->cool_max) {
		entry_free(nat, handle - 1);
		return;
	}
	cool_append(nat, ports, e);
	if (ports->cool_count > ports->cool_max)
		sp_nat_cool_evict(nat, ports);
}

bool sp_nat_has_address(const struct sp_nat *nat, const struct sp_addr *addr)
{
	for (uint32_t i = 0; i < nat->outside_count; i++) {
		const struct sp_nat_outside *o = nat->outsides[i];

		if (o && o->listed && sp_addr_equal(&o->addr, addr))
			return true;
	}
	return false;
}

void sp_nat_stats(const struct sp_nat *nat, struct sp_nat_stats *ret_stats)
{
	*ret_stats = (struct sp_nat_stats){
		.bindings = nat->live,
		.bindings_max = nat->entries_max,
		.exhausted = nat->exhausted,
	};
}
