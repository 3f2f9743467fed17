/* SPDX-License-Identifier: Apache-2.0 */
/* Decision diagrams over a key of four-bit levels, built while a policy is compiled. Daemon thread. */
#ifndef SP_POLICY_DIAGRAM_H
#define SP_POLICY_DIAGRAM_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A reference is 0 (no rule), a leaf (SP_DIAGRAM_LEAF is set) or the index of a node. A leaf is a
 * rule number below first_chain, and from there on a chain: a rule that does not always hold, and
 * the leaf to go on with when it does not. Every node exists once and none has sixteen equal slots, so equal functions are equal
 * references (Bryant 1986, with sixteen ways out of a node instead of two).
 */
#define SP_DIAGRAM_LEAF 0x80000000u

struct sp_diagram_node {
	uint32_t level;
	uint32_t lowest; /* rule at the head of a leaf below */
	uint32_t slot[16];
};

struct sp_diagram_chain {
	uint32_t rule;
	uint32_t next;	 /* leaf with higher rules only, or 0 */
	uint32_t last;	 /* rule at its end if that always holds, else UINT32_MAX */
	uint32_t length; /* rules that do not always hold */
};

struct sp_diagram_memo {
	uint32_t a, b, result;
};

struct sp_diagram {
	struct sp_diagram_node *nodes; /* [0] unused */
	uint32_t count, room, max;
	uint32_t *table; /* node by content, open addressing */
	uint32_t table_mask;
	struct sp_diagram_memo *memo; /* of min; may forget */
	struct sp_diagram_chain *chains;
	uint32_t chain_count, chain_room, first_chain;
	uint32_t *chain_table; /* chain + 1 by content */
	uint32_t chain_mask;
	int error; /* first failure; references are 0 from then on */
};

#define SP_DIAGRAM_CHAIN_MAX 16 /* rules in a chain that do not always hold */

/* Rules are numbered below rules; max bounds the nodes made on the way. 0 or -ENOMEM. */
int sp_diagram_init(struct sp_diagram *d, uint32_t rules, uint32_t max);
void sp_diagram_fini(struct sp_diagram *d);

/* A rule that does not always hold. error: -EMLINK when too many of them lie over one another. */
uint32_t sp_diagram_timed(struct sp_diagram *d, uint32_t rule);
/* The node with these slots, or less where it decides nothing. error: -E2BIG or -ENOMEM. */
uint32_t sp_diagram_branch(struct sp_diagram *d, uint32_t level, const uint32_t slot[16]);
/*
 * Pointwise: the lower rule number wins, any rule wins over none; behind a rule that does not always
 * hold the other is kept. This is "first match".
 */
uint32_t sp_diagram_min(struct sp_diagram *d, uint32_t a, uint32_t b);
/* child where the first len bits, from level on, equal those of bits; 0 elsewhere. */
uint32_t sp_diagram_prefix(struct sp_diagram *d, uint32_t level, const uint8_t *bits, uint32_t len,
			   uint32_t child);
/* child where the number of `digits` four-bit digits at level is in [min, max]; 0 elsewhere. */
uint32_t sp_diagram_range(struct sp_diagram *d, uint32_t level, uint32_t digits, uint32_t min,
			  uint32_t max, uint32_t child);

/* chain.c: leaves. The rule at the head; that at the end if it always holds, else UINT32_MAX. */
uint32_t sp_diagram_leaf_rule(const struct sp_diagram *d, uint32_t leaf);
uint32_t sp_diagram_leaf_last(const struct sp_diagram *d, uint32_t leaf);
uint32_t sp_diagram_leaf_min(struct sp_diagram *d, uint32_t a, uint32_t b);
void sp_diagram_chains_fini(struct sp_diagram *d);

/* The minimum of many, merged in pairs of equal weight so that no element is merged often. */
struct sp_diagram_sum {
	uint32_t rank[32];
	uint32_t count;
};
void sp_diagram_sum_add(struct sp_diagram *d, struct sp_diagram_sum *sum, uint32_t ref);
uint32_t sp_diagram_sum_total(struct sp_diagram *d, const struct sp_diagram_sum *sum);

#endif
