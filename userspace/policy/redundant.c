/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/redundant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/image.h"
#include "policy/window.h"
#include "sallyport/abi/policy.h"

#define PLACES (1u << 16) /* looked at for one rule; beyond it nothing is said */
#define INNER  SP_DIAGRAM_LEAF

/* A part of the key's space: what the rule says there, what later ones say, and which half counts. */
struct place {
	uint32_t of, later;
	uint32_t inner; /* which of its addresses are inner; 0 none, INNER all */
	enum {
		HALF_UNKNOWN,
		HALF_INNER,
		HALF_OUTER
	} half;
};

struct search {
	const struct sp_config *config;
	const struct sp_policy_layout *layout;
	struct sp_diagram *d;
	struct noted {
		struct place place;
		uint32_t rule;
	} * noted; /* places that were found to agree, by the rule that was asked about */
	uint32_t rule, looked_at;
	uint32_t witness; /* a later rule that decides the same */
};

static bool is_conditional(const struct sp_config_rule *rule)
{
	return sp_policy_is_timed(rule) || rule->from_where;
}

static bool has_limit(const struct sp_config_rule *rule)
{
	return rule->limit.up_bps || rule->limit.down_bps;
}

static bool same_paths(const struct sp_config_rule *a, const struct sp_config_rule *b)
{
	return a->path_count == b->path_count &&
	       (!a->path_count || !memcmp(a->paths, b->paths, a->path_count * sizeof(*a->paths)));
}

/* A limit is one rule's own account, so with one no two rules are the same. */
static bool same_effect(const struct sp_config_rule *a, const struct sp_config_rule *b)
{
	if (a->allow != b->allow || a->reject != b->reject || a->log != b->log || has_limit(a) ||
	    has_limit(b))
		return false;
	if (!a->allow)
		return true;
	return a->pool == b->pool && same_paths(a, b) && a->on_change == b->on_change &&
	       a->grace_s == b->grace_s;
}

/* Whichever of the leaf's rules holds at the time, it decides the same; and one always holds. */
static bool leaf_agrees(struct search *s, uint32_t leaf)
{
	const struct sp_config_rule *rules = s->config->rules;

	if (sp_diagram_leaf_last(s->d, leaf) == UINT32_MAX)
		return false;
	while (leaf) {
		uint32_t number = leaf & ~SP_DIAGRAM_LEAF, rule = sp_diagram_leaf_rule(s->d, leaf);

		if (!same_effect(&rules[s->rule], &rules[rule - 1]))
			return false;
		s->witness = rule - 1;
		leaf = number < s->d->first_chain ? 0
						  : s->d->chains[number - s->d->first_chain].next;
	}
	return true;
}

/* True: seen before. A place that is forgotten is looked at again, which costs only time. */
static bool note(struct search *s, const struct place *p)
{
	uint32_t hash = p->of * 0x9e3779b1u ^ p->later * 0x85ebca6bu ^ p->inner * 0xc2b2ae35u;
	struct noted *n = &s->noted[hash >> 16];

	if (n->rule == s->rule + 1 && n->place.of == p->of && n->place.later == p->later &&
	    n->place.inner == p->inner && n->place.half == p->half)
		return true;
	*n = (struct noted){.place = *p, .rule = s->rule + 1};
	s->looked_at++;
	return false;
}

static uint32_t level_of(const struct sp_diagram *d, uint32_t ref)
{
	return !ref || ref & SP_DIAGRAM_LEAF ? UINT32_MAX : d->nodes[ref].level;
}

static uint32_t below(const struct sp_diagram *d, uint32_t ref, uint32_t level, unsigned int slot)
{
	return level_of(d, ref) == level ? d->nodes[ref].slot[slot] : ref;
}

/* The half of the addresses that this way is about: no packet takes the other's. */
static struct place step(const struct search *s, const struct place *p, uint32_t level,
			 unsigned int slot)
{
	struct place next = {.of = below(s->d, p->of, level, slot),
			     .later = below(s->d, p->later, level, slot),
			     .inner = below(s->d, p->inner, level, slot),
			     .half = p->half};

	if (level == SP_POLICY_LEVEL_SCOPE) {
		next.half = slot & SP_POLICY_SCOPE_INNER ? HALF_INNER : HALF_OUTER;
		next.inner = slot & SP_POLICY_SCOPE_V6 ? s->layout->inner_v6 : s->layout->inner_v4;
	}
	return next;
}

/* Wherever the rule has a leaf that some packet reaches, do the later ones agree? */
static bool agrees(struct search *s, const struct place *p)
{
	uint32_t level = level_of(s->d, p->of), other;

	if (!p->of || (p->half == HALF_INNER && !p->inner) ||
	    (p->half == HALF_OUTER && p->inner == INNER))
		return true;
	other = level_of(s->d, p->later);
	level = other < level ? other : level;
	other = level_of(s->d, p->inner);
	level = other < level ? other : level;
	if (level == UINT32_MAX)
		return p->later && leaf_agrees(s, p->later);
	if (note(s, p))
		return true;
	if (s->looked_at > PLACES)
		return false;
	for (unsigned int i = 0; i < 16; i++) {
		struct place next = step(s, p, level, i);

		if (!agrees(s, &next))
			return false;
	}
	return true;
}

static bool agrees_with(struct search *s, uint32_t of, uint32_t later)
{
	struct place all = {.of = of, .later = later};

	s->looked_at = 0;
	return !s->d->error && agrees(s, &all);
}

/*
 * From the last rule to the first: what those behind it decide, without it. Asked twice: with the
 * rules that decide nothing, which could come to life, and without, since they may go as well.
 */
static void look(struct search *s, const uint8_t *decides, uint32_t *by)
{
	const struct sp_policy_layout *layout = s->layout;
	uint32_t all = 0, alive = 0;

	for (uint32_t i = s->config->rule_count; i-- > 0 && !s->d->error;) {
		uint32_t of;

		if (s->config->rules[i].shadow)
			continue;
		of = layout->space(layout->arg, i, SP_DIAGRAM_LEAF | (i + 1));
		s->rule = i;
		if (decides[i + 1] && agrees_with(s, of, all) && agrees_with(s, of, alive))
			by[i] = s->witness;
		if (is_conditional(&s->config->rules[i]))
			of = layout->space(layout->arg, i, sp_diagram_timed(s->d, i + 1));
		all = sp_diagram_min(s->d, of, all);
		if (decides[i + 1])
			alive = sp_diagram_min(s->d, of, alive);
	}
}

int sp_policy_redundant(const struct sp_config *config, const struct sp_policy_layout *layout,
			const uint8_t *decides, uint32_t *by)
{
	_cleanup_free_ struct noted *noted = calloc(PLACES, sizeof(*noted));
	struct search s = {.config = config, .layout = layout, .d = layout->d, .noted = noted};

	if (!noted)
		return -ENOMEM;
	look(&s, decides, by);
	return s.d->error == -ENOMEM ? -ENOMEM : 0;
}
