/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* The compiled policy: one half of sp_policy (mmap-able). Written by the daemon, read by everybody. */
#ifndef SALLYPORT_ABI_POLICY_H
#define SALLYPORT_ABI_POLICY_H

#include "sallyport/abi/addr.h"

/*
 * A half holds nodes 0 .. count-1: node 0 its header, nodes 1 .. rule_count+1 the verdicts, then
 * the branches of two decision diagrams. A diagram reads its key four bits at a time; equal parts
 * stand in the image once, so a decision costs a bounded number of node reads however many rules
 * there are. A reference is the index of a node; 0 means "nothing said here": the default deny.
 *
 *   scope diagram: destination -> 1 if it is an inner address (a peer's or the gateway's own)
 *   rule diagram:  user, scope and family, destination, service -> verdict node
 */
#define SP_POLICY_MAGIC 0x53506c79u /* "SPly" */

enum sp_policy_kind {
	SP_POLICY_EMPTY = 0,
	SP_POLICY_HEADER = 1,
	SP_POLICY_RULE = 2,
	SP_POLICY_BRANCH = 3,
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
	__u32 reserved[6];
};

/* Node 1 + rule_id. rule_id 0: the gateway's own traffic to its peers, allowed without a rule. */
struct sp_policy_rule {
	__u32 rule_id;
	__u32 action; /* enum sp_action */
	__u16 pool_id;
	__u8 on_change; /* 0 kill, 1 keep */
	__u8 log;
	__u32 line; /* of the configuration file */
	char name[SP_NAME_BYTES];
	__u32 reserved[10];
};

/* Which 64 bits of the key a branch reads. */
enum sp_policy_word {
	SP_POLICY_WORD_WHO = 0,	     /* user_id << 4 | family and scope */
	SP_POLICY_WORD_DST_HIGH = 1, /* IPv4: address << 32 */
	SP_POLICY_WORD_DST_LOW = 2,
	SP_POLICY_WORD_SERVICE = 3, /* protocol << 16 | destination port */
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
	__u32 miss; /* branch: where to go on when match fails */
	union {
		struct sp_policy_header header;
		struct sp_policy_rule rule;
		struct sp_policy_branch branch;
	};
};
SP_ABI_SIZE(struct sp_policy_header, 88);
SP_ABI_SIZE(struct sp_policy_rule, 88);
SP_ABI_SIZE(struct sp_policy_branch, 88);
SP_ABI_SIZE(struct sp_policy_node, 96);

#endif
