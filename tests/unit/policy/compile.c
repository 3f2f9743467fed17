/* SPDX-License-Identifier: Apache-2.0 */
/* What the words of a rule mean, one by one. */
#include <errno.h>
#include <stdio.h>

#include "unit/policy/moments.h"

Test(policy_compile, denies_everything_without_rules)
{
	struct sp_policy_image image;
	struct world w;

	world_small(&w);
	image = compiled(&w);
	cr_expect_eq(ask(&image, 2, "1.1.1.1", 6, 443), -1);
	cr_expect_eq(ask(&image, 2, "10.9.0.1", 1, 0), -1);
	cr_expect_eq(ask(&image, 0, "1.1.1.1", 6, 443), -1);
	sp_policy_image_fini(&image);
}

Test(policy_compile, gives_the_gateway_its_peers_and_nothing_else)
{
	struct sp_policy_image image;
	struct world w;

	world_small(&w);
	rule_add(&w, true)->to_any = true;
	image = compiled(&w);
	cr_expect_eq(ask(&image, 1, "10.9.0.2", 1, 0), 0);
	cr_expect_eq(ask(&image, 1, "fd00:9::2", 58, 0), 0);
	cr_expect_eq(ask(&image, 1, "10.9.0.3", 1, 0), -1, "no peer's address");
	cr_expect_eq(ask(&image, 1, "1.1.1.1", 6, 443), -1);
	cr_expect_eq(ask(&image, 0, "1.1.1.1", 6, 443), -1, "nobody");
	cr_expect_eq(ask(&image, 3, "1.1.1.1", 6, 443), -1, "unknown user");
	cr_expect_eq(ask(&image, UINT32_MAX, "1.1.1.1", 6, 443), -1, "unknown user");
	cr_expect_eq(ask(&image, 2, "1.1.1.1", 6, 443), 1);
	sp_policy_image_fini(&image);
}

Test(policy_compile, keeps_inner_addresses_out_of_any)
{
	struct sp_policy_image image;
	struct world w;

	world_small(&w);
	rule_add(&w, true)->to_any = true;
	rule_add(&w, true)->to_gateway = true;
	rule_to(&w, true, "10.9.0.0/24");
	image = compiled(&w);
	cr_expect_eq(ask(&image, 2, "10.9.0.1", 6, 22), 2, "gateway by its word");
	cr_expect_eq(ask(&image, 2, "fd00:9::1", 6, 22), 2);
	cr_expect_eq(ask(&image, 2, "10.9.0.2", 6, 22), 3, "a peer by its prefix");
	cr_expect_eq(ask(&image, 2, "fd00:9::2", 6, 22), -1, "a peer that nothing names");
	cr_expect_eq(ask(&image, 2, "10.9.0.3", 6, 22), 1, "unused inner space is outside");
	sp_policy_image_fini(&image);
}

/* Who is kept from everywhere is kept from the others' tunnels too, whatever follows. */
Test(policy_compile, denies_inner_addresses_with_any)
{
	struct sp_policy_image image;
	struct world w;

	world_small(&w);
	rule_add(&w, false)->to_any = true;
	rule_add(&w, true)->to_gateway = true;
	rule_to(&w, true, "10.9.0.0/24");
	image = compiled(&w);
	cr_expect_eq(ask(&image, 2, "1.1.1.1", 6, 22), 1);
	cr_expect_eq(ask(&image, 2, "10.9.0.1", 6, 22), 1, "the gateway");
	cr_expect_eq(ask(&image, 2, "10.9.0.2", 6, 22), 1, "a peer");
	cr_expect_eq(ask(&image, 2, "fd00:9::2", 6, 22), 1);
	sp_policy_image_fini(&image);
}

Test(policy_compile, keeps_zones_out_of_any)
{
	struct sp_prefix prefixes[] = {prefix("10.50.0.0/24"), prefix("fd00:50::/64")};
	struct sp_config_zone zone = {.prefixes = prefixes, .prefix_count = 2};
	struct sp_policy_image image;
	struct world w;

	world_small(&w);
	w.config.zones = &zone;
	w.config.zone_count = 1;
	rule_add(&w, true)->to_any = true;
	rule_to(&w, true, "10.50.0.7/32");
	image = compiled(&w);
	cr_expect_eq(ask(&image, 2, "10.50.0.1", 6, 22), -1);
	cr_expect_eq(ask(&image, 2, "fd00:50::1", 6, 22), -1);
	cr_expect_eq(ask(&image, 2, "10.50.0.7", 6, 22), 2, "by its prefix");
	cr_expect_eq(ask(&image, 2, "10.50.1.1", 6, 22), 1, "beside it");
	sp_policy_image_fini(&image);
}

