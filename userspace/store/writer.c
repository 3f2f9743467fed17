/* SPDX-License-Identifier: Apache-2.0 */
#include "store/writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/ring.h"

#define BATCH_MAX   1024 /* items of a transaction */
#define REOPEN_NS   (30 * SP_NS_PER_S)
#define WAKE_FILLED 4 /* the thread is woken early when a queue is 1/4 full */

struct sp_store_writer {
	struct sp_store_writer_config config;
	struct sp_ring queue;
	uint8_t *batch;
	pthread_t thread;
	pthread_mutex_t lock; /* of all below it, but not while SQLite works */
	pthread_cond_t wake, flushed;
	bool is_stopping, wants_flush;
	uint64_t flush_asked, flush_done;
	struct sp_store_writer_numbers numbers;
	struct sp_log_limit failures;
	/* the thread's own */
	struct sp_store *store;
	uint64_t open_next_ns, tidy_next_ns;
};

static struct timespec after_ms(uint32_t ms)
{
	uint64_t ns = sp_clock_now_ns() + ms * SP_NS_PER_MS;

	return (struct timespec){.tv_sec = (time_t)(ns / SP_NS_PER_S),
				 .tv_nsec = (long)(ns % SP_NS_PER_S)};
}

static void set_problem(struct sp_store_writer *w, const char *text)
{
	pthread_mutex_lock(&w->lock);
	snprintf(w->numbers.problem, sizeof(w->numbers.problem), "%s", text);
	w->numbers.is_open = w->store != NULL;
	pthread_mutex_unlock(&w->lock);
}

static void close_store(struct sp_store_writer *w)
{
	if (!w->store)
		return;
	w->config.ops->stop(w->config.arg);
	sp_store_close(w->store);
	w->store = NULL;
}

static int open_once(struct sp_store_writer *w, char **ret_text)
{
	int rc = sp_store_open(&w->config.store, &w->store, ret_text);

	if (rc)
		return rc;
	rc = w->config.ops->start(w->config.arg, w->store);
	if (!rc)
		return 0;
	if (asprintf(ret_text, "%s: failed to prepare %s: %s", w->config.name, w->config.store.path,
		     sp_store_error(w->store)) < 0)
		*ret_text = NULL;
	close_store(w);
	return rc;
}

static void set_aside(struct sp_store_writer *w)
{
	int rc = sp_store_set_aside(w->config.store.path);

	if (rc)
		sp_error("%s: failed to set aside %s: %s", w->config.name, w->config.store.path,
			 strerror(-rc));
	else
		sp_warning("%s: a broken store is now %s.broken, and a new one begins",
			   w->config.name, w->config.store.path);
}

static void open_store(struct sp_store_writer *w)
{
	_cleanup_free_ char *text = NULL;
	uint64_t now_ns = sp_clock_now_ns();
	int rc;

	if (w->store || now_ns < w->open_next_ns)
		return;
	w->open_next_ns = now_ns + REOPEN_NS;
	rc = open_once(w, &text);
	if (rc == -EBADMSG) {
		sp_error("%s: %s", w->config.name, text ? text : strerror(-rc));
		free(TAKE_PTR(text));
		set_aside(w);
		rc = open_once(w, &text);
	}
	if (rc)
		sp_error("%s: nothing is written, traffic goes on: %s", w->config.name,
			 text ? text : strerror(-rc));
	set_problem(w, !rc ? "" : text ? text : strerror(-rc));
}

static uint32_t take_batch(struct sp_store_writer *w)
{
	uint32_t count = 0;

	while (count < BATCH_MAX &&
	       sp_ring_pop(&w->queue, w->batch + (size_t)count * w->config.item_bytes))
		count++;
	return count;
}

static int write_batch(struct sp_store_writer *w, uint32_t count)
{
	int rc = sp_store_begin(w->store);

	if (rc)
		return rc;
	rc = w->config.ops->write(w->config.arg, w->batch, count);
	if (!rc)
		return sp_store_commit(w->store);
	sp_store_roll_back(w->store);
	return rc;
}

static void report_failure(struct sp_store_writer *w, const char *verb, int rc)
{
	char text[sizeof(w->numbers.problem)];

	snprintf(text, sizeof(text), "failed to %s %s: %s", verb, w->config.store.path,
		 rc == -ENOSPC ? "the disk or the size allowed is full" : strerror(-rc));
	sp_log_limited(&w->failures, SP_LOG_ERROR, "%s: %s", w->config.name, text);
	if (rc == -EBADMSG) {
		close_store(w);
		set_aside(w);
		w->open_next_ns = 0;
	}
	set_problem(w, text);
}

