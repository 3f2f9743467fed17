/* SPDX-License-Identifier: Apache-2.0 */
/* A file of SQLite: the only caller of libsqlite3. One store, one thread: never the loop's (docs/threads.md). */
#ifndef SP_STORE_STORE_H
#define SP_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_store;
struct sp_store_statement;

/*
 * migrations[i] is SQL that leads from version i to i + 1; they are appended to, never changed.
 * size_max_bytes bounds the file itself (0: not): a write beyond it fails with -ENOSPC.
 */
struct sp_store_config {
	const char *path;
	const char *const *migrations;
	uint32_t migration_count;
	uint64_t size_max_bytes;
	bool is_read_only; /* beside a writer in another thread or process; makes nothing */
};

/*
 * Opens with write-ahead log and brings the tables up to date, a transaction for each step.
 * -ENOENT, -EACCES, -EROFS, -ENOSPC, -EBADMSG: not a database, or a broken one; -EPROTONOSUPPORT: of
 * a newer Sallyport. ret_text: what went wrong and with which file, malloc-ed, whenever it fails.
 */
int sp_store_open(const struct sp_store_config *config, struct sp_store **ret_store,
		  char **ret_text);
void sp_store_close(struct sp_store *store);
/* Renames a broken file to path.broken (over the last one), so that a new one can begin. */
int sp_store_set_aside(const char *path);

/* The last failure in SQLite's words. Borrowed until the next call. */
const char *sp_store_error(const struct sp_store *store);

/*
 * Statements without results. All of these: -ENOSPC (disk or size_max_bytes), -EBADMSG (broken),
 * -EBUSY (somebody else writes for more than two seconds), -EEXIST (a constraint), -EIO, -ENOMEM.
 */
int sp_store_run(struct sp_store *store, const char *sql);
int sp_store_begin(struct sp_store *store);
int sp_store_commit(struct sp_store *store); /* fails: rolled back */
void sp_store_roll_back(struct sp_store *store);

/* Prepared once, used often; closed before its store. Parameters and columns count from 0. */
int sp_store_prepare(struct sp_store *store, const char *sql,
		     struct sp_store_statement **ret_statement);
void sp_store_statement_close(struct sp_store_statement *statement);
/* Memory stays the caller's until the statement is reset. A failure shows in the next step. */
void sp_store_bind_number(struct sp_store_statement *statement, int at, int64_t number);
void sp_store_bind_text(struct sp_store_statement *statement, int at, const char *text);
void sp_store_bind_bytes(struct sp_store_statement *statement, int at, const void *bytes,
			 size_t len);
/* 1: a row; 0: no more. */
int sp_store_step(struct sp_store_statement *statement);
void sp_store_reset(struct sp_store_statement *statement);
/* One step for its effect, then reset. */
int sp_store_execute(struct sp_store_statement *statement);

/* Columns of the row at hand, borrowed until the next step; a null is 0, "" and no bytes. */
int64_t sp_store_number(struct sp_store_statement *statement, int at);
const char *sp_store_text(struct sp_store_statement *statement, int at);
const void *sp_store_bytes(struct sp_store_statement *statement, int at, size_t *ret_len);

uint64_t sp_store_changes(const struct sp_store *store); /* rows of the last statement */
/* Pages in use; the file is larger by what sp_store_shrink has not given back yet. */
int sp_store_used_bytes(struct sp_store *store, uint64_t *ret_bytes);
/* Gives up to pages_max free pages back to the file system. */
int sp_store_shrink(struct sp_store *store, uint32_t pages_max);

#endif
