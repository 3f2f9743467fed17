/* SPDX-License-Identifier: Apache-2.0 */
/* The form of an entry on disk (docs/reload.md): lines, then files by length, then a hash of it all. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "history/entry.h"

#define MAGIC	    "sallyport-history 1\n"
#define FILES_MAX   65537u
#define HASH_HEX    (2 * SP_HASH_BYTES)
#define END_BYTES   (sizeof("end \n") - 1 + HASH_HEX)
#define END_PATTERN "end "

void sp_history_texts_fini(struct sp_history_texts *texts)
{
	for (uint32_t i = 0; i < texts->count; i++) {
		if (texts->files)
			free(texts->files[i]);
		if (texts->texts)
			free(texts->texts[i]);
	}
	free(texts->files);
	free(texts->texts);
	*texts = (struct sp_history_texts){0};
}

void sp_history_hash(const char *const *files, const char *const *texts, uint32_t count,
		     struct sp_hash *ret_hash)
{
	struct sp_hash sum = {0}, part;

	for (uint32_t i = 0; i < count; i++) {
		sp_hash(files[i], strlen(files[i]), "", 0, &part);
		sp_hash(&sum, sizeof(sum), &part, sizeof(part), &sum);
		sp_hash(texts[i], strlen(texts[i]), "", 0, &part);
		sp_hash(&sum, sizeof(sum), &part, sizeof(part), &sum);
	}
	*ret_hash = sum;
}

static void put_hash(const struct sp_hash *hash, char hex[static HASH_HEX + 1])
{
	for (size_t i = 0; i < SP_HASH_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash->b[i]);
}

int sp_history_emit(const struct sp_history_entry *entry, const char *const *files,
		    const char *const *texts, uint32_t count, char **ret_bytes, size_t *ret_len)
{
	_cleanup_free_ char *bytes = NULL;
	char hex[HASH_HEX + 1];
	struct sp_hash hash;
	size_t len = 0;
	FILE *out = open_memstream(&bytes, &len);

	if (!out)
		return -ENOMEM;
	put_hash(&entry->texts, hex);
	fprintf(out, MAGIC "number %" PRIu64 "\ntime %" PRIu64 "\ngeneration %u\nstate %d\n",
		entry->number, entry->at_realtime_ns, entry->generation, entry->state);
	fprintf(out, "origin %d\nuid %u\ntexts %s\nsummary %s\nfiles %u\n", entry->origin,
		entry->uid, hex, entry->summary, count);
	for (uint32_t i = 0; i < count; i++)
		fprintf(out, "file %zu %zu\n%s%s\n", strlen(files[i]), strlen(texts[i]), files[i],
			texts[i]);
	fflush(out);
	sp_hash(bytes, len, "", 0, &hash);
	put_hash(&hash, hex);
	fprintf(out, END_PATTERN "%s\n", hex);
	if (ferror(out)) {
		fclose(out);
		return -ENOMEM;
	}
	fclose(out);
	if (len > SP_HISTORY_BYTES_MAX)
		return -EFBIG;
	*ret_bytes = TAKE_PTR(bytes);
	*ret_len = len;
	return 0;
}

struct cursor {
	const char *at, *end;
	bool bad;
};

/* The rest of the line behind "key ", or NULL. */
static const char *take_line(struct cursor *c, const char *key, size_t *ret_len)
{
	size_t left = (size_t)(c->end - c->at), key_len = strlen(key);
	const char *newline = c->bad ? NULL : memchr(c->at, '\n', left);
	const char *value = c->at + key_len + 1;

	if (!newline || value > newline || memcmp(c->at, key, key_len) || value[-1] != ' ') {
		c->bad = true;
		return NULL;
	}
	*ret_len = (size_t)(newline - value);
	c->at = newline + 1;
	return value;
}

/* Digits up to stop. */
static uint64_t parse_number(struct cursor *c, const char **text, const char *stop, uint64_t max)
{
	uint64_t value = 0;

	if (*text == stop || **text < '0' || **text > '9')
		c->bad = true;
	for (; *text < stop && **text >= '0' && **text <= '9' && !c->bad; (*text)++) {
		value = value * 10 + (uint64_t)(**text - '0');
		if (value > max || value > UINT64_MAX / 10 - 1)
			c->bad = true;
	}
	return c->bad ? 0 : value;
}

static uint64_t take_number(struct cursor *c, const char *key, uint64_t max)
{
	size_t len = 0;
	const char *text = take_line(c, key, &len), *stop = text + len;
	uint64_t value;

	if (!text)
		return 0;
	value = parse_number(c, &text, stop, max);
	if (text != stop)
		c->bad = true;
	return c->bad ? 0 : value;
}

