/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* One packet asked of sp_trace, and what each stage said of it. In front of the packet, both ways. */
#ifndef SALLYPORT_ABI_TRACE_H
#define SALLYPORT_ABI_TRACE_H

#include "sallyport/abi/flow.h"
#include "sallyport/abi/verdict.h"

#define SP_TRACE_MAGIC	 0x53507472u /* "SPtr" */
#define SP_TRACE_BUCKETS 8

enum sp_trace_as {
	SP_TRACE_WIRE = 0, /* as it comes in by the interface of the run */
	SP_TRACE_USER = 1, /* user_id's, out of a tunnel: authentic, its source checked */
};

#define SP_TRACE_FRESH	0x1 /* as if no flow were open */
#define SP_TRACE_POLICY 0x2 /* of SP_TRACE_USER: the policy alone */

/* What the policy answers (core/policy_answer.h). */
struct sp_trace_policy {
	__u32 asked; /* 0: no stage needed it, the rest means nothing */
	enum sp_action action;
	enum sp_reason reason;
	__u32 rule_id;
	__u32 shadow_id;
	__u16 pool_id;
	__u8 on_change;
	__u8 log;
	__u32 hit_id;
	__u32 grace_s;
	__u32 bucket_up;
	__u32 bucket_down;
	__u64 until_ns;
};
SP_ABI_SIZE(struct sp_trace_policy, 48);

/* A bucket that the packet pays, before it did. */
struct sp_trace_bucket {
	__u32 id;
	__u32 conforms;
	__u64 tat_ns;
	__u64 cost_q16;
	__u64 burst_ns;
	__u64 rate_bps;
};
SP_ABI_SIZE(struct sp_trace_bucket, 40);

struct sp_trace {
	/* Asked. */
	__u32 magic;
	enum sp_trace_as as;
	__u32 flags;
	__u32 user_id;	  /* of SP_TRACE_USER */
	__u32 generation; /* whose half is asked; 0: the one in force */
	__u32 place;	  /* of SP_TRACE_USER: sp_policy_place of its outer address */
	__u64 now_ns;	  /* CLOCK_MONOTONIC */

	/* Said. */
	enum sp_verdict verdict;
	enum sp_reason reason;
	enum sp_direction direction;
	__u32 roles;	 /* of the interface */
	__u32 has_local; /* 1: the destination is an address of ours */
	__u32 has_inner; /* of SP_TRACE_USER, 1: it is an inner address, of peer_id or ours (0) */
	__u32 peer_id;
	__u32 identity;		/* user id that was judged; 0: none */
	struct sp_flow_key key; /* by which the packet is known */
	struct sp_trace_policy policy;
	__u32 has_flow; /* 1: an entry was there, as it was before */
	__u32 bucket_count;
	struct sp_flow flow;
	struct sp_trace_bucket buckets[SP_TRACE_BUCKETS];

	__u32 has_nat;	   /* 1: translated to nat_addr and nat_port_be */
	__u32 has_binding; /* 1: the port is its own already; 0: any that is free, such as this */
	struct sp_addr nat_addr;
	__be16 nat_port_be;
	__u16 has_hop; /* 1: the rest is the next hop */
	__u32 hop_id;
	__u32 hop_state; /* enum sp_nexthop_state */
	__u32 hop_ifindex;
	struct sp_addr hop_addr;
	__u32 hop_mtu;
	__u32 hop_slot;
};
SP_ABI_SIZE(struct sp_trace, 680);

#endif
