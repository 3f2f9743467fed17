/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/diagram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MEMO_BITS  18
#define ROOM_FIRST 1024u
#define ROOM_MAX   (1u << 27)

static bool is_leaf(uint32_t ref)
{
	return ref & SP_DIAGRAM_LEAF;
}

static uint32_t level_of(const struct sp_diagram *d, uint32_t ref)
{
	return !ref || is_leaf(ref) ? UINT32_MAX : d->nodes[ref].level;
}

/* As rank in "first match": no rule at all comes last. */
static uint32_t lowest_of(const struct sp_diagram *d, uint32_t ref)
{
	if (!ref)
		return UINT32_MAX;
	return is_leaf(ref) ? sp_diagram_leaf_rule(d, ref) : d->nodes[ref].lowest;
}

static uint32_t mix(uint32_t hash, uint32_t word)
{
	hash = (hash ^ word) * 0x9e3779b1u;
	return hash ^ hash >> 15;
}

static uint32_t node_hash(uint32_t level, const uint32_t slot[16])
{
	uint32_t hash = level;

	for (unsigned int i = 0; i < 16; i++)
		hash = mix(hash, slot[i]);
	return hash;
}

int sp_diagram_init(struct sp_diagram *d, uint32_t rules, uint32_t max)
{
	memset(d, 0, sizeof(*d));
	d->first_chain = rules;
	d->room = ROOM_FIRST;
	d->max = max < ROOM_MAX ? max : ROOM_MAX;
	d->count = 1;
	d->table_mask = 2 * ROOM_FIRST - 1;
	d->nodes = calloc(d->room, sizeof(*d->nodes));
	d->table = calloc(d->table_mask + 1u, sizeof(*d->table));
	d->memo = calloc(1u << MEMO_BITS, sizeof(*d->memo));
	if (d->nodes && d->table && d->memo)
		return 0;
	sp_diagram_fini(d);
	return -ENOMEM;
}

void sp_diagram_fini(struct sp_diagram *d)
{
	free(d->nodes);
	free(d->table);
	free(d->memo);
	sp_diagram_chains_fini(d);
	memset(d, 0, sizeof(*d));
}

/* Where the node stands in the table, or the empty place where it belongs. */
static uint32_t *table_find(struct sp_diagram *d, uint32_t level, const uint32_t slot[16])
{
	uint32_t i = node_hash(level, slot) & d->table_mask;

	for (; d->table[i]; i = (i + 1) & d->table_mask) {
		const struct sp_diagram_node *node = &d->nodes[d->table[i]];

		if (node->level == level && !memcmp(node->slot, slot, sizeof(node->slot)))
			break;
	}
	return &d->table[i];
}

static int grow(struct sp_diagram *d)
{
	uint32_t room = d->room * 2, mask = 2 * room - 1;
	struct sp_diagram_node *nodes;
	uint32_t *table;

	table = calloc(mask + 1u, sizeof(*table));
	nodes = realloc(d->nodes, room * sizeof(*nodes));
	if (nodes)
		d->nodes = nodes;
	if (!nodes || !table) {
		free(table);
		return -ENOMEM;
	}
	free(d->table);
	d->room = room;
	d->table = table;
	d->table_mask = mask;
	for (uint32_t i = 1; i < d->count; i++)
		*table_find(d, d->nodes[i].level, d->nodes[i].slot) = i;
	return 0;
}

uint32_t sp_diagram_branch(struct sp_diagram *d, uint32_t level, const uint32_t slot[16])
{
	struct sp_diagram_node *node;
	uint32_t lowest = UINT32_MAX;
	uint32_t *place;
	unsigned int i;

	if (d->error)
		return 0;
	for (i = 1; i < 16 && slot[i] == slot[0]; i++)
		;
	if (i == 16)
		return slot[0];
	place = table_find(d, level, slot);
	if (*place)
		return *place;
	if (d->count >= d->max)
		d->error = -E2BIG;
	else if (d->count == d->room)
		d->error = grow(d);
	if (d->error)
		return 0;
	place = table_find(d, level, slot);
	node = &d->nodes[d->count];
	node->level = level;
	memcpy(node->slot, slot, sizeof(node->slot));
	for (i = 0; i < 16; i++)
		if (lowest_of(d, slot[i]) < lowest)
			lowest = lowest_of(d, slot[i]);
	node->lowest = lowest;
	*place = d->count;
	return d->count++;
}

