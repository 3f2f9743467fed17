/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration would change: in words, and for every flow that is open. Nothing is changed. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "config/diff.h"
#include "daemon/daemon.h"
#include "policy/effect.h"

#define FLOWS_SHOWN_MAX 1000 /* of those that something happens to */

struct user_effect {
	uint32_t flows[SP_EFFECT_COUNT];
};

struct judgement {
	struct sp_daemon *daemon;
	const struct sp_config *config; /* the candidate */
	struct sp_policy_view before, after;
	struct user_effect *users; /* by user id */
	uint32_t totals[SP_EFFECT_COUNT];
	json_t *flows;
	uint32_t left_out;
};

static const char *const effect_names[SP_EFFECT_COUNT] = {
	[SP_EFFECT_SAME] = "same",   [SP_EFFECT_RULE] = "rule", [SP_EFFECT_KEPT] = "kept",
	[SP_EFFECT_GRACE] = "grace", [SP_EFFECT_CUT] = "cut",	[SP_EFFECT_DOOMED] = "doomed",
};

static json_t *side_of(const struct sp_addr *addr, __be16 port_be)
{
	struct sp_sockaddr sa = {.addr = *addr, .port_be = port_be};
	char text[SP_ENDPOINT_TEXT];

	return json_string(sp_sockaddr_format(&sa, text));
}

static json_t *protocol_of(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return json_string("tcp");
	case IPPROTO_UDP:
		return json_string("udp");
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return json_string("icmp");
	default:
		return json_sprintf("%u", proto);
	}
}

/* "name (file:line)" of the rule that answered; files are the configuration's. */
static json_t *rule_of(const struct sp_config *config, const struct sp_policy_view *view,
		       const struct sp_policy_answer *answer)
{
	const struct sp_policy_rule *rule = sp_policy_rule_of(view, answer);

	if (!rule)
		return json_pack("{s:s, s:s, s:i}", "name", "default", "file", "", "line", 0);
	if (!rule->rule_id || rule->rule_id > config->rule_count)
		return json_pack("{s:s, s:s, s:i}", "name", rule->name, "file", "", "line", 0);
	return json_pack("{s:s, s:s, s:i}", "name", rule->name, "file",
			 config->rules[rule->rule_id - 1].source.file, "line", (int)rule->line);
}

/* A peer that goes takes its flows with it, whatever the policy says. */
static struct sp_peer_state *lost_peer(const struct judgement *j, const struct sp_flow_key *key,
				       const struct sp_flow *flow)
{
	struct sp_peer_state *peer = sp_peer_by_id(j->daemon, flow->peer_id);
	struct sp_inner inner;

	if (peer && !peer->wanted)
		return peer;
	if (flow->kind != SP_FLOW_HAIRPIN ||
	    sp_dataplane_inner_lookup(j->daemon->dataplane, &key->dst, &inner) ||
	    inner.kind != SP_INNER_PEER)
		return NULL;
	peer = sp_peer_by_id(j->daemon, inner.peer_id);
	return peer && !peer->wanted ? peer : NULL;
}

static void show_flow(struct judgement *j, const struct sp_flow_key *key,
		      const struct sp_flow *flow, enum sp_policy_effect effect,
		      const struct sp_peer_state *lost, const struct sp_policy_answer answers[2])
{
	struct sp_peer_state *peer = sp_peer_by_id(j->daemon, flow->peer_id);
	json_t *why = lost			  ? json_sprintf("peer %s goes", lost->name)
		      : effect == SP_EFFECT_GRACE ? json_sprintf("cut after %u s", flow->grace_s)
						  : json_null();

	if (json_array_size(j->flows) >= FLOWS_SHOWN_MAX) {
		j->left_out++;
		json_decref(why);
		return;
	}
	json_array_append_new(
		j->flows,
		json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "effect",
			  effect_names[effect], "user", sp_user_name(j->daemon, flow->user_id),
			  "peer", peer ? peer->name : "", "protocol", protocol_of(key->proto),
			  "source", side_of(&key->src, key->sport_be), "destination",
			  side_of(&key->dst, key->dport_be), "rule_before",
			  rule_of(j->daemon->config, &j->before, &answers[0]), "rule_after",
			  lost ? json_null() : rule_of(j->config, &j->after, &answers[1]), "why",
			  why));
}

/* Where the tunnel comes from in which the flow began; false: from none. */
static bool outer_of(const struct judgement *j, const struct sp_flow *flow,
		     struct sp_addr *ret_outer)
{
	struct sp_peer *peer =
		flow->peer_id ? sp_peer_lookup(j->daemon->sessions, flow->peer_id) : NULL;
	struct sp_endpoint endpoint;

	if (!peer || !sp_peer_endpoint_get(peer, &endpoint))
		return false;
	*ret_outer = endpoint.remote;
	return true;
}

