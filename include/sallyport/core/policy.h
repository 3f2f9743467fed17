/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* The policy walk: one query against one compiled image. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_POLICY_H
#define SALLYPORT_CORE_POLICY_H

#include "sallyport/core/policy_answer.h"

/*
 * One half of the image. In BPF a node comes from the map: define SP_POLICY_NODE(view, i) there
 * before including this file, as a look-up of index view->base + i that yields NULL for
 * i >= view->count. The walk trusts nothing that it reads: indexes are bounded by count, steps by
 * SP_POLICY_STEPS, and what makes no sense is denied.
 */
struct sp_policy_view {
#ifdef __bpf__
	__u32 base;
#else
	const struct sp_policy_node *nodes;
#endif
	__u32 count;
};

#ifndef __bpf__
#define SP_POLICY_NODE(view, i) ((i) < (view)->count ? &(view)->nodes[i] : (void *)0)

/* View of a half of nodes_max nodes; an image that is not ours, or none, is an empty view: deny. */
SP_INLINE void sp_policy_view_init(struct sp_policy_view *view, const struct sp_policy_node *half,
				   __u32 nodes_max)
{
	const struct sp_policy_header *h = &half->header;

	view->nodes = half;
	view->count = 0;
	if (nodes_max && half->kind == SP_POLICY_HEADER && h->magic == SP_POLICY_MAGIC &&
	    h->abi == SP_ABI_VERSION && h->count <= nodes_max)
		view->count = h->count;
}
#endif

#ifdef SP_POLICY_NODE

/* Levels of the rule diagram: 11 of user, place and scope, 32 of the address, 6 of the service. */
#define SP_POLICY_STEPS 50

/* The verdict or choice that the key leads to, or NULL. */
SP_INLINE const struct sp_policy_node *sp_policy_descend(const struct sp_policy_view *view,
							 __u32 ref, const struct sp_policy_key *key)
{
	const struct sp_policy_node *node;
	__u64 word;
	int i;

	for (i = 0; i <= SP_POLICY_STEPS && ref; i++) {
		node = SP_POLICY_NODE(view, ref);
		if (!node || node->kind == SP_POLICY_RULE || node->kind == SP_POLICY_CHOICE)
			return node;
		if (node->kind != SP_POLICY_BRANCH)
			break;
		word = key->word[node->branch.word & (SP_POLICY_WORDS - 1)];
		if ((word ^ node->branch.match) & node->branch.mask)
			ref = node->miss;
		else
			ref = node->branch.slot[(word >> (node->branch.shift & 63)) & 15];
	}
	return (void *)0;
}

/* From a choice to the verdict that holds now, or NULL. */
SP_INLINE const struct sp_policy_node *sp_policy_settle(const struct sp_policy_view *view,
							const struct sp_policy_node *node,
							__u64 now_ns, __u64 *until_ns)
{
	__u32 ref;
	int i;

	for (i = 0; i < SP_POLICY_CHOICES && node && node->kind == SP_POLICY_CHOICE; i++) {
		ref = node->miss;
		if (sp_policy_holds(&node->choice, now_ns, until_ns))
			ref = node->choice.verdict;
		node = ref ? SP_POLICY_NODE(view, ref) : (void *)0;
	}
	return node && node->kind == SP_POLICY_RULE ? node : (void *)0;
}

/* The place of a tunnel that comes from addr; 0: no rule names it. */
SP_INLINE __u32 sp_policy_place(const struct sp_policy_view *view, const struct sp_addr *addr)
{
	const struct sp_policy_node *node = SP_POLICY_NODE(view, 0);
	struct sp_policy_query query = {.dst = *addr};
	struct sp_policy_key key;

	if (!node || node->kind != SP_POLICY_HEADER || !node->header.place_root)
		return 0;
	sp_policy_key_init(&key, &query);
	node = sp_policy_descend(view, node->header.place_root, &key);
	return node && node->kind == SP_POLICY_CHOICE ? node->choice.place : 0;
}

SP_INLINE void sp_policy_walk(const struct sp_policy_view *view, const struct sp_policy_query *q,
			      struct sp_policy_answer *ret_answer)
{
	const struct sp_policy_node *header, *verdict = (void *)0, *shadow = (void *)0;
	struct sp_policy_answer answer = {.action = SP_ACTION_DENY, .reason = SP_R_POLICY_DEFAULT};
	__u64 until_ns = ~0ull, shadow_ns = ~0ull;
	struct sp_policy_key key;

	sp_policy_key_init(&key, q);
	header = SP_POLICY_NODE(view, 0);
	if (header && header->kind == SP_POLICY_HEADER) {
		if (sp_policy_descend(view, header->header.scope_root, &key))
			key.word[SP_POLICY_WORD_WHO] |= SP_POLICY_SCOPE_INNER;
		verdict = sp_policy_descend(view, header->header.rule_root, &key);
		verdict = sp_policy_settle(view, verdict, q->now_ns, &until_ns);
		if (header->header.shadow_root) {
			shadow = sp_policy_descend(view, header->header.shadow_root, &key);
			shadow = sp_policy_settle(view, shadow, q->now_ns, &shadow_ns);
		}
	}
	if (verdict)
		sp_policy_answer_init(&answer, &verdict->rule);
	answer.until_ns = until_ns == ~0ull ? 0 : until_ns;
	/* Behind the rule that decides it would have had nothing to say. */
	if (shadow && (!verdict || shadow->rule.rule_id < answer.rule_id))
		answer.shadow_id = shadow->rule.rule_id;
	*ret_answer = answer;
}

#endif
#endif
