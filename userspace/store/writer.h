/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that writes one store, behind a bounded queue. The loop owns and fills it; nothing here makes it wait. */
#ifndef SP_STORE_WRITER_H
#define SP_STORE_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct sp_store_writer;

/* All of these run on the writer's thread, with the store open. Errors: of store.h. */
struct sp_store_writer_ops {
	/* Mandatory: once after each opening. Statements are prepared here. */
	int (*start)(void *arg, struct sp_store *store);
	/* Mandatory: before each closing. */
	void (*stop)(void *arg);
	/* Mandatory: count items, inside one transaction. */
	int (*write)(void *arg, const void *items, uint32_t count);
	/* Optional: each period, outside a transaction: delete what is old, in small steps. */
	int (*tidy)(void *arg, struct sp_store *store);
};

struct sp_store_writer_config {
	const char *name; /* of the user, for the log: "records", "quotas" */
	struct sp_store_config store;
	const struct sp_store_writer_ops *ops;
	void *arg;
	uint32_t item_bytes, queue_max; /* queue_max: a power of two */
	uint32_t period_ms;		/* the longest an item waits */
	uint32_t tidy_ms;
};

struct sp_store_writer_numbers {
	uint64_t written, lost_queue, lost_store; /* items: queue full; the store refused them */
	uint64_t used_bytes;			  /* of the file, as of the last tidying */
	bool is_open;
	char problem[256]; /* "": none; why the store is closed, or the last failure to write */
};

/*
 * Starts the thread; it opens the store, and again every 30 s when that fails. A broken file is set
 * aside. config's pointers are borrowed until close.
 */
int sp_store_writer_open(const struct sp_store_writer_config *config,
			 struct sp_store_writer **ret_writer);
/* Writes what is queued, then closes. */
void sp_store_writer_close(struct sp_store_writer *writer);

/* Only the thread that opened it. False: the queue is full, counted as lost. No system call but to wake. */
bool sp_store_writer_put(struct sp_store_writer *writer, const void *item);
/* Any thread: waits until everything queued so far has been tried, at most timeout_ms. Not on the loop. */
bool sp_store_writer_flush(struct sp_store_writer *writer, uint32_t timeout_ms);
void sp_store_writer_numbers(struct sp_store_writer *writer,
			     struct sp_store_writer_numbers *ret_numbers);

#endif