static int judge_flow(const struct sp_flow_key *key, const struct sp_flow *flow, void *arg)
{
	struct judgement *j = arg;
	struct sp_policy_answer answers[2];
	struct sp_peer_state *lost;
	enum sp_policy_effect effect;
	struct sp_addr outer;
	struct sp_policy_moment moment = {.now_ns = sp_clock_now_ns()};

	if (flow->side != SP_FLOW_ORIGINAL)
		return 0;
	if (outer_of(j, flow, &outer))
		moment.outer = &outer;
	effect = sp_policy_effect_of(&j->before, &j->after, key, flow, &moment, &answers[0],
				     &answers[1]);
	lost = lost_peer(j, key, flow);
	if (lost && effect != SP_EFFECT_DOOMED)
		effect = SP_EFFECT_CUT;
	j->totals[effect]++;
	if (flow->user_id < j->daemon->shared->users_max)
		j->users[flow->user_id].flows[effect]++;
	if (effect != SP_EFFECT_SAME)
		show_flow(j, key, flow, effect, lost, answers);
	return 0;
}

static json_t *counts_of(const uint32_t counts[SP_EFFECT_COUNT])
{
	json_t *object = json_object();
	json_int_t total = 0;

	for (int e = 0; e < SP_EFFECT_COUNT; e++) {
		json_object_set_new(object, effect_names[e], json_integer(counts[e]));
		total += counts[e];
	}
	json_object_set_new(object, "total", json_integer(total));
	return object;
}

/* Users whose flows are not all as before. */
static json_t *users_of(const struct judgement *j)
{
	json_t *list = json_array();

	for (uint32_t id = 0; id < j->daemon->shared->users_max; id++) {
		const uint32_t *counts = j->users[id].flows;
		json_t *object;

		if (!(counts[SP_EFFECT_RULE] + counts[SP_EFFECT_KEPT] + counts[SP_EFFECT_GRACE] +
		      counts[SP_EFFECT_CUT] + counts[SP_EFFECT_DOOMED]))
			continue;
		object = counts_of(counts);
		json_object_set_new(object, "user", json_string(sp_user_name(j->daemon, id)));
		json_array_append_new(list, object);
	}
	return list;
}

static int judge_flows(struct sp_daemon *daemon, const struct sp_config *config,
		       const struct sp_policy_image *image, json_t *plan)
{
	const struct sp_shared *shared = daemon->shared;
	uint32_t half = shared->gateway->generation & 1;
	struct judgement j = {.daemon = daemon, .config = config};

	j.users = calloc(shared->users_max, sizeof(*j.users));
	if (!j.users)
		return -ENOMEM;
	j.flows = json_array();
	sp_policy_view_init(&j.before, shared->policy + (size_t)half * shared->policy_nodes_max,
			    shared->policy_nodes_max);
	sp_policy_view_init(&j.after, image->nodes, image->count);
	sp_daemon_mark_peers(daemon, config);
	sp_dataplane_flow_each(daemon->dataplane, judge_flow, &j);
	json_object_set_new(plan, "flows", counts_of(j.totals));
	json_object_set_new(plan, "users", users_of(&j));
	json_object_set_new(plan, "affected_flows", j.flows);
	json_object_set_new(plan, "left_out", json_integer(j.left_out));
	free(j.users);
	return 0;
}

static json_t *changes_of(const struct sp_config_diff *diff)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < diff->count; i++) {
		const struct sp_config_change *c = &diff->list[i];
		json_t *detail = c->detail ? json_string(c->detail) : json_null();

		if (!detail) /* not UTF-8: libconfig lets any bytes through */
			detail = json_string("differs");
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:s, s:i, s:o, s:b}", "change",
						sp_config_change_name(c->kind), "section",
						c->section, "name", c->name, "file", c->source.file,
						"line", (int)c->source.line, "detail", detail,
						"at_restart", c->at_restart));
	}
	return list;
}

static int make_plan(struct sp_daemon *daemon, struct sp_config *config, json_t *plan,
		     char **ret_text)
{
	_cleanup_(sp_policy_plan_fini) struct sp_policy_plan policy = {0};
	struct sp_config_diff diff = {0};
	int rc = sp_config_diff(daemon->config, config, &diff);

	if (!rc)
		rc = sp_daemon_name_users(daemon, config);
	if (!rc)
		rc = sp_daemon_plan_policy(daemon, config, &policy, ret_text);
	if (!rc)
		rc = sp_daemon_test_policy(daemon, config, &policy, ret_text);
	if (!rc)
		rc = judge_flows(daemon, config, &policy.image, plan);
	sp_daemon_retire_users(daemon, daemon->config); /* the names that only config has */
	sp_daemon_retire_rules(daemon, daemon->config);
	if (!rc) {
		json_object_set_new(plan, "changes", changes_of(&diff));
		json_object_set_new(plan, "tests", json_integer(config->test_count));
	}
	sp_config_diff_fini(&diff);
	return rc;
}

int sp_daemon_plan(struct sp_daemon *daemon, const char *path, json_t **ret_plan, char **ret_text)
{
	struct sp_config_errors errors = {0};
	struct sp_config *config = NULL;
	json_t *plan;
	int rc = sp_config_open(path ? path : daemon->config_path, &config, &errors);

	if (rc == -EINVAL)
		*ret_text = sp_daemon_mistakes(&errors);
	sp_config_errors_fini(&errors);
	if (rc)
		return rc;
	plan = json_pack("{s:s}", "file", path ? path : daemon->config_path);
	rc = plan ? make_plan(daemon, config, plan, ret_text) : -ENOMEM;
	sp_config_close(config);
	if (rc) {
		json_decref(plan);
		return rc;
	}
	*ret_plan = plan;
	return 0;
}
