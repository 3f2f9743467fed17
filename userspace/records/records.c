/* SPDX-License-Identifier: Apache-2.0 */
#include "records/records.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "records/schema.h"

#define QUEUE_MAX    32768 /* records of 256 bytes */
#define PERIOD_MS    1000
#define TIDY_MS	     10000
#define TIDY_ROWS    4000 /* looked at or deleted in one statement */
#define TIDY_ROUNDS  16	  /* of one tidying: the rest next time */
#define WORDS_MAX    200000
#define SIZE_PERCENT 85 /* rows go above it; the rest is for what comes until the next tidying */
#define SHRINK_PAGES 1024
#define MS_NS	     SP_NS_PER_MS

/* Made by the loop and never freed before close, so that its address is its name. */
struct word {
	UT_hash_handle hh;
	char text[];
};
/* The writer's: the row of a word, as long as nothing was rolled back. */
struct known {
	UT_hash_handle hh;
	const char *text; /* the key: its address */
	int64_t id;
};

struct item {
	struct sp_record record;
	struct sp_addr outer;
	const char *user, *device, *rule, *file;
	int64_t begun_ms, seen_ms, ended_ms;
	uint32_t line;
	uint32_t pad;
};

enum statement {
	FLOW_INSERT,
	FLOW_END,
	DENIED_PUT,
	WORD_PUT,
	WORD_GET,
	ALIVE_PUT,
	FLOW_OLD,
	FLOW_OLDEST,
	DENIED_OLD,
	DENIED_OLDEST,
	STATEMENTS
};
static const char *const sql[STATEMENTS] = {
	[FLOW_INSERT] = "INSERT INTO flow (name, user, device, kind, protocol, source, source_port,"
			" destination, destination_port, egress, egress_port, outer, rule, file,"
			" line, begun, seen, ended, packets, bytes, back_packets, back_bytes)"
			" VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,nullif(?,0),?,?,?,?)",
	[FLOW_END] = "UPDATE flow SET seen = ?, ended = ?, packets = ?, bytes = ?,"
		     " back_packets = ?, back_bytes = ? WHERE name = ?",
	[DENIED_PUT] = "INSERT INTO denied (user, device, kind, protocol, source, destination,"
		       " destination_port, outer, rule, file, line, reason, begun, seen, count)"
		       " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,1)"
		       " ON CONFLICT DO UPDATE SET count = count + 1, seen = excluded.seen,"
		       " outer = excluded.outer, reason = excluded.reason,"
		       " file = excluded.file, line = excluded.line",
	[WORD_PUT] = "INSERT OR IGNORE INTO word (text) VALUES (?)",
	[WORD_GET] = "SELECT id FROM word WHERE text = ?",
	[ALIVE_PUT] = "INSERT OR REPLACE INTO alive VALUES (1, ?)",
	[FLOW_OLD] =
		"DELETE FROM flow WHERE id IN (SELECT id FROM (SELECT id, begun, ended FROM flow"
		" ORDER BY id LIMIT ?) WHERE coalesce(ended, begun) < ?)",
	[FLOW_OLDEST] = "DELETE FROM flow WHERE id IN (SELECT id FROM flow ORDER BY id LIMIT ?)",
	[DENIED_OLD] = "DELETE FROM denied WHERE id IN (SELECT id FROM (SELECT id, seen FROM denied"
		       " ORDER BY id LIMIT ?) WHERE seen < ?)",
	[DENIED_OLDEST] =
		"DELETE FROM denied WHERE id IN (SELECT id FROM denied ORDER BY id LIMIT ?)",
};

struct sp_records {
	char *path;
	uint64_t keep_s, size_bytes;
	struct sp_store_writer *writer;
	struct word *words; /* the loop's */
	_Atomic uint64_t lost_words;
	/* the writer's */
	struct sp_store *store;
	struct sp_store_statement *statements[STATEMENTS];
	struct known *known;
};

static void forget_words(struct sp_records *r)
{
	struct known *k, *next;

	HASH_ITER (hh, r->known, k, next) {
		HASH_DEL(r->known, k);
		free(k);
	}
}

/* A crash left flows without an end: they ended while the daemon was last seen alive. */
static int end_orphans(struct sp_store *store)
{
	return sp_store_run(store,
			    "UPDATE flow SET ended = max(seen, coalesce((SELECT at FROM alive),"
			    " seen)) WHERE ended IS NULL");
}