static void tidy(struct sp_store_writer *w)
{
	uint64_t used_bytes = 0, now_ns = sp_clock_now_ns();
	int rc = 0;

	if (!w->store || now_ns < w->tidy_next_ns)
		return;
	w->tidy_next_ns = now_ns + w->config.tidy_ms * SP_NS_PER_MS;
	if (w->config.ops->tidy)
		rc = w->config.ops->tidy(w->config.arg, w->store);
	if (!rc)
		rc = sp_store_used_bytes(w->store, &used_bytes);
	if (rc) {
		report_failure(w, "tidy", rc);
		return;
	}
	pthread_mutex_lock(&w->lock);
	w->numbers.used_bytes = used_bytes;
	pthread_mutex_unlock(&w->lock);
}

/* A full store is tidied at once: that is what makes room. */
static void write_all(struct sp_store_writer *w)
{
	uint32_t count;

	while ((count = take_batch(w))) {
		int rc = w->store ? write_batch(w, count) : -ENODEV;

		if (rc == -ENOSPC) {
			w->tidy_next_ns = 0;
			tidy(w);
			rc = w->store ? write_batch(w, count) : -ENODEV;
		}
		if (rc && rc != -ENODEV)
			report_failure(w, "write", rc);
		pthread_mutex_lock(&w->lock);
		if (rc)
			w->numbers.lost_store += count;
		else
			w->numbers.written += count;
		if (!rc)
			w->numbers.problem[0] = '\0';
		pthread_mutex_unlock(&w->lock);
	}
}

static void *run(void *arg)
{
	struct sp_store_writer *w = arg;
	uint64_t asked = 0;
	bool stopping = false;

	while (!stopping) {
		struct timespec until = after_ms(w->config.period_ms);

		open_store(w);
		pthread_mutex_lock(&w->lock);
		asked = w->flush_asked;
		pthread_mutex_unlock(&w->lock);
		write_all(w);
		tidy(w);
		pthread_mutex_lock(&w->lock);
		w->flush_done = asked;
		pthread_cond_broadcast(&w->flushed);
		while (!w->is_stopping && !w->wants_flush &&
		       pthread_cond_timedwait(&w->wake, &w->lock, &until) == 0)
			;
		w->wants_flush = false;
		stopping = w->is_stopping;
		pthread_mutex_unlock(&w->lock);
	}
	write_all(w);
	close_store(w);
	return NULL;
}

static int start_thread(struct sp_store_writer *w)
{
	pthread_condattr_t attr;
	sigset_t all, old;
	int rc;

	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_cond_init(&w->flushed, &attr);
	pthread_condattr_destroy(&attr);
	sigfillset(&all); /* signals are the loop's */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = -pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

static void free_writer(struct sp_store_writer *w)
{
	sp_ring_fini(&w->queue);
	free(w->batch);
	free(w);
}

int sp_store_writer_open(const struct sp_store_writer_config *config,
			 struct sp_store_writer **ret_writer)
{
	struct sp_store_writer *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return -ENOMEM;
	w->config = *config;
	w->batch = calloc(BATCH_MAX, config->item_bytes);
	rc = w->batch ? sp_ring_init(&w->queue, config->queue_max, config->item_bytes) : -ENOMEM;
	if (!rc)
		rc = start_thread(w);
	if (rc) {
		free_writer(w);
		return rc;
	}
	*ret_writer = w;
	return 0;
}

void sp_store_writer_close(struct sp_store_writer *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->is_stopping = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->wake);
	pthread_cond_destroy(&w->flushed);
	pthread_mutex_destroy(&w->lock);
	free_writer(w);
}

bool sp_store_writer_put(struct sp_store_writer *w, const void *item)
{
	uint32_t head = atomic_load_explicit(&w->queue.head, memory_order_relaxed);
	bool put = sp_ring_push(&w->queue, item);

	/* Once each time the quarter is filled, not for each item; a lost wake costs a period. */
	if (put && (head & (w->queue.mask / WAKE_FILLED)) == 0 &&
	    pthread_mutex_trylock(&w->lock) == 0) {
		w->wants_flush = true;
		pthread_cond_signal(&w->wake);
		pthread_mutex_unlock(&w->lock);
	}
	return put;
}

bool sp_store_writer_flush(struct sp_store_writer *w, uint32_t timeout_ms)
{
	struct timespec until = after_ms(timeout_ms);
	uint64_t ticket;
	bool done;

	pthread_mutex_lock(&w->lock);
	ticket = ++w->flush_asked;
	w->wants_flush = true;
	pthread_cond_signal(&w->wake);
	while (w->flush_done < ticket && pthread_cond_timedwait(&w->flushed, &w->lock, &until) == 0)
		;
	done = w->flush_done >= ticket;
	pthread_mutex_unlock(&w->lock);
	return done;
}

void sp_store_writer_numbers(struct sp_store_writer *w, struct sp_store_writer_numbers *ret_numbers)
{
	pthread_mutex_lock(&w->lock);
	*ret_numbers = w->numbers;
	pthread_mutex_unlock(&w->lock);
	ret_numbers->lost_queue = atomic_load_explicit(&w->queue.full, memory_order_relaxed);
}
