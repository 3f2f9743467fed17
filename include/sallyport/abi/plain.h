/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Plain egress: zones, the addresses they leave by, NAT of XDP, routes as a trie, events. */
#ifndef SALLYPORT_ABI_PLAIN_H
#define SALLYPORT_ABI_PLAIN_H

#include "sallyport/abi/notice.h"

#define SP_ZONE_PREFIXES_MAX 65536
#define SP_EGRESS_MAX	     65536
#define SP_EVENT_BYTES	     65536 /* of each ring buffer */

/* sp_zones[{interface slot, prefix}]: who sends from there. prefixlen counts the slot's 32 bits. */
struct sp_zone_key {
	__u32 prefixlen;
	__u32 slot;
	__u8 addr[16];
};
SP_ABI_SIZE(struct sp_zone_key, 24);
struct sp_zone {
	__u32 user_id;
	__u32 pad;
};
SP_ABI_SIZE(struct sp_zone, 8);

/* sp_egress[{identity, pool, family}]: as what it leaves. No entry: NAT_NO_POOL. */
struct sp_egress_key {
	__u32 user_id;
	__u16 pool_id; /* 0: of a rule without a pool */
	__u8 version;  /* 4 or 6 */
	__u8 pad;
};
SP_ABI_SIZE(struct sp_egress_key, 8);
struct sp_egress {
	struct sp_addr addr;
	__u16 port_min; /* host order, both included */
	__u16 port_max;
	__u16 slice; /* pairs of ports p with (p >> 1) % slices == slice are XDP's */
	__u16 slices;
	__u8 pool_id;  /* 1 .., what 0 in the key stands for */
	__u8 routed;   /* 1: leaves untranslated, the rest means nothing */
	__u8 fallback; /* pool to turn to when this one has no port; 0 = none */
	__u8 pad;
	__u32 use_id; /* in sp_egress_use; 0 = none */
};
SP_ABI_SIZE(struct sp_egress, 32);

/* sp_egress_use[id], mmap-able: what is taken of one address of one pool. Id 0 is nobody's. */
#define SP_EGRESS_USE_MAX 16385
#define SP_PORT_SPACES	  3 /* TCP, UDP, ICMP identifiers */
struct sp_egress_use {
	struct sp_addr addr;
	__u16 port_min; /* host order; 0, 0: free */
	__u16 port_max;
	__u32 pool_id;
	__u32 used[SP_PORT_SPACES];  /* bindings with a flow, by workers */
	__u32 plain[SP_PORT_SPACES]; /* the same by XDP, as the daemon last counted them */
	__u64 refused;		     /* flows that got no port, by workers and XDP */
	__u64 refused_ns;	     /* the last time; CLOCK_MONOTONIC */
};
SP_ABI_SIZE(struct sp_egress_use, 64);

/* sp_bindings[inside]: endpoint-independent mapping. ICMP echo: the identifier is the port. */
struct sp_binding_key {
	struct sp_addr src;
	__u32 user_id;
	__be16 sport_be;
	__u8 proto;
	__u8 pool_id;
};
SP_ABI_SIZE(struct sp_binding_key, 24);
struct sp_binding {
	struct sp_addr addr;
	__u64 used_ns; /* a flow was last made with it */
	__be16 port_be;
	__u16 pad[3];
};
SP_ABI_SIZE(struct sp_binding, 32);

/* sp_ports[outside]: whose it is. user_id SP_USER_GATEWAY: the host listens there. */
struct sp_port_key {
	struct sp_addr addr;
	__be16 port_be;
	__u8 proto;
	__u8 pad[5];
};
SP_ABI_SIZE(struct sp_port_key, 24);
struct sp_port {
	struct sp_binding_key owner;
	__u64 claimed_ns;
};
SP_ABI_SIZE(struct sp_port, 32);

/* sp_route_lpm[prefix]: the routes of sp_routes for XDP. */
struct sp_route_hop {
	__u32 prefixlen;  /* as in its key: an IPv4 address must not take ::/0 */
	__u32 nexthop_id; /* 0 = on-link */
	__u32 ifindex;
	__u32 pad;
};
SP_ABI_SIZE(struct sp_route_hop, 16);

/* sp_events, a ring buffer: what XDP asks of the daemon. */
enum sp_event_kind {
	SP_EVENT_NEIGHBOUR = 1, /* a link address is missing: ifindex, addr */
};
struct sp_event {
	struct sp_addr addr;
	__u32 ifindex;
	enum sp_event_kind kind;
};
SP_ABI_SIZE(struct sp_event, 24);

#endif