static int on_start(void *arg, struct sp_store *store)
{
	struct sp_records *r = arg;
	int rc = end_orphans(store);

	r->store = store;
	for (int i = 0; i < STATEMENTS && !rc; i++)
		rc = sp_store_prepare(store, sql[i], &r->statements[i]);
	return rc;
}

static void on_stop(void *arg)
{
	struct sp_records *r = arg;

	sp_store_bind_number(r->statements[ALIVE_PUT], 0,
			     (int64_t)(sp_clock_realtime_ns() / MS_NS));
	sp_store_execute(r->statements[ALIVE_PUT]);
	end_orphans(r->store);
	for (int i = 0; i < STATEMENTS; i++) {
		sp_store_statement_close(r->statements[i]);
		r->statements[i] = NULL;
	}
	forget_words(r);
	r->store = NULL;
}

static int ask_word(struct sp_records *r, const char *text, int64_t *ret_id)
{
	struct sp_store_statement *get = r->statements[WORD_GET];
	int rc;

	sp_store_bind_text(get, 0, text);
	rc = sp_store_step(get);
	if (rc == 1)
		*ret_id = sp_store_number(get, 0);
	sp_store_reset(get);
	return rc < 0 ? rc : rc ? 0 : -ENOENT;
}

static int word_id(struct sp_records *r, const char *text, int64_t *ret_id)
{
	struct known *k;
	int64_t id;
	int rc;

	HASH_FIND_PTR(r->known, &text, k);
	if (k) {
		*ret_id = k->id;
		return 0;
	}
	rc = ask_word(r, text, &id);
	if (rc == -ENOENT) {
		sp_store_bind_text(r->statements[WORD_PUT], 0, text);
		rc = sp_store_execute(r->statements[WORD_PUT]);
		if (!rc)
			rc = ask_word(r, text, &id);
	}
	if (rc)
		return rc;
	k = malloc(sizeof(*k));
	if (!k)
		return -ENOMEM;
	*k = (struct known){.text = text, .id = id};
	HASH_ADD_PTR(r->known, text, k);
	*ret_id = id;
	return 0;
}

struct ids {
	int64_t user, device, rule, file;
};

static int find_ids(struct sp_records *r, const struct item *item, struct ids *ret_ids)
{
	int rc = word_id(r, item->user, &ret_ids->user);

	if (!rc)
		rc = word_id(r, item->device, &ret_ids->device);
	if (!rc)
		rc = word_id(r, item->rule, &ret_ids->rule);
	return rc ? rc : word_id(r, item->file, &ret_ids->file);
}

/* The same for the beginning and the end of a flow, over restarts of the daemon too. */
static int64_t name_of(const struct sp_record *record)
{
	struct {
		struct sp_flow_key key;
		uint64_t begun_ns;
	} name = {record->key, record->begun_ns};
	uint64_t hash = 14695981039346656037ull; /* FNV-1a */
	const uint8_t *bytes = (const uint8_t *)&name;

	for (size_t i = 0; i < sizeof(name); i++)
		hash = (hash ^ bytes[i]) * 1099511628211ull;
	return (int64_t)hash;
}

static void bind_numbers(struct sp_store_statement *s, const int64_t *numbers, const int *at,
			 size_t count)
{
	for (size_t i = 0; i < count; i++)
		sp_store_bind_number(s, at[i], numbers[i]);
}

static int insert_flow(struct sp_records *r, const struct item *item)
{
	static const int at[] = {0, 1, 2, 3, 4, 6, 8, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21};
	struct sp_store_statement *s = r->statements[FLOW_INSERT];
	const struct sp_record *f = &item->record;
	struct ids ids;
	int rc = find_ids(r, item, &ids);

	if (rc)
		return rc;
	{
		const int64_t numbers[] = {name_of(f),
					   ids.user,
					   ids.device,
					   f->kind,
					   f->key.proto,
					   ntohs(f->key.sport_be),
					   ntohs(f->key.dport_be),
					   ntohs(f->egress_port_be),
					   ids.rule,
					   ids.file,
					   item->line,
					   item->begun_ms,
					   item->seen_ms,
					   item->ended_ms,
					   (int64_t)f->packets,
					   (int64_t)f->bytes,
					   (int64_t)f->back_packets,
					   (int64_t)f->back_bytes};

		bind_numbers(s, numbers, at, sizeof(at) / sizeof(*at));
	}
	sp_store_bind_bytes(s, 5, &f->key.src, sizeof(f->key.src));
	sp_store_bind_bytes(s, 7, &f->key.dst, sizeof(f->key.dst));
	sp_store_bind_bytes(s, 9, &f->egress, sizeof(f->egress));
	sp_store_bind_bytes(s, 11, &item->outer, sizeof(item->outer));
	return sp_store_execute(s);
}

