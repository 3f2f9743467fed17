/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of prefixes as diagrams over the address levels, a million of them in a moment. Daemon thread. */
#ifndef SP_POLICY_PREFIXES_H
#define SP_POLICY_PREFIXES_H

#include "policy/diagram.h"
#include "sallyport/abi/addr.h"

/* Each family for itself: an IPv6 prefix holds no IPv4 address. */
struct sp_policy_prefixes {
	struct sp_prefix *v4, *v6;
	uint32_t v4_count, v4_room, v6_count, v6_room;
};
/* What has no memory is d's error. */
void sp_policy_prefixes_add(struct sp_diagram *d, struct sp_policy_prefixes *set,
			    const struct sp_prefix *prefix);
/* child where a prefix of the set holds the address, 0 elsewhere. The set is sorted by it. */
uint32_t sp_policy_prefixes_v4(struct sp_diagram *d, struct sp_policy_prefixes *set,
			       uint32_t child);
uint32_t sp_policy_prefixes_v6(struct sp_diagram *d, struct sp_policy_prefixes *set,
			       uint32_t child);
void sp_policy_prefixes_fini(struct sp_policy_prefixes *set);

#endif
