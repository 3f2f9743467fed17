/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/feed.h"
#include "config/fields.h"

#define PREFIXES_MAX (2u << 20) /* of one destination */
#define MISTAKES_MAX 20		/* named of one file */
#define ROOM_FIRST   64u

bool sp_config_prefixes_add(struct sp_config_reader *r, struct sp_config_prefixes *prefixes,
			    const struct sp_prefix *prefix)
{
	if (prefixes->count == prefixes->room) {
		uint32_t room = prefixes->room ? prefixes->room * 2 : ROOM_FIRST;
		struct sp_prefix *list = reallocarray(prefixes->list, room, sizeof(*list));

		if (!list) {
			r->rc = -ENOMEM;
			return false;
		}
		prefixes->list = list;
		prefixes->room = room;
	}
	prefixes->list[prefixes->count++] = *prefix;
	return true;
}

/* The word of the line, its end cut off; empty when there is none. */
static char *word_of(char *line)
{
	char *end;

	line[strcspn(line, "#")] = '\0';
	line += strspn(line, " \t\r");
	end = line + strlen(line);
	while (end > line && strchr(" \t\r", end[-1]))
		*--end = '\0';
	return line;
}

/* False: not a prefix, and said so unless enough has been said. */
static bool take_line(struct sp_config_reader *r, const char *file, unsigned int number,
		      const char *word, bool silent, struct sp_config_prefixes *prefixes)
{
	struct sp_prefix prefix;
	int rc = sp_prefix_parse(word, &prefix);

	if (!rc)
		return sp_config_prefixes_add(r, prefixes, &prefix);
	if (!silent)
		sp_config_mistake_at(
			r, file, number,
			rc == -EDOM ? "found \"%.64s\", expected no bits set behind the length"
				    : "found \"%.64s\", expected an address or a prefix",
			word);
	return false;
}

static void read_lines(struct sp_config_reader *r, const char *file, char *text,
		       struct sp_config_prefixes *prefixes)
{
	unsigned int number = 0, wrong = 0, last = 0;
	char *line;

	while ((line = strsep(&text, "\n")) && !r->rc) {
		char *word = word_of(line);

		number++;
		if (!*word)
			continue;
		if (prefixes->count >= PREFIXES_MAX) {
			sp_config_mistake_at(r, file, number,
					     "found more prefixes, expected at most %u in one "
					     "destination",
					     PREFIXES_MAX);
			return;
		}
		if (take_line(r, file, number, word, wrong >= MISTAKES_MAX, prefixes))
			continue;
		wrong++;
		last = number;
	}
	if (wrong > MISTAKES_MAX)
		sp_config_mistake_at(r, file, last, "found %u more lines that are no prefixes",
				     wrong - MISTAKES_MAX);
}

static void read_feed(struct sp_config_reader *r, const char *path,
		      struct sp_config_prefixes *prefixes)
{
	const char *file = sp_config_file_add(r, path);
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (!file)
		return;
	text = sp_config_file_read(r, file, &len);
	if (!text)
		return;
	if (strlen(text) != len)
		sp_config_mistake_at(r, file, 0, "found a binary file, expected prefixes");
	else
		read_lines(r, file, text, prefixes);
}

void sp_config_feeds_join(struct sp_config_reader *r,
			  const struct sp_config_destination *destination,
			  struct sp_prefix **ret_prefixes, uint32_t *ret_count)
{
	struct sp_config_prefixes prefixes = {0};
	struct sp_prefix *list = NULL;
	uint32_t count;

	for (uint32_t i = 0; i < destination->listed_count && !r->rc; i++)
		sp_config_prefixes_add(r, &prefixes, &destination->listed[i]);
	for (uint32_t i = 0; i < destination->feed_count && !r->rc; i++)
		read_feed(r, destination->feeds[i], &prefixes);
	list = prefixes.list;
	count = prefixes.count;
	sp_config_families_part(r, &list, &count);
	*ret_prefixes = list;
	*ret_count = count;
}

void sp_config_feeds_fini(struct sp_config_feeds *feeds)
{
	for (uint32_t i = 0; i < feeds->count; i++)
		free(feeds->list[i].prefixes);
	free(feeds->list);
	*feeds = (struct sp_config_feeds){0};
}

static void read_all(struct sp_config_reader *r, const struct sp_config *config,
		     struct sp_config_feeds *feeds)
{
	for (uint32_t i = 0; i < config->destination_count && !r->rc; i++) {
		const struct sp_config_destination *destination = &config->destinations[i];
		struct sp_config_feed_prefixes *to = &feeds->list[feeds->count];

		if (!destination->feed_count)
			continue;
		to->destination = i;
		sp_config_feeds_join(r, destination, &to->prefixes, &to->count);
		feeds->prefix_count += to->count - destination->listed_count;
		feeds->file_count += destination->feed_count;
		feeds->count++;
	}
}

int sp_config_feeds_read(const struct sp_config *config, struct sp_config_feeds *ret_feeds,
			 struct sp_config_errors *ret_errors)
{
	struct sp_config_reader r = {0};
	struct sp_config_feeds feeds = {0};
	int rc;

	*ret_errors = (struct sp_config_errors){0};
	feeds.list = calloc(config->destination_count + 1u, sizeof(*feeds.list));
	if (!feeds.list)
		return -ENOMEM;
	read_all(&r, config, &feeds);
	rc = r.rc ? r.rc : r.errors.count ? -EINVAL : 0;
	if (rc == -EINVAL) {
		r.errors.files = TAKE_PTR(r.files);
		r.errors.file_count = r.file_count;
		r.file_count = 0;
		sp_config_errors_sort(&r.errors);
		*ret_errors = r.errors;
		r.errors = (struct sp_config_errors){0};
	}
	sp_config_documents_fini(&r);
	sp_config_errors_fini(&r.errors);
	if (rc)
		sp_config_feeds_fini(&feeds);
	else
		*ret_feeds = feeds;
	return rc;
}

void sp_config_feeds_swap(struct sp_config *config, struct sp_config_feeds *feeds)
{
	for (uint32_t i = 0; i < feeds->count; i++) {
		struct sp_config_feed_prefixes *f = &feeds->list[i];
		struct sp_config_destination *d = &config->destinations[f->destination];
		struct sp_prefix *prefixes = d->prefixes;
		uint32_t count = d->prefix_count;

		d->prefixes = f->prefixes;
		d->prefix_count = f->count;
		f->prefixes = prefixes;
		f->count = count;
	}
}
