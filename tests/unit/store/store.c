/* SPDX-License-Identifier: Apache-2.0 */
/* A store on a real disk: versions, transactions, its size, and files that are none. */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "sandbox.h"

static struct sp_store *open_store(uint32_t version, uint64_t size_max_bytes)
{
	const struct sp_store_config config = {.path = path,
					       .migrations = migrations,
					       .migration_count = version,
					       .size_max_bytes = size_max_bytes};
	struct sp_store *store;
	char *text;
	int rc = sp_store_open(&config, &store, &text);

	cr_assert_eq(rc, 0, "%s", text ? text : strerror(-rc));
	return store;
}

/* Expects a refusal; the text names the file. */
static int refused(bool is_read_only, const char *wanted)
{
	const struct sp_store_config config = {.path = path,
					       .migrations = migrations,
					       .migration_count = 2,
					       .is_read_only = is_read_only};
	struct sp_store *store;
	char *text;
	int rc = sp_store_open(&config, &store, &text);

	cr_assert(rc < 0);
	cr_assert(text && strstr(text, path) && strstr(text, wanted), "%s", text);
	free(text);
	return rc;
}

static int64_t ask(struct sp_store *store, const char *sql)
{
	struct sp_store_statement *statement;
	int64_t number;

	cr_assert_eq(sp_store_prepare(store, sql, &statement), 0, "%s", sp_store_error(store));
	cr_assert_eq(sp_store_step(statement), 1);
	number = sp_store_number(statement, 0);
	sp_store_statement_close(statement);
	return number;
}

TestSuite(store, .init = set_up, .fini = tear_down);

Test(store, brings_an_older_file_up_to_date_and_keeps_its_rows)
{
	struct sp_store *store = open_store(1, 0);

	cr_assert_eq(sp_store_run(store, "INSERT INTO thing(name) VALUES ('a')"), 0);
	sp_store_close(store);
	store = open_store(2, 0);
	cr_assert_eq(ask(store, "SELECT weight FROM thing WHERE name = 'a'"), 7);
	cr_assert_eq(ask(store, "PRAGMA user_version"), 2);
	sp_store_close(store);
}

Test(store, a_failed_migration_leaves_the_version_before)
{
	static const char *const broken[] = {"CREATE TABLE a (x); CREATE TABLE a (x);"};
	const struct sp_store_config config = {
		.path = path, .migrations = broken, .migration_count = 1};
	struct sp_store *store;
	char *text;

	cr_assert(sp_store_open(&config, &store, &text) < 0);
	free(text);
	store = open_store(0, 0);
	cr_assert_eq(ask(store, "SELECT count(*) FROM sqlite_schema"), 0);
	sp_store_close(store);
}

Test(store, refuses_a_file_of_a_newer_version)
{
	struct sp_store *store = open_store(2, 0);

	cr_assert_eq(sp_store_run(store, "PRAGMA user_version = 3"), 0);
	sp_store_close(store);
	cr_assert_eq(refused(false, "another version"), -EPROTONOSUPPORT);
}

Test(store, says_why_a_file_is_refused)
{
	static const char junk[8192] = "this is a letter, not a database";

	cr_assert_eq(refused(true, "No such file"), -ENOENT);
	write_file(path, junk, sizeof(junk));
	cr_assert_eq(refused(false, "not a whole database"), -EBADMSG);
	cr_assert_eq(sp_store_set_aside(path), 0);
	sp_store_close(open_store(2, 0));
	snprintf(path, sizeof(path), "%s/nowhere/test.db", dir);
	cr_assert_eq(refused(false, "No such file"), -ENOENT);
}

Test(store, notices_a_torn_page)
{
	struct sp_store *store = open_store(2, 0);
	char torn[4096];
	int fd;

	cr_assert_eq(sp_store_run(store, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
					 "FROM n WHERE i < 2000) INSERT INTO thing(name, body) "
					 "SELECT i, zeroblob(100) FROM n"),
		     0);
	sp_store_close(store);
	fd = open(path, O_WRONLY);
	memset(torn, 0xa5, sizeof(torn));
	for (int page = 4; page < 40; page++)
		cr_assert_eq(pwrite(fd, torn, sizeof(torn), page * 4096), (ssize_t)sizeof(torn));
	close(fd);
	store = open_store(2, 0);
	cr_assert_eq(sp_store_run(store, "DELETE FROM thing"), -EBADMSG);
	sp_store_close(store);
}

