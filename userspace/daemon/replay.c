/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded flows and denials through another configuration's policy: what would come out otherwise? */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/daemon.h"
#include "daemon/records.h"
#include "policy/effect.h"
#include "policy/tests.h"

#define GROUPS_MAX    20000
#define GROUPS_SHOWN  1000
#define NAMES_BYTES   (3 * SP_NAME_BYTES)
#define DAY_MS	      86400000ll
#define MONO_FLOOR_MS 3600000ll

/* Rows that come out the same way for the same reasons are one line of the answer. */
struct group_key {
	char names[NAMES_BYTES]; /* user, rule that decided, rule that would */
	struct sp_addr dst;
	__be16 port_be;
	uint8_t proto;
	uint8_t would_allow;
	uint8_t pad[4];
};
struct group {
	UT_hash_handle hh;
	struct group_key key;
	uint64_t flows;
	int64_t last_ms;
	char was[SP_NAME_BYTES + 160], would[SP_NAME_BYTES + 160];
};

struct user_seen {
	UT_hash_handle hh;
	uint32_t id;	/* in the candidate; SP_USER_NOBODY: it has none of that name */
	bool is_hit[2]; /* by would_allow */
	char name[];
};

struct replay {
	struct sp_config *config;
	struct sp_policy_image image;
	struct sp_policy_view view;
	sp_policy_judge judge;
	void *judge_arg;
	bool is_timed;
	int64_t compiled_day; /* of timed rules: the policy is compiled anew for each day */
	struct user_seen *users;
	struct group *groups;
	uint64_t flows, denials, same, changed[2], left_out;
	int rc;
};

static int find_user(struct replay *r, const char *name, struct user_seen **ret_user)
{
	size_t len = strlen(name);
	struct user_seen *user;

	HASH_FIND_STR(r->users, name, user);
	if (user) {
		*ret_user = user;
		return 0;
	}
	user = calloc(1, sizeof(*user) + len + 1);
	if (!user)
		return -ENOMEM;
	memcpy(user->name, name, len + 1);
	user->id = SP_USER_NOBODY;
	for (uint32_t i = 0; i < r->config->user_count; i++) {
		if (!strcmp(r->config->users[i].name, name))
			user->id = r->config->users[i].id;
	}
	if (!strcmp(name, "gateway"))
		user->id = SP_USER_GATEWAY;
	HASH_ADD_STR(r->users, name, user);
	*ret_user = user;
	return 0;
}

/*
 * A moment of the past has no place on a monotonic clock that began after it, so the whole policy is
 * compiled as if the row's day began an hour after the clock: windows are relative to that.
 */
static int compile_for(struct replay *r, int64_t at_ms, uint64_t *ret_now_ns)
{
	int64_t day = at_ms / DAY_MS;
	struct sp_policy_time time = {.now_ns = (uint64_t)MONO_FLOOR_MS * SP_NS_PER_MS,
				      .realtime_ns = (uint64_t)(day * DAY_MS) * SP_NS_PER_MS};
	uint32_t needed = 0;
	int rc;

	*ret_now_ns = (uint64_t)(MONO_FLOOR_MS + at_ms - day * DAY_MS) * SP_NS_PER_MS;
	if (r->image.nodes && (!r->is_timed || day == r->compiled_day))
		return 0;
	sp_policy_image_fini(&r->image);
	r->image = (struct sp_policy_image){0};
	rc = sp_policy_compile_at(r->config, &time, r->config->gateway.policy_nodes_max, &r->image,
				  &needed);
	if (rc)
		return rc;
	sp_policy_view_init(&r->view, r->image.nodes, r->image.count);
	r->compiled_day = day;
	return 0;
}

static void name_answer(const struct replay *r, const struct user_seen *user,
			const struct sp_policy_answer *answer, char *ret_text, size_t size)
{
	const char *verdict = answer->action == SP_ACTION_ALLOW	   ? "allow"
			      : answer->action == SP_ACTION_REJECT ? "reject"
								   : "deny";

	if (user->id == SP_USER_NOBODY)
		snprintf(ret_text, size, "deny: no such user");
	else if (answer->reason == SP_R_POLICY_DEFAULT)
		snprintf(ret_text, size, "deny by default");
	else if (answer->rule_id && answer->rule_id <= r->config->rule_count)
		snprintf(ret_text, size, "%s by %s (%s:%u)", verdict,
			 r->config->rules[answer->rule_id - 1].name,
			 r->config->rules[answer->rule_id - 1].source.file,
			 r->config->rules[answer->rule_id - 1].source.line);
	else
		snprintf(ret_text, size, "%s", verdict);
}

