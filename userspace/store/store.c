/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/cleanup.h"

#define BUSY_MS	       2000
#define WAL_BYTES_MAX  "4194304" /* the log is cut back to this after a checkpoint */
#define PAGES_MIN      64	 /* of size_max_bytes: room for the tables themselves */
#define PAGE_MIN_BYTES 512

struct sp_store {
	sqlite3 *db;
	uint64_t page_bytes;
};

/* The statement is SQLite's own; the type only hides it. */
static sqlite3_stmt *stmt_of(struct sp_store_statement *statement)
{
	return (sqlite3_stmt *)statement;
}

static const struct {
	int code, error;
} codes[] = {
	{SQLITE_FULL, -ENOSPC},	   {SQLITE_CORRUPT, -EBADMSG}, {SQLITE_NOTADB, -EBADMSG},
	{SQLITE_BUSY, -EBUSY},	   {SQLITE_LOCKED, -EBUSY},    {SQLITE_CONSTRAINT, -EEXIST},
	{SQLITE_READONLY, -EROFS}, {SQLITE_NOMEM, -ENOMEM},    {SQLITE_PERM, -EACCES},
	{SQLITE_AUTH, -EACCES},	   {SQLITE_TOOBIG, -EFBIG},    {SQLITE_RANGE, -EINVAL},
	{SQLITE_MISUSE, -EINVAL},
};

/* A file that does not open: the system's reason is the better one. */
static int error_of(sqlite3 *db, int code)
{
	int system;

	if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
		return 0;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if ((code & 0xff) == codes[i].code)
			return codes[i].error;
	}
	system = sqlite3_system_errno(db);
	return system > 0 ? -system : -EIO;
}

const char *sp_store_error(const struct sp_store *store)
{
	return sqlite3_errmsg(store->db);
}

int sp_store_run(struct sp_store *store, const char *sql)
{
	return error_of(store->db, sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

int sp_store_begin(struct sp_store *store)
{
	return sp_store_run(store, "BEGIN IMMEDIATE");
}

void sp_store_roll_back(struct sp_store *store)
{
	if (!sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

int sp_store_commit(struct sp_store *store)
{
	int rc = sp_store_run(store, "COMMIT");

	if (rc)
		sp_store_roll_back(store);
	return rc;
}

int sp_store_prepare(struct sp_store *store, const char *sql,
		     struct sp_store_statement **ret_statement)
{
	sqlite3_stmt *stmt;
	int code = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);

	if (code != SQLITE_OK)
		return error_of(store->db, code);
	*ret_statement = (struct sp_store_statement *)stmt;
	return 0;
}

void sp_store_statement_close(struct sp_store_statement *statement)
{
	sqlite3_finalize(stmt_of(statement));
}

void sp_store_bind_number(struct sp_store_statement *statement, int at, int64_t number)
{
	sqlite3_bind_int64(stmt_of(statement), at + 1, number);
}

void sp_store_bind_text(struct sp_store_statement *statement, int at, const char *text)
{
	sqlite3_bind_text(stmt_of(statement), at + 1, text, -1, SQLITE_STATIC);
}

void sp_store_bind_bytes(struct sp_store_statement *statement, int at, const void *bytes,
			 size_t len)
{
	sqlite3_bind_blob64(stmt_of(statement), at + 1, bytes, len, SQLITE_STATIC);
}

int sp_store_step(struct sp_store_statement *statement)
{
	int code = sqlite3_step(stmt_of(statement));

	if (code == SQLITE_ROW)
		return 1;
	return error_of(sqlite3_db_handle(stmt_of(statement)), code);
}

void sp_store_reset(struct sp_store_statement *statement)
{
	sqlite3_reset(stmt_of(statement));
	sqlite3_clear_bindings(stmt_of(statement));
}

int sp_store_execute(struct sp_store_statement *statement)
{
	int rc = sp_store_step(statement);

	sp_store_reset(statement);
	return rc < 0 ? rc : 0;
}

int64_t sp_store_number(struct sp_store_statement *statement, int at)
{
	return sqlite3_column_int64(stmt_of(statement), at);
}

const char *sp_store_text(struct sp_store_statement *statement, int at)
{
	const char *text = (const char *)sqlite3_column_text(stmt_of(statement), at);

	return text ? text : "";
}

const void *sp_store_bytes(struct sp_store_statement *statement, int at, size_t *ret_len)
{
	const void *bytes = sqlite3_column_blob(stmt_of(statement), at);

	*ret_len = (size_t)sqlite3_column_bytes(stmt_of(statement), at);
	return bytes;
}

uint64_t sp_store_changes(const struct sp_store *store)
{
	return (uint64_t)sqlite3_changes(store->db);
}

static int ask_number(struct sp_store *store, const char *sql, int64_t *ret_number)
{
	struct sp_store_statement *statement = NULL;
	int rc = sp_store_prepare(store, sql, &statement);

	if (rc)
		return rc;
	rc = sp_store_step(statement);
	if (rc == 1)
		*ret_number = sp_store_number(statement, 0);
	sp_store_statement_close(statement);
	return rc < 0 ? rc : rc ? 0 : -EIO;
}

int sp_store_used_bytes(struct sp_store *store, uint64_t *ret_bytes)
{
	int64_t pages, unused;
	int rc = ask_number(store, "PRAGMA page_count", &pages);

	if (!rc)
		rc = ask_number(store, "PRAGMA freelist_count", &unused);
	if (!rc)
		*ret_bytes = (uint64_t)(pages - unused) * store->page_bytes;
	return rc;
}

int sp_store_shrink(struct sp_store *store, uint32_t pages_max)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%u)", pages_max);
	return sp_store_run(store, sql);
}

int sp_store_set_aside(const char *path)
{
	static const char *const suffixes[] = {"-wal", "-shm"};
	char name[PATH_MAX];

	if ((size_t)snprintf(name, sizeof(name), "%s.broken", path) >= sizeof(name))
		return -ENAMETOOLONG;
	if (rename(path, name) < 0)
		return -errno;
	for (size_t i = 0; i < 2; i++) {
		/* A log belongs to its file: beside another one it would be applied to that. */
		if ((size_t)snprintf(name, sizeof(name), "%s%s", path, suffixes[i]) < sizeof(name))
			unlink(name);
	}
	return 0;
}

/* auto_vacuum can only be chosen before the first table stands; after that it is a no-op. */
static int prepare_file(struct sp_store *store, const struct sp_store_config *config)
{
	int64_t page_bytes = 0;
	uint64_t pages;
	char sql[64];
	int rc = sp_store_run(store, "PRAGMA foreign_keys = ON;"
				     "PRAGMA trusted_schema = OFF;"
				     "PRAGMA cell_size_check = ON;");

	if (!rc && !config->is_read_only)
		rc = sp_store_run(store, "PRAGMA auto_vacuum = INCREMENTAL;"
					 "PRAGMA journal_mode = WAL;"
					 "PRAGMA synchronous = NORMAL;"
					 "PRAGMA journal_size_limit = " WAL_BYTES_MAX ";");
	if (!rc)
		rc = ask_number(store, "PRAGMA page_size", &page_bytes);
	if (!rc && page_bytes < PAGE_MIN_BYTES)
		rc = -EBADMSG;
	if (rc)
		return rc;
	store->page_bytes = (uint64_t)page_bytes;
	if (!config->size_max_bytes)
		return 0;
	pages = config->size_max_bytes / store->page_bytes;
	snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %llu",
		 (unsigned long long)(pages < PAGES_MIN ? PAGES_MIN : pages));
	return sp_store_run(store, sql);
}

