/* SPDX-License-Identifier: Apache-2.0 */
/* The configurations that were in force, kept on disk: one file each, whole or not at all. One thread. */
#ifndef SP_HISTORY_HISTORY_H
#define SP_HISTORY_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/hash.h"

#define SP_HISTORY_MAX	     20
#define SP_HISTORY_BYTES_MAX (64u << 20) /* of one entry */
#define SP_HISTORY_SUMMARY   200

enum sp_history_state { /* numbers stand in the files */
	SP_HISTORY_APPLIED = 0,
	SP_HISTORY_PENDING = 1, /* waits for `sallyport confirm` */
	SP_HISTORY_CONFIRMED = 2,
	SP_HISTORY_ROLLED_BACK = 3,
};
enum sp_history_origin {
	SP_HISTORY_START = 0,
	SP_HISTORY_SIGNAL = 1,
	SP_HISTORY_CLIENT = 2,
	SP_HISTORY_TIMER = 3
};

struct sp_history_entry {
	uint64_t number; /* 1 .., never used twice */
	uint64_t at_realtime_ns;
	uint32_t generation;
	enum sp_history_state state;
	enum sp_history_origin origin;
	uint32_t uid; /* of SP_HISTORY_CLIENT */
	char summary[SP_HISTORY_SUMMARY];
	struct sp_hash texts; /* names and contents of the files */
};

/* The files of a configuration. Never a key: those stand in files that these only name. */
struct sp_history_texts {
	char **files, **texts;
	uint32_t count;
};
void sp_history_texts_fini(struct sp_history_texts *texts);
void sp_history_hash(const char *const *files, const char *const *texts, uint32_t count,
		     struct sp_hash *ret_hash);

/* Makes dir (mode 0700) and reads what is there; a broken entry is left out with a warning. */
struct sp_history;
int sp_history_open(const char *dir, struct sp_history **ret_history);
void sp_history_close(struct sp_history *history);

/* Oldest first. Borrowed until the next change. */
const struct sp_history_entry *sp_history_list(const struct sp_history *history,
					       uint32_t *ret_count);
const struct sp_history_entry *sp_history_lookup(const struct sp_history *history, uint64_t number);

/*
 * In two steps, so that a full disk is met before anything takes effect: prepare writes everything
 * under a name that is no entry's; commit makes it one and drops the oldest beyond SP_HISTORY_MAX;
 * cancel forgets it. prepare fills in entry's number and hash. -EFBIG: above SP_HISTORY_BYTES_MAX.
 */
int sp_history_prepare(struct sp_history *history, struct sp_history_entry *entry,
		       const char *const *files, const char *const *texts, uint32_t count);
int sp_history_commit(struct sp_history *history, const struct sp_history_entry *entry);
void sp_history_cancel(struct sp_history *history);

/* -ENOENT, -EBADMSG: not what was written. */
int sp_history_read(const struct sp_history *history, uint64_t number,
		    struct sp_history_texts *ret_texts);
/* In memory at once; an error says that the disk did not follow. */
int sp_history_set_state(struct sp_history *history, uint64_t number, enum sp_history_state state);

/* One entry's bytes, for the fuzzer too: bounded, and only if the hash at the end agrees. */
int sp_history_parse(const char *bytes, size_t len, struct sp_history_entry *ret_entry,
		     struct sp_history_texts *ret_texts);

#endif
