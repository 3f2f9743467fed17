/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration's own tests, and what another policy means for flows that are open. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "config/units.h"
#include "policy/effect.h"
#include "policy/policy.h"
#include "policy/tests.h"

#define NODES_MAX 65536

static struct sp_config_user users[] = {{.name = "alice", .id = 2}, {.name = "bob", .id = 3}};
static struct sp_prefix prefixes[2];
static struct sp_config_destination destinations[] = {
	{.name = "web", .prefixes = &prefixes[0], .prefix_count = 1},
	{.name = "lab", .prefixes = &prefixes[1], .prefix_count = 1},
};
static uint32_t first[] = {0}, second[] = {1};
static uint64_t at_ns = 1; /* when tests are asked */

static struct sp_config_rule rule(const char *name, uint32_t *from, uint32_t *to, bool allow,
				  unsigned int line)
{
	return (struct sp_config_rule){.name = (char *)name,
				       .users = from,
				       .user_count = 1,
				       .destinations = to,
				       .destination_count = 1,
				       .service_any = true,
				       .allow = allow,
				       .pool = UINT32_MAX,
				       .source = {.file = "gw.conf", .line = line}};
}

static struct sp_config_test asked(uint32_t user, const char *to, bool allow, uint32_t rule_index)
{
	struct sp_config_test test = {.user = user,
				      .to = (char *)to,
				      .allow = allow,
				      .rule = rule_index,
				      .source = {.file = "gw.conf", .line = 90}};

	cr_assert_eq(sp_config_parse_target(to, &test.target), 0, "%s", to);
	return test;
}

static struct sp_config config_of(struct sp_config_rule *rules, uint32_t count)
{
	cr_assert_eq(sp_prefix_parse("203.0.113.5/32", &prefixes[0]), 0);
	cr_assert_eq(sp_prefix_parse("2001:db8::/64", &prefixes[1]), 0);
	return (struct sp_config){.gateway = {.name = "gw"},
				  .users = users,
				  .user_count = 2,
				  .destinations = destinations,
				  .destination_count = 2,
				  .rules = rules,
				  .rule_count = count};
}

static void compile(const struct sp_config *config, struct sp_policy_image *image,
		    struct sp_policy_view *view)
{
	cr_assert_eq(sp_policy_compile(config, NODES_MAX, image, NULL), 0);
	sp_policy_view_init(view, image->nodes, image->count);
	cr_assert_gt(view->count, 0);
}

/* Runs one test; the text of its failure, or "". */
static const char *outcome(struct sp_config *config, const struct sp_policy_view *view,
			   struct sp_config_test test)
{
	static char text[400];
	struct sp_config_errors failures = {0};
	int rc;

	config->tests = &test;
	config->test_count = 1;
	rc = sp_policy_test(config, sp_policy_judge_image, (void *)view, at_ns, &failures);
	cr_assert_eq(rc, failures.count ? -EINVAL : 0);
	snprintf(text, sizeof(text), "%s", failures.count ? failures.list[0].text : "");
	sp_config_errors_fini(&failures);
	return text;
}

Test(policy_change, tests_fail_with_place_and_rule)
{
	struct sp_config_rule rules[] = {rule("alice-web", first, first, true, 10),
					 rule("bob-lab", second, second, false, 11)};
	struct sp_config config = config_of(rules, 2);
	struct sp_policy_image image;
	struct sp_policy_view view;

	compile(&config, &image, &view);
	cr_expect_str_eq(outcome(&config, &view, asked(0, "tcp 203.0.113.5:443", true, 0)), "");
	cr_expect_str_eq(outcome(&config, &view, asked(0, "icmp 203.0.113.5", true, UINT32_MAX)),
			 "");
	cr_expect_str_eq(outcome(&config, &view, asked(1, "udp [2001:db8::7]:53", false, 1)), "");
	cr_expect_str_eq(outcome(&config, &view, asked(0, "47 203.0.113.6", false, UINT32_MAX)),
			 "");
	cr_expect_str_eq(outcome(&config, &view,
				 asked(0, "tcp 203.0.113.5:443", false, UINT32_MAX)),
			 "gw.conf:90: tests.[0]: alice to tcp 203.0.113.5:443: found allow by rule "
			 "\"alice-web\" (gw.conf:10), expected deny");
	cr_expect_str_eq(outcome(&config, &view, asked(1, "tcp 203.0.113.5:443", true, 0)),
			 "gw.conf:90: tests.[0]: bob to tcp 203.0.113.5:443: found deny by the "
			 "default at the end, as no rule matches, expected allow by rule "
			 "\"alice-web\" (gw.conf:10)");
	/* The right answer for another reason is a failure too. */
	cr_expect_str_eq(outcome(&config, &view, asked(0, "tcp [2001:db8::7]:1", false, 1)),
			 "gw.conf:90: tests.[0]: alice to tcp [2001:db8::7]:1: found deny by the "
			 "default at the end, as no rule matches, expected deny by rule "
			 "\"bob-lab\" (gw.conf:11)");
	sp_policy_image_fini(&image);
}

