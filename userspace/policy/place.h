/* SPDX-License-Identifier: Apache-2.0 */
/* Where tunnels come from: outer addresses told apart only as far as rules do. Daemon thread. */
#ifndef SP_POLICY_PLACE_H
#define SP_POLICY_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "policy/prefixes.h"

/* A prefix or a country that rules name. */
struct sp_policy_atom {
	struct sp_prefix prefix;
	const struct sp_config_country *country; /* NULL: the prefix */
};

/*
 * A place is the set of atoms that hold an address. As a chain of the diagram it is made like rules
 * that lie over one another; atoms are numbered behind the rules.
 */
struct sp_policy_places {
	const struct sp_config *config;
	struct sp_policy_atom *atoms; /* sorted: prefixes, then countries */
	uint32_t atom_count;
	uint8_t *ids; /* by chain: its place, 0 = none */
	uint32_t id_count;
	uint32_t chain_count; /* of places; those of rules come behind */
};
int sp_policy_places_init(struct sp_policy_places *places, const struct sp_config *config);
void sp_policy_places_fini(struct sp_policy_places *places);
/* Before any rule. -EDOM: too many of them. */
int sp_policy_places_build(struct sp_policy_places *places, struct sp_diagram *d,
			   uint32_t *ret_root);
/* child at the places that rule index names; child itself when it names none. */
uint32_t sp_policy_places_only(const struct sp_policy_places *places, struct sp_diagram *d,
			       uint32_t index, uint32_t child);

#endif