static const char *rule_word(const struct replay *r, const struct sp_policy_answer *answer)
{
	if (answer->rule_id && answer->rule_id <= r->config->rule_count)
		return r->config->rules[answer->rule_id - 1].name;
	return "default";
}

static void name_row(const struct sp_records_row *row, char *ret_text, size_t size)
{
	if (row->line)
		snprintf(ret_text, size, "%s by %s (%s:%u)", row->is_denied ? "deny" : "allow",
			 row->rule, row->file, row->line);
	else
		snprintf(ret_text, size, "%s by %s", row->is_denied ? "deny" : "allow", row->rule);
}

static int add_change(struct replay *r, const struct sp_records_row *row, struct user_seen *user,
		      const struct sp_policy_answer *answer)
{
	bool would_allow = answer->action == SP_ACTION_ALLOW;
	struct group_key key = {.dst = row->destination.addr,
				.port_be = row->destination.port_be,
				.proto = row->proto,
				.would_allow = would_allow};
	struct group *group;

	user->is_hit[would_allow] = true;
	r->changed[would_allow] += row->count;
	snprintf(key.names, sizeof(key.names), "%.31s %.31s %.31s", row->user, row->rule,
		 rule_word(r, answer));
	HASH_FIND(hh, r->groups, &key, sizeof(key), group);
	if (!group && HASH_COUNT(r->groups) >= GROUPS_MAX) {
		r->left_out++;
		return 0;
	}
	if (!group) {
		group = calloc(1, sizeof(*group));
		if (!group)
			return -ENOMEM;
		group->key = key;
		name_row(row, group->was, sizeof(group->was));
		name_answer(r, user, answer, group->would, sizeof(group->would));
		HASH_ADD(hh, r->groups, key, sizeof(key), group);
	}
	group->flows += row->count;
	if (row->seen_ms > group->last_ms)
		group->last_ms = row->seen_ms;
	return 0;
}

static int judge_row(const struct sp_records_row *row, void *arg)
{
	static const struct sp_addr none;
	struct replay *r = arg;
	const struct sp_flow_key key = {.src = row->source.addr,
					.dst = row->destination.addr,
					.sport_be = row->source.port_be,
					.dport_be = row->destination.port_be,
					.proto = row->proto};
	struct sp_policy_answer answer = {.action = SP_ACTION_DENY};
	struct sp_policy_moment moment = {.outer = sp_addr_equal(&row->outer, &none) ? NULL
										     : &row->outer};
	struct sp_policy_query query;
	struct user_seen *user;
	int rc = find_user(r, row->user, &user);

	if (!rc)
		rc = compile_for(r, row->is_denied ? row->seen_ms : row->begun_ms, &moment.now_ns);
	if (!rc && user->id != SP_USER_NOBODY) {
		sp_policy_query_of_flow(&r->view, &key, user->id, &moment, &query);
		rc = r->judge(r->judge_arg, &query, &answer);
	}
	if (rc)
		return rc;
	if (row->is_denied)
		r->denials += row->count;
	else
		r->flows++;
	if ((answer.action == SP_ACTION_ALLOW) != row->is_denied) {
		r->same += row->count;
		return 0;
	}
	return add_change(r, row, user, &answer);
}

static int by_flows(const struct group *a, const struct group *b)
{
	return a->flows < b->flows ? 1 : a->flows > b->flows ? -1 : 0;
}

static json_t *group_json(const struct group *group)
{
	const struct sp_sockaddr to = {.addr = group->key.dst, .port_be = group->key.port_be};
	const char *user = group->key.names;
	char text[SP_ENDPOINT_TEXT];

	return json_pack("{s:s%, s:o, s:s, s:I, s:o, s:s, s:s}", "user", user, strcspn(user, " "),
			 "protocol", sp_record_protocol(group->key.proto), "destination",
			 sp_sockaddr_format(&to, text), "flows", (json_int_t)group->flows, "last",
			 sp_record_time(group->last_ms), "was", group->was, "would", group->would);
}

