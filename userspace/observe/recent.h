/* SPDX-License-Identifier: Apache-2.0 */
/* The last drops, of each user some, in a bounded place of memory. One thread. */
#ifndef SP_OBSERVE_RECENT_H
#define SP_OBSERVE_RECENT_H

#include "sallyport/abi/event.h"
#include "sallyport/abi/verdict.h"

#define SP_RECENT_MAX  4096 /* records in all */
#define SP_RECENT_KEPT 16   /* newest of a user that others do not push out, while there is room */

/* Drops alike: of one user, reason, rule, source address, destination and port. */
struct sp_recent_drop {
	struct sp_drop_event event; /* the newest of them */
	uint64_t first_ns;
	uint64_t count;	   /* told */
	uint64_t left_out; /* of their reason, meanwhile */
	/* As they were called then; a reload may have changed them since. */
	char user[SP_NAME_BYTES];
	char peer[SP_NAME_BYTES];
	char rule[SP_NAME_BYTES]; /* empty: no rule decided */
	char file[96];		  /* of the rule; its end, when it is longer */
	uint32_t line;
};

struct sp_recent;

/* users_max: ids below it have a place of their own, others share that of nobody. */
int sp_recent_open(uint32_t users_max, struct sp_recent **ret_recent);
void sp_recent_close(struct sp_recent *recent);

/*
 * One more drop. The record that counts it: a new one with zeroed names (event.waited and count
 * say so: count is 1), or that of its like. Valid until the next call.
 */
struct sp_recent_drop *sp_recent_add(struct sp_recent *recent, const struct sp_drop_event *event);

/*
 * From the newest to the oldest, of a user or of all (SP_RECENT_ALL); stops when cb returns
 * non-zero and returns that.
 */
#define SP_RECENT_ALL UINT32_MAX
int sp_recent_each(const struct sp_recent *recent, uint32_t user_id,
		   int (*cb)(const struct sp_recent_drop *drop, void *arg), void *arg);
uint32_t sp_recent_count(const struct sp_recent *recent);

#endif
