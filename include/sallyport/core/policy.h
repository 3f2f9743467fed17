/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* The policy walk: one query against one compiled image. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_POLICY_H
#define SALLYPORT_CORE_POLICY_H

#include "sallyport/abi/policy.h"
#include "sallyport/abi/verdict.h"

/* What is asked: may this user's packet go there? Ports are those of the original direction. */
struct sp_policy_query {
	struct sp_addr src; /* inner source */
	struct sp_addr dst;
	__u32 user_id;
	__be16 sport_be;
	__be16 dport_be; /* ICMP: type << 8 | code in host order is icmp */
	__u16 icmp;
	__u8 proto; /* IPPROTO_* ; ICMPv6 = 58 */
	__u8 pad;
};

struct sp_policy_answer {
	enum sp_action action;
	enum sp_reason reason; /* SP_R_NONE when allowed */
	__u32 rule_id;	       /* 1 .. ; 0 = the default at the end */
	__u16 pool_id;	       /* egress pool of the rule; 0 = the first pool */
	__u8 on_change;	       /* enum sp_on_change */
	__u8 log;
};

#endif
