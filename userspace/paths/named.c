// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "paths/state.h"

static uint32_t ifindex_of(const struct sp_paths *p, const char *interface)
{
	for (uint32_t i = 0; i < SP_IFACE_MAX; i++) {
		if (p->links[i].ifindex && !strcmp(p->links[i].iface.name, interface))
			return p->links[i].ifindex;
	}
	return 0;
}

static uint32_t hop_of(struct sp_paths *p, uint32_t ifindex, bool has, const struct sp_addr *addr)
{
	uint32_t id = 0;

	if (!has || !ifindex || sp_hop_get(p, ifindex, addr, &id) < 0)
		return 0;
	p->hops[id].gateway = true;
	return id;
}

/* Readers take one word at a time: every state between is an old or a new next hop of this path. */
static void publish(struct sp_paths *p, uint32_t id)
{
	const struct sp_paths_named *named = &p->named[id];
	uint32_t ifindex = ifindex_of(p, named->interface);
	struct sp_path *path = &p->shared->paths[id];
	uint32_t v4 = hop_of(p, ifindex, named->has_v4, &named->nexthop_v4);
	uint32_t v6 = hop_of(p, ifindex, named->has_v6, &named->nexthop_v6);

	memcpy(path->name, named->name, sizeof(path->name));
	__atomic_store_n(&path->pool_id, named->pool_id, __ATOMIC_RELAXED);
	__atomic_store_n(&path->hop_v4, v4, __ATOMIC_RELAXED);
	__atomic_store_n(&path->hop_v6, v6, __ATOMIC_RELAXED);
}

void sp_named_publish(struct sp_paths *p)
{
	for (uint32_t id = 1; id < SP_PATH_MAX; id++) {
		if (p->named[id].name[0])
			publish(p, id);
	}
}

void sp_named_mark_gateways(struct sp_paths *p)
{
	for (uint32_t id = 1; id < SP_PATH_MAX; id++) {
		const struct sp_path *path = &p->shared->paths[id];

		if (!p->named[id].name[0])
			continue;
		if (path->hop_v4 && path->hop_v4 < SP_NEXTHOP_MAX)
			p->hops[path->hop_v4].gateway = true;
		if (path->hop_v6 && path->hop_v6 < SP_NEXTHOP_MAX)
			p->hops[path->hop_v6].gateway = true;
	}
}

int sp_paths_named_put(struct sp_paths *p, uint32_t id, const struct sp_paths_named *named)
{
	if (!id || id >= SP_PATH_MAX || !named->name[0])
		return -EINVAL;
	p->named[id] = *named;
	publish(p, id);
	return 0;
}

void sp_paths_named_remove(struct sp_paths *p, uint32_t id)
{
	if (!id || id >= SP_PATH_MAX)
		return;
	p->named[id] = (struct sp_paths_named){};
	__atomic_store_n(&p->shared->paths[id].hop_v4, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&p->shared->paths[id].hop_v6, 0, __ATOMIC_RELAXED);
	memset(&p->shared->paths[id], 0, sizeof(p->shared->paths[id]));
}

bool sp_paths_named_is_up(const struct sp_paths *p, uint32_t id, bool v4)
{
	const struct sp_path *path = id < SP_PATH_MAX ? &p->shared->paths[id] : NULL;
	uint32_t hop = !path ? 0 : v4 ? path->hop_v4 : path->hop_v6;

	return hop && hop < SP_NEXTHOP_MAX && p->shared->nexthops[hop].state == SP_NEXTHOP_READY;
}
