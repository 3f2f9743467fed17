/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket's commands (docs/control.md). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"

static json_t *answer_reload(struct sp_daemon *daemon)
{
	return json_pack("{s:i}", "generation", (int)daemon->shared->gateway->generation);
}

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
	{"show sessions", sp_show_sessions},
	{"show peers", sp_show_peers},
	{"show flows", sp_show_flows},
	{"show rules", sp_show_rules},
	{"show drops", sp_show_drops},
	{"show interfaces", sp_show_interfaces},
};

int sp_daemon_on_request(void *arg, const char *command, const json_t *request, json_t **ret_result,
			 char **ret_error)
{
	struct sp_daemon *daemon = arg;
	int rc;

	if (!daemon->engine)
		return -EAGAIN; /* still opening */
	if (!strcmp(command, "reload")) {
		rc = sp_daemon_reload(daemon, ret_error);
		if (rc)
			return rc;
		*ret_result = answer_reload(daemon);
		return *ret_result ? 0 : -ENOMEM;
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
