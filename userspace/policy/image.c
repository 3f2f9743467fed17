/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/image.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

struct emitter {
	const struct sp_diagram *d;
	uint32_t *index; /* of a diagram's node in the image; 0 = not yet */
	struct sp_policy_node *nodes;
	uint32_t count, room, max;
	bool no_memory;
};

static enum sp_policy_word level_word(uint32_t level)
{
	if (level < SP_POLICY_LEVEL_DST)
		return SP_POLICY_WORD_WHO;
	if (level >= SP_POLICY_LEVEL_PROTO)
		return SP_POLICY_WORD_SERVICE;
	return level < SP_POLICY_LEVEL_DST + 16 ? SP_POLICY_WORD_DST_HIGH : SP_POLICY_WORD_DST_LOW;
}

static uint32_t level_shift(uint32_t level)
{
	static const uint32_t last[SP_POLICY_WORDS] = {
		SP_POLICY_LEVEL_DST - 1,
		SP_POLICY_LEVEL_DST + 15,
		SP_POLICY_LEVEL_PROTO - 1,
		SP_POLICY_LEVEL_COUNT - 1,
	};

	return 4 * (last[level_word(level)] - level);
}

/* Does the node ask for one digit only, and answer the same to all others? */
static bool single_path(const struct sp_diagram_node *node, uint32_t *ret_digit, uint32_t *ret_miss)
{
	uint32_t common = node->slot[0] == node->slot[1] || node->slot[0] == node->slot[2]
				  ? node->slot[0]
				  : node->slot[1];
	uint32_t found = 16;

	for (uint32_t i = 0; i < 16; i++) {
		if (node->slot[i] == common)
			continue;
		if (found < 16)
			return false;
		found = i;
	}
	*ret_digit = found;
	*ret_miss = common;
	return true;
}

/*
 * Follow single paths with the same other answer as far as the word of the key goes: together they
 * are one comparison. Returns the node whose sixteen slots come after it.
 */
static const struct sp_diagram_node *follow(const struct sp_diagram *d,
					    const struct sp_diagram_node *node,
					    struct sp_policy_branch *branch, uint32_t *ret_miss)
{
	uint32_t digit, miss, child;

	while (single_path(node, &digit, &miss) && (!branch->mask || miss == *ret_miss)) {
		child = node->slot[digit];
		if (!child || child & SP_DIAGRAM_LEAF ||
		    level_word(d->nodes[child].level) != branch->word)
			break;
		branch->mask |= 15ull << level_shift(node->level);
		branch->match |= (uint64_t)digit << level_shift(node->level);
		*ret_miss = miss;
		node = &d->nodes[child];
	}
	return node;
}

/* The index that the next node will have. Past max it is only counted, so that all are counted. */
static uint32_t take_index(struct emitter *e)
{
	if (e->count < e->max && e->count == e->room) {
		uint32_t room = e->room * 2 < e->max ? e->room * 2 : e->max;
		struct sp_policy_node *nodes = reallocarray(e->nodes, room, sizeof(*nodes));

		if (!nodes) {
			e->no_memory = true;
			return 0;
		}
		e->nodes = nodes;
		e->room = room;
	}
	return e->count++;
}

/* Verdicts, then choices: they stand in the order of the leaves' numbers. */
static uint32_t leaf_index(uint32_t ref)
{
	return ref ? 1 + (ref & ~SP_DIAGRAM_LEAF) : 0;
}

static uint32_t emit(struct emitter *e, uint32_t ref)
{
	struct sp_policy_node out = {.kind = SP_POLICY_BRANCH};
	const struct sp_diagram_node *node;
	uint32_t index, miss = 0;

	if (!ref || e->no_memory)
		return 0;
	if (ref & SP_DIAGRAM_LEAF)
		return leaf_index(ref);
	if (e->index[ref])
		return e->index[ref];
	index = take_index(e);
	if (e->no_memory)
		return 0;
	e->index[ref] = index;
	node = &e->d->nodes[ref];
	out.branch.word = level_word(node->level);
	node = follow(e->d, node, &out.branch, &miss);
	out.branch.shift = level_shift(node->level);
	out.miss = emit(e, miss);
	for (unsigned int i = 0; i < 16; i++)
		out.branch.slot[i] = emit(e, node->slot[i]);
	if (index < e->max && !e->no_memory)
		e->nodes[index] = out;
	return index;
}

static void emit_choices(struct emitter *e, uint32_t first)
{
	for (uint32_t i = 0; i < e->d->chain_count && first + i < e->max; i++) {
		const struct sp_diagram_chain *chain = &e->d->chains[i];

		e->nodes[first + i] =
			(struct sp_policy_node){.kind = SP_POLICY_CHOICE,
						.miss = leaf_index(chain->next),
						.choice = {.verdict = 1 + chain->rule}};
	}
}

int sp_policy_image_emit(const struct sp_diagram *d, const struct sp_policy_roots *roots,
			 uint32_t rule_count, uint32_t nodes_max, struct sp_policy_node **ret_nodes,
			 uint32_t *ret_needed, struct sp_policy_header *ret_header)
{
	_cleanup_free_ uint32_t *index = calloc(d->count, sizeof(*index));
	uint32_t first = rule_count + 2;
	struct emitter e = {.d = d, .index = index, .max = nodes_max};
	struct sp_policy_header header = {.choice_count = d->chain_count};

	e.count = first + d->chain_count;
	e.room = e.count < e.max ? e.count : e.max;
	e.nodes = calloc(e.room ? e.room : 1, sizeof(*e.nodes));
	if (!index || !e.nodes) {
		free(e.nodes);
		return -ENOMEM;
	}
	emit_choices(&e, first);
	header.scope_root = emit(&e, roots->scope);
	header.rule_root = emit(&e, roots->rules);
	header.shadow_root = emit(&e, roots->shadow);
	header.place_root = emit(&e, roots->places);
	header.count = e.count;
	if (e.no_memory || e.count > e.max) {
		free(e.nodes);
		if (e.no_memory)
			return -ENOMEM;
		*ret_needed = e.count;
		return -E2BIG;
	}
	*ret_nodes = e.nodes;
	*ret_needed = e.count;
	*ret_header = header;
	return 0;
}
