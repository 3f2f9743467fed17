/* SPDX-License-Identifier: Apache-2.0 */
/* The table of datagrams under way: its bounds, and who pays for them. */
#include "engine/fragments.h"

#include <criterion/criterion.h>

static struct sp_fragments table;

static void open_table(void)
{
	cr_assert_eq(sp_fragments_init(&table, 64), 0);
}

static void close_table(void)
{
	sp_fragments_fini(&table);
}

TestSuite(engine_datagrams, .init = open_table, .fini = close_table);

static struct sp_packet fragment(uint32_t id, uint32_t from, uint8_t kind)
{
	return (struct sp_packet){.version = 6,
				  .proto = SP_PROTO_UDP,
				  .l3_bytes = 48 + 800,
				  .l4_off = 48,
				  .fragment_begin = (uint16_t)from,
				  .fragment_more = 1,
				  .fragment_id = id,
				  .sport_be = 1,
				  .fragment = kind};
}

static enum sp_reason begin(uint32_t user, uint32_t id)
{
	const struct sp_sender from = {.peer_id = user, .user_id = user, .now_ns = 1};
	struct sp_packet p = fragment(id, 0, SP_FRAGMENT_FIRST);

	return sp_fragments_begin(&table, &from, &p, 0);
}

static bool follows(uint32_t user, uint32_t id)
{
	const struct sp_sender from = {.peer_id = user, .user_id = user, .now_ns = 1};
	struct sp_packet p = fragment(id, 800, SP_FRAGMENT_LATER);

	return sp_fragments_follow(&table, &from, &p) == SP_R_NONE && p.sport_be == 1;
}

Test(engine_datagrams, user_at_the_limit_loses_the_oldest_of_the_own)
{
	cr_assert_eq(begin(2, 7), SP_R_NONE);
	for (uint32_t id = 0; id < 3 * SP_DATAGRAMS_USER_MAX; id++) {
		cr_assert_eq(begin(1, id), SP_R_NONE);
		cr_assert(follows(1, id));
	}
	cr_assert_eq(table.users[1].count, SP_DATAGRAMS_USER_MAX);
	for (uint32_t id = 0; id < 3 * SP_DATAGRAMS_USER_MAX; id++)
		cr_assert_eq(follows(1, id), id >= 2 * SP_DATAGRAMS_USER_MAX, "%u", id);
	cr_assert(follows(2, 7), "another user's stays");
}

Test(engine_datagrams, full_table_takes_everybody_in_and_stays_within_itself)
{
	uint32_t users = SP_DATAGRAMS_MAX / SP_DATAGRAMS_USER_MAX, sum = 0;

	for (uint32_t user = 1; user <= users; user++)
		for (uint32_t id = 0; id < SP_DATAGRAMS_USER_MAX; id++)
			cr_assert_eq(begin(user, id), SP_R_NONE);
	cr_assert_eq(table.count, SP_DATAGRAMS_MAX);
	for (uint32_t id = 0; id < 100; id++) {
		cr_assert_eq(begin(users + 1, id), SP_R_NONE);
		cr_assert(follows(users + 1, id));
	}
	cr_assert_eq(table.users[users + 1].count, 1, "then out of the own share");
	for (uint32_t user = 1; user <= users + 1; user++)
		sum += table.users[user].count;
	cr_assert_eq(sum, SP_DATAGRAMS_MAX);
	cr_assert_eq(table.count, SP_DATAGRAMS_MAX);
	cr_assert_eq(table.high, SP_DATAGRAMS_MAX);
}

/* What has been whole leaves its place; what is old gives way to the next under its name. */
Test(engine_datagrams, places_are_used_again)
{
	const struct sp_sender late = {
		.peer_id = 1, .user_id = 1, .now_ns = SP_FRAGMENT_LIFE_NS + 1};

	for (uint32_t id = 0; id < 10 * SP_DATAGRAMS_MAX; id++) {
		const struct sp_sender from = {.peer_id = 1, .user_id = 1, .now_ns = 1};
		struct sp_packet last = fragment(id, 800, SP_FRAGMENT_LATER);

		last.fragment_more = 0;
		cr_assert_eq(begin(1, id), SP_R_NONE);
		cr_assert_eq(sp_fragments_follow(&table, &from, &last), SP_R_NONE);
		cr_assert_eq(sp_fragments_follow(&table, &from, &last), SP_R_FRAGMENT);
	}
	cr_assert_eq(table.count, 0);
	cr_assert_eq(table.high, 1);
	cr_assert_eq(begin(1, 5), SP_R_NONE);
	for (int i = 0; i < 2; i++) {
		struct sp_packet other = fragment(5, 0, SP_FRAGMENT_FIRST);

		other.sport_be = 2;
		cr_assert_eq(sp_fragments_begin(&table, &late, &other, 0), SP_R_NONE, "%d", i);
	}
	cr_assert_eq(table.count, 1);
}

Test(engine_datagrams, user_beyond_the_users_has_none)
{
	cr_assert_eq(begin(64, 1), SP_R_FRAGMENT);
	cr_assert_eq(table.count, 0);
}

/* Workers share an address, never an identification; one worker's come round as late as can be. */
Test(engine_datagrams, identifications_of_workers_never_meet)
{
	static uint8_t owner[0x10000];
	struct sp_packet p = fragment(0, 0, SP_FRAGMENT_FIRST);

	for (uint32_t worker = 0; worker < 3; worker++)
		for (uint32_t i = 0; i < 0x10000 / 3; i++) {
			uint16_t id = sp_fragments_id(&table, &p.src, &p, worker, 3);

			cr_assert(owner[id] == 0, "%u of worker %u was %u's", id, worker,
				  owner[id]);
			owner[id] = (uint8_t)(worker + 1);
		}
}