static json_t *groups_json(struct replay *r, bool would_allow)
{
	json_t *list = json_array();
	const struct group *group;

	for (group = r->groups; group; group = group->hh.next) {
		if (group->key.would_allow != would_allow)
			continue;
		if (json_array_size(list) < GROUPS_SHOWN)
			json_array_append_new(list, group_json(group));
		else
			r->left_out++;
	}
	return list;
}

static json_int_t count_users(const struct replay *r, bool would_allow)
{
	const struct user_seen *user;
	json_int_t count = 0;

	for (user = r->users; user; user = user->hh.next)
		count += user->is_hit[would_allow];
	return count;
}

static json_t *replay_json(struct replay *r, const char *file, int64_t from_ms)
{
	json_t *blocked, *allowed;

	HASH_SORT(r->groups, by_flows);
	blocked = groups_json(r, false);
	allowed = groups_json(r, true);
	return json_pack("{s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I}",
			 "file", file, "from", sp_record_time(from_ms), "judge", "image", "flows",
			 (json_int_t)r->flows, "denials", (json_int_t)r->denials, "same",
			 (json_int_t)r->same, "blocked_flows", (json_int_t)r->changed[0],
			 "blocked_users", count_users(r, false), "allowed_flows",
			 (json_int_t)r->changed[1], "allowed_users", count_users(r, true),
			 "blocked", blocked, "allowed", allowed, "left_out",
			 (json_int_t)r->left_out);
}

static void replay_fini(struct replay *r)
{
	struct user_seen *user, *next_user;
	struct group *group, *next;

	HASH_ITER (hh, r->users, user, next_user) {
		HASH_DEL(r->users, user);
		free(user);
	}
	HASH_ITER (hh, r->groups, group, next) {
		HASH_DEL(r->groups, group);
		free(group);
	}
	sp_policy_image_fini(&r->image);
	sp_config_close(r->config);
}

static int open_candidate(struct sp_daemon_question *q, const char *file, struct replay *r)
{
	struct sp_config_errors errors = {0};
	uint64_t now_ns;
	int rc = sp_config_open(file, &r->config, &errors);

	if (rc == -EINVAL)
		q->error = sp_daemon_mistakes(&errors);
	sp_config_errors_fini(&errors);
	if (rc)
		return rc;
	for (uint32_t i = 0; i < r->config->rule_count; i++)
		r->is_timed |= sp_policy_is_timed(&r->config->rules[i]);
	r->judge = sp_policy_judge_image;
	r->judge_arg = &r->view;
	rc = compile_for(r, (int64_t)(sp_clock_realtime_ns() / SP_NS_PER_MS), &now_ns);
	if (rc)
		q->error = sp_policy_refusal(rc, 0, r->config->gateway.policy_nodes_max);
	return rc;
}

static void run_replay(struct sp_daemon_question *q)
{
	const char *file = json_string_value(json_object_get(q->request, "file"));
	struct sp_records_span span = {
		.from_ms = json_integer_value(json_object_get(q->request, "from_ms")),
		.to_ms = json_integer_value(json_object_get(q->request, "to_ms"))};
	struct sp_store *store = NULL;
	struct replay r = {0};

	if (!file) {
		q->error = strdup("expected the file of a configuration");
		q->rc = -EINVAL;
		return;
	}
	q->rc = open_candidate(q, file, &r);
	if (!q->rc)
		q->rc = sp_question_open_store(q, &store);
	if (!q->rc)
		q->rc = sp_records_flows(store, &span, judge_row, &r);
	if (!q->rc)
		q->rc = sp_records_denied(store, &span, judge_row, &r);
	if (q->rc && !q->error && store &&
	    asprintf(&q->error, "failed to replay: %s", strerror(-q->rc)) < 0)
		q->error = NULL;
	sp_store_close(store);
	if (!q->rc)
		q->result = replay_json(&r, file, span.from_ms);
	replay_fini(&r);
}

const struct sp_daemon_question_ops sp_daemon_replay = {.run = run_replay};