Test(policy_compile, holds_the_ends_of_port_ranges)
{
	static const struct {
		uint16_t min, max;
	} rows[] = {{0, 65535}, {1, 65535}, {0, 65534}, {1, 1},	      {80, 80},
		    {0, 15},	{15, 16},   {255, 256}, {4095, 4096}, {65535, 65535}};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sp_policy_image image;
		struct world w;

		world_small(&w);
		rule_service(&w, rule_to(&w, true, "1.1.1.1/32"), 6, rows[i].min, rows[i].max);
		image = compiled(&w);
		for (uint32_t port = 0; port < 65536; port++)
			cr_assert_eq(ask(&image, 2, "1.1.1.1", 6, (uint16_t)port),
				     port >= rows[i].min && port <= rows[i].max ? 1 : -1,
				     "range %u-%u port %u", rows[i].min, rows[i].max, port);
		cr_expect_eq(ask(&image, 2, "1.1.1.1", 17, rows[i].min), -1, "another protocol");
		sp_policy_image_fini(&image);
	}
}

Test(policy_compile, tells_the_families_apart)
{
	struct sp_policy_image image;
	struct world w;

	world_small(&w);
	rule_to(&w, true, "0.0.0.0/0");
	image = compiled(&w);
	cr_expect_eq(ask(&image, 2, "0.0.0.0", 6, 1), 1);
	cr_expect_eq(ask(&image, 2, "255.255.255.255", 6, 1), 1);
	cr_expect_eq(ask(&image, 2, "::", 6, 1), -1);
	cr_expect_eq(ask(&image, 2, "2001:db8::1", 6, 1), -1);
	cr_expect_eq(ask(&image, 2, "::fffe:1.2.3.4", 6, 1), -1, "one bit off the mapped form");
	sp_policy_image_fini(&image);

	world_small(&w);
	rule_to(&w, true, "::/0");
	image = compiled(&w);
	cr_expect_eq(ask(&image, 2, "1.2.3.4", 6, 1), -1);
	cr_expect_eq(ask(&image, 2, "::1", 6, 1), 1);
	cr_expect_eq(ask(&image, 2, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 6, 1), 1);
	sp_policy_image_fini(&image);

	world_small(&w);
	rule_to(&w, true, "102:304::/32");
	image = compiled(&w);
	cr_expect_eq(ask(&image, 2, "1.2.3.4", 6, 1), -1, "same bits, other family");
	sp_policy_image_fini(&image);
}

Test(policy_compile, takes_the_first_match_not_the_longest_prefix)
{
	struct sp_policy_image image;
	struct world w;

	world_small(&w);
	rule_to(&w, false, "192.0.2.7/32");
	rule_to(&w, true, "192.0.2.0/24");
	rule_to(&w, false, "192.0.2.128/25");
	rule_to(&w, false, "192.0.0.0/16");
	image = compiled(&w);
	cr_expect_eq(ask(&image, 2, "192.0.2.7", 6, 1), 1);
	cr_expect_eq(ask(&image, 2, "192.0.2.8", 6, 1), 2);
	cr_expect_eq(ask(&image, 2, "192.0.2.200", 6, 1), 2, "an earlier, shorter prefix wins");
	cr_expect_eq(ask(&image, 2, "192.0.3.1", 6, 1), 4);
	cr_expect_eq(ask(&image, 2, "192.1.0.0", 6, 1), -1);
	sp_policy_image_fini(&image);
}

