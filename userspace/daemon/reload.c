/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations come and go: reload, trial, confirmation, rollback, history (docs/reload.md). */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/diff.h"
#include "daemon/daemon.h"

#define RETRY_S 5.0 /* when the way back from a trial failed */

static __attribute__((format(printf, 1, 2))) char *text_of(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return text;
}

char *sp_daemon_mistakes(const struct sp_config_errors *errors)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream = open_memstream(&text, &bytes);

	if (!stream)
		return NULL;
	for (uint32_t i = 0; i < errors->count; i++)
		fprintf(stream, "%s%s", i ? "\n" : "", errors->list[i].text);
	if (errors->left_out)
		fprintf(stream, "\nand %u more", errors->left_out);
	fclose(stream);
	return text;
}

/* --- the history's side --- */

static const char *const *const_list(char **list)
{
	return (const char *const *)list;
}

static int open_history(struct sp_daemon *daemon, char **ret_text)
{
	const char *dir = daemon->config->gateway.state_dir;
	int rc = daemon->history ? 0 : sp_history_open(dir, &daemon->history);

	if (rc)
		*ret_text = text_of("history: failed to use gateway.state_dir \"%s\": %s: let "
				    "sallyportd write there, or name another directory and restart",
				    dir, strerror(-rc));
	return rc;
}

/* Is it what runs and stands in the history already? Then there is nothing new to remember. */
static bool is_known(const struct sp_daemon *daemon, const struct sp_config *config)
{
	const struct sp_history_entry *entry =
		sp_history_lookup(daemon->history, daemon->running.entry);
	struct sp_hash hash;

	if (!entry)
		return false;
	sp_history_hash(const_list(config->files), const_list(config->texts), config->text_count,
			&hash);
	return !memcmp(&hash, &entry->texts, sizeof(hash));
}

/* entry->number 0: nothing to write. */
static int prepare_entry(struct sp_daemon *daemon, const struct sp_config *config,
			 struct sp_history_entry *entry, char **ret_text)
{
	int rc = open_history(daemon, ret_text);

	if (rc)
		return rc;
	if (is_known(daemon, config) && entry->state == SP_HISTORY_APPLIED)
		return 0;
	rc = sp_history_prepare(daemon->history, entry, const_list(config->files),
				const_list(config->texts), config->text_count);
	if (rc) {
		entry->number = 0;
		*ret_text = text_of("history: failed to write to \"%s/history\": %s: %s",
				    daemon->config->gateway.state_dir, strerror(-rc),
				    rc == -EFBIG ? "the configuration is too large to be kept"
						 : "make room there and let sallyportd write");
	}
	return rc;
}

static void commit_entry(struct sp_daemon *daemon, const struct sp_history_entry *entry)
{
	int rc = entry->number ? sp_history_commit(daemon->history, entry) : 0;

	if (rc)
		sp_warning("history: failed to keep entry %" PRIu64 ", which is in force: %s",
			   entry->number, strerror(-rc));
	else if (entry->number)
		daemon->running.entry = entry->number;
}

static void set_state(struct sp_daemon *daemon, uint64_t number, enum sp_history_state state)
{
	int rc = number && daemon->history ? sp_history_set_state(daemon->history, number, state)
					   : 0;

	if (rc)
		sp_warning("history: failed to note what became of entry %" PRIu64 ": %s", number,
			   strerror(-rc));
}

/* --- one configuration takes another's place --- */

static void warn_about_restart(const struct sp_config_diff *diff)
{
	for (uint32_t i = 0; i < diff->count; i++) {
		const struct sp_config_change *change = &diff->list[i];

		if (change->at_restart)
			sp_warning("reload: %s: %s %s takes effect at the next restart",
				   change->section, change->name,
				   sp_config_change_name(change->kind));
	}
}

static void note_result(struct sp_daemon *daemon, int rc, const char *text)
{
	free(daemon->last_reload.error);
	daemon->last_reload =
		(struct sp_reload_result){.ok = !rc, .at_realtime_ns = sp_clock_realtime_ns()};
	if (!rc) {
		sp_info("reload: policy generation %u is in force",
			daemon->shared->gateway->generation);
		return;
	}
	sp_error("reload: refused, the running configuration stays: %s",
		 text ? text : strerror(-rc));
	daemon->last_reload.error = text ? strdup(text) : NULL;
}

/*
 * First the history, since a full disk must be met before anything takes effect. On success config
 * is the daemon's and ret_old (what ran) the caller's; on failure nothing has changed hands.
 */