static void take_hash(struct cursor *c, const char *key, struct sp_hash *ret_hash)
{
	size_t len = 0;
	const char *text = take_line(c, key, &len);

	if (!text || len != HASH_HEX) {
		c->bad = true;
		return;
	}
	for (size_t i = 0; i < SP_HASH_BYTES; i++) {
		unsigned int byte;

		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			c->bad = true;
		else
			ret_hash->b[i] = (uint8_t)byte;
	}
}

static char *take_bytes(struct cursor *c, uint64_t len)
{
	char *copy;

	if (c->bad || len > (uint64_t)(c->end - c->at) || memchr(c->at, '\0', len)) {
		c->bad = true;
		return NULL;
	}
	copy = strndup(c->at, len);
	c->at += len;
	return copy;
}

static int take_file(struct cursor *c, struct sp_history_texts *texts, uint32_t i)
{
	size_t len = 0;
	const char *text = take_line(c, "file", &len), *stop = text + len;
	uint64_t name_len, text_len;

	if (!text)
		return -EBADMSG;
	name_len = parse_number(c, &text, stop, 65536);
	if (c->bad || text == stop || *text++ != ' ')
		return -EBADMSG;
	text_len = parse_number(c, &text, stop, SP_HISTORY_BYTES_MAX);
	if (c->bad || text != stop)
		return -EBADMSG;
	texts->files[i] = take_bytes(c, name_len);
	texts->texts[i] = take_bytes(c, text_len);
	if (c->bad || c->at == c->end || *c->at++ != '\n')
		return -EBADMSG;
	return texts->files[i] && texts->texts[i] ? 0 : -ENOMEM;
}

static int take_files(struct cursor *c, uint32_t count, struct sp_history_texts *texts)
{
	int rc = 0;

	texts->files = calloc(count + 1u, sizeof(*texts->files));
	texts->texts = calloc(count + 1u, sizeof(*texts->texts));
	texts->count = texts->files && texts->texts ? count : 0;
	if (!texts->count)
		return -ENOMEM;
	for (uint32_t i = 0; i < count && !rc; i++)
		rc = take_file(c, texts, i);
	return rc;
}

static bool is_whole(const char *bytes, size_t len)
{
	char hex[HASH_HEX + 1];
	struct sp_hash hash;

	if (len < sizeof(MAGIC) + END_BYTES || len > SP_HISTORY_BYTES_MAX ||
	    memcmp(bytes, MAGIC, sizeof(MAGIC) - 1))
		return false;
	sp_hash(bytes, len - END_BYTES, "", 0, &hash);
	put_hash(&hash, hex);
	return bytes[len - 1] == '\n' &&
	       !memcmp(bytes + len - END_BYTES, END_PATTERN, sizeof(END_PATTERN) - 1) &&
	       !memcmp(bytes + len - HASH_HEX - 1, hex, HASH_HEX);
}

static void take_summary(struct cursor *c, char summary[static SP_HISTORY_SUMMARY])
{
	size_t len = 0;
	const char *text = take_line(c, "summary", &len);

	if (!text || len >= SP_HISTORY_SUMMARY || memchr(text, '\0', len)) {
		c->bad = true;
		return;
	}
	memcpy(summary, text, len);
}

int sp_history_parse(const char *bytes, size_t len, struct sp_history_entry *ret_entry,
		     struct sp_history_texts *ret_texts)
{
	struct cursor c = {.at = bytes + sizeof(MAGIC) - 1, .end = bytes + len - END_BYTES};
	_cleanup_(sp_history_texts_fini) struct sp_history_texts texts = {0};
	struct sp_history_entry entry = {0};
	uint32_t files;
	int rc;

	if (!is_whole(bytes, len))
		return -EBADMSG;
	entry.number = take_number(&c, "number", UINT64_MAX);
	entry.at_realtime_ns = take_number(&c, "time", UINT64_MAX);
	entry.generation = (uint32_t)take_number(&c, "generation", UINT32_MAX);
	entry.state = (enum sp_history_state)take_number(&c, "state", SP_HISTORY_ROLLED_BACK);
	entry.origin = (enum sp_history_origin)take_number(&c, "origin", SP_HISTORY_TIMER);
	entry.uid = (uint32_t)take_number(&c, "uid", UINT32_MAX);
	take_hash(&c, "texts", &entry.texts);
	take_summary(&c, entry.summary);
	files = (uint32_t)take_number(&c, "files", FILES_MAX);
	if (c.bad || !files)
		return -EBADMSG;
	rc = take_files(&c, files, &texts);
	if (!rc && c.at != c.end)
		rc = -EBADMSG;
	if (rc)
		return rc;
	*ret_entry = entry;
	*ret_texts = texts;
	texts = (struct sp_history_texts){0};
	return 0;
}
