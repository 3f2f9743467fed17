/* SPDX-License-Identifier: Apache-2.0 */
#include "history/history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "history/entry.h"

#define SUFFIX	       ".entry"
#define NEW_NAME       "new.tmp"
#define NAME_MAX_BYTES 32

struct sp_history {
	char *dir;
	int dir_fd;
	struct sp_history_entry list[SP_HISTORY_MAX + 1]; /* oldest first */
	uint32_t count;
	uint64_t next; /* number */
};

static void format_name(uint64_t number, char name[static NAME_MAX_BYTES])
{
	snprintf(name, NAME_MAX_BYTES, "%010" PRIu64 SUFFIX, number);
}

static int read_all(int dir_fd, const char *name, char **ret_bytes, size_t *ret_len)
{
	_cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_free_ char *bytes = NULL;
	struct stat st;
	size_t len = 0;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > SP_HISTORY_BYTES_MAX)
		return -EBADMSG;
	bytes = malloc((size_t)st.st_size + 1);
	if (!bytes)
		return -ENOMEM;
	while (len < (size_t)st.st_size &&
	       (n = read(fd, bytes + len, (size_t)st.st_size - len)) > 0)
		len += (size_t)n;
	*ret_bytes = TAKE_PTR(bytes);
	*ret_len = len;
	return 0;
}

static int read_entry(int dir_fd, const char *name, struct sp_history_entry *ret_entry,
		      struct sp_history_texts *ret_texts)
{
	_cleanup_free_ char *bytes = NULL;
	size_t len = 0;
	int rc = read_all(dir_fd, name, &bytes, &len);

	return rc ? rc : sp_history_parse(bytes, len, ret_entry, ret_texts);
}

/* To the disk, before anything relies on it. */
static int write_all(int dir_fd, const char *name, const char *bytes, size_t len)
{
	_cleanup_close_ int fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int write_new(struct sp_history *h, const struct sp_history_entry *entry,
		     const char *const *files, const char *const *texts, uint32_t count)
{
	_cleanup_free_ char *bytes = NULL;
	size_t len = 0;
	int rc = sp_history_emit(entry, files, texts, count, &bytes, &len);

	if (!rc)
		rc = write_all(h->dir_fd, NEW_NAME, bytes, len);
	if (rc)
		unlinkat(h->dir_fd, NEW_NAME, 0);
	return rc;
}

static int publish_new(struct sp_history *h, uint64_t number)
{
	char name[NAME_MAX_BYTES];

	format_name(number, name);
	if (renameat(h->dir_fd, NEW_NAME, h->dir_fd, name) < 0)
		return -errno;
	return fsync(h->dir_fd) < 0 ? -errno : 0;
}

static void drop_oldest(struct sp_history *h)
{
	char name[NAME_MAX_BYTES];

	format_name(h->list[0].number, name);
	unlinkat(h->dir_fd, name, 0);
	h->count--;
	memmove(&h->list[0], &h->list[1], h->count * sizeof(h->list[0]));
}

static int is_entry(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name), suffix = sizeof(SUFFIX) - 1;

	return entry->d_name[0] >= '0' && entry->d_name[0] <= '9' && len > suffix &&
	       !strcmp(entry->d_name + len - suffix, SUFFIX);
}

/* A broken entry stays on disk for whoever wants to look, but its number is not used again. */
static void load_entry(struct sp_history *h, const char *name)
{
	_cleanup_(sp_history_texts_fini) struct sp_history_texts texts = {0};
	uint64_t number = strtoull(name, NULL, 10);
	struct sp_history_entry entry;
	char wanted[NAME_MAX_BYTES];
	int rc = read_entry(h->dir_fd, name, &entry, &texts);

	if (number >= h->next && number < UINT64_MAX / 20)
		h->next = number + 1;
	format_name(number, wanted);
	if (!rc && (entry.number != number || strcmp(wanted, name)))
		rc = -EBADMSG;
	if (rc) {
		sp_warning("history: failed to read %s/%s, which is left out: %s", h->dir, name,
			   rc == -EBADMSG ? "it is not whole" : strerror(-rc));
		return;
	}
	if (h->count == SP_HISTORY_MAX)
		drop_oldest(h);
	h->list[h->count++] = entry;
}

