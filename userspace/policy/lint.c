/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/lint.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

int sp_policy_lint_init(struct sp_policy_lint *lint, const struct sp_config *config)
{
	lint->rules = calloc(config->rule_count + 1u, sizeof(*lint->rules));
	lint->decides = calloc(config->rule_count + 1u, sizeof(*lint->decides));
	lint->by = calloc(config->rule_count + 1u, sizeof(*lint->by));
	lint->later = malloc((config->rule_count + 1u) * sizeof(*lint->later));
	if (!lint->rules || !lint->decides || !lint->by || !lint->later)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->rule_count; i++)
		lint->later[i] = UINT32_MAX;
	return 0;
}

void sp_policy_lint_fini(struct sp_policy_lint *lint)
{
	free(lint->rules);
	free(lint->decides);
	free(lint->by);
	free(lint->later);
	*lint = (struct sp_policy_lint){0};
}

/* Every rule of a leaf decides at some hour. */
static void mark_leaf(struct sp_policy_lint *lint, const struct sp_diagram *d, uint32_t leaf)
{
	while (leaf) {
		uint32_t number = leaf & ~SP_DIAGRAM_LEAF;

		lint->decides[sp_diagram_leaf_rule(d, leaf)] = 1;
		leaf = number < d->first_chain ? 0 : d->chains[number - d->first_chain].next;
	}
}

static void mark(struct sp_policy_lint *lint, const struct sp_diagram *d, uint32_t ref,
		 uint8_t *seen)
{
	if (!ref)
		return;
	if (ref & SP_DIAGRAM_LEAF) {
		mark_leaf(lint, d, ref);
		return;
	}
	if (seen[ref])
		return;
	seen[ref] = 1;
	for (unsigned int i = 0; i < 16; i++)
		mark(lint, d, d->nodes[ref].slot[i], seen);
}

static uint32_t level_of(const struct sp_diagram *d, uint32_t ref)
{
	return !ref || (ref & SP_DIAGRAM_LEAF) ? UINT32_MAX : d->nodes[ref].level;
}

/* The rule that decides somewhere where rule would match: no node is without a leaf below it. */
static uint32_t winner(const struct sp_diagram *d, uint32_t rule, uint32_t all)
{
	while (!(rule & SP_DIAGRAM_LEAF) || !(all & SP_DIAGRAM_LEAF)) {
		uint32_t a = level_of(d, rule), b = level_of(d, all);
		uint32_t level = a < b ? a : b, i = 0;

		if (!rule || !all)
			return UINT32_MAX;
		while (a == level && !d->nodes[rule].slot[i])
			i++;
		rule = a == level ? d->nodes[rule].slot[i] : rule;
		all = b == level ? d->nodes[all].slot[i] : all;
	}
	return sp_diagram_leaf_rule(d, all) - 1;
}

bool sp_policy_is_for_member(const struct sp_config_rule *rule, const struct sp_config_user *user)
{
	for (uint32_t i = 0; i < rule->group_count; i++) {
		for (uint32_t k = 0; k < user->group_count; k++) {
			if (rule->groups[i] == user->groups[k])
				return true;
		}
	}
	return rule->from_any;
}

/* Somebody whom the rule is for. NULL: nobody. */
static const struct sp_config_user *somebody(const struct sp_config *config,
					     const struct sp_config_rule *rule)
{
	if (rule->user_count)
		return &config->users[rule->users[0]];
	for (uint32_t i = 0; i < config->user_count; i++) {
		if (sp_policy_is_for_member(rule, &config->users[i]))
			return &config->users[i];
	}
	return NULL;
}

int sp_policy_lint_look(struct sp_policy_lint *lint, const struct sp_config *config,
			const struct sp_diagram *d, const uint32_t *users, bool shadow)
{
	_cleanup_free_ uint8_t *seen = calloc(d->count, 1);

	if (!seen)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->user_count; i++)
		mark(lint, d, users[config->users[i].id], seen);
	for (uint32_t i = 0; i < config->rule_count; i++) {
		const struct sp_config_rule *rule = &config->rules[i];
		const struct sp_config_user *user;

		if (rule->shadow != shadow || lint->decides[i + 1])
			continue;
		user = somebody(config, rule);
		lint->by[i] = user ? winner(d, lint->rules[i], users[user->id]) : UINT32_MAX;
	}
	return 0;
}
