/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "observe/reasons.h"
#include "observe/recent.h"

#define USERS 1024

static struct sp_recent *recent;

static void open_recent(void)
{
	cr_assert_eq(sp_recent_open(USERS, &recent), 0);
}

static void close_recent(void)
{
	sp_recent_close(recent);
}

TestSuite(observe_recent, .init = open_recent, .fini = close_recent);

static struct sp_drop_event event_of(uint32_t user_id, uint32_t what, uint64_t at_ns)
{
	struct sp_drop_event e = {
		.at_ns = at_ns, .user_id = user_id, .reason = SP_R_POLICY_DEFAULT};

	memcpy(e.dst.b, &what, sizeof(what));
	return e;
}

static struct sp_recent_drop *add(uint32_t user_id, uint32_t what, uint64_t at_ns)
{
	struct sp_drop_event e = event_of(user_id, what, at_ns);

	return sp_recent_add(recent, &e);
}

struct seen {
	uint32_t count, user_id;
	uint64_t last_ns;
	bool sorted;
};

static int see(const struct sp_recent_drop *drop, void *arg)
{
	struct seen *seen = arg;

	if (seen->count && drop->event.at_ns > seen->last_ns)
		seen->sorted = false;
	if (seen->user_id != SP_RECENT_ALL)
		cr_assert_eq(drop->event.user_id, seen->user_id);
	seen->last_ns = drop->event.at_ns;
	seen->count++;
	return 0;
}

static struct seen look(uint32_t user_id)
{
	struct seen seen = {.user_id = user_id, .sorted = true};

	cr_assert_eq(sp_recent_each(recent, user_id, see, &seen), 0);
	return seen;
}

Test(observe_recent, drops_alike_are_one_record_that_counts)
{
	struct sp_recent_drop *drop;

	for (uint32_t i = 0; i < 1000; i++)
		add(3, i % 5, 100 + i);
	cr_expect_eq(look(3).count, 5);
	drop = add(3, 2, 5000);
	cr_expect_eq(drop->count, 201);
	cr_expect_eq(drop->first_ns, 102);
	cr_expect_eq(drop->event.at_ns, 5000);
	cr_expect(look(3).sorted, "what repeats is the newest again");
}

Test(observe_recent, one_other_field_is_another_record)
{
	struct sp_drop_event e = event_of(3, 1, 1);

	sp_recent_add(recent, &e);
	e.reason = SP_R_POLICY_DENY;
	sp_recent_add(recent, &e);
	e.dport_be = 1;
	sp_recent_add(recent, &e);
	e.src.b[15] = 1;
	sp_recent_add(recent, &e);
	e.rule_id = 1;
	sp_recent_add(recent, &e);
	cr_expect_eq(look(3).count, 5);
	e.sport_be = 9; /* each new connection has another */
	cr_expect_eq(sp_recent_add(recent, &e)->count, 2);
}

Test(observe_recent, what_was_left_out_is_summed)
{
	struct sp_drop_event e = event_of(3, 1, 1);

	e.waited = 7;
	sp_recent_add(recent, &e);
	e.waited = 5;
	cr_expect_eq(sp_recent_add(recent, &e)->left_out, 12);
}

Test(observe_recent, a_noisy_user_does_not_push_out_the_others)
{
	for (uint32_t user = 1; user <= 100; user++)
		for (uint32_t i = 0; i < 20; i++)
			add(user, i, user * 100 + i);
	for (uint32_t i = 0; i < 100000; i++)
		add(500, i, 100000 + i);
	cr_expect_eq(sp_recent_count(recent), SP_RECENT_MAX);
	cr_expect_eq(look(SP_RECENT_ALL).count, SP_RECENT_MAX);
	cr_expect(look(SP_RECENT_ALL).sorted);
	for (uint32_t user = 1; user <= 100; user++) {
		cr_assert_eq(look(user).count, SP_RECENT_KEPT, "user %u", user);
		cr_assert_eq(look(user).last_ns, user * 100 + 4, "the newest of them");
	}
	cr_expect_eq(look(500).count, SP_RECENT_MAX - 100 * SP_RECENT_KEPT);
}

Test(observe_recent, more_users_than_places_lose_the_oldest)
{
	for (uint32_t i = 0; i < SP_RECENT_KEPT; i++)
		for (uint32_t user = 1; user < 600; user++)
			add(user, i, i * 1000 + user);
	cr_expect_eq(look(SP_RECENT_ALL).count, SP_RECENT_MAX);
	for (uint32_t user = 1; user < 600; user++)
		cr_assert_geq(look(user).count, SP_RECENT_MAX / 600, "user %u", user);
}

/* Whatever comes in whatever order: the rings hold together. */
Test(observe_recent, holds_together_under_a_mix)
{
	uint32_t random = 1, sum = 0;

	for (uint32_t i = 0; i < 300000; i++) {
		random = random * 1664525 + 1013904223;
		add(random >> 22, (random >> 8) % (1 + random % 40), i);
	}
	for (uint32_t user = 0; user < USERS; user++)
		sum += look(user).count;
	cr_expect_eq(sum, SP_RECENT_MAX);
	cr_expect_eq(look(SP_RECENT_ALL).count, SP_RECENT_MAX);
	cr_expect(look(SP_RECENT_ALL).sorted);
}

Test(observe_recent, ids_beyond_the_table_are_nobody)
{
	add(USERS, 1, 1);
	add(USERS + 7, 2, 2);
	cr_expect_eq(look(SP_RECENT_ALL).count, 2);
}

Test(observe_reasons, each_has_a_label_a_text_and_something_to_do)
{
	enum sp_reason reason;

	for (uint32_t i = 0; i < SP_R_COUNT; i++) {
		if (!strcmp(sp_reason_label(i), "unknown"))
			continue; /* a number that is not given yet */
		cr_expect_str_neq(sp_reason_text(i), "unknown", "%u", i);
		cr_expect_str_neq(sp_reason_advice(i), "unknown", "%s: observe/reasons.c",
				  sp_reason_label(i));
		cr_expect_eq(sp_reason_parse(sp_reason_label(i), &reason), 0);
		cr_expect_eq((uint32_t)reason, i);
	}
	cr_expect_str_eq(sp_reason_label(SP_R_COUNT), "unknown");
	cr_expect_eq(sp_reason_parse("nonsense", &reason), -2);
	cr_expect_str_eq(sp_direction_label(SP_DIR_DOWN), "down");
}
