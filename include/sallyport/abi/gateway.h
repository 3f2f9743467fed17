/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* The one record every packet looks at first (sp_gateway[0], mmap-able), and XDP -> worker. */
#ifndef SALLYPORT_ABI_GATEWAY_H
#define SALLYPORT_ABI_GATEWAY_H

#include "sallyport/abi/base.h"

struct sp_gateway {
	__u32 abi;	  /* SP_ABI_VERSION */
	__u32 open;	  /* 0: everything but the host's own traffic is dropped as CLOSED */
	__u32 generation; /* of the policy; odd half / even half of the image: generation & 1 */
	__u32 route_seq;  /* seqlock of sp_routes */
	__u32 route_count;
	__u32 workers;
	__u64 handshake_cost_ns;  /* per-source: time one handshake costs */
	__u64 handshake_burst_ns; /* per-source: how far ahead a source may be */
	__u64 started_ns;
	__u32 drop_lane_first_worker; /* lanes below are XDP's CPUs */
	__u32 policy_nodes_max;	      /* of one half of the image */
	__u32 nat_slices;	      /* of every port range: the workers' and then XDP's */
	__u32 event_cost_ns; /* between two drop events of a cell of sp_drop_paces; 0 = none */
	__u32 rules_max;     /* a lane of sp_rule_hits is rules_max + 1 cells */
	__u32 records;	     /* 1: flow records are kept */
	__u64 records_lost;  /* flow records that the ring to the daemon had no room for */
};
SP_ABI_SIZE(struct sp_gateway, 80);

/* sp_sources[source address, IPv6 cut to /64]: handshake rate, LRU since it may forget. */
struct sp_source {
	__u64 tat_ns;
};
SP_ABI_SIZE(struct sp_source, 8);

/*
 * What XDP learned, in the 32 bytes before the packet (the most that Linux 6.1 carries).
 * The worker trusts kind and offsets, and nothing when the magic is absent.
 */
enum sp_meta_kind {
	SP_META_TUNNEL = 1, /* WireGuard data: l4_off = start of the WireGuard header */
	SP_META_REPLY = 2,  /* un-NATed packet for a tunnel peer: l3_off = start of IP */
	SP_META_PLAIN = 3,  /* from an inside interface: l3_off = start of IP */
};
#define SP_META_MAGIC	   0x5359
#define SP_META_STALE	   0x01 /* the flow's generation is old: judge again */
#define SP_META_ICMP_ERROR 0x02 /* an ICMP error about the flow */

struct sp_meta {
	__u16 magic;
	__u8 kind;
	__u8 flags;
	__u16 l3_off;
	__u16 l4_off;
	__u32 peer_id;
	__u32 user_id;
	__u32 ifindex;
	__u32 receiver; /* WireGuard receiver index of SP_META_TUNNEL */
	__u32 rule_id;
	/* SP_META_REPLY: the flow's, un-NATed; a later fragment has none of its own. */
	__be16 sport_be;
	__be16 dport_be;
};
SP_ABI_SIZE(struct sp_meta, 32);

#endif
