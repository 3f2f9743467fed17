/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The next hop of what leaves, and the question to the daemon when it is missing. XDP only. */
#ifndef SP_BPF_PLAIN_PATH_H
#define SP_BPF_PLAIN_PATH_H

#include "plain.h"

#include "sallyport/core/seqlock.h"

#define SP_EVENT_QUEUE_BYTES 8192	 /* more in the queue would say nothing new */
#define SP_HOP_USED_NS	     SP_NS_PER_S /* as workers do it: how the daemon keeps it alive */

SP_INLINE void sp_plain_resolve(__u32 ifindex, const struct sp_addr *addr)
{
	struct sp_event *event;

	if (bpf_ringbuf_query(&sp_events, BPF_RB_AVAIL_DATA) > SP_EVENT_QUEUE_BYTES)
		return;
	event = bpf_ringbuf_reserve(&sp_events, sizeof(*event), 0);
	if (!event)
		return;
	event->addr = *addr;
	event->ifindex = ifindex;
	event->kind = SP_EVENT_NEIGHBOUR;
	bpf_ringbuf_submit(event, 0);
}

/* s->hop_id into s->hop; the reason when it cannot be used now. */
__attribute__((noinline)) int sp_plain_hop(void)
{
	struct sp_plain *s = sp_plain_here();
	struct sp_nexthop *shared;
	__u32 id;

	if (!s)
		return SP_R_NO_NEIGHBOUR;
	id = s->hop_id;
	shared = id ? bpf_map_lookup_elem(&sp_nexthops, &id) : NULL;
	if (!shared || !sp_nexthop_read(shared, &s->hop))
		return SP_R_NO_NEIGHBOUR;
	if (s->hop.state == SP_NEXTHOP_PENDING)
		sp_plain_resolve(s->hop.ifindex, &s->hop.addr);
	if (s->hop.state != SP_NEXTHOP_READY)
		return SP_R_NO_NEIGHBOUR;
	if (s->now_ns - s->hop.used_ns > SP_HOP_USED_NS)
		*(volatile __u64 *)&shared->used_ns = s->now_ns;
	return SP_R_NONE;
}

/* By path id of the configuration into s->hop_id and s->hop, and as what into s->pool_id. */
__attribute__((noinline)) int sp_plain_path_by(__u32 id)
{
	struct sp_plain *s = sp_plain_here();
	const struct sp_path *path;

	if (!s)
		return SP_R_PATH_DOWN;
	path = id ? bpf_map_lookup_elem(&sp_paths, &id) : NULL;
	if (!path)
		return SP_R_PATH_DOWN;
	s->hop_id = sp_addr_is_v4(&s->key.dst) ? path->hop_v4 : path->hop_v6;
	s->pool_id = path->pool_id;
	return sp_plain_hop() == SP_R_NONE ? SP_R_NONE : SP_R_PATH_DOWN;
}

/* The first of s->paths that is up comes to lead them. */
__attribute__((noinline)) int sp_plain_path_choose(void)
{
	struct sp_plain *s = sp_plain_here();
	__u32 paths, i;

	if (!s)
		return SP_R_PATH_DOWN;
	for (i = 0; i < SP_PATH_CHOICES; i++) {
		paths = sp_path_lead(s->paths, i);
		if (sp_path_first(paths) && sp_plain_path_by(sp_path_first(paths)) == SP_R_NONE) {
			s->paths = paths;
			return SP_R_NONE;
		}
	}
	return SP_R_PATH_DOWN;
}

/* The way to s->key.dst into s->hop_id and s->hop. */
__attribute__((noinline)) int sp_plain_path(void)
{
	struct sp_plain *s = sp_plain_here();
	struct sp_neighbour_key neighbour_key = {0};
	const struct sp_neighbour *neighbour;
	struct sp_lpm_key key = {.prefixlen = 128};
	const struct sp_route_hop *route;

	if (!s)
		return SP_R_NO_ROUTE;
	__builtin_memcpy(key.addr, s->key.dst.b, sizeof(key.addr));
	route = bpf_map_lookup_elem(&sp_route_lpm, &key);
	if (!route || (sp_addr_is_v4(&s->key.dst) && route->prefixlen < 96))
		return SP_R_NO_ROUTE;
	s->hop_id = route->nexthop_id;
	if (!s->hop_id) {
		neighbour_key.addr = s->key.dst;
		neighbour_key.ifindex = route->ifindex;
		neighbour = bpf_map_lookup_elem(&sp_neighbours, &neighbour_key);
		if (!neighbour) {
			sp_plain_resolve(route->ifindex, &s->key.dst);
			return SP_R_NO_NEIGHBOUR;
		}
		s->hop_id = neighbour->nexthop_id;
	}
	return sp_plain_hop();
}

#endif