static int keep_query(void *arg, const struct sp_policy_query *query,
		      struct sp_policy_answer *ret_answer)
{
	*(struct sp_policy_query *)arg = *query;
	*ret_answer = (struct sp_policy_answer){.action = SP_ACTION_ALLOW};
	return 0;
}

Test(policy_change, a_zone_asks_from_its_prefix_of_the_family)
{
	struct sp_prefix nets[2];
	struct sp_config_zone zone = {
		.name = "app", .user = 1, .prefixes = nets, .prefix_count = 2};
	struct sp_config config = config_of(NULL, 0);
	struct sp_config_errors failures = {0};
	struct sp_policy_query query;
	struct sp_config_test test = asked(1, "tcp [2001:db8::7]:443", true, UINT32_MAX);

	cr_assert_eq(sp_prefix_parse("10.50.0.0/24", &nets[0]), 0);
	cr_assert_eq(sp_prefix_parse("fd00:50::/64", &nets[1]), 0);
	config.zones = &zone;
	config.zone_count = 1;
	config.tests = &test;
	config.test_count = 1;
	cr_expect_eq(sp_policy_test(&config, keep_query, &query, 1, &failures), 0);
	cr_expect_eq(query.user_id, users[1].id);
	cr_expect(sp_addr_equal(&query.src, &nets[1].addr));
	test = asked(1, "tcp 203.0.113.5:443", true, UINT32_MAX);
	cr_expect_eq(sp_policy_test(&config, keep_query, &query, 1, &failures), 0);
	cr_expect(sp_addr_equal(&query.src, &nets[0].addr));
}

static int judge_nobody(void *arg, const struct sp_policy_query *query,
			struct sp_policy_answer *ret_answer)
{
	++*(int *)arg;
	return -ENODEV;
}

Test(policy_change, a_judge_that_cannot_answer_is_not_a_pass)
{
	struct sp_config_rule rules[] = {rule("alice-web", first, first, true, 10)};
	struct sp_config config = config_of(rules, 1);
	struct sp_config_test tests[] = {asked(0, "tcp 203.0.113.5:1", true, 0),
					 asked(0, "tcp 203.0.113.5:2", true, 0)};
	struct sp_config_errors failures = {0};
	int asked_times = 0;

	config.tests = tests;
	config.test_count = 2;
	cr_expect_eq(sp_policy_test(&config, judge_nobody, &asked_times, 1, &failures), -ENODEV);
	cr_expect_eq(asked_times, 1);
	cr_expect_eq(failures.count, 0);
}

Test(policy_change, tells_what_becomes_of_open_flows)
{
	struct sp_config_rule before[] = {rule("alice-web", first, first, true, 10),
					  rule("bob-web", second, first, true, 11)};
	struct sp_config_rule after[] = {rule("no-bob", second, first, false, 9),
					 rule("alice-web", first, first, true, 10)};
	struct sp_config_rule other[] = {rule("new-name", first, first, true, 10)};
	struct sp_config configs[] = {config_of(before, 2), config_of(after, 2),
				      config_of(other, 1)};
	struct sp_policy_image images[3];
	struct sp_policy_view views[3];
	static const struct {
		uint32_t user;
		uint8_t on_change;
		int from, to;
		enum sp_policy_effect effect;
		const char *name;
	} rows[] = {
		/* Its rule has another number, but it is the same rule. */
		{2, SP_ON_CHANGE_KILL, 0, 1, SP_EFFECT_SAME, "alice-web"},
		{2, SP_ON_CHANGE_KILL, 0, 2, SP_EFFECT_RULE, "new-name"},
		{3, SP_ON_CHANGE_KILL, 0, 1, SP_EFFECT_CUT, "no-bob"},
		{3, SP_ON_CHANGE_KEEP, 0, 1, SP_EFFECT_KEPT, "no-bob"},
		{3, SP_ON_CHANGE_GRACE, 0, 1, SP_EFFECT_GRACE, "no-bob"},
		{3, SP_FLOW_ENDING, 1, 2, SP_EFFECT_DOOMED, NULL},
		{3, SP_ON_CHANGE_KILL, 0, 2, SP_EFFECT_CUT, NULL},
		{3, SP_ON_CHANGE_KILL, 1, 2, SP_EFFECT_DOOMED, NULL},
		{3, SP_ON_CHANGE_KEEP, 1, 2, SP_EFFECT_SAME, NULL}, /* kept already */
		{3, SP_ON_CHANGE_KEEP, 1, 0, SP_EFFECT_RULE, "bob-web"},
		/* A user who is gone has nothing. */
		{9, SP_ON_CHANGE_KILL, 0, 1, SP_EFFECT_DOOMED, NULL},
	};

	const struct sp_policy_moment moment = {.now_ns = 1};

	for (int i = 0; i < 3; i++)
		compile(&configs[i], &images[i], &views[i]);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sp_flow flow = {.user_id = rows[i].user, .on_change = rows[i].on_change};
		struct sp_flow_key key = {.dst = prefixes[0].addr, .proto = IPPROTO_TCP};
		struct sp_policy_answer a, b;
		const struct sp_policy_rule *decided;

		cr_expect_eq(sp_policy_effect_of(&views[rows[i].from], &views[rows[i].to], &key,
						 &flow, &moment, &a, &b),
			     rows[i].effect, "row %zu", i);
		decided = sp_policy_rule_of(&views[rows[i].to], &b);
		cr_expect_eq(decided != NULL, rows[i].name != NULL, "row %zu", i);
		if (decided && rows[i].name)
			cr_expect_str_eq(decided->name, rows[i].name, "row %zu", i);
	}
	for (int i = 0; i < 3; i++)
		sp_policy_image_fini(&images[i]);
}

