/* SPDX-License-Identifier: Apache-2.0 */
/* What plan says in words, and what the history reads back. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "config/diff.h"
#include "config/units.h"
#include "sallyport/core/addr.h"
#include "unit/config/sandbox.h"

#define KEY_A "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define HEAD  "interfaces = ( { name = \"eth0\"; roles = [\"tunnel\", \"egress\"]; } );\n"
#define RULE(name, from) \
	"{ name = \"" name "\"; from = " from "; to = \"any\"; action = \"allow\"; }"

static const char base[] =
	HEAD "gateway = { name = \"gw\"; };\n"
	     "groups = ( { name = \"staff\"; }, { name = \"lab\"; } );\n"
	     "users = ( { name = \"alice\"; groups = [\"staff\"]; }, { name = \"bob\"; } );\n"
	     "policy = ( " RULE("r1", "\"staff\"") ",\n" RULE("r2", "\"any\"") ",\n" RULE(
		     "r3", "\"alice\"") " );\n";

static struct sp_config *open_text(const char *file, const char *text)
{
	struct sp_config *config = NULL;
	struct sp_config_errors errors;

	sandbox_text(file, text);
	cr_assert_eq(sp_config_open(file, &config, &errors), 0, "%s: %s", file,
		     errors.count ? errors.list[0].text : "");
	return config;
}

/* Every change as "kind section name: detail", a line each. */
static void expect_diff(const char *old_text, const char *new_text, const char *expected)
{
	struct sp_config *old = open_text("old.conf", old_text);
	struct sp_config *new = open_text("new.conf", new_text);
	struct sp_config_diff diff = {0};
	char *found = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&found, &bytes);

	cr_assert_eq(sp_config_diff(old, new, &diff), 0);
	for (uint32_t i = 0; i < diff.count; i++)
		fprintf(out, "%s %s %s%s%s%s\n", sp_config_change_name(diff.list[i].kind),
			diff.list[i].section, diff.list[i].name, diff.list[i].detail ? ": " : "",
			diff.list[i].detail ?: "", diff.list[i].at_restart ? " !" : "");
	fclose(out);
	cr_expect_str_eq(found, expected);
	free(found);
	sp_config_diff_fini(&diff);
	sp_config_close(old);
	sp_config_close(new);
}

Test(config_diff, says_nothing_of_what_means_the_same)
{
	sandbox_enter();
	expect_diff(base, base, "");
	/* Other lines, another order of the keys, a list of one. */
	expect_diff(HEAD "users = ( { name = \"bob\"; flows_max = 5; } );\n"
			 "policy = ( " RULE("r", "\"bob\"") " );",
		    "\n\n" HEAD "users = ( { flows_max = 5; name = \"bob\"; } );\n"
		    "policy = ( " RULE("r", "[\"bob\"]") " );",
		    "");
	sandbox_leave();
}

Test(config_diff, names_each_change_once)
{
	sandbox_enter();
	expect_diff(base,
		    HEAD "gateway = { name = \"gw2\"; workers = 2; rules_max = 99;\n"
			 " policy_nodes_max = 2048; };\n"
			 "groups = ( { name = \"staff\"; }, { name = \"lab\"; } );\n"
			 "users = ( { name = \"alice\"; groups = [\"lab\", \"staff\"]; },\n"
			 " { name = \"carol\"; limit = { up = \"1 Mbit/s\"; }; } );\n"
			 "policy = ( " RULE("r2", "\"any\"") ",\n" RULE("r1", "\"lab\"") ",\n" RULE(
				 "r3", "[\"alice\", \"carol\"]") " );\n",
		    "changed gateway name: gw -> gw2\n"
		    "changed gateway policy_nodes_max: (default) -> 2048 !\n"
		    "changed gateway rules_max: (default) -> 99 !\n"
		    "changed gateway workers: (default) -> 2 !\n"
		    "changed users alice: groups: +lab\n"
		    "removed users bob\n"
		    "added users carol\n"
		    "changed policy r1: from: staff -> lab\n"
		    "changed policy r3: from: +carol\n"
		    "moved policy r2: from place 2 to 1\n");
	sandbox_leave();
}

Test(config_diff, finds_the_fewest_rules_that_moved)
{
	static const char users[] = HEAD "users = ( { name = \"a\"; } );\npolicy = ( ";
	char old[2000], new[2000];

	sandbox_enter();
	snprintf(old, sizeof(old), "%s%s, %s, %s, %s );", users, RULE("w", "\"a\""),
		 RULE("x", "\"a\""), RULE("y", "\"a\""), RULE("z", "\"a\""));
	snprintf(new, sizeof(new), "%s%s, %s, %s, %s, %s );", users, RULE("z", "\"a\""),
		 RULE("w", "\"a\""), RULE("new", "\"a\""), RULE("x", "\"a\""), RULE("y", "\"a\""));
	/* What is pushed down by another rule has not moved. */
	expect_diff(old, new, "added policy new\nmoved policy z: from place 4 to 1\n");
	sandbox_leave();
}

