/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the records: a thread each, its answer goes out when the loop is told. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "daemon/daemon.h"
#include "daemon/records.h"

#define QUESTIONS_MAX 4 /* at once */
#define FLUSH_MS      5000

static void question_free(struct sp_daemon_question *q)
{
	json_decref(q->request);
	json_decref(q->result);
	free(q->error);
	free(q->found);
	free(q);
}

static void *run(void *arg)
{
	struct sp_daemon_question *q = arg;
	struct ev_loop *loop = q->daemon->loop;
	ev_async *told = &q->daemon->question_done;

	q->ops->run(q);
	atomic_store_explicit(&q->is_done, true, memory_order_release);
	ev_async_send(loop, told);
	return NULL;
}

static void on_done(struct ev_loop *loop, ev_async *watcher, int events)
{
	struct sp_daemon *daemon = watcher->data;
	struct sp_daemon_question **p = &daemon->questions, *q;

	while ((q = *p)) {
		if (!atomic_load_explicit(&q->is_done, memory_order_acquire)) {
			p = &q->next;
			continue;
		}
		*p = q->next;
		pthread_join(q->thread, NULL);
		if (!q->rc && q->ops->finish)
			q->ops->finish(q);
		sp_control_answer(daemon->control, q->ticket, q->rc,
				  q->rc ? NULL : json_incref(q->result), q->error);
		question_free(q);
	}
}

/* Signals are the loop's. */
static int start_thread(struct sp_daemon_question *q)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = -pthread_create(&q->thread, NULL, run, q);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

int sp_daemon_ask(struct sp_daemon *daemon, const struct sp_daemon_question_ops *ops,
		  const json_t *request, char **ret_error)
{
	struct sp_daemon_question *q;
	unsigned int count = 0;
	int rc;

	for (q = daemon->questions; q; q = q->next)
		count++;
	if (count >= QUESTIONS_MAX) {
		if (asprintf(ret_error, "%u other questions are being answered: ask again", count) <
		    0)
			*ret_error = NULL;
		return -EBUSY;
	}
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->daemon = daemon;
	q->ops = ops;
	q->request = json_deep_copy(request);
	rc = q->request ? start_thread(q) : -ENOMEM;
	if (rc) {
		question_free(q);
		return rc;
	}
	q->ticket = sp_control_defer(daemon->control);
	q->next = daemon->questions;
	daemon->questions = q;
	return -EINPROGRESS;
}

void sp_daemon_open_questions(struct sp_daemon *daemon)
{
	ev_async_init(&daemon->question_done, on_done);
	daemon->question_done.data = daemon;
	ev_async_start(daemon->loop, &daemon->question_done);
}

void sp_daemon_close_questions(struct sp_daemon *daemon)
{
	struct sp_daemon_question *q;

	ev_async_stop(daemon->loop, &daemon->question_done);
	while ((q = daemon->questions)) {
		daemon->questions = q->next;
		pthread_join(q->thread, NULL);
		question_free(q);
	}
}

/* What happened before the question is on its way: the loop has looked, the writer has written. */
int sp_question_open_store(struct sp_daemon_question *q, struct sp_store **ret_store)
{
	struct sp_daemon *daemon = q->daemon;
	char path[4096];

	if (!daemon->records) {
		q->error =
			strdup("no flow records are kept: gateway.records is off, or the log says "
			       "why");
		return -ENODATA;
	}
	nanosleep(&(struct timespec){.tv_nsec = 60 * 1000000}, NULL); /* two looks of the loop */
	sp_records_flush(daemon->records, FLUSH_MS);
	snprintf(path, sizeof(path), "%s/%s", daemon->records_dir, SP_RECORDS_FILE);
	return sp_records_question_open(path, ret_store, &q->error);
}
