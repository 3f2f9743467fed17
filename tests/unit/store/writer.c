/* SPDX-License-Identifier: Apache-2.0 */
/* The writing thread: order, loss that is counted, and a store that comes back. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "sandbox.h"
#include "store/writer.h"

static struct sp_store_statement *insert;
static int tidied;

static int on_start(void *arg, struct sp_store *store)
{
	return sp_store_prepare(store, "INSERT INTO thing(id) VALUES (?)", &insert);
}

static void on_stop(void *arg)
{
	sp_store_statement_close(insert);
}

static int on_write(void *arg, const void *items, uint32_t count)
{
	const uint64_t *ids = items;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < count; i++) {
		sp_store_bind_number(insert, 0, (int64_t)ids[i]);
		rc = sp_store_execute(insert);
	}
	return rc;
}

static int on_tidy(void *arg, struct sp_store *store)
{
	tidied++;
	return 0;
}

static const struct sp_store_writer_ops ops = {
	.start = on_start, .stop = on_stop, .write = on_write, .tidy = on_tidy};

static struct sp_store_writer *open_writer(uint32_t period_ms)
{
	const struct sp_store_writer_config config = {
		.name = "test",
		.store = {.path = path, .migrations = migrations, .migration_count = 2},
		.ops = &ops,
		.item_bytes = 8,
		.queue_max = 4096,
		.period_ms = period_ms,
		.tidy_ms = 50};
	struct sp_store_writer *writer;

	cr_assert_eq(sp_store_writer_open(&config, &writer), 0);
	return writer;
}

static struct sp_store_writer_numbers numbers_of(struct sp_store_writer *writer)
{
	struct sp_store_writer_numbers numbers;

	cr_assert(sp_store_writer_flush(writer, 10000));
	sp_store_writer_numbers(writer, &numbers);
	return numbers;
}

static int64_t rows(void)
{
	const struct sp_store_config config = {
		.path = path, .migrations = migrations, .migration_count = 2, .is_read_only = true};
	struct sp_store_statement *statement;
	struct sp_store *store;
	int64_t count;
	char *text;

	cr_assert_eq(sp_store_open(&config, &store, &text), 0, "%s", text);
	cr_assert_eq(sp_store_prepare(store, "SELECT count(*) FROM thing", &statement), 0);
	cr_assert_eq(sp_store_step(statement), 1);
	count = sp_store_number(statement, 0);
	sp_store_statement_close(statement);
	sp_store_close(store);
	return count;
}

TestSuite(store_writer, .init = set_up, .fini = tear_down);

Test(store_writer, writes_everything_that_was_queued_before_it_closes)
{
	struct sp_store_writer *writer = open_writer(60000);

	for (uint64_t i = 1; i <= 3000; i++)
		cr_assert(sp_store_writer_put(writer, &i));
	sp_store_writer_close(writer);
	cr_assert_eq(rows(), 3000);
}

Test(store_writer, counts_what_the_queue_had_no_room_for_and_never_waits)
{
	struct sp_store_writer *writer = open_writer(60000);
	struct sp_store_writer_numbers numbers;
	uint64_t refused = 0, began_ns, i;

	cr_assert_str_eq(numbers_of(writer).problem, "");
	began_ns = sp_clock_now_ns();
	for (i = 1; i <= 200000; i++)
		refused += !sp_store_writer_put(writer, &i);
	cr_assert_lt(sp_clock_now_ns() - began_ns, 2 * SP_NS_PER_S);
	numbers = numbers_of(writer);
	cr_assert_gt(refused, 0);
	cr_assert_eq(numbers.lost_queue, refused);
	cr_assert_eq(numbers.written, 200000 - refused);
	cr_assert_eq(rows(), (int64_t)numbers.written);
	sp_store_writer_close(writer);
}

Test(store_writer, wakes_up_by_itself)
{
	struct sp_store_writer *writer = open_writer(20);
	struct sp_store_writer_numbers numbers = {0};
	uint64_t id = 1;

	cr_assert(sp_store_writer_put(writer, &id));
	for (int i = 0; i < 500 && !numbers.written; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
		sp_store_writer_numbers(writer, &numbers);
	}
	cr_assert_eq(numbers.written, 1);
	sp_store_writer_close(writer);
	cr_assert_gt(tidied, 0);
}

Test(store_writer, a_batch_that_fails_is_lost_whole_and_counted)
{
	struct sp_store_writer *writer = open_writer(60000);
	struct sp_store_writer_numbers numbers;
	uint64_t ids[] = {1, 2, 1}, good = 9;

	numbers_of(writer);
	for (int i = 0; i < 3; i++)
		sp_store_writer_put(writer, &ids[i]);
	numbers = numbers_of(writer);
	/* The thread may have been woken by the first of them. */
	cr_assert_eq(numbers.written + numbers.lost_store, 3);
	cr_assert_geq(numbers.lost_store, 1);
	cr_assert(strstr(numbers.problem, path), "%s", numbers.problem);
	sp_store_writer_put(writer, &good);
	numbers = numbers_of(writer);
	cr_assert_str_eq(numbers.problem, "");
	cr_assert_eq(rows(), (int64_t)numbers.written);
	sp_store_writer_close(writer);
}

Test(store_writer, a_folder_that_is_not_there_is_a_problem_told_and_nothing_else)
{
	struct sp_store_writer_numbers numbers;
	struct sp_store_writer *writer;
	uint64_t id = 1;

	snprintf(path, sizeof(path), "%s/nowhere/test.db", dir);
	writer = open_writer(20);
	cr_assert(sp_store_writer_put(writer, &id));
	numbers = numbers_of(writer);
	cr_assert(!numbers.is_open);
	cr_assert_eq(numbers.lost_store, 1);
	cr_assert(strstr(numbers.problem, "No such file"), "%s", numbers.problem);
	sp_store_writer_close(writer);
}

Test(store_writer, sets_a_broken_file_aside_and_begins_anew)
{
	static const char junk[8192] = "this is a letter, not a database";
	struct sp_store_writer *writer;
	char aside[80];
	uint64_t id = 1;

	write_file(path, junk, sizeof(junk));
	writer = open_writer(20);
	cr_assert(sp_store_writer_put(writer, &id));
	cr_assert(numbers_of(writer).is_open);
	sp_store_writer_close(writer);
	snprintf(aside, sizeof(aside), "%s.broken", path);
	cr_assert_eq(access(aside, F_OK), 0);
	cr_assert_eq(rows(), 1);
}
