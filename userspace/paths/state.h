/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of paths/ share and nobody else sees. Daemon thread. */
#ifndef SP_PATHS_STATE_H
#define SP_PATHS_STATE_H

#include <libmnl/libmnl.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "paths/paths.h"

#define SP_PATHS_BUFFER_BYTES  32768 /* what the kernel fills at most in one answer to a dump */
#define SP_PATHS_ADDRESSES_MAX 2048  /* of the namespace; sp_locals holds twice as many */
#define SP_PATHS_ROUTES_MAX    65536 /* read from the kernel before the table is cut */

struct sp_link {
	uint32_t ifindex; /* 0: free */
	bool up;
	bool news; /* on_link is due */
	struct sp_iface iface;
};

struct sp_address {
	struct sp_addr addr;
	struct sp_addr broadcast; /* IPv4 directed broadcast */
	bool has_broadcast;
	bool is_global; /* not only of its link */
	uint32_t ifindex;
};

struct sp_kernel_route {
	struct sp_prefix prefix;
	struct sp_addr gateway;
	bool has_gateway;
	uint32_t ifindex;
	uint32_t metric;
};

/* The daemon's side of one slot of sp_nexthops. */
struct sp_hop {
	uint32_t ifindex; /* 0: free */
	struct sp_addr addr;
	bool gateway;	   /* a published route leads here */
	bool ask_due;	   /* the kernel forgot it: ask before the next tick */
	bool was_ready;	   /* somebody may hold the id */
	uint64_t asked_ns; /* made, or last asked for by a worker */
	uint64_t tried_ns; /* last time the kernel was told to resolve it */
	uint64_t freed_ns;
};

struct sp_paths {
	struct sp_dataplane *dp;
	struct sp_shared *shared;
	struct sp_paths_upcalls upcalls;
	void *arg;
	struct mnl_socket *events;   /* multicast groups, non-blocking */
	struct mnl_socket *requests; /* dumps and orders, blocking with a time limit */
	uint32_t request_seq;
	bool addresses_dirty, routes_dirty, synced, routes_published;
	struct sp_link links[SP_IFACE_MAX];
	struct sp_address *addresses;
	uint32_t address_count, address_room;
	struct sp_kernel_route *routes;
	uint32_t route_count, route_room;
	struct sp_paths_pool_address *pool;
	uint32_t pool_count;
	struct sp_paths_named named[SP_PATH_MAX]; /* by id; without a name: free */
	struct sp_addr *inner;
	uint32_t inner_count;
	uint32_t hop_cursor, hop_count, tick_cursor;
	struct sp_hop hops[SP_NEXTHOP_MAX]; /* index = next hop id; 0 is never used */
	char event_buffer[SP_PATHS_BUFFER_BYTES];
	char request_buffer[SP_PATHS_BUFFER_BYTES];
};

/* netlink.c: sockets and questions. */
int sp_netlink_open(struct sp_paths *p);
void sp_netlink_close(struct sp_paths *p);
/* Every message of the answer goes to cb with p; -ENOENT when what was asked for is absent. */
int sp_netlink_dump(struct sp_paths *p, uint16_t type, uint8_t family, mnl_cb_t cb);
int sp_netlink_use_neighbour(struct sp_paths *p, uint32_t ifindex, const struct sp_addr *addr);
int sp_netlink_get_neighbour(struct sp_paths *p, uint32_t ifindex, const struct sp_addr *addr,
			     mnl_cb_t cb);
/* Attributes by type, bounded; absent ones are NULL. */
struct sp_attrs {
	const struct nlattr *at[64];
};
void sp_attrs_parse(const struct nlmsghdr *nlh, size_t header_bytes, struct sp_attrs *ret_attrs);
bool sp_attr_addr(const struct nlattr *attr, int family, struct sp_addr *ret_addr);
bool sp_attr_u32(const struct nlattr *attr, uint32_t *ret_value);

/* links.c, locals.c, routes.c, neighbours.c: message in, state and maps out. */
struct sp_link *sp_link_find(struct sp_paths *p, uint32_t ifindex);
int sp_link_on_message(const struct nlmsghdr *nlh, void *paths);
void sp_links_tell(struct sp_paths *p);
int sp_locals_read(struct sp_paths *p);
int sp_locals_publish(struct sp_paths *p);
/* What an earlier run published stands until this one has been told its pools. */
int sp_locals_import(struct sp_paths *p);
int sp_routes_read(struct sp_paths *p);
int sp_routes_publish(struct sp_paths *p);
bool sp_route_is_of_interest(const struct nlmsghdr *nlh);

/* named.c: next hops of named paths, found again when links come and go. */
void sp_named_publish(struct sp_paths *p);
void sp_named_mark_gateways(struct sp_paths *p);

void sp_hops_import(struct sp_paths *p);
int sp_hops_read(struct sp_paths *p);
int sp_hop_on_message(const struct nlmsghdr *nlh, void *paths);
/* The id for an address on a link; made and asked for when there was none. */
int sp_hop_get(struct sp_paths *p, uint32_t ifindex, const struct sp_addr *addr, uint32_t *ret_id);
uint32_t sp_hop_find(const struct sp_paths *p, uint32_t ifindex, const struct sp_addr *addr);
void sp_hop_ask(struct sp_paths *p, uint32_t id);
/* The link's own address, MTU or slot changed, or it went down. */
void sp_hops_on_link(struct sp_paths *p, const struct sp_link *link, bool lost);
void sp_hops_free_link(struct sp_paths *p, uint32_t ifindex);
void sp_hops_ask_due(struct sp_paths *p);
bool sp_addr_is_multicast(const struct sp_addr *addr);
bool sp_addr_is_link_local(const struct sp_addr *addr); /* fe80::/10 */

#endif