/* Each image numbers its places anew, so each is asked by its own number. */
Test(policy_change, asks_each_policy_for_its_own_place)
{
	struct sp_prefix home, office;
	struct sp_config_rule before[] = {rule("alice-web", first, first, true, 10)};
	struct sp_config_rule after[] = {rule("bob-web", second, first, true, 9),
					 rule("alice-web", first, first, true, 10)};
	struct sp_config configs[] = {config_of(before, 1), config_of(after, 2)};
	struct sp_flow flow = {.user_id = 2};
	struct sp_flow_key key = {.dst = prefixes[0].addr, .proto = IPPROTO_TCP};
	struct sp_policy_moment moment = {.now_ns = 1};
	struct sp_policy_image images[2];
	struct sp_policy_view views[2];
	struct sp_policy_answer a, b;

	cr_assert_eq(sp_prefix_parse("198.51.100.0/24", &home), 0);
	cr_assert_eq(sp_prefix_parse("192.0.2.0/24", &office), 0);
	before[0].from_where = after[0].from_where = after[1].from_where = true;
	before[0].from_prefixes = after[1].from_prefixes = &home;
	after[0].from_prefixes = &office;
	before[0].from_prefix_count = after[0].from_prefix_count = after[1].from_prefix_count = 1;
	for (int i = 0; i < 2; i++)
		compile(&configs[i], &images[i], &views[i]);
	cr_assert_neq(sp_policy_place(&views[0], &home.addr),
		      sp_policy_place(&views[1], &home.addr), "or the test says nothing");
	moment.outer = &home.addr;
	cr_expect_eq(sp_policy_effect_of(&views[0], &views[1], &key, &flow, &moment, &a, &b),
		     SP_EFFECT_SAME);
	moment.outer = &office.addr;
	cr_expect_eq(sp_policy_effect_of(&views[0], &views[1], &key, &flow, &moment, &a, &b),
		     SP_EFFECT_DOOMED);
	moment.outer = NULL;
	cr_expect_eq(sp_policy_effect_of(&views[0], &views[1], &key, &flow, &moment, &a, &b),
		     SP_EFFECT_DOOMED);
	for (int i = 0; i < 2; i++)
		sp_policy_image_fini(&images[i]);
}

/* A file that is right at noon must not be refused by night. */
Test(policy_change, a_test_holds_at_some_hour)
{
	const struct sp_policy_time noon = {.now_ns = 5000000000000,
					    .realtime_ns = 1767614400000000000};
	struct sp_config_rule rules[] = {rule("day", first, first, true, 10)};
	struct sp_config config = config_of(rules, 1);
	struct sp_policy_image image;
	struct sp_policy_view view;

	rules[0].schedule = (struct sp_config_schedule){
		.zone = (char *)"UTC", .days = 0x7f, .from_min = 8 * 60, .to_min = 18 * 60};
	cr_assert_eq(sp_policy_compile_at(&config, &noon, NODES_MAX, &image, NULL), 0);
	sp_policy_view_init(&view, image.nodes, image.count);
	for (uint64_t hour = 0; hour < 24; hour++) {
		at_ns = noon.now_ns + hour * 3600000000000;
		cr_expect_str_eq(outcome(&config, &view, asked(0, "tcp 203.0.113.5:1", true, 0)),
				 "", "hour %d", (int)hour);
		cr_expect_str_eq(outcome(&config, &view,
					 asked(0, "tcp 203.0.113.5:1", false, UINT32_MAX)),
				 "", "hour %d", (int)hour);
		cr_expect_str_neq(outcome(&config, &view,
					  asked(1, "tcp 203.0.113.5:1", true, UINT32_MAX)),
				  "", "hour %d: never", (int)hour);
	}
	sp_policy_image_fini(&image);
}