/* The side of ref below slot i of a node at level; ref itself where ref does not look there. */
static uint32_t cofactor(const struct sp_diagram *d, uint32_t ref, uint32_t level, unsigned int i)
{
	return level_of(d, ref) == level ? d->nodes[ref].slot[i] : ref;
}

uint32_t sp_diagram_min(struct sp_diagram *d, uint32_t a, uint32_t b)
{
	struct sp_diagram_memo *memo;
	uint32_t slot[16], level, result;

	if (a == b || !b)
		return a;
	if (!a)
		return b;
	/* A leaf that always holds and is lower than all on the other side hides that side. */
	if (is_leaf(a) && sp_diagram_leaf_last(d, a) <= lowest_of(d, b))
		return a;
	if (is_leaf(b) && sp_diagram_leaf_last(d, b) <= lowest_of(d, a))
		return b;
	if (is_leaf(a) && is_leaf(b))
		return sp_diagram_leaf_min(d, a, b);
	if (a > b) {
		uint32_t swap = a;

		a = b;
		b = swap;
	}
	memo = &d->memo[mix(mix(0, a), b) >> (32 - MEMO_BITS)];
	if (memo->a == a && memo->b == b)
		return memo->result;
	level = level_of(d, a) < level_of(d, b) ? level_of(d, a) : level_of(d, b);
	for (unsigned int i = 0; i < 16; i++)
		slot[i] = sp_diagram_min(d, cofactor(d, a, level, i), cofactor(d, b, level, i));
	result = sp_diagram_branch(d, level, slot);
	if (!d->error)
		*memo = (struct sp_diagram_memo){a, b, result};
	return result;
}

uint32_t sp_diagram_prefix(struct sp_diagram *d, uint32_t level, const uint8_t *bits, uint32_t len,
			   uint32_t child)
{
	uint32_t digits = (len + 3) / 4;

	while (digits-- > 0) {
		unsigned int digit = digits & 1 ? bits[digits / 2] & 15 : bits[digits / 2] >> 4;
		unsigned int used = len - digits * 4 < 4 ? len - digits * 4 : 4;
		unsigned int first = digit & (0xfu << (4 - used)) & 15;
		uint32_t slot[16] = {0};

		for (unsigned int i = first; i < first + (1u << (4 - used)); i++)
			slot[i] = child;
		child = sp_diagram_branch(d, level + digits, slot);
	}
	return child;
}

uint32_t sp_diagram_range(struct sp_diagram *d, uint32_t level, uint32_t digits, uint32_t min,
			  uint32_t max, uint32_t child)
{
	uint32_t slot[16], part, low;

	if (min > max)
		return 0;
	if (!digits)
		return child;
	part = 1u << 4 * (digits - 1);
	for (uint32_t i = 0; i < 16; i++) {
		low = i * part;
		if (max < low || min > low + part - 1)
			slot[i] = 0;
		else if (min <= low && max >= low + part - 1)
			slot[i] = child;
		else
			slot[i] = sp_diagram_range(d, level + 1, digits - 1,
						   min > low ? min - low : 0,
						   max < low + part - 1 ? max - low : part - 1,
						   child);
	}
	return sp_diagram_branch(d, level, slot);
}

void sp_diagram_sum_add(struct sp_diagram *d, struct sp_diagram_sum *sum, uint32_t ref)
{
	unsigned int i;

	for (i = 0; sum->count >> i & 1; i++)
		ref = sp_diagram_min(d, sum->rank[i], ref);
	sum->rank[i] = ref;
	sum->count++;
}

uint32_t sp_diagram_sum_total(struct sp_diagram *d, const struct sp_diagram_sum *sum)
{
	uint32_t total = 0;

	for (unsigned int i = 0; i < 32; i++)
		if (sum->count >> i & 1)
			total = sp_diagram_min(d, sum->rank[i], total);
	return total;
}