/* A beginning that was lost is made good by the end. */
static int end_flow(struct sp_records *r, const struct item *item)
{
	static const int at[] = {0, 1, 2, 3, 4, 5, 6};
	struct sp_store_statement *s = r->statements[FLOW_END];
	const struct sp_record *f = &item->record;
	const int64_t numbers[] = {
		item->seen_ms,	   item->ended_ms,	     (int64_t)f->packets,
		(int64_t)f->bytes, (int64_t)f->back_packets, (int64_t)f->back_bytes,
		name_of(f)};
	int rc;

	bind_numbers(s, numbers, at, sizeof(at) / sizeof(*at));
	rc = sp_store_execute(s);
	return rc || sp_store_changes(r->store) ? rc : insert_flow(r, item);
}

static int put_denied(struct sp_records *r, const struct item *item)
{
	static const int at[] = {0, 1, 2, 3, 6, 8, 9, 10, 11, 12, 13};
	struct sp_store_statement *s = r->statements[DENIED_PUT];
	const struct sp_record *f = &item->record;
	struct ids ids;
	int rc = find_ids(r, item, &ids);

	if (rc)
		return rc;
	{
		const int64_t numbers[] = {
			ids.user,     ids.device, f->kind,    f->key.proto, ntohs(f->key.dport_be),
			ids.rule,     ids.file,	  item->line, f->reason,    item->begun_ms,
			item->seen_ms};

		bind_numbers(s, numbers, at, sizeof(at) / sizeof(*at));
	}
	sp_store_bind_bytes(s, 4, &f->key.src, sizeof(f->key.src));
	sp_store_bind_bytes(s, 5, &f->key.dst, sizeof(f->key.dst));
	sp_store_bind_bytes(s, 7, &item->outer, sizeof(item->outer));
	return sp_store_execute(s);
}

static int write_one(struct sp_records *r, const struct item *item)
{
	switch (item->record.what) {
	case SP_RECORD_BEGUN:
		return insert_flow(r, item);
	case SP_RECORD_ENDED:
		return end_flow(r, item);
	default:
		return put_denied(r, item);
	}
}

static int on_write(void *arg, const void *items, uint32_t count)
{
	struct sp_records *r = arg;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < count; i++)
		rc = write_one(r, (const struct item *)items + i);
	if (rc)
		forget_words(r); /* those of this transaction go with it */
	return rc;
}

static int delete_some(struct sp_records *r, enum statement which, int64_t before_ms,
		       uint64_t *ret_count)
{
	struct sp_store_statement *s = r->statements[which];
	int rc;

	sp_store_bind_number(s, 0, TIDY_ROWS);
	if (before_ms)
		sp_store_bind_number(s, 1, before_ms);
	rc = sp_store_execute(s);
	*ret_count = rc ? 0 : sp_store_changes(r->store);
	return rc;
}

static int delete_old(struct sp_records *r, int64_t now_ms)
{
	int64_t before_ms = now_ms - (int64_t)(r->keep_s * 1000);
	uint64_t flows = 1, denied = 1;
	int rc = 0;

	for (int i = 0; !rc && i < TIDY_ROUNDS && flows + denied; i++) {
		rc = delete_some(r, FLOW_OLD, before_ms, &flows);
		if (!rc)
			rc = delete_some(r, DENIED_OLD, before_ms, &denied);
	}
	return rc;
}

