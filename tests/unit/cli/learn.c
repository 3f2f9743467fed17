/* SPDX-License-Identifier: Apache-2.0 */
/* What learn writes: a configuration that holds, allows what was seen, and nothing beside it. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "cli/learn.h"
#include "policy/policy.h"
#include "policy/tests.h"

#define BASE_FILE "/nowhere/gw.conf"
#define OWN_FILE  "/nowhere/conf.d/60-app.conf"

static const char base_text[] =
	"interfaces = ( { name = \"in0\"; roles = [\"inside\"]; }, { name = \"out0\"; roles = [\"egress\"]; } );\n"
	"zones = ( { name = \"app\"; interface = \"in0\"; prefixes = [\"10.50.0.0/24\"]; } );\n"
	"destinations = ( { name = \"learned-app-1\"; prefixes = [\"198.51.100.1/32\"]; } );\n"
	"services = ( { name = \"https\"; protocol = \"tcp\"; ports = [443]; } );\n"
	"egress = ( { name = \"p0\"; interface = \"out0\"; addresses = [\"192.0.2.1\"]; },\n"
	"	{ name = \"p1\"; interface = \"out0\"; addresses = [\"192.0.2.2\"]; } );\n";
static const char wide[] =
	"policy = ( { name = \"wide\"; from = \"app\"; to = \"any\"; action = \"allow\"; "
	"egress = \"p1\"; } );\n";

/* The base alone, with its wide rule, and with the fragment in its place. */
static struct sp_config *open_config(const char *policy, const char *fragment)
{
	const char *files[] = {BASE_FILE, OWN_FILE};
	char *text;
	const char *texts[2];
	struct sp_config_errors errors = {0};
	struct sp_config *config = NULL;
	int rc;

	cr_assert_gt(asprintf(&text, "%s%s", base_text, policy), 0);
	texts[0] = text;
	texts[1] = fragment;
	rc = sp_config_open_texts(files, texts, fragment ? 2 : 1, &config, &errors);
	cr_assert_eq(rc, 0, "%s", errors.count ? errors.list[0].text : strerror(-rc));
	sp_config_errors_fini(&errors);
	free(text);
	return config;
}

static struct sp_learn_seen seen_of(const char *addr, uint8_t proto, uint16_t port)
{
	struct sp_learn_seen seen = {.proto = proto, .port = port, .flows = 1};

	cr_assert_eq(sp_addr_parse(addr, &seen.addr), 0);
	return seen;
}

static bool allows(const struct sp_config *config, const char *addr, uint8_t proto, uint16_t port,
		   uint16_t *ret_pool)
{
	struct sp_policy_query query = {.user_id = config->users[0].id,
					.dport_be = htons(port),
					.proto = proto,
					.icmp = proto == IPPROTO_ICMP ? 8 << 8 : 0,
					.now_ns = 1};
	struct sp_policy_image image = {0};
	struct sp_policy_answer answer;
	struct sp_policy_view view;
	uint32_t needed;

	cr_assert_eq(sp_addr_parse(addr, &query.dst), 0);
	cr_assert_eq(sp_policy_compile(config, 65536, &image, &needed), 0);
	sp_policy_view_init(&view, image.nodes, image.count);
	sp_policy_walk(&view, &query, &answer);
	sp_policy_image_fini(&image);
	if (ret_pool)
		*ret_pool = answer.pool_id;
	return answer.action == SP_ACTION_ALLOW;
}

static char *learn(struct sp_learn_seen *seen, uint32_t count)
{
	static const struct sp_learn_rule rule = {"wide", BASE_FILE, 9, 4};
	struct sp_config *base = open_config(wide, NULL);
	struct sp_learn learn = {.base = base,
				 .subject = "app",
				 .span = "24h",
				 .seen = seen,
				 .seen_count = count,
				 .rules = &rule,
				 .rule_count = 1};
	char *text = sp_learn_write(&learn);

	cr_assert_not_null(text);
	sp_config_close(base);
	return text;
}

