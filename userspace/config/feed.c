/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
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

void sp_config_feed_read(struct sp_config_reader *r, config_setting_t *setting, const char *path,
			 struct sp_config_prefixes *prefixes)
{
	_cleanup_free_ char *absolute = sp_config_path(r, setting, path);
	const char *file = absolute ? sp_config_file_add(r, absolute) : NULL;
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
