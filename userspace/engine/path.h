/* SPDX-License-Identifier: Apache-2.0 */
/* The next hop of an entry towards outside: by the routes, or by a path's name. Its worker's thread. */
#ifndef SP_ENGINE_PATH_H
#define SP_ENGINE_PATH_H

#include "engine/worker.h"

enum sp_reason sp_path_find(struct sp_worker *w, struct sp_entry *entry,
			    struct sp_nexthop *ret_nexthop);
enum sp_reason sp_path_use(struct sp_worker *w, struct sp_entry *entry,
			   struct sp_nexthop *ret_nexthop);
/* The first of a new entry's paths that is up, which then leads them; without paths: the routes. */
enum sp_reason sp_path_choose(struct sp_worker *w, struct sp_entry *entry,
			      struct sp_nexthop *ret_nexthop);
uint16_t sp_path_pool(const struct sp_worker *w, const struct sp_entry *entry);
void sp_path_ethernet(uint8_t *data, const struct sp_nexthop *nexthop, uint8_t version);

#endif
