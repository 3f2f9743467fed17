/* SPDX-License-Identifier: Apache-2.0 */
/* Rules to image: compile, check, apply. Daemon thread. */
#ifndef SP_POLICY_POLICY_H
#define SP_POLICY_POLICY_H

#include <stdint.h>

#include "config/config.h"
#include "sallyport/abi/policy.h"

/* A compiled policy: nodes ready to be copied into one half of sp_policy. */
struct sp_policy_image {
	struct sp_policy_node *nodes;
	uint32_t count;
};

/*
 * User n of the config is user_id n + 2 (0 nobody, 1 the gateway itself); rule n is rule_id
 * n + 1; pool n is pool_id n + 1. -E2BIG: more than nodes_max nodes are needed (ret_needed says
 * how many).
 */
#define SP_POLICY_USER_ID(index) ((index) + 2u)
int sp_policy_compile(const struct sp_config *config, uint32_t nodes_max,
		      struct sp_policy_image *ret_image, uint32_t *ret_needed);
void sp_policy_image_fini(struct sp_policy_image *image);

#endif
