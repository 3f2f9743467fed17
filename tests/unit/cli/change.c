/* SPDX-License-Identifier: Apache-2.0 */
/* plan, history and trials as people see them, and check's answer to failing tests. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/render.h"
#include "unit/config/sandbox.h"

static void expect_text(const char *command, const char *json, const char *expected)
{
	json_t *result = json_loads(json, JSON_DECODE_ANY, NULL);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	cr_assert(result && out);
	sp_render_answer(out, command, result);
	fclose(out);
	cr_expect_str_eq(text, expected);
	free(text);
	json_decref(result);
}

Test(cli_change, plan_says_changes_counts_users_and_flows)
{
	expect_text(
		"plan",
		"{\"file\": \"gw.conf\", \"changes\": [{\"change\": \"added\", \"section\": "
		"\"policy\", \"name\": \"no-bob\", \"file\": \"gw.conf\", \"line\": 9, "
		"\"detail\": null, \"at_restart\": false}, {\"change\": \"changed\", \"section\": "
		"\"gateway\", \"name\": \"workers\", \"file\": \"gw.conf\", \"line\": 1, "
		"\"detail\": \"1 -> 2\", \"at_restart\": true}], \"flows\": {\"same\": 4, "
		"\"rule\": 0, \"grace\": 2, \"kept\": 0, \"cut\": 1, \"doomed\": 0, \"total\": 7}, \"users\": "
		"[{\"user\": \"bob\", \"same\": 0, \"rule\": 0, \"grace\": 2, \"kept\": 0, \"cut\": 1, "
		"\"doomed\": 0, \"total\": 3}], \"affected_flows\": [{\"effect\": \"cut\", "
		"\"user\": \"bob\", \"peer\": \"p\", \"protocol\": \"tcp\", \"source\": "
		"\"10.9.0.3:5\", \"destination\": \"203.0.113.5:80\", \"rule_before\": {\"name\": "
		"\"out\", \"file\": \"gw.conf\", \"line\": 9}, \"rule_after\": {\"name\": "
		"\"no-bob\", \"file\": \"gw.conf\", \"line\": 9}, \"why\": null}], "
		"\"left_out\": 2}",
		"the configuration: 2 changes\n"
		"  added    policy no-bob (gw.conf:9)\n"
		"  changed  gateway workers (gw.conf:1): 1 -> 2 [at the next restart]\n"
		"open flows: 7: 1 cut, 2 cut after a grace, 4 as before\n"
		"\n"
		"  USER  CUT  GRACE  KEPT  OTHER RULE  SAME  DENIED ALREADY  OPEN\n"
		"  bob     1      2     0           0     0               0     3\n"
		"\n"
		"  EFFECT  USER  PROTO  SOURCE      DESTINATION     BEFORE           AFTER\n"
		"  cut     bob   tcp    10.9.0.3:5  203.0.113.5:80  out (gw.conf:9)  no-bob "
		"(gw.conf:9)\n"
		"  and 2 more\n");
	expect_text("plan",
		    "{\"changes\": [], \"flows\": {\"total\": 0}, \"users\": [], "
		    "\"affected_flows\": []}",
		    "the configuration: nothing changes\nopen flows: 0\n");
}

Test(cli_change, a_peer_that_goes_is_the_reason)
{
	expect_text(
		"plan",
		"{\"changes\": [], \"flows\": {\"cut\": 1, \"total\": 1}, \"users\": [], "
		"\"affected_flows\": [{\"effect\": \"cut\", \"user\": \"u\", \"protocol\": "
		"\"udp\", \"source\": \"a\", \"destination\": \"b\", \"rule_before\": {\"name\": "
		"\"default\", \"file\": \"\", \"line\": 0}, \"rule_after\": null, \"why\": "
		"\"peer p goes\"}]}",
		"the configuration: nothing changes\n"
		"open flows: 1: 1 cut\n"
		"\n"
		"  EFFECT  USER  PROTO  SOURCE  DESTINATION  BEFORE   AFTER\n"
		"  cut     u     udp    a       b            default  peer p goes\n");
}

Test(cli_change, history_says_who_and_what)
{
	setenv("TZ", "UTC", 1);
	expect_text("history",
		    "[{\"entry\": 12, \"time\": 0, \"generation\": 3, \"by\": \"client\", "
		    "\"uid\": 1000, \"result\": \"confirmed\", \"running\": true, \"summary\": "
		    "\"policy 1 added\"}, {\"entry\": 11, \"time\": 0, \"generation\": 2, \"by\": "
		    "\"signal\", \"uid\": null, \"result\": \"rolled back\", \"running\": false, "
		    "\"summary\": \"no change\"}]",
		    "ENTRY  TIME                 POLICY  BY        RESULT       RUNS  SUMMARY\n"
		    "   12  1970-01-01 00:00:00       3  uid 1000  confirmed    now   policy 1 "
		    "added\n"
		    "   11  1970-01-01 00:00:00       2  signal    rolled back  -     no change\n");
}

Test(cli_change, a_trial_says_how_to_keep_it)
{
	expect_text("reload", "{\"generation\": 4, \"entry\": 2, \"trial\": null}",
		    "reloaded: policy generation 4 is in force\n");
	expect_text("reload",
		    "{\"generation\": 4, \"entry\": 2, \"trial\": {\"entry\": 2, \"left_s\": 60}}",
		    "reloaded: policy generation 4 is in force\n"
		    "it is taken back in 60 s, unless you say: sallyport confirm\n");
	expect_text("rollback", "{\"generation\": 5, \"entry\": 3, \"trial\": null}",
		    "rolled back: policy generation 5 is in force\n"
		    "the files still say something else: edit them before the next reload\n");
}

static enum sp_cli_exit run(const char *const *words)
{
	char *argv[8] = {(char *)"sallyport"};
	int argc = 1;

	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)words[argc - 1];
	return sp_cli_run(argc, argv);
}

#define HEAD                                                                    \
	"interfaces = ( { name = \"eth0\"; roles = \"egress\"; } );\n"          \
	"users = ( { name = \"alice\"; } );\n"                                  \
	"destinations = ( { name = \"web\"; prefixes = \"203.0.113.5\"; } );\n" \
	"policy = ( { name = \"out\"; from = \"alice\"; to = \"web\"; action = \"allow\"; } );\n"

Test(cli_change, check_runs_the_tests_of_the_configuration, .init = cr_redirect_stdout)
{
	static const char *const good[] = {"check", "good.conf", NULL};
	static const char *const bad[] = {"check", "-j", "bad.conf", NULL};
	sandbox_enter();
	sandbox_text("good.conf", HEAD "tests = ( { as = \"alice\"; to = \"tcp 203.0.113.5:1\"; "
				       "expect = \"allow\"; rule = \"out\"; } );\n");
	sandbox_text("bad.conf", HEAD "tests = ( { as = \"alice\"; to = \"tcp 203.0.113.6:1\"; "
				      "expect = \"allow\"; } );\n");
	cr_expect_eq(run(good), SP_CLI_OK);
	cr_expect_eq(run(bad), SP_CLI_MISTAKES);
	fflush(stdout);
	cr_expect_stdout_eq_str(
		"good.conf: no mistakes (1 files, 1 users, 0 peers, 1 rules, 1 tests)\n"
		"{\n  \"ok\": false,\n  \"mistakes\": [\n    {\n      \"file\": \"bad.conf\",\n"
		"      \"line\": 5,\n      \"text\": \"bad.conf:5: tests.[0]: alice to tcp "
		"203.0.113.6:1: found deny by the default at the end, as no rule matches, expected "
		"allow\"\n    }\n  ],\n  \"left_out\": 0\n}\n");
	sandbox_leave();
}

Test(cli_change, numbers_are_judged_before_anyone_is_asked)
{
	static const char *const rows[][4] = {
		{"reload", "--confirm", "0", NULL},
		{"reload", "--confirm", "1x", NULL},
		{"reload", "--confirm", "86401", NULL},
		{"reload", "--confirm", "", NULL},
		{"rollback", "first", NULL},
		{"rollback", "0", NULL},
	};
	static const char *const asked[] = {"reload", "--confirm", "60", "-s", "none.sock", NULL};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_expect_eq(run(rows[i]), SP_CLI_USAGE, "row %zu", i);
	cr_expect_eq(run(asked), SP_CLI_NO_DAEMON);
}
