/* SPDX-License-Identifier: Apache-2.0 */
/* The command line as a whole: which words do what, and with which exit code. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include "cli/cli.h"
#include "unit/config/sandbox.h"

#define WORDS_MAX 10

static enum sp_cli_exit run(const char *const words[])
{
	char *argv[WORDS_MAX + 2] = {(char *)"sallyport"};
	int argc = 1;

	while (words[argc - 1]) {
		argv[argc] = (char *)words[argc - 1];
		argc++;
	}
	return sp_cli_run(argc, argv);
}

Test(cli_command, ends_with_the_documented_codes)
{
	static const struct {
		const char *words[WORDS_MAX];
		enum sp_cli_exit code;
	} rows[] = {
		{{"version"}, SP_CLI_OK},
		{{"--version"}, SP_CLI_OK},
		{{"version", "-j"}, SP_CLI_OK},
		{{"help"}, SP_CLI_OK},
		{{NULL}, SP_CLI_USAGE},
		{{"shwo", "peers"}, SP_CLI_USAGE},
		{{"show"}, SP_CLI_USAGE},
		{{"show", "dogs"}, SP_CLI_USAGE},
		{{"status", "now"}, SP_CLI_USAGE},
		{{"status", "--psk"}, SP_CLI_USAGE},
		{{"--nonsense", "status"}, SP_CLI_USAGE},
		{{"peer", "add"}, SP_CLI_USAGE},
		{{"peer", "remove", "a", "b"}, SP_CLI_USAGE},
		{{"check", "good.conf"}, SP_CLI_OK},
		{{"check", "-c", "good.conf"}, SP_CLI_OK},
		{{"-c", "good.conf", "-j", "check"}, SP_CLI_OK},
		{{"check", "bad.conf"}, SP_CLI_MISTAKES},
		{{"check", "-j", "bad.conf"}, SP_CLI_MISTAKES},
		{{"check", "absent.conf"}, SP_CLI_MISTAKES},
		{{"status", "-s", "absent.sock"}, SP_CLI_NO_DAEMON},
		{{"-c", "good.conf", "show", "peers", "-j"}, SP_CLI_NO_DAEMON},
		{{"reload", "-c", "good.conf"}, SP_CLI_NO_DAEMON},
		{{"peer", "remove", "nobody", "-c", "good.conf"}, SP_CLI_FAILED},
		{{"peer", "remove", "nobody", "-c", "bad.conf"}, SP_CLI_MISTAKES},
		{{"peer", "remove", "nobody", "-c", "absent.conf"}, SP_CLI_FAILED},
	};

	sandbox_enter();
	sandbox_text("good.conf", "gateway = { control = \"absent.sock\"; };\n"
				  "interfaces = ( { name = \"eth0\"; roles = \"egress\"; } );\n");
	sandbox_text("bad.conf", "interfaces = ( );\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		enum sp_cli_exit code = run(rows[i].words);

		cr_expect_eq(code, rows[i].code, "%s %s: %d", rows[i].words[0] ?: "",
			     rows[i].words[0] && rows[i].words[1] ? rows[i].words[1] : "", code);
	}
	sandbox_leave();
}

Test(cli_command, check_tells_scripts_where_the_mistakes_are, .init = cr_redirect_stdout)
{
	static const char *const words[] = {"check", "bad.conf", "-j", NULL};

	sandbox_enter();
	sandbox_text("bad.conf", "interfaces = ( { name = \"eth0\";\n	roles = 7; } );\n");
	cr_expect_eq(run(words), SP_CLI_MISTAKES);
	fflush(stdout);
	cr_expect_stdout_eq_str(
		"{\n  \"ok\": false,\n  \"mistakes\": [\n    {\n      \"file\": \"bad.conf\",\n"
		"      \"line\": 2,\n      \"text\": \"bad.conf:2: interfaces.eth0.roles: found 7, "
		"expected \\\"tunnel\\\", \\\"egress\\\" or \\\"inside\\\"\"\n    }\n  ],\n"
		"  \"left_out\": 0\n}\n");
	sandbox_leave();
}
