/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Interfaces, the gateway's own addresses, routes and next hops. Written by the daemon. */
#ifndef SALLYPORT_ABI_PATH_H
#define SALLYPORT_ABI_PATH_H

#include "sallyport/abi/addr.h"

#define SP_IFACE_MAX   16 /* interfaces with a role */
#define SP_QUEUE_MAX   64 /* receive queues of one interface */
#define SP_WORKER_MAX  64
#define SP_ROUTE_MAX   512 /* routes over interfaces with a role */
#define SP_NEXTHOP_MAX 4096
#define SP_PATH_MAX    256 /* paths of the configuration, by id; 0 = the routing table */

#define SP_ROLE_TUNNEL 0x1 /* tunnel packets arrive here */
#define SP_ROLE_EGRESS 0x2 /* the way out */
#define SP_ROLE_INSIDE 0x4 /* plain workloads stand behind it */

/* sp_ifaces[ifindex]. */
struct sp_iface {
	__u32 roles;
	__u32 slot;	/* 0 .. SP_IFACE_MAX-1, position in the configuration */
	__u32 xsk_base; /* first index in sp_xsks; + receive queue */
	__u32 queues;
	__u32 mtu;
	__u8 mac[6];
	__u8 pad[2];
	char name[16];
	__u32 reserved;
	/* An address of ours there, which ICMP errors come from; all zero = none. */
	struct sp_addr addr4;
	struct sp_addr addr6;
};
SP_ABI_SIZE(struct sp_iface, 80);

/* sp_locals[address]: what an address of ours means when a packet arrives for it. */
enum sp_local_kind {
	SP_LOCAL_HOST = 0,   /* the kernel's own address; no NAT port on it */
	SP_LOCAL_POOL = 1,   /* egress pool address, not the kernel's */
	SP_LOCAL_SHARED = 2, /* both: ports of the NAT range are ours, the rest the kernel's */
	SP_LOCAL_INNER = 3,  /* inner address of the gateway: only out of a tunnel */
	SP_LOCAL_SUBNET = 4, /* directed broadcast of ours */
};
struct sp_local {
	enum sp_local_kind kind;
	__u16 port_min; /* NAT range, host order; 0..0 = none */
	__u16 port_max;
};
SP_ABI_SIZE(struct sp_local, 8);

enum sp_nexthop_state {
	SP_NEXTHOP_FREE = 0,
	SP_NEXTHOP_PENDING = 1, /* asked for, link address not yet known */
	SP_NEXTHOP_READY = 2,
};

/* sp_nexthops[id], mmap-able. seq is odd while the daemon writes (core/seqlock.h). 0 = none. */
struct sp_nexthop {
	__u32 seq;
	enum sp_nexthop_state state;
	struct sp_addr addr;
	__u32 ifindex;
	__u32 slot;
	__u32 mtu;
	__u8 dmac[6];
	__u8 smac[6];
	__u64 used_ns; /* last use, by workers and XDP, coarse: what is in use is kept alive */
	__u64 pad;
};
SP_ABI_SIZE(struct sp_nexthop, 64);

/* sp_routes[0..], mmap-able, longest prefix first; a seqlock in sp_gateway guards the table. */
struct sp_route {
	struct sp_prefix prefix;
	__u32 nexthop_id; /* 0 = on-link: the destination is its own next hop */
	__u32 ifindex;
	__u32 slot;
	__u32 metric;
};
SP_ABI_SIZE(struct sp_route, 40);

/* sp_neighbours[{address, ifindex}] -> next hop id, for on-link destinations. */
struct sp_neighbour_key {
	struct sp_addr addr;
	__u32 ifindex;
	__u32 pad;
};
SP_ABI_SIZE(struct sp_neighbour_key, 24);
struct sp_neighbour {
	__u32 nexthop_id;
	__u32 pad;
};
SP_ABI_SIZE(struct sp_neighbour, 8);

/* sp_paths[id], mmap-able: a way out by name instead of by the routing table. */
struct sp_path {
	char name[SP_NAME_BYTES]; /* keeps its id; empty: the id is free */
	__u32 hop_v4; /* in sp_nexthops; 0: no next hop of this family, or its link is gone */
	__u32 hop_v6;
	__u32 pool_id; /* as what its flows leave when their rule names no pool */
	__u32 pad;
};
SP_ABI_SIZE(struct sp_path, 48);

#endif
