/* SPDX-License-Identifier: Apache-2.0 */
/* Rules whose removal would change nothing, since later ones say the same. Daemon thread, command line. */
#ifndef SP_POLICY_REDUNDANT_H
#define SP_POLICY_REDUNDANT_H

#include "config/config.h"
#include "policy/diagram.h"

/* How a policy is laid out in a diagram of the caller's. */
struct sp_policy_layout {
	struct sp_diagram *d;
	uint32_t inner_v4, inner_v6; /* with the leaf of rule 0 where addresses are inner */
	/* What rule index matches, with verdict where it does, below whoever it is for. */
	uint32_t (*space)(void *arg, uint32_t index, uint32_t verdict);
	void *arg;
};
/*
 * by[rule]: a later rule that decides the same where this one does, everywhere; untouched where
 * none does, or where that could not be found out within bounds. decides[rule + 1] 0: a rule that
 * is of no account already. -ENOMEM.
 */
int sp_policy_redundant(const struct sp_config *config, const struct sp_policy_layout *layout,
			const uint8_t *decides, uint32_t *by);

#endif