Test(store, binds_and_returns_every_kind)
{
	static const char body[] = {1, 0, 2};
	struct sp_store *store = open_store(2, 0);
	struct sp_store_statement *put, *get;
	size_t len;

	cr_assert_eq(sp_store_prepare(store, "INSERT INTO thing(id, name, body) VALUES (?, ?, ?)",
				      &put),
		     0);
	sp_store_bind_number(put, 0, INT64_MIN);
	sp_store_bind_text(put, 1, "o'neill");
	sp_store_bind_bytes(put, 2, body, sizeof(body));
	cr_assert_eq(sp_store_execute(put), 0);
	sp_store_bind_number(put, 0, 1);
	sp_store_bind_text(put, 1, "o'neill");
	cr_assert_eq(sp_store_execute(put), -EEXIST);
	sp_store_statement_close(put);
	cr_assert_eq(sp_store_prepare(store, "SELECT id, name, body, NULL FROM thing", &get), 0);
	cr_assert_eq(sp_store_step(get), 1);
	cr_assert_eq(sp_store_number(get, 0), INT64_MIN);
	cr_assert_str_eq(sp_store_text(get, 1), "o'neill");
	cr_assert_eq(memcmp(sp_store_bytes(get, 2, &len), body, sizeof(body)), 0);
	cr_assert_eq(len, 3u);
	cr_assert_str_eq(sp_store_text(get, 3), "");
	cr_assert_eq(sp_store_step(get), 0);
	sp_store_statement_close(get);
	sp_store_close(store);
}

Test(store, what_is_not_committed_is_gone)
{
	struct sp_store *store = open_store(2, 0);

	cr_assert_eq(sp_store_begin(store), 0);
	cr_assert_eq(sp_store_run(store, "INSERT INTO thing(name) VALUES ('a')"), 0);
	sp_store_roll_back(store);
	cr_assert_eq(sp_store_begin(store), 0);
	cr_assert_eq(sp_store_run(store, "INSERT INTO thing(name) VALUES ('b')"), 0);
	sp_store_close(store);
	store = open_store(2, 0);
	cr_assert_eq(ask(store, "SELECT count(*) FROM thing"), 0);
	sp_store_close(store);
}

Test(store, a_reader_sees_what_is_committed_while_the_writer_writes)
{
	const struct sp_store_config config = {
		.path = path, .migrations = migrations, .migration_count = 2, .is_read_only = true};
	struct sp_store *writer = open_store(2, 0), *reader;
	char *text;

	cr_assert_eq(sp_store_run(writer, "INSERT INTO thing(name) VALUES ('a')"), 0);
	cr_assert_eq(sp_store_begin(writer), 0);
	cr_assert_eq(sp_store_run(writer, "INSERT INTO thing(name) VALUES ('b')"), 0);
	cr_assert_eq(sp_store_open(&config, &reader, &text), 0, "%s", text);
	cr_assert_eq(ask(reader, "SELECT count(*) FROM thing"), 1);
	cr_assert_eq(sp_store_run(reader, "DELETE FROM thing"), -EROFS);
	cr_assert_eq(sp_store_commit(writer), 0);
	cr_assert_eq(ask(reader, "SELECT count(*) FROM thing"), 2);
	sp_store_close(reader);
	sp_store_close(writer);
}

static int fill(struct sp_store *store)
{
	int rc = 0;

	for (int i = 0; !rc && i < 10000; i++)
		rc = sp_store_run(store, "INSERT INTO thing(body) VALUES (zeroblob(4000))");
	return rc;
}

Test(store, stops_at_its_size_and_goes_on_when_rows_are_gone)
{
	struct sp_store *store = open_store(2, 1 << 20);
	uint64_t full, less;
	struct stat before, after;

	cr_assert_eq(fill(store), -ENOSPC);
	cr_assert_eq(sp_store_used_bytes(store, &full), 0);
	cr_assert(full <= 1 << 20 && full > 1000000, "%llu", (unsigned long long)full);
	cr_assert_eq(sp_store_run(store, "DELETE FROM thing WHERE id % 2"), 0);
	cr_assert_geq(sp_store_changes(store), 100u);
	cr_assert_eq(sp_store_used_bytes(store, &less), 0);
	cr_assert_lt(less, full * 6 / 10);
	cr_assert_eq(sp_store_run(store, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
	stat(path, &before);
	cr_assert_eq(sp_store_shrink(store, 1000), 0);
	cr_assert_eq(sp_store_run(store, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
	stat(path, &after);
	cr_assert_lt(after.st_size, before.st_size * 6 / 10);
	cr_assert_eq(sp_store_run(store, "INSERT INTO thing(body) VALUES (zeroblob(4000))"), 0);
	sp_store_close(store);
}

Test(store, a_full_disk_is_an_error_and_no_loss)
{
	static const char ballast[128 << 10];
	struct sp_store *store;
	char name[80];
	int64_t rows;

	if (mount("sallyport-test", dir, "tmpfs", 0, "size=512k") < 0)
		cr_skip_test("needs root, to mount a small disk");
	snprintf(name, sizeof(name), "%s/ballast", dir);
	write_file(name, ballast, sizeof(ballast));
	store = open_store(2, 0);
	cr_assert_eq(fill(store), -ENOSPC, "%s", sp_store_error(store));
	rows = ask(store, "SELECT count(*) FROM thing");
	cr_assert_gt(rows, 10);
	sp_store_close(store);
	unlink(name);
	store = open_store(2, 0);
	cr_assert_geq(ask(store, "SELECT count(*) FROM thing"), rows);
	sp_store_close(store);
	umount(dir);
}