/* One step and its number together: a crash leaves the file before or after, never between. */
static int migrate_one(struct sp_store *store, const char *sql, uint32_t to)
{
	char version[64];
	int rc = sp_store_begin(store);

	if (rc)
		return rc;
	snprintf(version, sizeof(version), "PRAGMA user_version = %u", to);
	rc = sp_store_run(store, sql);
	if (!rc)
		rc = sp_store_run(store, version);
	if (!rc)
		return sp_store_commit(store);
	sp_store_roll_back(store);
	return rc;
}

static int migrate(struct sp_store *store, const struct sp_store_config *config)
{
	int64_t version = 0;
	int rc = ask_number(store, "PRAGMA user_version", &version);

	if (!rc && (version < 0 || version > config->migration_count ||
		    (config->is_read_only && version != config->migration_count)))
		return -EPROTONOSUPPORT;
	for (uint32_t i = (uint32_t)version; !rc && i < config->migration_count; i++)
		rc = migrate_one(store, config->migrations[i], i + 1);
	return rc;
}

static char *describe(const struct sp_store *store, const char *path, int rc)
{
	const char *reason = rc == -EPROTONOSUPPORT
				     ? "its tables are of another version of Sallyport"
			     : rc == -EBADMSG ? "it is not a whole database"
					      : strerror(-rc);
	char *text;

	if (asprintf(&text, "store: failed to open %s: %s (SQLite: %s)", path, reason,
		     store->db ? sp_store_error(store) : "no memory") < 0)
		return NULL;
	return text;
}

int sp_store_open(const struct sp_store_config *config, struct sp_store **ret_store,
		  char **ret_text)
{
	struct sp_store *store = calloc(1, sizeof(*store));
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int code, rc;

	*ret_text = NULL;
	if (!store)
		return -ENOMEM;
	flags |= config->is_read_only ? SQLITE_OPEN_READONLY
				      : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	code = sqlite3_open_v2(config->path, &store->db, flags, NULL);
	rc = error_of(store->db, code);
	if (!rc)
		rc = error_of(store->db, sqlite3_busy_timeout(store->db, BUSY_MS));
	if (!rc)
		rc = prepare_file(store, config);
	if (!rc)
		rc = migrate(store, config);
	if (rc) {
		*ret_text = describe(store, config->path, rc);
		sp_store_close(store);
		return rc;
	}
	*ret_store = store;
	return 0;
}

void sp_store_close(struct sp_store *store)
{
	if (!store)
		return;
	sp_store_roll_back(store);
	sqlite3_close(store->db);
	free(store);
}