/* The oldest go first, flows that still run too: their end brings them back. */
static int delete_above_size(struct sp_records *r)
{
	uint64_t used = 0, flows = 1, denied = 1;
	int rc = 0;

	for (int i = 0; !rc && i < TIDY_ROUNDS && flows + denied; i++) {
		rc = sp_store_used_bytes(r->store, &used);
		if (rc || used <= r->size_bytes / 100 * SIZE_PERCENT)
			break;
		rc = delete_some(r, FLOW_OLDEST, 0, &flows);
		if (!rc && !flows)
			rc = delete_some(r, DENIED_OLDEST, 0, &denied);
		else
			denied = 0;
	}
	return rc;
}

static int on_tidy(void *arg, struct sp_store *store)
{
	struct sp_records *r = arg;
	int64_t now_ms = (int64_t)(sp_clock_realtime_ns() / MS_NS);
	int rc = delete_old(r, now_ms);

	if (!rc)
		rc = delete_above_size(r);
	if (!rc)
		rc = sp_store_shrink(store, SHRINK_PAGES);
	sp_store_bind_number(r->statements[ALIVE_PUT], 0, now_ms);
	return rc ? rc : sp_store_execute(r->statements[ALIVE_PUT]);
}

static const struct sp_store_writer_ops ops = {
	.start = on_start, .stop = on_stop, .write = on_write, .tidy = on_tidy};

int sp_records_open(const struct sp_records_config *config, struct sp_records **ret_records)
{
	struct sp_records *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	if (r)
		r->path = strdup(config->path);
	if (r && r->path) {
		const struct sp_store_writer_config writer = {
			.name = "records",
			.store = {.path = r->path,
				  .migrations = sp_records_migrations,
				  .migration_count = sp_records_migration_count,
				  .size_max_bytes = config->size_bytes},
			.ops = &ops,
			.arg = r,
			.item_bytes = sizeof(struct item),
			.queue_max = QUEUE_MAX,
			.period_ms = PERIOD_MS,
			.tidy_ms = TIDY_MS};

		r->keep_s = config->keep_s;
		r->size_bytes = config->size_bytes;
		rc = sp_store_writer_open(&writer, &r->writer);
	}
	if (rc) {
		sp_records_close(r);
		return rc;
	}
	*ret_records = r;
	return 0;
}

void sp_records_close(struct sp_records *r)
{
	struct word *w, *next;

	if (!r)
		return;
	sp_store_writer_close(r->writer);
	HASH_ITER (hh, r->words, w, next) {
		HASH_DEL(r->words, w);
		free(w);
	}
	forget_words(r);
	free(r->path);
	free(r);
}

/* NULL: no room for more words, or no memory. */
static const char *word_of(struct sp_records *r, const char *text)
{
	size_t len = strlen(text);
	struct word *w;

	HASH_FIND(hh, r->words, text, len, w);
	if (w)
		return w->text;
	w = HASH_COUNT(r->words) < WORDS_MAX ? malloc(sizeof(*w) + len + 1) : NULL;
	if (!w)
		return NULL;
	memcpy(w->text, text, len + 1);
	HASH_ADD_KEYPTR(hh, r->words, w->text, len, w);
	return w->text;
}

static int64_t wall_ms(uint64_t at_ns, int64_t offset_ns)
{
	return at_ns ? ((int64_t)at_ns + offset_ns) / (int64_t)MS_NS : 0;
}

bool sp_records_put(struct sp_records *r, const struct sp_record *record,
		    const struct sp_records_names *names, int64_t offset_ns)
{
	struct item item = {.record = *record,
			    .outer = names->outer,
			    .user = word_of(r, names->user),
			    .device = word_of(r, names->device),
			    .rule = word_of(r, names->rule),
			    .file = word_of(r, names->file),
			    .begun_ms = wall_ms(record->begun_ns, offset_ns),
			    .seen_ms = wall_ms(record->seen_ns, offset_ns),
			    .ended_ms = wall_ms(record->ended_ns, offset_ns),
			    .line = names->line};

	if (!item.user || !item.device || !item.rule || !item.file) {
		r->lost_words++;
		return false;
	}
	return sp_store_writer_put(r->writer, &item);
}

bool sp_records_flush(struct sp_records *r, uint32_t timeout_ms)
{
	return sp_store_writer_flush(r->writer, timeout_ms);
}

void sp_records_numbers(struct sp_records *r, struct sp_store_writer_numbers *ret_numbers)
{
	sp_store_writer_numbers(r->writer, ret_numbers);
	ret_numbers->lost_queue += r->lost_words;
}