Test(policy_compile, ignores_ports_of_icmp)
{
	struct sp_policy_image image;
	struct world w;

	world_small(&w);
	rule_service(&w, rule_to(&w, true, "1.1.1.0/24"), IPPROTO_ICMP, 0, 0);
	rule_service(&w, rule_to(&w, true, "1.1.1.0/24"), 0, 53, 53);
	image = compiled(&w);
	cr_expect_eq(ask(&image, 2, "1.1.1.1", IPPROTO_ICMP, 9999), 1);
	cr_expect_eq(ask(&image, 2, "1.1.1.1", IPPROTO_ICMPV6, 53), 1);
	cr_expect_eq(ask(&image, 2, "1.1.1.1", IPPROTO_UDP, 53), 2);
	cr_expect_eq(ask(&image, 2, "1.1.1.1", IPPROTO_TCP, 53), 2);
	cr_expect_eq(ask(&image, 2, "1.1.1.1", IPPROTO_GRE, 53), -1);
	sp_policy_image_fini(&image);
}

Test(policy_compile, refuses_a_user_without_an_id)
{
	struct sp_policy_image image = {0};
	struct world w;

	world_small(&w);
	for (uint32_t id = 0; id < 3; id++) {
		w.users[0].id = id;
		cr_expect_eq(sp_policy_compile(&w.config, ROOM, &image, NULL),
			     id < 2 ? -EINVAL : 0);
	}
	sp_policy_image_fini(&image);
}

Test(policy_compile, refuses_what_does_not_fit_and_says_how_much_it_needs)
{
	struct sp_policy_image image = {0}, untouched = {0};
	uint32_t needed = 0, again = 0;
	struct world w;

	world_small(&w);
	rule_to(&w, true, "1.1.1.1/32");
	rule_to(&w, true, "2001:db8::/32");
	cr_assert_eq(sp_policy_compile(&w.config, 1, &image, &needed), -E2BIG);
	cr_assert(!memcmp(&image, &untouched, sizeof(image)));
	cr_assert_gt(needed, 5);
	cr_assert_eq(sp_policy_compile(&w.config, needed - 1, &image, &again), -E2BIG);
	cr_assert_eq(again, needed);
	cr_assert_eq(sp_policy_compile(&w.config, needed, &image, &again), 0);
	cr_assert_eq(image.count, needed);
	cr_expect_eq(ask(&image, 2, "1.1.1.1", 6, 1), 1);
	sp_policy_image_fini(&image);
}

Test(policy_compile, warns_of_rules_that_never_decide)
{
	static const struct {
		uint32_t line, by; /* 0: matches nothing */
	} want[] = {{13, 11}, {14, 0}, {15, 0}, {17, 11}, {18, 16}};
	struct sp_policy_warnings warnings;
	char expected[32];
	struct world w;

	world_small(&w);
	rule_to(&w, true, "10.0.0.0/8");				/* 11 */
	rule_to(&w, true, "0.0.0.0/0")->log = true;			/* 12: more than it */
	rule_service(&w, rule_to(&w, false, "10.1.0.0/16"), 6, 80, 80); /* 13 */
	rule_add(&w, true)->from_any = false;				/* 14: from nobody */
	rule_to(&w, true, "10.0.0.0/8")->expires_s = 1;			/* 15: over */
	rule_to(&w, false, "10.2.0.0/16")->shadow = true;		/* 16: counts */
	rule_to(&w, false, "10.1.2.0/24")->expires_s = 4000000000;	/* 17: timed, behind 11 */
	rule_to(&w, true, "10.2.3.0/24")->shadow = true;		/* 18 */
	rule_to(&w, true, "::/0");					/* 19 */
	for (uint32_t i = 0; i < w.config.rule_count; i++) {
		w.rules[i].source = (struct sp_config_source){"a.conf", 11 + i};
		w.rules[i].to_any = i == 3;
	}
	cr_assert_eq(sp_policy_warn(&w.config, ROOM, &warnings), 0);
	cr_assert_eq(warnings.count, 5);
	for (uint32_t i = 0; i < 5; i++) {
		snprintf(expected, sizeof(expected), "a.conf:%u: ", want[i].line);
		cr_expect(!strncmp(warnings.list[i], expected, strlen(expected)), "%s",
			  warnings.list[i]);
		snprintf(expected, sizeof(expected), "at a.conf:%u", want[i].by);
		cr_expect(strstr(warnings.list[i], want[i].by ? expected : "never matches"), "%s",
			  warnings.list[i]);
	}
	sp_policy_warnings_fini(&warnings);
}

