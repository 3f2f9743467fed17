/* SPDX-License-Identifier: Apache-2.0 */
/* The policy asked through the loaded program, and the packet that must never be allowed. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "dataplane/trace.h"
#include "sallyport/core/addr.h"
#include "sallyport/core/transport.h"

#define CANARY_NS   (10 * SP_NS_PER_S)
#define CANARY_ADDR 0xcb007101u /* 203.0.113.1: of no host (RFC 5737) */

static struct sp_trace_packet packet_of(const struct sp_policy_query *query)
{
	return (struct sp_trace_packet){.src = query->src,
					.dst = query->dst,
					.sport_be = query->sport_be,
					.dport_be = query->dport_be,
					.icmp = query->icmp,
					.proto = query->proto};
}

static void answer_of(const struct sp_trace_policy *said, struct sp_policy_answer *ret_answer)
{
	*ret_answer = (struct sp_policy_answer){.action = said->action,
						.reason = said->reason,
						.rule_id = said->rule_id,
						.pool_id = said->pool_id,
						.on_change = said->on_change,
						.log = said->log,
						.shadow_id = said->shadow_id,
						.hit_id = said->hit_id,
						.grace_s = said->grace_s,
						.bucket_up = said->bucket_up,
						.bucket_down = said->bucket_down,
						.until_ns = said->until_ns};
}

static void walk_half(const struct sp_judge *judge, const struct sp_policy_query *query,
		      struct sp_policy_answer *ret_answer)
{
	const struct sp_shared *shared = judge->daemon->shared;
	struct sp_policy_view view;

	sp_policy_view_init(
		&view, shared->policy + (size_t)(judge->generation & 1) * shared->policy_nodes_max,
		shared->policy_nodes_max);
	sp_policy_walk(&view, query, ret_answer);
}

int sp_judge_policy(void *arg, const struct sp_policy_query *query,
		    struct sp_policy_answer *ret_answer)
{
	const struct sp_judge *judge = arg;
	struct sp_trace asked = {.as = SP_TRACE_USER,
				 .flags = SP_TRACE_FRESH | SP_TRACE_POLICY,
				 .user_id = query->user_id,
				 .generation = judge->generation,
				 .place = query->place,
				 .now_ns = query->now_ns};
	struct sp_trace_packet packet = packet_of(query);
	struct sp_trace said;
	int rc;

	if (!sp_dataplane_can_trace(judge->daemon->dataplane)) {
		walk_half(judge, query, ret_answer);
		return 0;
	}
	rc = sp_dataplane_trace(judge->daemon->dataplane, 0, &asked, &packet, &said);
	if (rc)
		return rc;
	if (!said.policy.asked)
		return -EPROTO; /* no packet that could be judged */
	answer_of(&said.policy, ret_answer);
	return 0;
}

/* Nobody is in no rule, whatever they say: from "any" means those who have a name. */
int sp_canary_ask(struct sp_daemon *daemon, uint32_t generation)
{
	struct sp_judge judge = {daemon, generation};
	struct sp_policy_query query = {.src = sp_addr_from_v4(sp_swap32(CANARY_ADDR + 1)),
					.dst = sp_addr_from_v4(sp_swap32(CANARY_ADDR)),
					.user_id = SP_USER_NOBODY,
					.sport_be = sp_swap16(50000),
					.dport_be = sp_swap16(443),
					.proto = SP_PROTO_TCP,
					.now_ns = sp_clock_now_ns()};
	struct sp_policy_answer answer;
	int rc = sp_judge_policy(&judge, &query, &answer);

	if (rc)
		return rc;
	return answer.action == SP_ACTION_ALLOW ? -EPERM : 0;
}

static void fail(struct sp_daemon *daemon)
{
	__atomic_store_n(&daemon->shared->gateway->open, 0, __ATOMIC_RELEASE);
	daemon->canary.failures++;
	sp_error("canary: a packet of nobody was allowed by policy generation %u: the gateway is "
		 "closed until sallyportd is restarted",
		 daemon->shared->gateway->generation);
}

void sp_canary_check(struct sp_daemon *daemon)
{
	static struct sp_log_limit limit;
	int rc;

	daemon->canary.asked_ns = sp_clock_now_ns();
	rc = sp_canary_ask(daemon, daemon->shared->gateway->generation);
	if (rc == -EPERM)
		fail(daemon);
	else if (rc)
		sp_log_limited(&limit, SP_LOG_ERROR, "canary: failed to ask: %s", strerror(-rc));
	else
		daemon->canary.runs++;
}

void sp_canary_tick(struct sp_daemon *daemon)
{
	if (sp_clock_now_ns() - daemon->canary.asked_ns >= CANARY_NS)
		sp_canary_check(daemon);
}
