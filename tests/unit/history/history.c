/* SPDX-License-Identifier: Apache-2.0 */
/* The history on a real disk: bounded, whole or not at all, and over restarts. */
#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "history/entry.h"
#include "history/history.h"

static char dir[] = "/tmp/sp-history-XXXXXX";
static struct sp_history *history;
static const char *const files[] = {"/etc/gw.conf", "/etc/conf.d/a.conf"};

static void set_up(void)
{
	cr_assert(mkdtemp(dir));
	sp_log_set_level(SP_LOG_ERROR);
	cr_assert_eq(sp_history_open(dir, &history), 0);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static void tear_down(void)
{
	sp_history_close(history);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void reopen(void)
{
	sp_history_close(history);
	history = NULL;
	cr_assert_eq(sp_history_open(dir, &history), 0);
}

static uint64_t add(const char *text)
{
	const char *const texts[] = {text, "groups = ();\n"};
	struct sp_history_entry entry = {.at_realtime_ns = 5,
					 .generation = 7,
					 .origin = SP_HISTORY_CLIENT,
					 .uid = 1000,
					 .summary = "rules 1 added"};

	cr_assert_eq(sp_history_prepare(history, &entry, files, texts, 2), 0);
	cr_assert_eq(sp_history_commit(history, &entry), 0);
	return entry.number;
}

static const char *path_of(const char *name)
{
	static char path[200];

	snprintf(path, sizeof(path), "%s/history/%s", dir, name);
	return path;
}

Test(history, gives_back_what_was_written_after_a_restart, .init = set_up, .fini = tear_down)
{
	static const char text[] = "gateway = { };\n# caf\xe9, not UTF-8\n\nend 00\n";
	struct sp_history_texts texts = {0};
	const struct sp_history_entry *entry;
	uint64_t number = add(text);
	uint32_t count;
	struct stat st;

	reopen();
	entry = sp_history_list(history, &count);
	cr_assert_eq(count, 1);
	cr_expect_eq(entry->number, number);
	cr_expect_eq(entry->generation, 7);
	cr_expect_eq(entry->uid, 1000);
	cr_expect_eq(entry->origin, SP_HISTORY_CLIENT);
	cr_expect_str_eq(entry->summary, "rules 1 added");
	cr_assert_eq(sp_history_read(history, number, &texts), 0);
	cr_assert_eq(texts.count, 2);
	cr_expect_str_eq(texts.files[1], files[1]);
	cr_expect_str_eq(texts.texts[0], text);
	sp_history_texts_fini(&texts);
	cr_assert_eq(stat(path_of(""), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700);
	cr_assert_eq(stat(path_of("0000000001.entry"), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
}

Test(history, holds_the_last_twenty_and_never_a_number_twice, .init = set_up, .fini = tear_down)
{
	const struct sp_history_entry *list;
	uint32_t count;
	char text[20];

	for (int i = 0; i < SP_HISTORY_MAX + 5; i++) {
		snprintf(text, sizeof(text), "# %d\n", i);
		cr_expect_eq(add(text), (uint64_t)i + 1);
	}
	reopen();
	list = sp_history_list(history, &count);
	cr_assert_eq(count, SP_HISTORY_MAX);
	cr_expect_eq(list[0].number, 6);
	cr_expect_eq(list[count - 1].number, 25);
	cr_expect(access(path_of("0000000005.entry"), F_OK) < 0);
	cr_expect_eq(add("# more\n"), 26);
}

Test(history, a_state_is_kept, .init = set_up, .fini = tear_down)
{
	uint64_t number = add("a");

	cr_assert_eq(sp_history_set_state(history, number, SP_HISTORY_ROLLED_BACK), 0);
	reopen();
	cr_expect_eq(sp_history_lookup(history, number)->state, SP_HISTORY_ROLLED_BACK);
	cr_expect_eq(sp_history_set_state(history, 99, SP_HISTORY_APPLIED), -ENOENT);
}

Test(history, what_was_cancelled_never_was, .init = set_up, .fini = tear_down)
{
	struct sp_history_entry entry = {.summary = "x"};
	const char *const texts[] = {"a", "b"};
	uint32_t count;

	cr_assert_eq(sp_history_prepare(history, &entry, files, texts, 2), 0);
	sp_history_cancel(history);
	sp_history_list(history, &count);
	cr_expect_eq(count, 0);
	/* A daemon that died between the two steps. */
	cr_assert_eq(sp_history_prepare(history, &entry, files, texts, 2), 0);
	cr_expect_eq(access(path_of("new.tmp"), F_OK), 0);
	reopen();
	sp_history_list(history, &count);
	cr_expect_eq(count, 0);
	cr_expect(access(path_of("new.tmp"), F_OK) < 0);
}

/* Each length but the whole one, and each byte but the right one, is no entry. */
Test(history, only_a_whole_entry_is_one)
{
	struct sp_history_entry entry = {.number = 3, .summary = "s"}, found;
	const char *const texts[] = {"abc\n", ""};
	struct sp_history_texts read = {0};
	char *bytes;
	size_t len;

	cr_assert_eq(sp_hash_probe(), 0);
	cr_assert_eq(sp_history_emit(&entry, files, texts, 2, &bytes, &len), 0);
	for (size_t cut = 0; cut < len; cut++)
		cr_assert_eq(sp_history_parse(bytes, cut, &found, &read), -EBADMSG, "%zu", cut);
	for (size_t at = 0; at < len; at++) {
		bytes[at] ^= 1;
		cr_assert_eq(sp_history_parse(bytes, len, &found, &read), -EBADMSG, "%zu", at);
		bytes[at] ^= 1;
	}
	cr_assert_eq(sp_history_parse(bytes, len, &found, &read), 0);
	cr_expect_eq(found.number, 3);
	cr_expect_str_eq(read.texts[0], "abc\n");
	cr_expect_str_eq(read.texts[1], "");
	sp_history_texts_fini(&read);
	free(bytes);
}

/* The hash is no secret: whoever can write there can make one that agrees with anything. */
Test(history, lengths_that_agree_with_nothing_are_refused)
{
	static const char *const bodies[] = {
		"file 99999 4\n/a\nabcd\n", "file 2 99999999999999999999\n/aabcd\n",
		"file 2 4\n/aabc\n",	    "file 2 -4\n/aabcd\n",
		"file 2\n/aabcd\n",	    "file 2 4\n/aabcd\nmore\n",
		"file 2 3\n/aabcd\n",	    "",
	};

	cr_assert_eq(sp_hash_probe(), 0);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		struct sp_history_texts read = {0};
		struct sp_history_entry found;
		struct sp_hash hash;
		char text[1000];
		int len = snprintf(text, sizeof(text),
				   "sallyport-history 1\nnumber 1\ntime 1\ngeneration 1\nstate 0\n"
				   "origin 0\nuid 0\ntexts %064d\nsummary s\nfiles 1\n%s",
				   0, bodies[i]);

		sp_hash(text, (size_t)len, "", 0, &hash);
		len += snprintf(text + len, sizeof(text) - (size_t)len, "end ");
		for (int b = 0; b < SP_HASH_BYTES; b++)
			len += snprintf(text + len, sizeof(text) - (size_t)len, "%02x", hash.b[b]);
		text[len++] = '\n';
		cr_expect_eq(sp_history_parse(text, (size_t)len, &found, &read), -EBADMSG,
			     "row %zu", i);
		cr_expect_null(read.files, "row %zu", i);
	}
}

Test(history, says_when_it_cannot_be_used)
{
	struct sp_history *none = NULL;

	cr_expect_eq(sp_history_open("/proc/nowhere", &none), -ENOENT);
	cr_expect_null(none);
}
