/* SPDX-License-Identifier: Apache-2.0 */
/* Flow records: from the rings to the store, and questions to it. Daemon thread. */
#ifndef SP_DAEMON_RECORDS_H
#define SP_DAEMON_RECORDS_H

#include <pthread.h>

#include "daemon/state.h"
#include "records/question.h"

#define SP_RECORDS_RING 16384 /* that wait in each worker: 2.2 MB */

/* records.c. What cannot be kept is a warning: traffic goes on without records. */
void sp_daemon_open_records(struct sp_daemon *daemon);
void sp_daemon_close_records(struct sp_daemon *daemon);
void sp_daemon_collect_records(struct sp_daemon *daemon); /* often; at most 2 ms */
/* A plain flow that the sweep removes. reply may be NULL. */
void sp_daemon_record_end(struct sp_daemon *daemon, const struct sp_flow_key *key,
			  const struct sp_flow *flow, const struct sp_flow *reply);
/* What its numbers are called now. */
void sp_record_names(struct sp_daemon *daemon, const struct sp_record *record,
		     struct sp_records_names *ret_names);
json_t *sp_show_records(struct sp_daemon *daemon); /* of status */

/*
 * question.c: one thread for each question, so that the loop never waits for the disk. run is on
 * that thread and touches nothing of the daemon but what stands here; finish is on the loop.
 */
struct sp_daemon_question {
	struct sp_daemon_question *next;
	struct sp_daemon *daemon;
	const struct sp_daemon_question_ops *ops;
	json_t *request;
	json_t *result;
	char *error;
	int rc;
	void *found; /* what run leaves to finish; freed with the question */
	uint32_t found_count;
	/* from here on private to question.c */
	uint64_t ticket;
	pthread_t thread;
	_Atomic bool is_done;
};
struct sp_daemon_question_ops {
	/* Reads request; sets result, or rc and error. */
	void (*run)(struct sp_daemon_question *question);
	void (*finish)(struct sp_daemon_question *question); /* optional: names, from the loop */
};
/* -EINPROGRESS, or why it is refused. */
int sp_daemon_ask(struct sp_daemon *daemon, const struct sp_daemon_question_ops *ops,
		  const json_t *request, char **ret_error);
void sp_daemon_open_questions(struct sp_daemon *daemon);
void sp_daemon_close_questions(struct sp_daemon *daemon); /* waits for those that run */
/* On a question's thread: the store, with everything that was recorded before the question. */
int sp_question_open_store(struct sp_daemon_question *question, struct sp_store **ret_store);

/* who.c, seen.c, replay.c */
extern const struct sp_daemon_question_ops sp_daemon_who, sp_daemon_seen, sp_daemon_replay;

/* One row as JSON, for every answer. */
json_t *sp_record_row(const struct sp_records_row *row);
json_t *sp_record_protocol(uint8_t proto);
json_t *sp_record_time(int64_t ms); /* 0: null */

#endif
