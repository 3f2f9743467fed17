/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* What the policy is asked and what it answers, and whether a verdict holds now. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_POLICY_ANSWER_H
#define SALLYPORT_CORE_POLICY_ANSWER_H

#include "sallyport/abi/policy.h"
#include "sallyport/abi/verdict.h"
#include "sallyport/core/addr.h"

/* What is asked: may this user's packet go there? Ports are those of the original direction. */
struct sp_policy_query {
	struct sp_addr src; /* inner source */
	struct sp_addr dst;
	__u32 user_id;
	__be16 sport_be;
	__be16 dport_be; /* ICMP: type << 8 | code in host order is icmp */
	__u16 icmp;
	__u8 proto;   /* IPPROTO_* ; ICMPv6 = 58 */
	__u8 place;   /* sp_policy_place of the tunnel's outer address; 0 = none */
	__u64 now_ns; /* CLOCK_MONOTONIC */
};

struct sp_policy_answer {
	enum sp_action action;
	enum sp_reason reason; /* SP_R_NONE when allowed */
	__u32 rule_id;	       /* 1 .. ; 0 = the default at the end */
	__u16 pool_id;	       /* egress pool of the rule; 0 = the first pool */
	__u8 on_change;	       /* enum sp_flow_on_change */
	__u8 log;
	__u32 shadow_id; /* rule in shadow mode that would have decided instead; 0 = none */
	__u32 hit_id;
	__u32 grace_s;
	__u32 bucket_up;
	__u32 bucket_down;
	__u32 paths;	/* core/path.h */
	__u64 until_ns; /* when the answer may become another; 0 = not before a new policy */
};

/* Does it hold now? *until_ns comes down to the next moment at which that changes. */
SP_INLINE bool sp_policy_holds(const struct sp_policy_choice *choice, __u64 now_ns, __u64 *until_ns)
{
	const struct sp_policy_window *w;
	__u64 next_ns;
	bool is_in;
	int i;

	for (i = 0; i < SP_POLICY_WINDOWS; i++) {
		w = &choice->windows[i];
		if (now_ns >= w->until_ns)
			continue;
		is_in = now_ns >= w->from_ns;
		next_ns = is_in ? w->until_ns : w->from_ns;
		if (next_ns < *until_ns)
			*until_ns = next_ns;
		return is_in;
	}
	return false;
}

SP_INLINE void sp_policy_answer_init(struct sp_policy_answer *a, const struct sp_policy_rule *rule)
{
	a->reason = SP_R_POLICY_DENY;
	if (rule->action == SP_ACTION_ALLOW) {
		a->action = SP_ACTION_ALLOW;
		a->reason = SP_R_NONE;
	} else if (rule->action == SP_ACTION_REJECT) {
		a->action = SP_ACTION_REJECT;
	}
	a->rule_id = rule->rule_id;
	a->pool_id = rule->pool_id;
	a->on_change = rule->on_change;
	a->log = rule->log;
	a->hit_id = rule->hit_id;
	a->grace_s = rule->grace_s;
	a->bucket_up = rule->bucket_up;
	a->bucket_down = rule->bucket_down;
	a->paths = rule->paths;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SP_POLICY_BE64(x) __builtin_bswap64(x)
#define SP_POLICY_BE16(x) __builtin_bswap16(x)
#else
#define SP_POLICY_BE64(x) (x)
#define SP_POLICY_BE16(x) (x)
#endif

struct sp_policy_key {
	__u64 word[SP_POLICY_WORDS];
};

/* ICMP and ICMPv6 have their type and code where others have ports. */
SP_INLINE void sp_policy_key_init(struct sp_policy_key *key, const struct sp_policy_query *q)
{
	const union sp_addr_words *dst = (const union sp_addr_words *)&q->dst;
	__u64 who = (__u64)q->user_id << 12 | (q->place & 0xff) << 4;
	__u64 port = q->proto == 1 || q->proto == 58 ? q->icmp : SP_POLICY_BE16(q->dport_be);

	key->word[SP_POLICY_WORD_SERVICE] = (__u64)q->proto << 16 | port;
	if (sp_addr_is_v4(&q->dst)) {
		key->word[SP_POLICY_WORD_WHO] = who;
		key->word[SP_POLICY_WORD_DST_HIGH] = SP_POLICY_BE64(dst->w64[1]) << 32;
		key->word[SP_POLICY_WORD_DST_LOW] = 0;
	} else {
		key->word[SP_POLICY_WORD_WHO] = who | SP_POLICY_SCOPE_V6;
		key->word[SP_POLICY_WORD_DST_HIGH] = SP_POLICY_BE64(dst->w64[0]);
		key->word[SP_POLICY_WORD_DST_LOW] = SP_POLICY_BE64(dst->w64[1]);
	}
}

#endif
