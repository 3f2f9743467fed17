/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "policy/policy.h"
#include "policy/tests.h"

void sp_cli_json_print(const json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	fputc('\n', stdout);
}

static void print_mistakes(const struct sp_config_errors *errors)
{
	for (uint32_t i = 0; i < errors->count; i++)
		fprintf(stderr, "%s\n", errors->list[i].text);
	if (errors->left_out)
		fprintf(stderr, "%u more are left out\n", errors->left_out);
	fprintf(stderr, "sallyport: %u mistake%s\n", errors->count + errors->left_out,
		errors->count + errors->left_out == 1 ? "" : "s");
}

static json_t *mistakes_to_json(const struct sp_config_errors *errors)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < errors->count; i++)
		json_array_append_new(list, json_pack("{s:s, s:i, s:s}", "file",
						      errors->list[i].source.file, "line",
						      (int)errors->list[i].source.line, "text",
						      errors->list[i].text));
	return json_pack("{s:b, s:o, s:i}", "ok", 0, "mistakes", list, "left_out",
			 (int)errors->left_out);
}

static void show_mistakes(const struct sp_config_errors *errors, bool json)
{
	json_t *answer;

	if (!json) {
		print_mistakes(errors);
		return;
	}
	answer = mistakes_to_json(errors);
	sp_cli_json_print(answer);
	json_decref(answer);
}

static enum sp_cli_exit open_config(const char *file, bool json, struct sp_config **ret_config)
{
	struct sp_config_errors errors;
	int rc = sp_config_open(file, ret_config, &errors);

	if (!rc)
		return SP_CLI_OK;
	if (rc != -EINVAL) {
		fprintf(stderr, "sallyport: failed to read %s: %s\n", file, strerror(-rc));
		return SP_CLI_FAILED;
	}
	show_mistakes(&errors, json);
	sp_config_errors_fini(&errors);
	return SP_CLI_MISTAKES;
}

enum sp_cli_exit sp_cli_config_open(const struct sp_cli *cli, struct sp_config **ret_config)
{
	return open_config(cli->config_file, false, ret_config);
}

static enum sp_cli_exit compile_policy(const struct sp_config *config,
				       struct sp_policy_image *ret_image)
{
	uint32_t needed = 0, nodes_max = config->gateway.policy_nodes_max;
	int rc = sp_policy_compile(config, nodes_max, ret_image, &needed);
	_cleanup_free_ char *text = rc ? sp_policy_refusal(rc, needed, nodes_max) : NULL;

	if (text)
		fprintf(stderr, "%s\n", text);
	else if (rc)
		fprintf(stderr, "sallyport: failed to compile the policy: %s\n", strerror(-rc));
	return !rc ? SP_CLI_OK : text ? SP_CLI_MISTAKES : SP_CLI_FAILED;
}

/* Tests that fail are mistakes as if they had stood in the files, where users have their ids from. */
static enum sp_cli_exit check_policy(const struct sp_cli *cli, const struct sp_config *config)
{
	struct sp_config_errors errors = {0};
	struct sp_policy_image image = {0};
	struct sp_policy_view view;
	enum sp_cli_exit code = compile_policy(config, &image);
	int rc;

	if (code)
		return code;
	sp_policy_view_init(&view, image.nodes, image.count);
	rc = sp_policy_test(config, sp_policy_judge_image, &view, sp_clock_now_ns(), &errors);
	sp_policy_image_fini(&image);
	if (rc == -EINVAL)
		show_mistakes(&errors, cli->json);
	else if (rc)
		fprintf(stderr, "sallyport: failed to test the policy: %s\n", strerror(-rc));
	sp_config_errors_fini(&errors);
	return !rc ? SP_CLI_OK : rc == -EINVAL ? SP_CLI_MISTAKES : SP_CLI_FAILED;
}

static json_t *summary_of(const struct sp_config *config)
{
	return json_pack("{s:b, s:i, s:i, s:i, s:i, s:i}", "ok", 1, "files",
			 (int)config->file_count, "users", (int)config->user_count, "peers",
			 (int)config->peer_count, "rules", (int)config->rule_count, "tests",
			 (int)config->test_count);
}

static void print_warnings(const struct sp_config *config)
{
	struct sp_policy_warnings warnings = {0};
	int rc = sp_policy_warn(config, config->gateway.policy_nodes_max, &warnings);

	for (uint32_t i = 0; i < warnings.count; i++)
		fprintf(stderr, "warning: %s\n", warnings.list[i]);
	if (warnings.left_out)
		fprintf(stderr, "warning: %u more are left out\n", warnings.left_out);
	if (rc)
		fprintf(stderr, "sallyport: failed to look for rules that never decide: %s\n",
			strerror(-rc));
	sp_policy_warnings_fini(&warnings);
}

enum sp_cli_exit sp_cli_check(const struct sp_cli *cli, const struct sp_cli_command *command)
{
	const char *file = cli->arg_count ? cli->args[0] : cli->config_file;
	struct sp_config *config = NULL;
	enum sp_cli_exit code = open_config(file, cli->json, &config);

	if (code)
		return code;
	code = check_policy(cli, config);
	if (code) {
		sp_config_close(config);
		return code;
	}
	if (cli->json) {
		json_t *answer = summary_of(config);

		sp_cli_json_print(answer);
		json_decref(answer);
	} else {
		print_warnings(config);
		printf("%s: no mistakes (%u files, %u users, %u peers, %u rules, %u tests)\n", file,
		       config->file_count, config->user_count, config->peer_count,
		       config->rule_count, config->test_count);
	}
	sp_config_close(config);
	return SP_CLI_OK;
}
