/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* The compiled policy: one half of sp_policy (mmap-able). Written by the daemon, read by everybody. */
#ifndef SALLYPORT_ABI_POLICY_H
#define SALLYPORT_ABI_POLICY_H

#include "sallyport/abi/addr.h"

/*
 * A half holds nodes 0 .. count-1: node 0 its header, nodes 1 .. rule_count+1 the verdicts, then
 * choice_count choices, then the branches of decision diagrams. A diagram reads its key four bits at
 * a time; equal parts stand in the image once, so a decision costs a bounded number of node reads
 * however many rules there are. A reference is the index of a node; 0 means "nothing said here":
 * the default deny. See docs/policy.md.
 *
 *   scope diagram:  destination -> 1 if it is an inner address (a peer's or the gateway's own)
 *   rule diagram:   user, scope and family, destination, service -> verdict or choice
 *   shadow diagram: the same for the rules that only count
 *   place diagram:  outer address of a tunnel, as scope and destination -> choice with its place
 */
#define SP_POLICY_MAGIC 0x53506c79u /* "SPly" */

enum sp_policy_kind {
	SP_POLICY_EMPTY = 0,
	SP_POLICY_HEADER = 1,
	SP_POLICY_RULE = 2,
	SP_POLICY_BRANCH = 3,
	SP_POLICY_CHOICE = 4,
};

struct sp_policy_header {
	__u32 magic;
	__u32 abi; /* SP_ABI_VERSION */
	__u32 generation;
	__u32 count; /* nodes of this half in use, this one included */
	__u32 rule_count;
	__u32 user_count;
	__u32 scope_root;	  /* branch, or 0: no inner addresses */
	__u32 rule_root;	  /* branch, or 0: everything is denied */
	char name[SP_NAME_BYTES]; /* of the gateway */
	__u32 shadow_root;	  /* branch, or 0: no rule in shadow mode */
	__u32 choice_count;
	__u32 place_root; /* branch, or 0: no rule asks where a tunnel comes from */
	__u32 reserved[3];
};

/* Node 1 + rule_id. rule_id 0: the gateway's own traffic to its peers, allowed without a rule. */
struct sp_policy_rule {
	__u32 rule_id;
	__u32 action; /* enum sp_action */
	__u16 pool_id;
	__u8 on_change; /* 0 kill, 1 keep, 2 grace */
	__u8 log;
	__u32 line; /* of the configuration file */
	char name[SP_NAME_BYTES];
	__u32 grace_s;
	__u32 hit_id;	   /* cell in a lane of sp_rule_hits; 0 = none */
	__u32 bucket_up;   /* index in sp_buckets; 0 = unlimited */
	__u32 bucket_down; /* index in sp_buckets; 0 = unlimited */
	__u32 shadow;	   /* 1: counts and logs only */
	__u32 paths;	   /* core/path.h; 0: the routing table */
	__u32 reserved[4];
};

/* A verdict that holds in these windows only; outside of them the node's miss decides. */
#define SP_POLICY_WINDOWS    5
#define SP_POLICY_CHOICES    16 /* at most so many in a row */
#define SP_POLICY_PLACES_MAX 255

struct sp_policy_window {
	__u64 from_ns; /* CLOCK_MONOTONIC */
	__u64 until_ns;
};
struct sp_policy_choice {
	__u32 verdict; /* node of a rule */
	__u32 place;   /* leaf of the place diagram: what the key's place is */
	struct sp_policy_window windows[SP_POLICY_WINDOWS]; /* in order; both 0 = unused */
};

/* Which 64 bits of the key a branch reads. */
enum sp_policy_word {
	SP_POLICY_WORD_WHO = 0,	     /* user_id << 12 | place << 4 | family and scope */
	SP_POLICY_WORD_DST_HIGH = 1, /* IPv4: address << 32 */
	SP_POLICY_WORD_DST_LOW = 2,
	SP_POLICY_WORD_SERVICE = 3, /* protocol << 16 | destination port, or ICMP type and code */
	SP_POLICY_WORDS = 4,
};

/* Low four bits of the first word. */
#define SP_POLICY_SCOPE_V6    0x1
#define SP_POLICY_SCOPE_INNER 0x2

/* If (word ^ match) & mask is not zero the answer is miss, else slot[(word >> shift) & 15]. */
struct sp_policy_branch {
	enum sp_policy_word word;
	__u32 shift;
	__u64 match;
	__u64 mask;
	__u32 slot[16];
};

struct sp_policy_node {
	enum sp_policy_kind kind;
	__u32 miss; /* where to go on: branch, when match fails; choice, outside its windows */
	union {
		struct sp_policy_header header;
		struct sp_policy_rule rule;
		struct sp_policy_branch branch;
		struct sp_policy_choice choice;
	};
};
SP_ABI_SIZE(struct sp_policy_header, 88);
SP_ABI_SIZE(struct sp_policy_rule, 88);
SP_ABI_SIZE(struct sp_policy_branch, 88);
SP_ABI_SIZE(struct sp_policy_choice, 88);
SP_ABI_SIZE(struct sp_policy_node, 96);

/*
 * sp_rule_hits[lane * (rules_max + 1) + hit_id], mmap-able: what a rule decided, or in shadow mode would
 * have. Lanes as in sp_drop_lanes: one writer each. hit_id 0: the default at the end. A cell belongs
 * to a rule's name; the daemon clears it before it gives it to another.
 */
struct sp_rule_hit {
	__u64 packets;	/* of users, carried or refused under the rule */
	__u64 flows;	/* decided: begun or refused; in shadow mode, would have been */
	__u64 first_ns; /* CLOCK_MONOTONIC */
	__u64 last_ns;
};
SP_ABI_SIZE(struct sp_rule_hit, 32);

#endif
