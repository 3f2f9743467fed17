// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>

#include "base/log.h"
#include "dataplane/plain.h"
#include "paths/state.h"
#include "sallyport/core/addr.h"
#include "sallyport/core/seqlock.h"

#define DEAD (RTNH_F_DEAD | RTNH_F_LINKDOWN)

static int add_route(struct sp_paths *p, const struct sp_kernel_route *route)
{
	uint32_t room = p->route_room ? 2 * p->route_room : 64;
	struct sp_kernel_route *list;

	if (p->route_count == p->route_room) {
		if (room > SP_PATHS_ROUTES_MAX)
			return -ENOSPC;
		list = realloc(p->routes, room * sizeof(*list));
		if (!list)
			return -ENOMEM;
		p->routes = list;
		p->route_room = room;
	}
	p->routes[p->route_count++] = *route;
	return 0;
}

/* Main table, unicast, by destination alone: the only routes that a packet of ours takes. */
bool sp_route_is_of_interest(const struct nlmsghdr *nlh)
{
	const struct rtmsg *msg = mnl_nlmsg_get_payload(nlh);

	return mnl_nlmsg_get_payload_len(nlh) >= sizeof(*msg) &&
	       (msg->rtm_family == AF_INET || msg->rtm_family == AF_INET6) &&
	       msg->rtm_table == RT_TABLE_MAIN && msg->rtm_type == RTN_UNICAST &&
	       msg->rtm_src_len == 0 && msg->rtm_tos == 0 && !(msg->rtm_flags & RTM_F_CLONED);
}

/* RTA_VIA: a gateway of the other family (RFC 5549). */
static void read_gateway(const struct nlattr *gateway, const struct nlattr *via, int family,
			 struct sp_kernel_route *route)
{
	const struct rtvia *v;
	__be32 v4_be;

	if (sp_attr_addr(gateway, family, &route->gateway)) {
		route->has_gateway = true;
		return;
	}
	if (!via || mnl_attr_get_payload_len(via) < sizeof(*v))
		return;
	v = mnl_attr_get_payload(via);
	if (v->rtvia_family == AF_INET6 && mnl_attr_get_payload_len(via) == sizeof(*v) + 16) {
		memcpy(route->gateway.b, v->rtvia_addr, 16);
		route->has_gateway = true;
	} else if (v->rtvia_family == AF_INET && mnl_attr_get_payload_len(via) == sizeof(*v) + 4) {
		memcpy(&v4_be, v->rtvia_addr, 4);
		route->gateway = sp_addr_from_v4(v4_be);
		route->has_gateway = true;
	}
}

static void read_nexthop(const struct rtnexthop *hop, int family, struct sp_kernel_route *route)
{
	const struct nlattr *attr, *gateway = NULL, *via = NULL;

	mnl_attr_for_each_payload((const void *)(hop + 1), (size_t)hop->rtnh_len - sizeof(*hop))
	{
		if (mnl_attr_get_type(attr) == RTA_GATEWAY)
			gateway = attr;
		else if (mnl_attr_get_type(attr) == RTA_VIA)
			via = attr;
	}
	route->ifindex = (uint32_t)hop->rtnh_ifindex;
	read_gateway(gateway, via, family, route);
}

/* Of several next hops, the first live one over an interface with a role. */
static bool read_multipath(struct sp_paths *p, const struct nlattr *multipath, int family,
			   struct sp_kernel_route *route)
{
	const char *at = mnl_attr_get_payload(multipath);
	const char *end = at + mnl_attr_get_payload_len(multipath);

	while (end - at >= (ptrdiff_t)sizeof(struct rtnexthop)) {
		const struct rtnexthop *hop = (const void *)at;

		if (hop->rtnh_len < sizeof(*hop) || hop->rtnh_len > end - at)
			return false;
		if (!(hop->rtnh_flags & DEAD) && hop->rtnh_ifindex > 0 &&
		    sp_link_find(p, (uint32_t)hop->rtnh_ifindex)) {
			read_nexthop(hop, family, route);
			return true;
		}
		at += RTNH_ALIGN(hop->rtnh_len);
	}
	return false;
}

static bool read_route(struct sp_paths *p, const struct nlmsghdr *nlh,
		       struct sp_kernel_route *route)
{
	const struct rtmsg *msg = mnl_nlmsg_get_payload(nlh);
	bool v4 = msg->rtm_family == AF_INET;
	struct sp_attrs attrs;

	if (msg->rtm_dst_len > (v4 ? 32 : 128))
		return false;
	sp_attrs_parse(nlh, sizeof(*msg), &attrs);
	route->prefix.len = (__u8)(msg->rtm_dst_len + (v4 ? 96 : 0));
	if (!sp_attr_addr(attrs.at[RTA_DST], msg->rtm_family, &route->prefix.addr)) {
		if (msg->rtm_dst_len)
			return false;
		if (v4)
			route->prefix.addr = sp_addr_from_v4(0);
	}
	/* Every IPv6 link has this one: the answer would depend on the link. */
	if (sp_addr_is_link_local(&route->prefix.addr))
		return false;
	(void)sp_attr_u32(attrs.at[RTA_PRIORITY], &route->metric);
	if (attrs.at[RTA_MULTIPATH])
		return read_multipath(p, attrs.at[RTA_MULTIPATH], msg->rtm_family, route);
	if ((msg->rtm_flags & DEAD) || !sp_attr_u32(attrs.at[RTA_OIF], &route->ifindex) ||
	    route->ifindex == 0 || !sp_link_find(p, route->ifindex))
		return false;
	read_gateway(attrs.at[RTA_GATEWAY], attrs.at[RTA_VIA], msg->rtm_family, route);
	return true;
}

