// SPDX-License-Identifier: Apache-2.0
#include "paths/paths.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/log.h"
#include "paths/state.h"
#include "sallyport/core/route.h"

#define MESSAGES_PER_CALL 256

SP_DEFINE_CLEANUP(struct sp_paths *, sp_paths_close)

int sp_paths_open(struct sp_dataplane *dp, const struct sp_paths_upcalls *upcalls, void *arg,
		  struct sp_paths **ret_paths)
{
	_cleanup_(sp_paths_close_p) struct sp_paths *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->dp = dp;
	p->shared = sp_dataplane_shared(dp);
	p->upcalls = upcalls ? *upcalls : (struct sp_paths_upcalls){};
	p->arg = arg;
	r = sp_netlink_open(p);
	if (r < 0)
		return r;
	if (p->shared->gateway->route_seq & 1) /* the writer died inside */
		sp_seq_write_end(&p->shared->gateway->route_seq);
	sp_hops_import(p);
	if (sp_dataplane_is_adopted(dp)) {
		r = sp_locals_import(p);
		if (r < 0)
			return r;
	}
	*ret_paths = TAKE_PTR(p);
	return 0;
}

void sp_paths_close(struct sp_paths *p)
{
	if (!p)
		return;
	sp_netlink_close(p);
	free(p->addresses);
	free(p->routes);
	free(p->pool);
	free(p->inner);
	free(p);
}

static int read_addresses(struct sp_paths *p)
{
	int r = sp_locals_read(p);

	if (r == 0)
		r = sp_locals_publish(p);
	p->addresses_dirty = r < 0; /* the tick tries again */
	return r;
}

static int read_routes(struct sp_paths *p)
{
	int r = sp_routes_read(p);

	if (r == 0)
		r = sp_routes_publish(p);
	p->routes_dirty = r < 0;
	return r;
}

int sp_paths_sync(struct sp_paths *p)
{
	int r;

	sp_hops_free_link(p, 0);
	r = sp_netlink_dump(p, RTM_GETLINK, AF_UNSPEC, sp_link_on_message);
	if (r == 0)
		r = read_addresses(p);
	if (r == 0)
		r = read_routes(p);
	if (r == 0)
		r = sp_hops_read(p);
	if (r < 0)
		return r;
	p->synced = true;
	sp_links_tell(p);
	return 0;
}

/* Messages say that something changed; what it is now is read from the kernel, once for many. */
static int settle(struct sp_paths *p)
{
	int r = 0;

	if (!p->synced)
		return 0;
	if (p->addresses_dirty)
		r = read_addresses(p);
	if (r == 0 && p->routes_dirty)
		r = read_routes(p);
	sp_hops_ask_due(p);
	sp_links_tell(p);
	return r;
}

static int on_event(const struct nlmsghdr *nlh, void *paths)
{
	struct sp_paths *p = paths;

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return sp_link_on_message(nlh, p);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		p->addresses_dirty = true;
		p->routes_dirty = true; /* IPv4 routes vanish with their source, unsaid */
		return MNL_CB_OK;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		p->routes_dirty |= sp_route_is_of_interest(nlh);
		return MNL_CB_OK;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return sp_hop_on_message(nlh, p);
	default:
		return MNL_CB_OK;
	}
}

int sp_paths_fd(const struct sp_paths *p)
{
	return mnl_socket_get_fd(p->events);
}

int sp_paths_on_readable(struct sp_paths *p)
{
	bool lost = false;
	ssize_t n;

	for (int i = 0; i < MESSAGES_PER_CALL; i++) {
		n = mnl_socket_recvfrom(p->events, p->event_buffer, sizeof(p->event_buffer));
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ENOBUFS && errno != ENOSPC)
			return -errno;
		/* Messages were lost: those still queued are older than what will be read. */
		lost = lost || n < 0;
		if (!lost)
			(void)mnl_cb_run(p->event_buffer, (size_t)n, 0, 0, on_event, p);
	}
	if (lost)
		return sp_paths_sync(p);
	return settle(p);
}

int sp_paths_iface_add(struct sp_paths *p, uint32_t ifindex, const struct sp_iface *iface)
{
	struct sp_link *link;

	if (ifindex == 0)
		return -EINVAL;
	link = sp_link_find(p, ifindex);
	if (!link)
		link = sp_link_find(p, 0);
	if (!link)
		return -ENOSPC;
	*link = (struct sp_link){.ifindex = ifindex, .iface = *iface};
	sp_hops_on_link(p, link, false);
	p->routes_dirty = true;
	return p->synced ? sp_paths_sync(p) : 0;
}

void sp_paths_iface_remove(struct sp_paths *p, uint32_t ifindex)
{
	struct sp_link *link = ifindex ? sp_link_find(p, ifindex) : NULL;
	int r = 0;

	if (!link)
		return;
	*link = (struct sp_link){};
	if (p->synced)
		r = read_routes(p); /* no route leads there before its next hops go */
	if (r < 0)
		sp_error("paths: failed to read routes: %s", strerror(-r));
	sp_hops_free_link(p, ifindex);
}

int sp_paths_set_pool_addresses(struct sp_paths *p, const struct sp_paths_pool_address *list,
				uint32_t count)
{
	struct sp_paths_pool_address *copy = NULL;

	if (count > SP_PATHS_ADDRESSES_MAX / 2)
		return -ENOSPC;
	if (count) {
		copy = malloc(count * sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, list, count * sizeof(*copy));
	}
	free(p->pool);
	p->pool = copy;
	p->pool_count = count;
	return p->synced ? sp_locals_publish(p) : 0;
}

int sp_paths_set_inner_addresses(struct sp_paths *p, const struct sp_addr *list, uint32_t count)
{
	struct sp_addr *copy = NULL;

	if (count > SP_PATHS_ADDRESSES_MAX / 2)
		return -ENOSPC;
	if (count) {
		copy = malloc(count * sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, list, count * sizeof(*copy));
	}
	free(p->inner);
	p->inner = copy;
	p->inner_count = count;
	return p->synced ? sp_locals_publish(p) : 0;
}

int sp_paths_lookup(struct sp_paths *p, const struct sp_addr *addr, struct sp_nexthop *ret_nexthop)
{
	const struct sp_route *route;
	uint32_t id;
	int i, r;

	i = sp_route_find(p->shared->routes, p->shared->gateway->route_count, addr);
	if (i < 0)
		return -ENETUNREACH;
	route = &p->shared->routes[i];
	id = route->nexthop_id;
	if (id == 0) {
		id = sp_hop_find(p, route->ifindex, addr);
		if (id == 0 || p->shared->nexthops[id].state != SP_NEXTHOP_READY) {
			r = sp_paths_resolve(p, route->ifindex, addr);
			if (r < 0)
				return r == -ENODEV || r == -EINVAL ? -ENETUNREACH : r;
			id = sp_hop_find(p, route->ifindex, addr);
		}
	}
	if (id == 0 || id >= SP_NEXTHOP_MAX || p->shared->nexthops[id].state != SP_NEXTHOP_READY)
		return -EAGAIN;
	*ret_nexthop = p->shared->nexthops[id];
	return 0;
}
