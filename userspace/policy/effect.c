/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/effect.h"

#include <string.h>

#include "config/objects.h"
#include "sallyport/core/transport.h"

void sp_policy_query_of_flow(const struct sp_policy_view *view, const struct sp_flow_key *original,
			     uint32_t user_id, const struct sp_policy_moment *moment,
			     struct sp_policy_query *ret_query)
{
	/* Only echo requests begin ICMP flows. */
	uint16_t icmp = original->proto == SP_PROTO_ICMP     ? SP_ICMP_ECHO << 8
			: original->proto == SP_PROTO_ICMPV6 ? SP_ICMP6_ECHO << 8
							     : 0;
	uint32_t place = moment->outer ? sp_policy_place(view, moment->outer) : 0;

	*ret_query = (struct sp_policy_query){.src = original->src,
					      .dst = original->dst,
					      .user_id = user_id,
					      .sport_be = original->sport_be,
					      .dport_be = original->dport_be,
					      .icmp = icmp,
					      .proto = original->proto,
					      .place = (uint8_t)place,
					      .now_ns = moment->now_ns};
}

const struct sp_policy_rule *sp_policy_rule_of(const struct sp_policy_view *view,
					       const struct sp_policy_answer *answer)
{
	const struct sp_policy_node *node = SP_POLICY_NODE(view, answer->rule_id + 1);

	if (answer->reason == SP_R_POLICY_DEFAULT || !node || node->kind != SP_POLICY_RULE)
		return NULL;
	return &node->rule;
}

static bool is_same_rule(const struct sp_policy_rule *a, const struct sp_policy_rule *b)
{
	return a == b || (a && b && !strncmp(a->name, b->name, sizeof(a->name)));
}

enum sp_policy_effect sp_policy_effect_of(const struct sp_policy_view *before,
					  const struct sp_policy_view *after,
					  const struct sp_flow_key *original,
					  const struct sp_flow *flow,
					  const struct sp_policy_moment *moment,
					  struct sp_policy_answer *ret_before,
					  struct sp_policy_answer *ret_after)
{
	struct sp_policy_query query;

	sp_policy_query_of_flow(before, original, flow->user_id, moment, &query);
	sp_policy_walk(before, &query, ret_before);
	sp_policy_query_of_flow(after, original, flow->user_id, moment, &query);
	sp_policy_walk(after, &query, ret_after);
	if (ret_after->action == SP_ACTION_ALLOW)
		return is_same_rule(sp_policy_rule_of(before, ret_before),
				    sp_policy_rule_of(after, ret_after))
			       ? SP_EFFECT_SAME
			       : SP_EFFECT_RULE;
	if (flow->on_change == SP_FLOW_KEEP)
		return ret_before->action == SP_ACTION_ALLOW ? SP_EFFECT_KEPT : SP_EFFECT_SAME;
	if (ret_before->action != SP_ACTION_ALLOW)
		return SP_EFFECT_DOOMED;
	return flow->on_change == SP_FLOW_GRACE ? SP_EFFECT_GRACE : SP_EFFECT_CUT;
}