static int exchange(struct sp_daemon *daemon, struct sp_config *config, const char *prefix,
		    struct sp_history_entry *entry, struct sp_config **ret_old, char **ret_text)
{
	struct sp_config_diff diff = {0};
	size_t used;
	int rc = sp_config_diff(daemon->config, config, &diff);

	entry->at_realtime_ns = sp_clock_realtime_ns();
	entry->generation = daemon->shared->gateway->generation + 1;
	used = (size_t)snprintf(entry->summary, sizeof(entry->summary), "%s", prefix);
	sp_config_diff_summary(&diff, entry->summary + used, sizeof(entry->summary) - used);
	if (!rc)
		rc = prepare_entry(daemon, config, entry, ret_text);
	if (!rc) {
		rc = sp_daemon_apply(daemon, daemon->config, config, ret_text);
		if (rc && entry->number)
			sp_history_cancel(daemon->history);
	}
	if (!rc) {
		commit_entry(daemon, entry);
		warn_about_restart(&diff);
		*ret_old = daemon->config;
		daemon->config = config;
		sp_config_forget_texts(config);
		sp_daemon_warn_policy(daemon);
	}
	sp_config_diff_fini(&diff);
	return rc;
}

/* --- trial: a configuration that must be confirmed --- */

void sp_daemon_forget_trial(struct sp_daemon *daemon)
{
	ev_timer_stop(daemon->loop, &daemon->trial.timer);
	sp_config_close(TAKE_PTR(daemon->trial.previous));
}

/* From memory, keys and all: neither the disk nor the files can stand in the way. */
static int end_trial(struct sp_daemon *daemon, char **ret_text)
{
	struct sp_trial_state *trial = &daemon->trial;
	uint64_t tried = daemon->running.entry;
	int rc = sp_daemon_apply(daemon, daemon->config, trial->previous, ret_text);

	if (rc)
		return rc;
	sp_config_close(daemon->config);
	daemon->config = TAKE_PTR(trial->previous);
	daemon->running = trial->previous_running;
	daemon->running.is_file = false;
	ev_timer_stop(daemon->loop, &trial->timer);
	set_state(daemon, tried, SP_HISTORY_ROLLED_BACK);
	return 0;
}

static void on_trial_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct sp_daemon *daemon = timer->data;
	_cleanup_free_ char *text = NULL;
	int rc;

	sp_warning("reload: nobody confirmed in time: the configuration before comes back");
	rc = end_trial(daemon, &text);
	note_result(daemon, rc, text);
	if (!rc) {
		daemon->last_reload.error =
			strdup("nobody confirmed in time: the configuration before came back");
		return;
	}
	ev_timer_set(timer, RETRY_S, 0.0);
	ev_timer_start(loop, timer);
}

static void begin_trial(struct sp_daemon *daemon, struct sp_config *previous,
			struct sp_running_state previous_running, uint32_t confirm_s)
{
	struct sp_trial_state *trial = &daemon->trial;

	trial->previous = previous;
	trial->previous_running = previous_running;
	trial->until_ns = sp_clock_now_ns() + confirm_s * SP_NS_PER_S;
	ev_now_update(daemon->loop);
	ev_timer_init(&trial->timer, on_trial_over, (double)confirm_s, 0.0);
	trial->timer.data = daemon;
	ev_timer_start(daemon->loop, &trial->timer);
}

int sp_daemon_confirm(struct sp_daemon *daemon, char **ret_text)
{
	if (!daemon->trial.previous) {
		*ret_text = text_of("no configuration waits for confirmation");
		return -ENOENT;
	}
	sp_daemon_forget_trial(daemon);
	set_state(daemon, daemon->running.entry, SP_HISTORY_CONFIRMED);
	sp_info("reload: the configuration is confirmed");
	return 0;
}

/* --- what is asked for --- */

static int refuse_during_trial(const struct sp_daemon *daemon, char **ret_text)
{
	if (!daemon->trial.previous)
		return 0;
	*ret_text = text_of("a configuration waits for confirmation: first `sallyport confirm` to "
			    "keep it, or `sallyport rollback` to have the one before back");
	return -EBUSY;
}

