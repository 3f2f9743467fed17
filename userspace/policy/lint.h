/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that decide nothing, found in the diagrams of a compilation. Daemon thread, command line. */
#ifndef SP_POLICY_LINT_H
#define SP_POLICY_LINT_H

#include "config/config.h"
#include "policy/diagram.h"

struct sp_policy_lint {
	uint32_t *rules;  /* diagram of each rule, without who it is for */
	uint8_t *decides; /* by rule number: it stands at the end of some way */
	uint32_t *by; /* by rule: a rule that decides in its place; UINT32_MAX: nothing matches it */
	uint32_t *later; /* by rule: a later one that decides the same everywhere, or UINT32_MAX */
};
int sp_policy_lint_init(struct sp_policy_lint *lint, const struct sp_config *config);
void sp_policy_lint_fini(struct sp_policy_lint *lint);
/* After all users' diagrams (by user_id) of the rules that act, or of those that only count. */
int sp_policy_lint_look(struct sp_policy_lint *lint, const struct sp_config *config,
			const struct sp_diagram *d, const uint32_t *users, bool shadow);
/* By a group, or because it is for anybody; users that the rule names are not looked at. */
bool sp_policy_is_for_member(const struct sp_config_rule *rule, const struct sp_config_user *user);

#endif
