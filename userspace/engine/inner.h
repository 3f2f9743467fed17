/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's memory of whose an inner address is: a system call for each it has not met. Worker's thread. */
#ifndef SP_ENGINE_INNER_H
#define SP_ENGINE_INNER_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/dataplane.h"

#define SP_INNER_SLOTS \
	4096 /* a power of two; a stranger who fills them costs what there was without */

struct sp_inner_slot {
	struct sp_addr addr;
	struct sp_inner inner;
	uint64_t seq; /* of sp_inner when it was asked; 0 = empty */
	bool is_inner;
};

struct sp_inner_cache {
	struct sp_inner_slot *slots;
	uint64_t seed;
};

int sp_inner_cache_init(struct sp_inner_cache *cache);
void sp_inner_cache_fini(struct sp_inner_cache *cache);
/* As sp_dataplane_inner_lookup: 0 or -ENOENT, never older than the last change of sp_inner. */
int sp_inner_cache_lookup(struct sp_inner_cache *cache, struct sp_dataplane *dp,
			  const struct sp_addr *addr, struct sp_inner *ret_inner);

#endif