int sp_daemon_reload(struct sp_daemon *daemon, const struct sp_asker *who, uint32_t confirm_s,
		     char **ret_text)
{
	struct sp_history_entry entry = {.origin = who->origin, .uid = who->uid};
	struct sp_running_state before = daemon->running;
	struct sp_config *config = NULL, *old = NULL;
	struct sp_config_errors errors = {0};
	char *text = NULL;
	int rc = refuse_during_trial(daemon, &text);

	/* systemd.service(5), Type=notify-reload: hosts older than 253 ignore the time. */
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, sp_clock_now_ns() / 1000);

	entry.state = confirm_s ? SP_HISTORY_PENDING : SP_HISTORY_APPLIED;
	if (!rc) {
		rc = sp_config_open(daemon->config_path, &config, &errors);
		if (rc == -EINVAL)
			text = sp_daemon_mistakes(&errors);
		sp_config_errors_fini(&errors);
	}
	if (!rc)
		rc = exchange(daemon, config, "", &entry, &old, &text);
	sd_notify(0, rc ? "READY=1\nSTATUS=the last reload was refused"
			: "READY=1\nSTATUS=the configuration is in force");
	note_result(daemon, rc, text);
	if (rc) {
		sp_config_close(config);
		*ret_text = text;
		return rc;
	}
	daemon->running.is_file = true;
	if (confirm_s)
		begin_trial(daemon, old, before, confirm_s);
	else
		sp_config_close(old);
	return 0;
}

/* The newest good one before the running one that is not the same. 0: none. */
static uint64_t entry_before(const struct sp_daemon *daemon)
{
	const struct sp_history_entry *running, *list;
	uint32_t count;

	running = sp_history_lookup(daemon->history, daemon->running.entry);
	list = sp_history_list(daemon->history, &count);
	for (uint32_t i = count; i-- > 0;) {
		if (list[i].state == SP_HISTORY_ROLLED_BACK || &list[i] == running)
			continue;
		if (!running || (list[i].number < running->number &&
				 memcmp(&list[i].texts, &running->texts, sizeof(struct sp_hash))))
			return list[i].number;
	}
	return 0;
}

static int read_entry(struct sp_daemon *daemon, uint64_t number, struct sp_config **ret_config,
		      char **ret_text)
{
	_cleanup_(sp_history_texts_fini) struct sp_history_texts texts = {0};
	struct sp_config_errors errors = {0};
	int rc = sp_history_read(daemon->history, number, &texts);

	if (rc) {
		*ret_text = text_of("history: failed to read entry %" PRIu64 ": %s", number,
				    rc == -ENOENT    ? "there is none, see `sallyport history`"
				    : rc == -EBADMSG ? "it is not whole any more"
						     : strerror(-rc));
		return rc;
	}
	rc = sp_config_open_texts(const_list(texts.files), const_list(texts.texts), texts.count,
				  ret_config, &errors);
	if (rc == -EINVAL)
		*ret_text = sp_daemon_mistakes(&errors);
	sp_config_errors_fini(&errors);
	return rc;
}

static int roll_back_to(struct sp_daemon *daemon, const struct sp_asker *who, uint64_t number,
			char **ret_text)
{
	struct sp_history_entry entry = {.origin = who->origin, .uid = who->uid};
	struct sp_config *config = NULL, *old = NULL;
	uint64_t left = daemon->running.entry;
	char prefix[64];
	int rc = open_history(daemon, ret_text);

	if (!rc && !number)
		number = entry_before(daemon);
	if (!rc && !number) {
		*ret_text = text_of("the history holds no configuration before this one");
		rc = -ENOENT;
	}
	if (!rc)
		rc = read_entry(daemon, number, &config, ret_text);
	snprintf(prefix, sizeof(prefix), "rollback to %" PRIu64 ": ", number);
	if (!rc)
		rc = exchange(daemon, config, prefix, &entry, &old, ret_text);
	if (rc) {
		sp_config_close(config);
		return rc;
	}
	sp_config_close(old);
	daemon->running.is_file = false;
	if (left != daemon->running.entry)
		set_state(daemon, left, SP_HISTORY_ROLLED_BACK);
	return 0;
}

int sp_daemon_roll_back(struct sp_daemon *daemon, const struct sp_asker *who, uint64_t number,
			char **ret_text)
{
	int rc;

	if (daemon->trial.previous && !number)
		rc = end_trial(daemon, ret_text);
	else if (daemon->trial.previous)
		rc = refuse_during_trial(daemon, ret_text);
	else
		rc = roll_back_to(daemon, who, number, ret_text);
	note_result(daemon, rc, *ret_text);
	return rc;
}

/* --- the start --- */

