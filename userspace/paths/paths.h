/* SPDX-License-Identifier: Apache-2.0 */
/* Links, addresses, routes and neighbours from netlink, published for XDP and the workers. Daemon thread. */
#ifndef SP_PATHS_PATHS_H
#define SP_PATHS_PATHS_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/dataplane.h"

struct sp_paths;

/* Upcalls, all in the daemon's thread. Mandatory unless marked. */
struct sp_paths_upcalls {
	void (*on_link)(void *arg, uint32_t ifindex, bool up, uint32_t mtu); /* optional */
	void (*on_address)(void *arg); /* the set of local addresses changed; optional */
};

/* Only interfaces put in with sp_paths_iface_add are watched. */
int sp_paths_open(struct sp_dataplane *dp, const struct sp_paths_upcalls *upcalls, void *arg,
		  struct sp_paths **ret_paths);
void sp_paths_close(struct sp_paths *paths);

/* Fill MAC, MTU and queues of an interface by name. -ENODEV. */
int sp_paths_iface_probe(const char *name, uint32_t *ret_ifindex, struct sp_iface *ret_iface);
int sp_paths_iface_add(struct sp_paths *paths, uint32_t ifindex, const struct sp_iface *iface);
void sp_paths_iface_remove(struct sp_paths *paths, uint32_t ifindex);

/* Read everything from the kernel and publish: addresses -> sp_locals, routes, neighbours. */
int sp_paths_sync(struct sp_paths *paths);

/* The netlink descriptor to watch for reading, and what to do when it is readable. */
int sp_paths_fd(const struct sp_paths *paths);
int sp_paths_on_readable(struct sp_paths *paths);

/* A worker asked for the link address of an on-link destination: start resolving. */
int sp_paths_resolve(struct sp_paths *paths, uint32_t ifindex, const struct sp_addr *addr);
/* Once a second: keep next hops in use alive in the kernel's neighbour table, free unused. */
void sp_paths_tick(struct sp_paths *paths, uint64_t now_ns);

/* NAT pools on top of the kernel's addresses: kinds and port ranges of sp_locals. */
struct sp_paths_pool_address {
	struct sp_addr addr;
	uint16_t port_min, port_max;
};
int sp_paths_set_pool_addresses(struct sp_paths *paths, const struct sp_paths_pool_address *list,
				uint32_t count);
/* The gateway's own inner addresses: SP_LOCAL_INNER. */
int sp_paths_set_inner_addresses(struct sp_paths *paths, const struct sp_addr *list,
				 uint32_t count);

/* A way out by name, in sp_paths[id]; its next hops are kept alive like gateways. */
struct sp_paths_named {
	char name[SP_NAME_BYTES];
	char interface[16];
	bool has_v4, has_v6;
	struct sp_addr nexthop_v4, nexthop_v6;
	uint32_t pool_id;
};
/* Takes the place of what id meant. -EINVAL: no such id. */
int sp_paths_named_put(struct sp_paths *paths, uint32_t id, const struct sp_paths_named *named);
void sp_paths_named_remove(struct sp_paths *paths, uint32_t id);
/* Do packets for this family leave by it now? */
bool sp_paths_named_is_up(const struct sp_paths *paths, uint32_t id, bool v4);

/* Route and link addresses towards addr: for endpoints the daemon must reach first. 0, -ENETUNREACH, -EAGAIN. */
int sp_paths_lookup(struct sp_paths *paths, const struct sp_addr *addr,
		    struct sp_nexthop *ret_nexthop);

#endif
