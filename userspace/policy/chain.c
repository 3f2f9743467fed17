/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "policy/diagram.h"

#define ROOM_FIRST 64u
#define CHAINS_MAX (1u << 22)

static const struct sp_diagram_chain *chain_of(const struct sp_diagram *d, uint32_t leaf)
{
	uint32_t number = leaf & ~SP_DIAGRAM_LEAF;

	return number < d->first_chain ? NULL : &d->chains[number - d->first_chain];
}

uint32_t sp_diagram_leaf_rule(const struct sp_diagram *d, uint32_t leaf)
{
	const struct sp_diagram_chain *chain = chain_of(d, leaf);

	return chain ? chain->rule : leaf & ~SP_DIAGRAM_LEAF;
}

uint32_t sp_diagram_leaf_last(const struct sp_diagram *d, uint32_t leaf)
{
	const struct sp_diagram_chain *chain = chain_of(d, leaf);

	return chain ? chain->last : leaf & ~SP_DIAGRAM_LEAF;
}

void sp_diagram_chains_fini(struct sp_diagram *d)
{
	free(d->chains);
	free(d->chain_table);
}

static uint32_t *chain_find(struct sp_diagram *d, uint32_t rule, uint32_t next)
{
	uint32_t hash = (rule * 0x9e3779b1u ^ next) * 0x85ebca6bu;
	uint32_t i = (hash ^ hash >> 15) & d->chain_mask;

	for (; d->chain_table[i]; i = (i + 1) & d->chain_mask) {
		const struct sp_diagram_chain *chain = &d->chains[d->chain_table[i] - 1];

		if (chain->rule == rule && chain->next == next)
			break;
	}
	return &d->chain_table[i];
}

static int grow(struct sp_diagram *d)
{
	uint32_t room = d->chain_room ? d->chain_room * 2 : ROOM_FIRST, mask = 2 * room - 1;
	struct sp_diagram_chain *chains = reallocarray(d->chains, room, sizeof(*chains));
	uint32_t *table = calloc(mask + 1u, sizeof(*table));

	if (chains)
		d->chains = chains;
	if (!chains || !table) {
		free(table);
		return -ENOMEM;
	}
	free(d->chain_table);
	d->chain_table = table;
	d->chain_mask = mask;
	d->chain_room = room;
	for (uint32_t i = 0; i < d->chain_count; i++)
		*chain_find(d, d->chains[i].rule, d->chains[i].next) = i + 1;
	return 0;
}

static uint32_t chain(struct sp_diagram *d, uint32_t rule, uint32_t next)
{
	const struct sp_diagram_chain *after = next ? chain_of(d, next) : NULL;
	struct sp_diagram_chain new = {.rule = rule, .next = next, .last = UINT32_MAX, .length = 1};
	uint32_t *place;

	if (next)
		new.last = sp_diagram_leaf_last(d, next);
	if (after)
		new.length += after->length;
	if (!d->error && new.length > SP_DIAGRAM_CHAIN_MAX)
		d->error = -EMLINK;
	if (!d->error && d->chain_count == d->chain_room)
		d->error = d->chain_count < CHAINS_MAX ? grow(d) : -E2BIG;
	if (d->error)
		return 0;
	place = chain_find(d, rule, next);
	if (!*place) {
		d->chains[d->chain_count++] = new;
		*place = d->chain_count;
	}
	return SP_DIAGRAM_LEAF | (d->first_chain + *place - 1);
}

uint32_t sp_diagram_timed(struct sp_diagram *d, uint32_t rule)
{
	return chain(d, rule, 0);
}

/* Two sorted lists become one; behind a rule that always holds nothing is heard. */
uint32_t sp_diagram_leaf_min(struct sp_diagram *d, uint32_t a, uint32_t b)
{
	const struct sp_diagram_chain *first;
	uint32_t rule, next;

	if (!a || !b || a == b)
		return a ? a : b;
	if (sp_diagram_leaf_rule(d, a) > sp_diagram_leaf_rule(d, b)) {
		uint32_t swap = a;

		a = b;
		b = swap;
	}
	first = chain_of(d, a);
	if (!first)
		return a;
	rule = first->rule;
	next = first->next;
	if (sp_diagram_leaf_rule(d, b) == rule)
		b = chain_of(d, b)->next;
	next = sp_diagram_leaf_min(d, next, b);
	return d->error ? 0 : chain(d, rule, next);
}
