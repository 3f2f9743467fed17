/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket's commands (docs/control.md). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/egress.h"
#include "daemon/records.h"
#include "daemon/drops.h"

#define CONFIRM_S_MAX 86400
#define WHY_MAX	      4096

static json_t *answer_change(struct sp_daemon *daemon)
{
	return json_pack("{s:i, s:I, s:o}", "generation", (int)daemon->shared->gateway->generation,
			 "entry", (json_int_t)daemon->running.entry, "trial",
			 sp_show_trial(daemon));
}

/* An optional number of the request. -EINVAL: it is none from 0 to max. */
static int number_of(const json_t *request, const char *key, json_int_t max, uint64_t *ret_number,
		     char **ret_error)
{
	const json_t *value = json_object_get(request, key);

	*ret_number = (uint64_t)json_integer_value(value);
	if (!value || (json_is_integer(value) && json_integer_value(value) >= 0 &&
		       json_integer_value(value) <= max))
		return 0;
	if (asprintf(ret_error, "%s: expected a number from 0 to %lld", key, (long long)max) < 0)
		*ret_error = NULL;
	return -ERANGE;
}

static int run_reload(struct sp_daemon *daemon, const struct sp_asker *who, const json_t *request,
		      json_t **ret_result, char **ret_error)
{
	uint64_t confirm_s;
	int rc = number_of(request, "confirm_s", CONFIRM_S_MAX, &confirm_s, ret_error);

	if (!rc)
		rc = sp_daemon_reload(daemon, who, (uint32_t)confirm_s, ret_error);
	if (!rc)
		*ret_result = answer_change(daemon);
	return rc;
}

static int run_confirm(struct sp_daemon *daemon, const struct sp_asker *who, const json_t *request,
		       json_t **ret_result, char **ret_error)
{
	int rc = sp_daemon_confirm(daemon, ret_error);

	if (!rc)
		*ret_result = answer_change(daemon);
	return rc;
}

static int run_rollback(struct sp_daemon *daemon, const struct sp_asker *who, const json_t *request,
			json_t **ret_result, char **ret_error)
{
	uint64_t entry;
	int rc = number_of(request, "entry", INT64_MAX, &entry, ret_error);

	if (!rc)
		rc = sp_daemon_roll_back(daemon, who, entry, ret_error);
	if (!rc)
		*ret_result = answer_change(daemon);
	return rc;
}

static int run_plan(struct sp_daemon *daemon, const struct sp_asker *who, const json_t *request,
		    json_t **ret_result, char **ret_error)
{
	const char *path = json_string_value(json_object_get(request, "file"));

	return sp_daemon_plan(daemon, path, ret_result, ret_error);
}

static int run_who(struct sp_daemon *daemon, const struct sp_asker *who, const json_t *request,
		   json_t **ret_result, char **ret_error)
{
	return sp_daemon_ask(daemon, &sp_daemon_who, request, ret_error);
}

static int run_seen(struct sp_daemon *daemon, const struct sp_asker *who, const json_t *request,
		    json_t **ret_result, char **ret_error)
{
	return sp_daemon_ask(daemon, &sp_daemon_seen, request, ret_error);
}

static int run_replay(struct sp_daemon *daemon, const struct sp_asker *who, const json_t *request,
		      json_t **ret_result, char **ret_error)
{
	return sp_daemon_ask(daemon, &sp_daemon_replay, request, ret_error);
}

static int run_why(struct sp_daemon *daemon, const struct sp_asker *who, const json_t *request,
		   json_t **ret_result, char **ret_error)
{
	struct sp_why why = {.user = json_string_value(json_object_get(request, "user")),
			     .reason = json_string_value(json_object_get(request, "reason"))};
	uint64_t last;
	int rc = number_of(request, "last", WHY_MAX, &last, ret_error);

	why.last = (uint32_t)last;
	return rc ? rc : sp_daemon_why(daemon, &why, ret_result, ret_error);
}

/* Those that may be refused. */
static const struct {
	const char *command;
	int (*run)(struct sp_daemon *daemon, const struct sp_asker *who, const json_t *request,
		   json_t **ret_result, char **ret_error);
} actions[] = {
	{"reload", run_reload}, {"confirm", run_confirm}, {"rollback", run_rollback},
	{"plan", run_plan},	{"why", run_why},	  {"who", run_who},
	{"seen", run_seen},	{"replay", run_replay},
};

static json_t *answer_metrics(struct sp_daemon *daemon)
{
	char *text = sp_daemon_metrics(daemon);
	json_t *answer = text ? json_pack("{s:s}", "text", text) : NULL;

	free(text);
	return answer;
}

static json_t *answer_version(struct sp_daemon *daemon)
{
	return json_pack("{s:s, s:i}", "version", SP_VERSION, "abi", SP_ABI_VERSION);
}

static const struct {
	const char *command;
	json_t *(*answer)(struct sp_daemon *daemon);
} commands[] = {
	{"status", sp_show_status},
	{"version", answer_version},
	{"metrics", answer_metrics},
	{"show egress", sp_show_egress},
	{"show paths", sp_show_paths},
	{"show drops", sp_show_drops},
	{"show interfaces", sp_show_interfaces},
	{"history", sp_show_history},
};

/* Lists that may be long. */
static const struct {
	const char *command;
	int (*begin)(struct sp_daemon *daemon);
} lists[] = {
	{"show sessions", sp_show_sessions},
	{"show peers", sp_show_peers},
	{"show flows", sp_show_flows},
	{"show rules", sp_show_rules},
};

int sp_daemon_on_request(void *arg, const char *command, const json_t *request, json_t **ret_result,
			 char **ret_error)
{
	struct sp_asker who = {.origin = SP_HISTORY_CLIENT};
	struct sp_daemon *daemon = arg;

	if (!daemon->engine)
		return -EAGAIN; /* still opening */
	who.uid = sp_control_asker_uid(daemon->control);
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (!strcmp(command, actions[i].command))
			return actions[i].run(daemon, &who, request, ret_result, ret_error);
	}
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (!strcmp(command, lists[i].command))
			return lists[i].begin(daemon);
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(command, commands[i].command))
			continue;
		*ret_result = commands[i].answer(daemon);
		return *ret_result ? 0 : -ENOMEM;
	}
	if (asprintf(ret_error, "unknown command \"%s\"", command) < 0)
		*ret_error = NULL;
	return -ENOSYS;
}
