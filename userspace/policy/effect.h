/* SPDX-License-Identifier: Apache-2.0 */
/* What another policy means for a flow that is open. Pure; any thread. */
#ifndef SP_POLICY_EFFECT_H
#define SP_POLICY_EFFECT_H

#include "sallyport/abi/flow.h"
#include "sallyport/core/policy.h"

enum sp_policy_effect {
	SP_EFFECT_SAME,	  /* allowed by the rule of the same name, or kept as before */
	SP_EFFECT_RULE,	  /* allowed, by another rule */
	SP_EFFECT_KEPT,	  /* denied, but on_change = "keep" lets it end by itself */
	SP_EFFECT_GRACE,  /* denied, and cut grace_s after its next packet */
	SP_EFFECT_CUT,	  /* allowed before, denied after: ends with its next packet */
	SP_EFFECT_DOOMED, /* denied before already: it has only not sent a packet since */
	SP_EFFECT_COUNT,
};

/* When it is judged, and where its tunnel comes from. */
struct sp_policy_moment {
	uint64_t now_ns;	     /* CLOCK_MONOTONIC */
	const struct sp_addr *outer; /* NULL: no tunnel, or not known */
};

/* What the workers ask about a flow of the user, from its original key. */
void sp_policy_query_of_flow(const struct sp_policy_view *view, const struct sp_flow_key *original,
			     uint32_t user_id, const struct sp_policy_moment *moment,
			     struct sp_policy_query *ret_query);

/* The node of the rule that answered; NULL: the default at the end. */
const struct sp_policy_rule *sp_policy_rule_of(const struct sp_policy_view *view,
					       const struct sp_policy_answer *answer);

/* From one image to another; each numbers its places anew. flow is the original entry. */
enum sp_policy_effect sp_policy_effect_of(const struct sp_policy_view *before,
					  const struct sp_policy_view *after,
					  const struct sp_flow_key *original,
					  const struct sp_flow *flow,
					  const struct sp_policy_moment *moment,
					  struct sp_policy_answer *ret_before,
					  struct sp_policy_answer *ret_after);

#endif
