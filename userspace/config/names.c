/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/reader.h"
#include "sallyport/abi/base.h"

#define DISTANCE_LEN 40 /* longer words are not compared */

_Static_assert(SP_NAME_BYTES == 32, "a name and its NUL fill a name in the maps");

static bool is_name_char(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (!first && (c == '.' || c == '_' || c == '-'));
}

bool sp_config_name_valid(const char *text)
{
	size_t i;

	for (i = 0; text[i]; i++) {
		if (i >= SP_NAME_BYTES - 1 || !is_name_char(text[i], i == 0))
			return false;
	}
	return i > 0;
}

void sp_config_names_add(struct sp_config_reader *r, enum sp_config_section_id space,
			 const struct sp_config_name *name)
{
	struct sp_config_names *names = &r->names[space];
	struct sp_config_name *list = names->list;

	if ((names->count & (names->count - 1)) == 0) { /* full at each power of two */
		list = reallocarray(list, names->count ? (size_t)names->count * 2 : 1,
				    sizeof(*list));
		if (!list) {
			r->rc = -ENOMEM;
			return;
		}
		names->list = list;
	}
	list[names->count++] = *name;
}

static int compare_names(const void *a, const void *b)
{
	const struct sp_config_name *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	if (order)
		return order;
	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

void sp_config_names_sort(struct sp_config_names *names)
{
	if (names->count)
		qsort(names->list, names->count, sizeof(*names->list), compare_names);
}

void sp_config_names_check(struct sp_config_reader *r, const struct sp_config_names *names)
{
	for (uint32_t i = 1, first = 0; i < names->count; i++) {
		const struct sp_config_name *name = &names->list[i];
		struct sp_config_source at;

		if (strcmp(names->list[first].text, name->text)) {
			first = i;
			continue;
		}
		at = sp_config_source_of(names->list[first].setting);
		sp_config_expected(r, name->setting, "a name that is not taken yet (%s:%u)",
				   at.file, at.line);
	}
}

const struct sp_config_name *sp_config_names_lookup(const struct sp_config_names *names,
						    const char *text)
{
	uint32_t low = 0, high = names->count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int order = strcmp(names->list[mid].text, text);

		if (order == 0)
			return &names->list[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static unsigned int lowest(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

static bool is_same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Edits from one word to the other, two swapped letters being one; three rows at a time. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int rows[3][DISTANCE_LEN + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > DISTANCE_LEN || b_len > DISTANCE_LEN)
		return DISTANCE_LEN;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned int *row = rows[i % 3], *above = rows[(i + 2) % 3];
		const unsigned int *above2 = rows[(i + 1) % 3];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = lowest(lowest(above[j], row[j - 1]) + 1,
					above[j - 1] + !is_same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && is_same(a[i - 1], b[j - 2]) &&
			    is_same(a[i - 2], b[j - 1]))
				row[j] = lowest(row[j], above2[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

static void take_nearer(const char *word, const char *text, const char **best,
			unsigned int *best_distance)
{
	unsigned int d = distance(word, text);

	if (d < *best_distance) {
		*best_distance = d;
		*best = word;
	}
}

/* Nearer than a third of the word, and at most three edits, is worth saying. */
static unsigned int worth_saying(const char *text)
{
	size_t third = strlen(text) / 3;

	return third > 3 ? 4 : third < 1 ? 2 : (unsigned int)third + 1;
}

static const char *format_hint(const char *best, char buf[static SP_CONFIG_HINT])
{
	if (best)
		snprintf(buf, SP_CONFIG_HINT, "; did you mean \"%s\"?", best);
	else
		buf[0] = '\0';
	return buf;
}

const char *sp_config_names_hint(const struct sp_config_names *names, const char *text,
				 char buf[static SP_CONFIG_HINT])
{
	unsigned int best_distance = worth_saying(text);
	const char *best = NULL;

	for (uint32_t i = 0; i < names->count; i++)
		take_nearer(names->list[i].text, text, &best, &best_distance);
	return format_hint(best, buf);
}

const char *sp_config_words_hint(const char *const *words, uint32_t count, const char *text,
				 char buf[static SP_CONFIG_HINT])
{
	unsigned int best_distance = worth_saying(text);
	const char *best = NULL;

	for (uint32_t i = 0; i < count; i++)
		take_nearer(words[i], text, &best, &best_distance);
	return format_hint(best, buf);
}
