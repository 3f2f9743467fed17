/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Flows: both directions, NAT binding, verdict, rule, session, next hop, generation. */
#ifndef SALLYPORT_ABI_FLOW_H
#define SALLYPORT_ABI_FLOW_H

#include "sallyport/abi/addr.h"

/*
 * A flow stands in sp_flows twice. The original entry's key is the packet as the user sends it
 * (inner source, remote); the reply entry's key is the answer as it arrives (remote, egress
 * address and port). ICMP echo: the identifier stands in the user-side port, the other is 0.
 */
struct sp_flow_key {
	struct sp_addr src;
	struct sp_addr dst;
	__be16 sport_be;
	__be16 dport_be;
	__u8 proto;
	__u8 pad[3]; /* zero */
};
SP_ABI_SIZE(struct sp_flow_key, 40);

enum sp_flow_side {
	SP_FLOW_ORIGINAL = 0,
	SP_FLOW_REPLY = 1,
};

enum sp_flow_kind {
	SP_FLOW_TUNNEL = 0,  /* user behind a tunnel <-> outside */
	SP_FLOW_HAIRPIN = 1, /* user <-> user */
	SP_FLOW_HOST = 2,    /* user <-> the gateway's own inner address */
	SP_FLOW_PLAIN = 3,   /* workload behind an inside interface <-> outside */
};

/* Bits of tcp_seen, kept per side by whoever carries that side. */
#define SP_TCP_SEEN_SYN 0x01
#define SP_TCP_SEEN_FIN 0x02
#define SP_TCP_SEEN_RST 0x04
#define SP_TCP_SEEN_ACK 0x08 /* an ACK without SYN: data may flow */

/* What a denial means for a flow that another policy, or another hour, had allowed. */
enum sp_flow_on_change {
	SP_FLOW_KILL = 0,
	SP_FLOW_KEEP = 1,
	SP_FLOW_GRACE = 2,  /* lives grace_s on */
	SP_FLOW_ENDING = 3, /* its grace runs: cut at until_ns */
};

/*
 * Writer of the original entry: the worker that made it, once a second. Writer of the reply
 * entry: made by that worker, then packets, bytes, seen_ns and tcp_seen by XDP (and the
 * generation by a worker after judging again). Of plain flows XDP writes both (worker is
 * SP_WORKER_MAX), and the daemon removes what is idle.
 */
struct sp_flow {
	enum sp_flow_side side;
	enum sp_flow_kind kind;
	__u32 generation; /* policy generation that judged it */
	__u32 rule_id;
	__u32 user_id;
	__u32 peer_id;	  /* tunnel peer; 0 = none */
	__u32 nexthop_id; /* in sp_nexthops, of the original direction */
	__u16 worker;	  /* owner: the worker that made it and expires it */
	__u8 pool_id;
	__u8 on_change;		 /* enum sp_flow_on_change */
	struct sp_addr nat_addr; /* original: new source; reply: new destination */
	__be16 nat_port_be;
	__u8 tcp_seen;
	__u8 translated; /* 1: address or port change on the way */
	__u32 idle_s;	 /* dropped as FLOW_EXPIRED after so long without a packet */
	__u64 created_ns;
	__u64 seen_ns;
	__u64 packets;
	__u64 bytes; /* IP packet lengths */

	/* Of the rule that allowed it. */
	__u64 until_ns; /* judged again at or after it; 0 = not before a new policy */
	__u32 grace_s;
	__u32 hit_id;	   /* in sp_rule_hits */
	__u32 bucket_up;   /* in sp_buckets; 0 = unlimited */
	__u32 bucket_down; /* in sp_buckets; 0 = unlimited */
	/* Of plain flows only. */
	__u32 route_seq; /* original: routes that led to nexthop_id */
	__u16 slot;	 /* the inside interface */
	__u8 mac[6];	 /* link address that the workload's packets come from */
	__u8 own_mac[6]; /* and go to */
	__u16 mtu;	 /* of the inside interface */
	__u32 paths;	 /* of every flow: core/path.h, its own first; 0: the routing table */
};
SP_ABI_SIZE(struct sp_flow, 136);

#endif
