/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/client.h"
#include "cli/render.h"

/* Those whose error 22 is about a configuration. */
static bool is_about_config(const char *command)
{
	return !strcmp(command, "reload") || !strcmp(command, "plan") ||
	       !strcmp(command, "rollback") || !strcmp(command, "replay");
}

enum sp_cli_exit sp_cli_request(const struct sp_cli *cli, const char *command, json_t **ret_result)
{
	return sp_cli_request_with(cli, json_pack("{s:s}", "command", command), ret_result);
}

enum sp_cli_exit sp_cli_request_with(const struct sp_cli *cli, json_t *request, json_t **ret_result)
{
	_cleanup_free_ char *command = NULL, *found = NULL;
	const char *path = cli->socket_path;
	json_t *answer = NULL;
	enum sp_cli_exit code;
	int rc;

	command = strdup(json_string_value(json_object_get(request, "command")) ?: "");
	if (!command) {
		json_decref(request);
		return SP_CLI_FAILED;
	}

	if (!path)
		path = found = sp_config_control_path(cli->config_file);
	rc = path && request ? sp_client_request(path, request, &answer) : -ENOMEM;
	json_decref(request);
	if (rc) {
		fprintf(stderr, "sallyport: failed to ask the daemon at %s: %s\n", path ?: "?",
			strerror(-rc));
		return SP_CLI_NO_DAEMON;
	}
	if (json_is_true(json_object_get(answer, "ok"))) {
		*ret_result = json_incref(json_object_get(answer, "result"));
		code = SP_CLI_OK;
	} else {
		const char *error = json_string_value(json_object_get(answer, "error"));
		json_int_t number = json_integer_value(json_object_get(answer, "code"));

		fprintf(stderr, "sallyport: %s: %s\n", command, error ? error : "refused");
		code = is_about_config(command) && number == EINVAL ? SP_CLI_MISTAKES
								    : SP_CLI_FAILED;
	}
	json_decref(answer);
	return code;
}

enum sp_cli_exit sp_cli_ask(const struct sp_cli *cli, const struct sp_cli_command *command)
{
	json_t *result = NULL;
	enum sp_cli_exit code = sp_cli_request(cli, command->name, &result);

	if (code)
		return code;
	if (cli->json)
		sp_cli_json_print(result);
	else
		sp_render_answer(stdout, command->name, result);
	json_decref(result);
	return SP_CLI_OK;
}