Test(config_diff, sees_what_the_files_behind_the_words_hold)
{
	static const char text[] =
		HEAD "wireguard = ( { name = \"wg0\"; port = 51820; private_key_file = \"k.key\";\n"
		     " addresses = [\"10.9.0.1/24\"]; } );\nusers = ( { name = \"a\"; } );\n"
		     "peers = ( { name = \"p\"; user = \"a\"; public_key = \"" KEY_A "\";\n"
		     " preshared_key_file = \"p.key\"; addresses = [\"10.9.0.2\"]; } );\n";
	struct sp_config *old, *new;
	struct sp_config_diff diff = {0};

	sandbox_enter();
	sandbox_write("k.key", KEY_A "\n", 45, 0600);
	sandbox_write("p.key", KEY_A "\n", 45, 0600);
	old = open_text("a.conf", text);
	sandbox_write("k.key", KEY_B "\n", 45, 0600);
	sandbox_write("p.key", KEY_B "\n", 45, 0600);
	new = open_text("a.conf", text);
	cr_assert_eq(sp_config_diff(old, new, &diff), 0);
	cr_assert_eq(diff.count, 2);
	cr_expect_str_eq(diff.list[0].detail, "another private key");
	cr_expect_str_eq(diff.list[1].detail, "another preshared key");
	sp_config_diff_fini(&diff);
	sp_config_close(old);
	sp_config_close(new);
	sandbox_leave();
}

Test(config_diff, sums_up_in_one_line_that_fits)
{
	struct sp_config *old, *new;
	struct sp_config_diff diff = {0};
	char line[100], tiny[10];

	sandbox_enter();
	old = open_text("old.conf", base);
	new = open_text("new.conf", HEAD "users = ( { name = \"alice\"; } );\n"
					 "policy = ( " RULE("r3", "\"alice\"") " );\n");
	cr_assert_eq(sp_config_diff(old, new, &diff), 0);
	cr_expect_str_eq(sp_config_diff_summary(&diff, line, sizeof(line)),
			 "gateway 1 changed, groups 2 removed, users 1 removed 1 changed, "
			 "policy 2 removed");
	cr_expect_str_eq(sp_config_diff_summary(&diff, tiny, sizeof(tiny)), "gateway 1");
	sp_config_diff_fini(&diff);
	cr_expect_str_eq(sp_config_diff_summary(&diff, line, sizeof(line)), "no change");
	sp_config_close(old);
	sp_config_close(new);
	sandbox_leave();
}

/* What was read can be read again after the files are gone, and means the same. */
Test(config_diff, texts_mean_what_the_files_meant)
{
	static const char more[] = "groups = ( { name = \"more\"; } );\n";
	struct sp_config *config, *again = NULL;
	struct sp_config_errors errors;
	struct sp_config_diff diff = {0};

	sandbox_enter();
	cr_assert_eq(mkdir("conf.d", 0755), 0);
	sandbox_text("conf.d/10-more.conf", more);
	config = open_text("main.conf",
			   HEAD "wireguard = ( { name = \"wg0\"; port = 51820;\n"
				" private_key_file = \"wg0.key\"; addresses = [\"10.9.0.1/24\"]; } "
				");\n");
	cr_assert_eq(unlink("main.conf"), 0);
	cr_assert_eq(unlink("conf.d/10-more.conf"), 0);
	cr_assert_eq(config->file_count, 2);
	cr_assert_eq(sp_config_open_texts((const char *const *)config->files,
					  (const char *const *)config->texts, 2, &again, &errors),
		     0);
	cr_assert_eq(sp_config_diff(config, again, &diff), 0);
	cr_expect_eq(diff.count, 0);
	cr_expect_eq(again->group_count, 1);
	cr_expect_str_eq(again->groups[0].source.file, config->groups[0].source.file);
	sp_config_close(again);
	sp_config_close(config);
	sandbox_leave();
}

Test(config_diff, targets_of_tests)
{
	static const struct {
		const char *text, *addr;
		int rc;
		uint8_t proto;
		uint16_t port;
	} rows[] = {
		{"tcp 203.0.113.5:443", "203.0.113.5", 0, 6, 443},
		{"udp [2001:db8::1]:53", "2001:db8::1", 0, 17, 53},
		{"icmp 203.0.113.5", "203.0.113.5", 0, 1, 0},
		{"icmp 2001:db8::1", "2001:db8::1", 0, 58, 0},
		{"47 203.0.113.5", "203.0.113.5", 0, 47, 0},
		{"tcp 203.0.113.5", NULL, -EINVAL, 0, 0},
		{"tcp 203.0.113.5:0", NULL, -EINVAL, 0, 0},
		{"tcp203.0.113.5:1", NULL, -EINVAL, 0, 0},
		{"6 203.0.113.5", NULL, -EINVAL, 0, 0}, /* a port is needed: say tcp */
		{"icmp 203.0.113.5:1", NULL, -EINVAL, 0, 0},
		{"256 203.0.113.5", NULL, -EINVAL, 0, 0},
		{"0 203.0.113.5", NULL, -EINVAL, 0, 0},
		{"sctp 203.0.113.5:1", NULL, -EINVAL, 0, 0},
		{"tcp example.com:443", NULL, -EINVAL, 0, 0},
		{"tcp ", NULL, -EINVAL, 0, 0},
		{"", NULL, -EINVAL, 0, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sp_config_target target = {.proto = 99};
		struct sp_addr addr;

		cr_assert_eq(sp_config_parse_target(rows[i].text, &target), rows[i].rc, "%s",
			     rows[i].text);
		if (rows[i].rc) {
			cr_expect_eq(target.proto, 99, "%s: the output was touched", rows[i].text);
			continue;
		}
		cr_assert_eq(sp_addr_parse(rows[i].addr, &addr), 0);
		cr_expect(sp_addr_equal(&addr, &target.addr), "%s", rows[i].text);
		cr_expect_eq(target.proto, rows[i].proto, "%s", rows[i].text);
		cr_expect_eq(__builtin_bswap16(target.port_be), rows[i].port, "%s", rows[i].text);
	}
}
