/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* What XDP tells about plain flows: rules' decisions to the daemon, refusals to their senders. */
#ifndef SALLYPORT_ABI_NOTICE_H
#define SALLYPORT_ABI_NOTICE_H

#include "sallyport/abi/flow.h"
#include "sallyport/abi/verdict.h"

/* sp_decisions, a ring buffer: a rule with a log mark decided about a new flow, or would have. */
struct sp_decision {
	struct sp_flow_key key; /* as the workload sends it */
	__u32 user_id;
	__u32 rule_id;
	__u32 hit_id;
	enum sp_action action;
	__u8 shadow;
	__u8 pad[7];
};
SP_ABI_SIZE(struct sp_decision, 64);

/* How XDP answers a packet of a plain flow that it drops. */
enum sp_notice {
	SP_NOTICE_NONE = 0,
	SP_NOTICE_REJECT = 1, /* a TCP reset, or administratively prohibited */
	SP_NOTICE_TIME = 2,   /* TTL or hop limit exceeded */
	SP_NOTICE_TOO_BIG = 3,
	SP_NOTICE_KINDS = 4,
};

/* sp_plain_pace[0], one for each CPU: what XDP may say at which rate, and what it has kept back. */
struct sp_pace {
	__u64 log_tat_ns; /* decisions told to the daemon */
	__u64 log_lost;	  /* those that were not */
	__u64 answer_tat_ns[SP_NOTICE_KINDS];
	__u64 answers[SP_NOTICE_KINDS];	     /* sent */
	__u64 answers_lost[SP_NOTICE_KINDS]; /* above the rate */
};
SP_ABI_SIZE(struct sp_pace, 112);

/*
 * sp_refusals[hash of the key], one set for each CPU: a new flow that the policy has just refused.
 * It may forget: then the policy is asked again.
 */
#define SP_REFUSAL_MAX 1024
#define SP_REFUSAL_NS  1000000000ull /* asked again after so long in any case */
struct sp_refusal {
	struct sp_flow_key key;
	__u64 until_ns;
	__u32 generation;
	__u32 user_id;
	__u32 rule_id;
	__u32 hit_id;
	__u16 slot; /* of the inside interface */
	__u8 reason;
	__u8 rejects; /* 1: the sender is told */
	__u8 pad[4];
};
SP_ABI_SIZE(struct sp_refusal, 72);

#endif
