/* SPDX-License-Identifier: Apache-2.0 */
/* From diagram to nodes of sp_policy: shared parts once, single paths as one branch. Daemon thread. */
#ifndef SP_POLICY_IMAGE_H
#define SP_POLICY_IMAGE_H

#include <stdint.h>

#include "policy/diagram.h"
#include "sallyport/abi/policy.h"

/* Levels of the key, from the top; every level is four bits. IPv4 uses eight address levels. */
enum sp_policy_level {
	SP_POLICY_LEVEL_USER = 0,   /* 8 */
	SP_POLICY_LEVEL_PLACE = 8,  /* 2 */
	SP_POLICY_LEVEL_SCOPE = 10, /* 1 */
	SP_POLICY_LEVEL_DST = 11,   /* 32 */
	SP_POLICY_LEVEL_PROTO = 43, /* 2 */
	SP_POLICY_LEVEL_PORT = 45,  /* 4 */
	SP_POLICY_LEVEL_COUNT = 49,
};

struct sp_policy_roots {
	uint32_t scope, rules, shadow, places; /* references of the diagram */
};

/*
 * Emit the diagrams behind the header, the rule_count + 1 verdicts and the choices. ret_nodes is
 * filled in all but header, verdicts and windows, which are zero. *ret_needed is set in any case but
 * -ENOMEM. -E2BIG.
 */
int sp_policy_image_emit(const struct sp_diagram *d, const struct sp_policy_roots *roots,
			 uint32_t rule_count, uint32_t nodes_max, struct sp_policy_node **ret_nodes,
			 uint32_t *ret_needed, struct sp_policy_header *ret_header);

#endif