Test(cli_learn, allows_exactly_what_was_seen_and_its_tests_pass)
{
	struct sp_learn_seen seen[] = {
		seen_of("203.0.113.5", IPPROTO_TCP, 443), seen_of("203.0.113.5", IPPROTO_UDP, 53),
		seen_of("203.0.113.9", IPPROTO_ICMP, 0),  seen_of("2001:db8::7", IPPROTO_TCP, 8443),
		seen_of("203.0.113.4", IPPROTO_TCP, 443), seen_of("203.0.113.4", IPPROTO_UDP, 53),
	};
	char *text = learn(seen, 6);
	struct sp_config *config = open_config("", text);
	struct sp_config_errors failures = {0};
	struct sp_policy_image image = {0};
	struct sp_policy_view view;
	uint32_t needed;
	uint16_t pool = 0;

	cr_expect(allows(config, "203.0.113.5", IPPROTO_TCP, 443, &pool));
	cr_expect_eq(pool, 2, "the pool of the rule that let it out");
	cr_expect(allows(config, "203.0.113.4", IPPROTO_UDP, 53, NULL));
	cr_expect(allows(config, "203.0.113.9", IPPROTO_ICMP, 0, NULL));
	cr_expect(allows(config, "2001:db8::7", IPPROTO_TCP, 8443, NULL));
	cr_expect_not(allows(config, "203.0.113.6", IPPROTO_TCP, 443, NULL), "a neighbour");
	cr_expect_not(allows(config, "203.0.113.3", IPPROTO_TCP, 443, NULL), "the other one");
	cr_expect_not(allows(config, "203.0.113.5", IPPROTO_TCP, 53, NULL), "another protocol");
	cr_expect_not(allows(config, "203.0.113.9", IPPROTO_TCP, 443, NULL), "another's service");
	cr_expect_not(allows(config, "203.0.113.5", IPPROTO_ICMP, 0, NULL), "another's ping");
	cr_expect_eq(config->test_count, 6);
	cr_assert_eq(sp_policy_compile(config, 65536, &image, &needed), 0);
	sp_policy_view_init(&view, image.nodes, image.count);
	cr_expect_eq(sp_policy_test(config, sp_policy_judge_image, &view, 1, &failures), 0);
	sp_policy_image_fini(&image);
	sp_config_close(config);
	free(text);
}

Test(cli_learn, merges_whole_prefixes_uses_names_that_are_there_and_takes_none)
{
	struct sp_learn_seen seen[] = {
		seen_of("203.0.113.5", IPPROTO_TCP, 443), seen_of("203.0.113.7", IPPROTO_TCP, 443),
		seen_of("203.0.113.4", IPPROTO_TCP, 443), seen_of("203.0.113.6", IPPROTO_TCP, 443),
		seen_of("203.0.113.8", IPPROTO_TCP, 443),
	};
	char *text = learn(seen, 5);
	struct sp_config *config = open_config("", text);

	cr_expect_not_null(strstr(text, "\"203.0.113.4/30\",\n    \"203.0.113.8/32\""), "%s", text);
	cr_expect_not_null(strstr(text, "service = [\"https\"]"));
	cr_expect_null(strstr(text, "\"learned-app-1\""), "that name is the base's");
	cr_expect_not_null(strstr(text, "\"learned-appb-1\""));
	cr_expect_not_null(strstr(text, "wide (" BASE_FILE ":9), 4 flows"));
	cr_expect_eq(config->rule_count, 1);
	sp_config_close(config);
	free(text);
}

Test(cli_learn, what_went_to_the_gateway_itself_is_a_rule_for_the_gateway)
{
	struct sp_learn_seen seen[] = {seen_of("10.9.0.1", IPPROTO_ICMP, 0)};
	char *text;

	seen[0].to_gateway = true;
	text = learn(seen, 1);
	cr_expect_not_null(strstr(text, "to = [\"gateway\"]"));
	cr_expect_null(strstr(text, "egress ="));
	sp_config_close(open_config("", text));
	free(text);
}