static int load(struct sp_history *h)
{
	struct dirent **names = NULL;
	int n = scandir(h->dir, &names, is_entry, alphasort);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		load_entry(h, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	unlinkat(h->dir_fd, NEW_NAME, 0); /* of a daemon that died while it wrote */
	return 0;
}

int sp_history_open(const char *dir, struct sp_history **ret_history)
{
	struct sp_history *h = calloc(1, sizeof(*h));
	int rc = sp_hash_probe();

	if (!h)
		return -ENOMEM;
	h->next = 1;
	h->dir_fd = -1;
	if (asprintf(&h->dir, "%s/history", dir) < 0) {
		h->dir = NULL;
		rc = -ENOMEM;
	}
	if (!rc && ((mkdir(dir, 0700) < 0 && errno != EEXIST) ||
		    (mkdir(h->dir, 0700) < 0 && errno != EEXIST) ||
		    (h->dir_fd = open(h->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0))
		rc = -errno;
	if (!rc)
		rc = load(h);
	if (rc) {
		sp_history_close(h);
		return rc;
	}
	*ret_history = h;
	return 0;
}

void sp_history_close(struct sp_history *h)
{
	if (!h)
		return;
	if (h->dir_fd >= 0)
		close(h->dir_fd);
	free(h->dir);
	free(h);
}

const struct sp_history_entry *sp_history_list(const struct sp_history *h, uint32_t *ret_count)
{
	*ret_count = h->count;
	return h->list;
}

const struct sp_history_entry *sp_history_lookup(const struct sp_history *h, uint64_t number)
{
	for (uint32_t i = 0; i < h->count; i++) {
		if (h->list[i].number == number)
			return &h->list[i];
	}
	return NULL;
}

int sp_history_prepare(struct sp_history *h, struct sp_history_entry *entry,
		       const char *const *files, const char *const *texts, uint32_t count)
{
	entry->number = h->next;
	sp_history_hash(files, texts, count, &entry->texts);
	return write_new(h, entry, files, texts, count);
}

int sp_history_commit(struct sp_history *h, const struct sp_history_entry *entry)
{
	int rc = publish_new(h, entry->number);

	h->next = entry->number + 1;
	if (rc)
		return rc;
	h->list[h->count++] = *entry;
	if (h->count > SP_HISTORY_MAX)
		drop_oldest(h);
	return 0;
}

void sp_history_cancel(struct sp_history *h)
{
	unlinkat(h->dir_fd, NEW_NAME, 0);
}

int sp_history_read(const struct sp_history *h, uint64_t number, struct sp_history_texts *ret_texts)
{
	struct sp_history_texts texts = {0};
	struct sp_history_entry entry;
	char name[NAME_MAX_BYTES];
	int rc;

	if (!sp_history_lookup(h, number))
		return -ENOENT;
	format_name(number, name);
	rc = read_entry(h->dir_fd, name, &entry, &texts);
	if (!rc)
		*ret_texts = texts;
	return rc;
}

int sp_history_set_state(struct sp_history *h, uint64_t number, enum sp_history_state state)
{
	struct sp_history_entry *entry = (struct sp_history_entry *)sp_history_lookup(h, number);
	_cleanup_(sp_history_texts_fini) struct sp_history_texts texts = {0};
	int rc;

	if (!entry)
		return -ENOENT;
	entry->state = state;
	rc = sp_history_read(h, number, &texts);
	if (!rc)
		rc = write_new(h, entry, (const char *const *)texts.files,
			       (const char *const *)texts.texts, texts.count);
	return rc ? rc : publish_new(h, number);
}
