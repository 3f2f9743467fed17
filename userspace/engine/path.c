/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"

#include <string.h>

#include "sallyport/core/path.h"
#include "sallyport/core/route.h"
#include "sallyport/core/seqlock.h"
#include "sallyport/core/wire.h"

/* How often a next hop in use says so: the daemon keeps it alive by that. */
#define USED_EVERY_NS 1000000000ull
#define ROUTE_TRIES   64

/* The kernel may route over any interface; users leave by those with the role. */
static bool is_way_out(const struct sp_worker *w, uint32_t slot)
{
	return slot < SP_IFACE_MAX && (w->ifaces[slot].iface.roles & SP_ROLE_EGRESS);
}

static enum sp_reason find_route(struct sp_worker *w, const struct sp_addr *dst,
				 struct sp_route *ret_route)
{
	const struct sp_gateway *g = w->shared->gateway;

	for (int tries = 0; tries < ROUTE_TRIES; tries++) {
		uint32_t seq = sp_seq_begin(&g->route_seq);
		uint32_t count = __atomic_load_n(&g->route_count, __ATOMIC_RELAXED);
		int at = sp_route_find(w->shared->routes, count, dst);
		struct sp_route route;

		if (at >= 0)
			sp_seq_copy(&route, &w->shared->routes[at], sizeof(route) / 8);
		if (sp_seq_retry(&g->route_seq, seq))
			continue;
		if (at < 0 || !is_way_out(w, route.slot))
			return SP_R_NO_ROUTE;
		*ret_route = route;
		return SP_R_NONE;
	}
	return SP_R_NO_ROUTE;
}

static enum sp_reason read_nexthop(struct sp_worker *w, uint32_t id, struct sp_nexthop *ret_nexthop)
{
	struct sp_nexthop n;

	if (id == 0 || id >= SP_NEXTHOP_MAX || !sp_nexthop_read(&w->shared->nexthops[id], &n))
		return SP_R_NO_NEIGHBOUR;
	if (!is_way_out(w, n.slot))
		return SP_R_NO_ROUTE;
	if (n.state == SP_NEXTHOP_PENDING)
		sp_worker_resolve(w, n.ifindex, &n.addr);
	if (n.state != SP_NEXTHOP_READY)
		return SP_R_NO_NEIGHBOUR;
	*ret_nexthop = n;
	return SP_R_NONE;
}

static const struct sp_path *path_of(const struct sp_worker *w, uint32_t paths)
{
	return &w->shared->paths[sp_path_first(paths)];
}

uint16_t sp_path_pool(const struct sp_worker *w, const struct sp_entry *entry)
{
	return (uint16_t)__atomic_load_n(&path_of(w, entry->paths)->pool_id, __ATOMIC_RELAXED);
}

/* By the first of paths. */
static enum sp_reason find_named(struct sp_worker *w, struct sp_entry *entry, uint32_t paths,
				 struct sp_nexthop *ret_nexthop)
{
	const struct sp_path *path = path_of(w, paths);
	uint32_t id = __atomic_load_n(
		sp_addr_is_v4(&entry->key.dst) ? &path->hop_v4 : &path->hop_v6, __ATOMIC_RELAXED);

	if (!sp_path_first(paths) || read_nexthop(w, id, ret_nexthop))
		return SP_R_PATH_DOWN;
	entry->nexthop_id = id;
	entry->nexthop_addr = ret_nexthop->addr;
	entry->route_seq = w->route_seq;
	return SP_R_NONE;
}

enum sp_reason sp_path_choose(struct sp_worker *w, struct sp_entry *entry,
			      struct sp_nexthop *ret_nexthop)
{
	if (!entry->paths)
		return sp_path_find(w, entry, ret_nexthop);
	for (uint32_t i = 0; i < SP_PATH_CHOICES; i++) {
		uint32_t paths = sp_path_lead(entry->paths, i);

		if (find_named(w, entry, paths, ret_nexthop))
			continue;
		entry->paths = paths;
		return SP_R_NONE;
	}
	return SP_R_PATH_DOWN;
}

/* It leaves as an address of its path's. What begins anew may take another that is up. */
static void leave_if_another_is_up(struct sp_worker *w, struct sp_entry *entry)
{
	struct sp_nexthop nexthop;

	for (uint32_t i = 1; i < SP_PATH_CHOICES; i++) {
		if (find_named(w, entry, sp_path_lead(entry->paths, i), &nexthop))
			continue;
		sp_flow_end(w, entry);
		return;
	}
}

enum sp_reason sp_path_find(struct sp_worker *w, struct sp_entry *entry,
			    struct sp_nexthop *ret_nexthop)
{
	struct sp_neighbour neighbour;
	struct sp_route route;
	enum sp_reason r;
	uint32_t id;

	if (entry->paths)
		return find_named(w, entry, entry->paths, ret_nexthop);
	r = find_route(w, &entry->key.dst, &route);
	if (r)
		return r;
	id = route.nexthop_id;
	if (id == 0) {
		struct sp_neighbour_key key = {.addr = entry->key.dst, .ifindex = route.ifindex};

		if (sp_dataplane_neighbour_lookup(w->config.dataplane, &key, &neighbour)) {
			sp_worker_resolve(w, route.ifindex, &entry->key.dst);
			return SP_R_NO_NEIGHBOUR;
		}
		id = neighbour.nexthop_id;
	}
	r = read_nexthop(w, id, ret_nexthop);
	if (r)
		return r;
	entry->nexthop_id = id;
	entry->nexthop_addr = ret_nexthop->addr;
	entry->route_seq = w->route_seq;
	return SP_R_NONE;
}

enum sp_reason sp_path_use(struct sp_worker *w, struct sp_entry *entry,
			   struct sp_nexthop *ret_nexthop)
{
	struct sp_nexthop *shared, n;
	enum sp_reason r;

	/* Most packets of a batch leave by one next hop: it is read once. */
	if (entry->nexthop_id && entry->nexthop_id == w->path_id &&
	    entry->route_seq == w->route_seq &&
	    sp_addr_equal(&w->path.addr, &entry->nexthop_addr)) {
		*ret_nexthop = w->path;
		return SP_R_NONE;
	}
	if (entry->route_seq != w->route_seq || entry->nexthop_id == 0 ||
	    read_nexthop(w, entry->nexthop_id, &n) ||
	    !sp_addr_equal(&n.addr, &entry->nexthop_addr)) {
		r = sp_path_find(w, entry, &n);
		if (r == SP_R_PATH_DOWN) {
			entry->nexthop_id = 0;
			leave_if_another_is_up(w, entry);
		}
		if (r)
			return r;
	}
	shared = &w->shared->nexthops[entry->nexthop_id];
	if (w->now_ns - n.used_ns > USED_EVERY_NS)
		__atomic_store_n(&shared->used_ns, w->now_ns, __ATOMIC_RELAXED);
	w->path_id = entry->nexthop_id;
	w->path = n;
	*ret_nexthop = n;
	return SP_R_NONE;
}

void sp_path_ethernet(uint8_t *data, const struct sp_nexthop *nexthop, uint8_t version)
{
	memcpy(data, nexthop->dmac, 6);
	memcpy(data + 6, nexthop->smac, 6);
	sp_store16(data + 12, sp_swap16(version == 4 ? SP_ETHERTYPE_IPV4 : SP_ETHERTYPE_IPV6));
}
