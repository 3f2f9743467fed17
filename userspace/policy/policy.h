/* SPDX-License-Identifier: Apache-2.0 */
/* Rules to image: compile, check, apply. Daemon thread. */
#ifndef SP_POLICY_POLICY_H
#define SP_POLICY_POLICY_H

#include <stdint.h>

#include "config/config.h"
#include "policy/window.h"
#include "sallyport/abi/policy.h"

/* A compiled policy: nodes ready to be copied into one half of sp_policy. */
struct sp_policy_image {
	struct sp_policy_node *nodes;
	uint32_t count;
};

/*
 * Users and pools go by the ids that the config's objects carry (0 nobody, 1 the gateway itself);
 * rule n of the config is rule_id n + 1. -E2BIG: more than nodes_max nodes are needed (ret_needed
 * says how many, or 0 when the rules multiply beyond counting). -EINVAL: a user without an id.
 *
 * What the words of a rule mean, least privilege first:
 *  - from "any" is every configured user and zone; the gateway itself and nobody are never meant.
 *  - to "any" is any destination outside: no peer's inner addresses, not the gateway's own, no
 *    zone's prefixes.
 *  - to "gateway" is exactly the gateway's own inner addresses.
 *  - a named destination is exactly its prefixes, inner addresses in them included. An IPv6
 *    prefix holds no IPv4 address, ::/0 neither.
 *  - service ICMP is ICMP and ICMPv6, and ports do not apply to it; ports with protocol 0 (any)
 *    mean TCP and UDP.
 *  - the gateway itself may reach its peers' inner addresses and its own, without a rule.
 *  - outside its schedule, and after its end, a rule is as if it were not there.
 *  - a rule in shadow mode decides nothing.
 * -EDOM: the outer addresses that rules name make more than SP_POLICY_PLACES_MAX places.
 * -EMLINK: more than SP_POLICY_CHOICES rules with a schedule or an end lie over one another.
 */
int sp_policy_compile(const struct sp_config *config, uint32_t nodes_max,
		      struct sp_policy_image *ret_image, uint32_t *ret_needed);
/* The same for another moment than now. */
int sp_policy_compile_at(const struct sp_config *config, const struct sp_policy_time *time,
			 uint32_t nodes_max, struct sp_policy_image *ret_image,
			 uint32_t *ret_needed);
/* Why it was refused, as a text for people; NULL: no more than the error itself says. */
char *sp_policy_refusal(int error, uint32_t needed, uint32_t nodes_max);
/*
 * Rules that could go, as text "file:line: policy.name: ...", in order: all that they match is
 * decided before them, they match nothing, or later rules decide the same wherever they do (looked
 * for up to 4 million rules times users). Errors as of compile.
 */
#define SP_POLICY_WARNINGS_MAX 200
struct sp_policy_warnings {
	char *list[SP_POLICY_WARNINGS_MAX];
	uint32_t count, left_out;
};
int sp_policy_warn(const struct sp_config *config, uint32_t nodes_max,
		   struct sp_policy_warnings *ret_warnings);
void sp_policy_warnings_fini(struct sp_policy_warnings *warnings);
void sp_policy_image_fini(struct sp_policy_image *image);

/*
 * Fill the half that no packet is judged with and read it back. The caller flips the generation
 * word afterwards. 0, -E2BIG, or -EIO: the half does not hold what was written.
 */
int sp_policy_apply(const struct sp_policy_image *image, uint32_t generation,
		    struct sp_policy_node *half, uint32_t nodes_max);

#endif
