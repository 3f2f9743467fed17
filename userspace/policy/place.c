/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/image.h"

static int compare_atoms(const void *a, const void *b)
{
	const struct sp_policy_atom *x = a, *y = b;

	if (x->country != y->country)
		return x->country < y->country ? -1 : 1;
	return memcmp(&x->prefix, &y->prefix, sizeof(x->prefix));
}

int sp_policy_places_init(struct sp_policy_places *places, const struct sp_config *config)
{
	uint32_t total = config->country_count, n = 0;

	*places = (struct sp_policy_places){.config = config};
	for (uint32_t i = 0; i < config->rule_count; i++)
		total += config->rules[i].from_prefix_count;
	if (!total)
		return 0;
	places->atoms = calloc(total, sizeof(*places->atoms));
	if (!places->atoms)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->rule_count; i++)
		for (uint32_t k = 0; k < config->rules[i].from_prefix_count; k++)
			places->atoms[n++].prefix = config->rules[i].from_prefixes[k];
	for (uint32_t i = 0; i < config->country_count; i++)
		places->atoms[n++].country = &config->countries[i];
	qsort(places->atoms, total, sizeof(*places->atoms), compare_atoms);
	n = 1;
	for (uint32_t i = 1; i < total; i++)
		if (compare_atoms(&places->atoms[n - 1], &places->atoms[i]))
			places->atoms[n++] = places->atoms[i];
	places->atom_count = n;
	return 0;
}

void sp_policy_places_fini(struct sp_policy_places *places)
{
	free(places->atoms);
	free(places->ids);
	*places = (struct sp_policy_places){0};
}

/* The addresses of one atom, added to those of all. */
static void add_atom(struct sp_diagram *d, struct sp_diagram_sum sums[2],
		     const struct sp_policy_atom *atom, uint32_t leaf)
{
	struct sp_policy_prefixes set = {0};

	if (!atom->country)
		sp_policy_prefixes_add(d, &set, &atom->prefix);
	for (uint32_t i = 0; atom->country && i < atom->country->prefix_count; i++)
		sp_policy_prefixes_add(d, &set, &atom->country->prefixes[i]);
	sp_diagram_sum_add(d, &sums[0], sp_policy_prefixes_v4(d, &set, leaf));
	sp_diagram_sum_add(d, &sums[1], sp_policy_prefixes_v6(d, &set, leaf));
	sp_policy_prefixes_fini(&set);
}

/* Chains that are leaves of the finished diagram get a number; those met on the way do not. */
static int number(struct sp_policy_places *places, const struct sp_diagram *d, uint32_t ref,
		  uint8_t *seen)
{
	uint32_t chain = (ref & ~SP_DIAGRAM_LEAF) - d->first_chain;
	int rc = 0;

	if (!ref)
		return 0;
	if (ref & SP_DIAGRAM_LEAF) {
		if (!places->ids[chain] && places->id_count == SP_POLICY_PLACES_MAX)
			return -EDOM;
		if (!places->ids[chain])
			places->ids[chain] = (uint8_t)++places->id_count;
		return 0;
	}
	if (seen[ref])
		return 0;
	seen[ref] = 1;
	for (unsigned int i = 0; i < 16 && !rc; i++)
		rc = number(places, d, d->nodes[ref].slot[i], seen);
	return rc;
}

int sp_policy_places_build(struct sp_policy_places *places, struct sp_diagram *d,
			   uint32_t *ret_root)
{
	struct sp_diagram_sum sums[2] = {0};
	_cleanup_free_ uint8_t *seen = NULL;
	uint32_t slot[16] = {0}, root;

	if (!places->atom_count)
		return 0;
	for (uint32_t i = 0; i < places->atom_count && !d->error; i++)
		add_atom(d, sums, &places->atoms[i], sp_diagram_timed(d, d->first_chain + i));
	slot[0] = sp_diagram_sum_total(d, &sums[0]);
	slot[SP_POLICY_SCOPE_V6] = sp_diagram_sum_total(d, &sums[1]);
	root = sp_diagram_branch(d, SP_POLICY_LEVEL_SCOPE, slot);
	if (d->error)
		return d->error;
	places->ids = calloc(d->chain_count + 1u, 1);
	places->chain_count = d->chain_count;
	seen = calloc(d->count, 1);
	if (!places->ids || !seen)
		return -ENOMEM;
	*ret_root = root;
	return number(places, d, root, seen);
}

static bool has_atom(const struct sp_config_rule *rule, const struct sp_policy_atom *atom,
		     const struct sp_config *config)
{
	for (uint32_t i = 0; !atom->country && i < rule->from_prefix_count; i++) {
		if (!memcmp(&rule->from_prefixes[i], &atom->prefix, sizeof(atom->prefix)))
			return true;
	}
	for (uint32_t i = 0; atom->country && i < rule->from_country_count; i++) {
		if (&config->countries[rule->from_countries[i]] == atom->country)
			return true;
	}
	return false;
}

static bool names_place(const struct sp_policy_places *places, const struct sp_diagram *d,
			const struct sp_config_rule *rule, uint32_t chain)
{
	uint32_t leaf = SP_DIAGRAM_LEAF | (d->first_chain + chain);

	while (leaf) {
		const struct sp_diagram_chain *at =
			&d->chains[(leaf & ~SP_DIAGRAM_LEAF) - d->first_chain];

		if (has_atom(rule, &places->atoms[at->rule - d->first_chain], places->config))
			return true;
		leaf = at->next;
	}
	return false;
}

uint32_t sp_policy_places_only(const struct sp_policy_places *places, struct sp_diagram *d,
			       uint32_t index, uint32_t child)
{
	const struct sp_config_rule *rule = &places->config->rules[index];
	uint32_t at[SP_POLICY_PLACES_MAX + 1] = {0}, high[16];

	if (!rule->from_where)
		return child;
	for (uint32_t i = 0; i < places->chain_count; i++) {
		if (places->ids[i] && names_place(places, d, rule, i))
			at[places->ids[i]] = child;
	}
	for (uint32_t i = 0; i < 16; i++)
		high[i] = sp_diagram_branch(d, SP_POLICY_LEVEL_PLACE + 1, &at[i * 16]);
	return sp_diagram_branch(d, SP_POLICY_LEVEL_PLACE, high);
}