static int on_route(const struct nlmsghdr *nlh, void *paths)
{
	struct sp_kernel_route route = {};
	static struct sp_log_limit limit;
	struct sp_paths *p = paths;

	if (nlh->nlmsg_type != RTM_NEWROUTE || !sp_route_is_of_interest(nlh) ||
	    !read_route(p, nlh, &route))
		return MNL_CB_OK;
	if (add_route(p, &route) < 0)
		sp_log_limited(&limit, SP_LOG_ERROR,
			       "paths: failed to keep a route: the kernel has more than %d",
			       SP_PATHS_ROUTES_MAX);
	return MNL_CB_OK;
}

int sp_routes_read(struct sp_paths *p)
{
	int r;

	p->route_count = 0;
	r = sp_netlink_dump(p, RTM_GETROUTE, AF_INET, on_route);
	if (r == 0)
		r = sp_netlink_dump(p, RTM_GETROUTE, AF_INET6, on_route);
	return r;
}

/* Longest prefix first, then the kernel's preference. */
static int compare_routes(const void *a, const void *b)
{
	const struct sp_kernel_route *x = a, *y = b;
	int r;

	if (x->prefix.len != y->prefix.len)
		return x->prefix.len > y->prefix.len ? -1 : 1;
	r = memcmp(x->prefix.addr.b, y->prefix.addr.b, sizeof(x->prefix.addr.b));
	if (r)
		return r;
	return x->metric < y->metric ? -1 : x->metric > y->metric;
}

/* The table as it will be published; next hops of gateways are made on the way. */
static uint32_t build_table(struct sp_paths *p, struct sp_route *table)
{
	static struct sp_log_limit limit;
	uint32_t count = 0;

	for (uint32_t i = 0; i < p->route_count; i++) {
		const struct sp_kernel_route *k = &p->routes[i];
		struct sp_route route = {.prefix = k->prefix,
					 .ifindex = k->ifindex,
					 .slot = sp_link_find(p, k->ifindex)->iface.slot,
					 .metric = k->metric};

		if (i > 0 && p->routes[i - 1].prefix.len == k->prefix.len &&
		    sp_addr_equal(&p->routes[i - 1].prefix.addr, &k->prefix.addr))
			continue; /* the one before has the better metric */
		if (count == SP_ROUTE_MAX) {
			sp_log_limited(&limit, SP_LOG_ERROR,
				       "paths: failed to publish every route: more than %d; the "
				       "shortest prefixes are left out",
				       SP_ROUTE_MAX);
			break;
		}
		if (k->has_gateway && sp_hop_get(p, k->ifindex, &k->gateway, &route.nexthop_id) < 0)
			continue; /* said by neighbours.c */
		table[count++] = route;
	}
	return count;
}

static void mark_gateways(struct sp_paths *p, const struct sp_route *table, uint32_t count)
{
	for (uint32_t id = 1; id < SP_NEXTHOP_MAX; id++)
		p->hops[id].gateway = false;
	for (uint32_t i = 0; i < count; i++)
		p->hops[table[i].nexthop_id].gateway = table[i].nexthop_id != 0;
}

struct route_cleaning {
	struct sp_paths *p;
	const struct sp_route *table;
	uint32_t count;
};

static int remove_unwanted(const struct sp_prefix *prefix, void *arg)
{
	const struct route_cleaning *c = arg;

	for (uint32_t i = 0; i < c->count; i++) {
		if (c->table[i].prefix.len == prefix->len &&
		    sp_addr_equal(&c->table[i].prefix.addr, &prefix->addr))
			return 0;
	}
	return sp_dataplane_route_remove(c->p->dp, prefix);
}

/*
 * The same routes as a trie, for XDP: first what is new, then away with what is not. It takes the
 * sequence before the look-up, so what it found here meanwhile is looked up again.
 */
static int publish_trie(struct sp_paths *p, const struct sp_route *table, uint32_t count)
{
	struct route_cleaning cleaning = {.p = p, .table = table, .count = count};

	for (uint32_t i = 0; i < count; i++) {
		struct sp_route_hop hop = {.prefixlen = table[i].prefix.len,
					   .nexthop_id = table[i].nexthop_id,
					   .ifindex = table[i].ifindex};
		int r = sp_dataplane_route_put(p->dp, &table[i].prefix, &hop);

		if (r < 0)
			return r;
	}
	return sp_dataplane_route_each(p->dp, remove_unwanted, &cleaning);
}

int sp_routes_publish(struct sp_paths *p)
{
	struct sp_gateway *gateway = p->shared->gateway;
	struct sp_route table[SP_ROUTE_MAX] = {};
	uint32_t count;
	int r;

	if (p->route_count)
		qsort(p->routes, p->route_count, sizeof(*p->routes), compare_routes);
	count = build_table(p, table);
	sp_named_publish(p);
	mark_gateways(p, table, count);
	sp_named_mark_gateways(p);
	if (p->routes_published && gateway->route_count == count &&
	    memcmp(p->shared->routes, table, count * sizeof(*table)) == 0)
		return 0;
	r = publish_trie(p, table, count);
	if (r < 0)
		return r;
	sp_seq_write_begin(&gateway->route_seq);
	memcpy(p->shared->routes, table, sizeof(table));
	__atomic_store_n(&gateway->route_count, count, __ATOMIC_RELAXED);
	sp_seq_write_end(&gateway->route_seq);
	p->routes_published = true;
	return 0;
}
