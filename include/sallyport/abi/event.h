/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* What the fast paths tell about drops, and the pace of telling (docs/observe.md). */
#ifndef SALLYPORT_ABI_EVENT_H
#define SALLYPORT_ABI_EVENT_H

#include "sallyport/abi/addr.h"

#define SP_DROP_EVENT_BYTES (1u << 18) /* of the ring buffer sp_drop_events */

/*
 * sp_drop_events, a ring buffer, from XDP; the workers have rings of their own in the daemon's
 * memory. What the stage that dropped it did not know yet is zero.
 */
struct sp_drop_event {
	__u64 at_ns;	    /* CLOCK_MONOTONIC */
	struct sp_addr src; /* as the packet says where it was dropped */
	struct sp_addr dst;
	__u32 user_id;
	__u32 peer_id;
	__u32 rule_id; /* of the generation */
	__u32 hit_id;  /* in sp_rule_hits: tells rules of the same number apart */
	__u32 generation;
	__u32 ifindex; /* where it came in */
	__u32 bytes;
	__u32 waited; /* drops of its cell that were left out since the event before */
	__be16 sport_be;
	__be16 dport_be;
	__u16 icmp;	/* type << 8 | code */
	__u8 reason;	/* enum sp_reason */
	__u8 direction; /* enum sp_direction */
	__u8 proto;
	__u8 tcp_flags;
	__u8 tunnelled; /* 1: of the packet inside a tunnel packet */
	__u8 pad[5];
};
SP_ABI_SIZE(struct sp_drop_event, 88);

/*
 * sp_drop_paces[lane * SP_PACE_STRIDE + reason * SP_PACE_WAYS + way], mmap-able: how many drops may
 * be told. Lanes as in sp_drop_lanes: one writer each. The way comes of the user and the source, so
 * that a flood of one reason does not hide who else meets it.
 */
#define SP_PACE_WAYS   4
#define SP_PACE_STRIDE 256 /* reasons x ways */
struct sp_drop_pace {
	__u64 tat_ns;	/* as in sp_bucket: when all could be told again at once */
	__u64 left_out; /* by the pace, since the start */
	__u64 lost;	/* the ring was full, since the start */
	__u32 waiting;	/* of both, since the last event */
	__u32 pad;
};
SP_ABI_SIZE(struct sp_drop_pace, 32);

/*
 * sp_forward_lanes[lane * SP_FORWARD_STRIDE + kind * 2 + direction], mmap-able: what was let
 * through, by enum sp_flow_kind, up or down. Lanes as in sp_drop_lanes. Never reset.
 */
#define SP_FORWARD_STRIDE 8
struct sp_forward_cell {
	__u64 packets;
	__u64 bytes; /* IP packet lengths */
};
SP_ABI_SIZE(struct sp_forward_cell, 16);

#endif
