/* SPDX-License-Identifier: Apache-2.0 */
/* plan, reload, rollback, why: requests that say more than their name. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/ask.h"
#include "cli/render.h"

#define CONFIRM_S_MAX 86400 /* a day */
#define WHY_MAX	      4096

static void show(const struct sp_cli *cli, const struct sp_cli_command *command, json_t *result)
{
	if (cli->json)
		sp_cli_json_print(result);
	else
		sp_render_answer(stdout, command->name, result);
	json_decref(result);
}

static bool parse_number(const char *text, long long max, long long *ret_number)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || *end || end == text || number < 1 || number > max)
		return false;
	*ret_number = number;
	return true;
}

enum sp_cli_exit sp_cli_plan(const struct sp_cli *cli, const struct sp_cli_command *command)
{
	json_t *request = json_pack("{s:s}", "command", command->name), *result = NULL;
	enum sp_cli_exit code;

	if (cli->arg_count) {
		_cleanup_free_ char *path = realpath(cli->args[0], NULL);

		if (!path) {
			fprintf(stderr, "sallyport: failed to find %s: %s\n", cli->args[0],
				strerror(errno));
			json_decref(request);
			return SP_CLI_MISTAKES;
		}
		json_object_set_new(request, "file", json_string(path));
	}
	code = sp_cli_request_with(cli, request, &result);
	if (code)
		return code;
	if (json_array_size(json_object_get(result, "changes")))
		code = SP_CLI_CHANGES;
	show(cli, command, result);
	return code;
}

static enum sp_cli_exit ask_with_number(const struct sp_cli *cli,
					const struct sp_cli_command *command, json_t *more,
					const char *key, const char *text, long long max)
{
	json_t *request = json_pack("{s:s}", "command", command->name), *result = NULL;
	enum sp_cli_exit code;
	long long number;

	if (text && !parse_number(text, max, &number)) {
		fprintf(stderr, "sallyport: %s: found \"%s\", expected a number from 1 to %lld\n",
			command->name, text, max);
		json_decref(request);
		return SP_CLI_USAGE;
	}
	if (more)
		json_object_update(request, more);
	if (text)
		json_object_set_new(request, key, json_integer(number));
	code = sp_cli_request_with(cli, request, &result);
	if (!code)
		show(cli, command, result);
	return code;
}

enum sp_cli_exit sp_cli_why(const struct sp_cli *cli, const struct sp_cli_command *command)
{
	json_t *more = json_object();
	enum sp_cli_exit code;

	if (cli->user)
		json_object_set_new(more, "user", json_string(cli->user));
	if (cli->reason)
		json_object_set_new(more, "reason", json_string(cli->reason));
	code = ask_with_number(cli, command, more, "last", cli->last, WHY_MAX);
	json_decref(more);
	return code;
}

enum sp_cli_exit sp_cli_reload(const struct sp_cli *cli, const struct sp_cli_command *command)
{
	return ask_with_number(cli, command, NULL, "confirm_s", cli->confirm_s, CONFIRM_S_MAX);
}

enum sp_cli_exit sp_cli_rollback(const struct sp_cli *cli, const struct sp_cli_command *command)
{
	return ask_with_number(cli, command, NULL, "entry", cli->arg_count ? cli->args[0] : NULL,
			       1000000000000);
}