/* The newest entry that was not taken back; *ret_taken_back: of the same texts as config. */
static uint64_t find_good(struct sp_daemon *daemon, const struct sp_config *config,
			  bool *ret_taken_back)
{
	const struct sp_history_entry *list;
	uint64_t good = 0;
	struct sp_hash hash;
	uint32_t count;

	*ret_taken_back = false;
	sp_history_hash(const_list(config->files), const_list(config->texts), config->text_count,
			&hash);
	list = sp_history_list(daemon->history, &count);
	for (uint32_t i = 0; i < count; i++) {
		/* Died before it was confirmed: the trial has failed. */
		if (list[i].state == SP_HISTORY_PENDING)
			set_state(daemon, list[i].number, SP_HISTORY_ROLLED_BACK);
		if (list[i].state != SP_HISTORY_ROLLED_BACK)
			good = list[i].number;
		if (!memcmp(&hash, &list[i].texts, sizeof(hash)))
			*ret_taken_back = list[i].state == SP_HISTORY_ROLLED_BACK;
	}
	return good;
}

void sp_daemon_choose_start(struct sp_daemon *daemon)
{
	_cleanup_free_ char *text = NULL;
	struct sp_config *config = NULL;
	bool taken_back;
	uint64_t good;

	daemon->running = (struct sp_running_state){.is_file = true};
	if (open_history(daemon, &text)) {
		sp_warning("%s", text ? text : "history: no memory");
		return;
	}
	good = find_good(daemon, daemon->config, &taken_back);
	daemon->running.entry = good;
	if (!taken_back || !good)
		return;
	if (read_entry(daemon, good, &config, &text)) {
		sp_warning("history: entry %" PRIu64 " cannot be used, the file is: %s", good,
			   text ? text : "?");
		return;
	}
	sp_warning("sallyportd: %s is a configuration that was taken back: entry %" PRIu64
		   " of the history runs until a reload",
		   daemon->config_path, good);
	sp_config_close(daemon->config);
	daemon->config = config;
	daemon->running.is_file = false;
}

void sp_daemon_record_start(struct sp_daemon *daemon)
{
	struct sp_history_entry entry = {.origin = SP_HISTORY_START,
					 .at_realtime_ns = sp_clock_realtime_ns(),
					 .generation = daemon->shared->gateway->generation,
					 .summary = "as the files said at the start"};
	_cleanup_free_ char *text = NULL;

	if (daemon->history && prepare_entry(daemon, daemon->config, &entry, &text))
		sp_warning("%s", text ? text : "history: no memory");
	commit_entry(daemon, &entry);
	sp_config_forget_texts(daemon->config);
}

/* --- what is shown --- */

json_t *sp_show_history(struct sp_daemon *daemon)
{
	static const char *const states[] = {[SP_HISTORY_APPLIED] = "applied",
					     [SP_HISTORY_PENDING] = "pending",
					     [SP_HISTORY_CONFIRMED] = "confirmed",
					     [SP_HISTORY_ROLLED_BACK] = "rolled back"};
	static const char *const origins[] = {[SP_HISTORY_START] = "start",
					      [SP_HISTORY_SIGNAL] = "signal",
					      [SP_HISTORY_CLIENT] = "client",
					      [SP_HISTORY_TIMER] = "timer"};
	const struct sp_history_entry *entries;
	json_t *list = json_array();
	uint32_t count = 0;

	if (daemon->history)
		entries = sp_history_list(daemon->history, &count);
	for (uint32_t i = count; i-- > 0;) {
		const struct sp_history_entry *e = &entries[i];
		bool client = e->origin == SP_HISTORY_CLIENT && e->uid != UINT32_MAX;

		json_array_append_new(
			list, json_pack("{s:I, s:I, s:I, s:s, s:o, s:s, s:b, s:s}", "entry",
					(json_int_t)e->number, "time",
					(json_int_t)(e->at_realtime_ns / SP_NS_PER_S), "generation",
					(json_int_t)e->generation, "by", origins[e->origin], "uid",
					client ? json_integer(e->uid) : json_null(), "result",
					states[e->state], "running",
					e->number == daemon->running.entry, "summary", e->summary));
	}
	return list;
}

json_t *sp_show_trial(struct sp_daemon *daemon)
{
	uint64_t now_ns = sp_clock_now_ns(), until_ns = daemon->trial.until_ns;

	if (!daemon->trial.previous)
		return json_null();
	return json_pack("{s:I, s:I}", "entry", (json_int_t)daemon->running.entry, "left_s",
			 (json_int_t)(until_ns > now_ns ? (until_ns - now_ns) / SP_NS_PER_S : 0));
}

json_t *sp_show_running(struct sp_daemon *daemon)
{
	return json_pack("{s:s, s:I}", "source", daemon->running.is_file ? "file" : "history",
			 "entry", (json_int_t)daemon->running.entry);
}