static void expect_redundant(struct world *w, int rule, int by)
{
	struct sp_policy_warnings warnings;
	char expected[80] = "";

	for (uint32_t i = 0; i < w->config.rule_count; i++)
		w->rules[i].source = (struct sp_config_source){"a.conf", i + 1};
	cr_assert_eq(sp_policy_warn(&w->config, ROOM, &warnings), 0);
	if (rule)
		snprintf(expected, sizeof(expected),
			 "a.conf:%d: policy.rule: redundant: without it, later rules decide", rule);
	cr_assert_eq(warnings.count, rule ? 1 : 0, "rule %d: %u warnings: %s", rule, warnings.count,
		     warnings.count ? warnings.list[0] : "");
	if (rule) {
		cr_expect(!strncmp(warnings.list[0], expected, strlen(expected)), "%s",
			  warnings.list[0]);
		snprintf(expected, sizeof(expected), "at a.conf:%d", by);
		cr_expect(strstr(warnings.list[0], expected), "%s", warnings.list[0]);
	}
	sp_policy_warnings_fini(&warnings);
}

Test(policy_compile, warns_of_rules_that_later_ones_make_redundant)
{
	struct world w;

	world_small(&w);
	rule_service(&w, rule_to(&w, true, "192.0.2.0/24"), 6, 443, 443); /* 1 */
	rule_service(&w, rule_to(&w, false, "192.0.2.0/25"), 17, 53, 53); /* 2 */
	rule_to(&w, true, "192.0.0.0/16");				  /* 3 */
	rule_add(&w, false)->to_any = true;				  /* 4 */
	expect_redundant(&w, 1, 3);
	w.rules[0].log = true;
	expect_redundant(&w, 0, 0);
	w.rules[0].log = false;
	w.rules[0].pool = 3;
	expect_redundant(&w, 0, 0);
	w.rules[0].pool = UINT32_MAX;
	w.config.paths = (struct sp_config_path[]){{.id = 1}};
	w.config.path_count = 1;
	w.rules[0].paths = (uint32_t[]){0};
	w.rules[0].path_count = 1;
	expect_redundant(&w, 0, 0);
	w.rules[0].path_count = 0;
	w.rules[2].expires_s = 4000000000;
	expect_redundant(&w, 0, 0);
	/* For a time, too, it says nothing that the later one does not. */
	w.rules[0].expires_s = 4000000000;
	w.rules[2].expires_s = 0;
	expect_redundant(&w, 1, 3);
	w.rules[0].expires_s = 0;
	w.rules[2].from_where = true;
	w.rules[2].from_prefixes = w.where[2];
	w.rules[2].from_prefix_count = 1;
	w.where[2][0] = prefix("203.0.113.0/24");
	expect_redundant(&w, 0, 0);
}

Test(policy_compile, a_rule_is_redundant_only_where_packets_can_come)
{
	struct world w;

	world_small(&w);
	rule_to(&w, true, "192.0.2.0/24"); /* 1 */
	rule_add(&w, true)->to_any = true; /* 2: all but inner addresses */
	expect_redundant(&w, 1, 2);
	/* 10.9.0.1 is the gateway's own, which "any" does not give. */
	w.prefixes[0][0] = prefix("10.0.0.0/8");
	expect_redundant(&w, 0, 0);
	w.rules[1].allow = w.rules[0].allow = false;
	expect_redundant(&w, 1, 2);
}

Test(policy_compile, a_rule_that_others_also_need_is_not_redundant)
{
	struct world w;

	world_small(&w);
	w.config.user_count = 2;
	rule_to(&w, true, "192.0.2.0/24"); /* 1 */
	rule_to(&w, true, "192.0.2.0/24"); /* 2: for one user */
	w.rules[1].from_any = false;
	w.rules[1].users[w.rules[1].user_count++] = 0;
	w.rules[0].from_any = false;
	w.rules[0].users[w.rules[0].user_count++] = 1;
	expect_redundant(&w, 0, 0);
	/* Two that say the same: the second is said to be superfluous, and the first then is not. */
	w.rules[0].users[0] = 0;
	rule_to(&w, true, "198.51.100.0/24"); /* 3 */
	{
		struct sp_policy_warnings warnings;

		cr_assert_eq(sp_policy_warn(&w.config, ROOM, &warnings), 0);
		cr_assert_eq(warnings.count, 1);
		cr_expect(strstr(warnings.list[0], "never decides"), "%s", warnings.list[0]);
		sp_policy_warnings_fini(&warnings);
	}
}
