/* SPDX-License-Identifier: Apache-2.0 */
#include "config/diff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/reader.h"
#include "config/written.h"

#define VALUE_MAX 160 /* of one value in a detail; the rest is "..." */

struct differ {
	const struct sp_config *old, *new;
	struct sp_config_diff diff;
	uint32_t room;
	int rc;
};

/* What the daemon reads only when it starts. */
static const char *const gateway_at_restart[] = {"workers",   "flows_max",	  "sessions_max",
						 "rules_max", "policy_nodes_max", "attach",
						 "aead",      "transmit",	  "control",
						 "metrics",   "state_dir",	  "records"};

static bool is_at_restart(const char *section, const char *key)
{
	if (strcmp(section, "gateway"))
		return !strcmp(section, "interfaces");
	for (size_t i = 0; i < sizeof(gateway_at_restart) / sizeof(*gateway_at_restart); i++) {
		if (!strcmp(key, gateway_at_restart[i]))
			return true;
	}
	return false;
}

/* Takes over detail. */
static void add_change(struct differ *d, enum sp_config_change_kind kind, const char *section,
		       const char *name, struct sp_config_source source, char *detail)
{
	struct sp_config_change *list = d->diff.list;
	char *copy = strdup(name);

	if (d->diff.count == d->room) {
		d->room = d->room ? 2 * d->room : 16;
		list = reallocarray(list, d->room, sizeof(*list));
		if (list)
			d->diff.list = list;
	}
	if (!list || !copy || d->rc) {
		d->rc = -ENOMEM;
		free(copy);
		free(detail);
		return;
	}
	list[d->diff.count++] =
		(struct sp_config_change){.kind = kind,
					  .section = section,
					  .name = copy,
					  .detail = detail,
					  .source = source,
					  .at_restart = is_at_restart(section, name)};
}

/* --- details: two texts of "key = value" lines in the order of the keys --- */

struct line {
	const char *key, *value; /* value ends at the newline */
	size_t key_len, value_len;
};

static bool next_line(const char **text, struct line *ret)
{
	const char *end = strchr(*text, '\n'), *equals;

	if (!end)
		return false;
	equals = strstr(*text, " = ");
	ret->key = *text;
	ret->key_len = (size_t)(equals - *text);
	ret->value = equals + 3;
	ret->value_len = (size_t)(end - ret->value);
	*text = end + 1;
	return true;
}

static void put_cut(FILE *out, const char *value, size_t len)
{
	fprintf(out, "%.*s%s", (int)(len > VALUE_MAX ? VALUE_MAX : len), value,
		len > VALUE_MAX ? "..." : "");
}

struct words {
	char *copy;
	char **list;
	size_t count;
};

static void words_fini(struct words *w)
{
	free(w->copy);
	free(w->list);
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool split(const char *value, size_t len, struct words *w)
{
	char *at, *comma;
	size_t count = 1;

	w->copy = strndup(value, len);
	if (!w->copy)
		return false;
	for (at = w->copy; (at = strstr(at, ", ")); at += 2)
		count++;
	w->list = calloc(count, sizeof(*w->list));
	if (!w->list)
		return false;
	for (at = w->copy; at; at = comma) {
		comma = strstr(at, ", ");
		if (comma) {
			*comma = '\0';
			comma += 2;
		}
		w->list[w->count++] = at;
	}
	qsort(w->list, w->count, sizeof(*w->list), compare_words);
	return true;
}

/* "+new -old", up to VALUE_MAX characters; "in another order" when the words are the same. */
static void put_words(FILE *out, const struct words *a, const struct words *b)
{
	size_t i = 0, j = 0, used = 0, left_out = 0;

	while (i < a->count || j < b->count) {
		int order = i == a->count ? 1 : j == b->count ? -1 : strcmp(a->list[i], b->list[j]);

		if (order && used > VALUE_MAX)
			left_out++;
		else if (order)
			used += (size_t)fprintf(out, "%s%c%s", used ? " " : "",
						order < 0 ? '-' : '+',
						order < 0 ? a->list[i] : b->list[j]);
		i += order <= 0;
		j += order >= 0;
	}
	if (left_out)
		fprintf(out, " and %zu more", left_out);
	if (!used)
		fputs("in another order", out);
}

static void put_values(struct differ *d, FILE *out, const struct line *a, const struct line *b)
{
	_cleanup_(words_fini) struct words x = {0}, y = {0};
	bool lists =
		memmem(a->value, a->value_len, ", ", 2) || memmem(b->value, b->value_len, ", ", 2);

	if (lists && (memchr(a->value, '{', a->value_len) || memchr(b->value, '{', b->value_len)))
		lists = false;
	if (!lists) {
		put_cut(out, a->value, a->value_len);
		fputs(" -> ", out);
		put_cut(out, b->value, b->value_len);
		return;
	}
	if (split(a->value, a->value_len, &x) && split(b->value, b->value_len, &y))
		put_words(out, &x, &y);
	else
		d->rc = -ENOMEM;
}

static int compare_lines(const struct line *a, const struct line *b)
{
	size_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
	int order = memcmp(a->key, b->key, len);

	return order ? order : (int)a->key_len - (int)b->key_len;
}

/* Calls put for each key that differs, with NULL for the side that does not have it. */
static void each_difference(struct differ *d, const char *old, const char *new,
			    void (*put)(struct differ *, const struct line *, const struct line *,
					void *),
			    void *arg)
{
	struct line a, b;
	bool has_a = next_line(&old, &a), has_b = next_line(&new, &b);

	while (has_a || has_b) {
		int order = !has_a ? 1 : !has_b ? -1 : compare_lines(&a, &b);

		if (order || a.value_len != b.value_len || memcmp(a.value, b.value, a.value_len))
			put(d, order <= 0 ? &a : NULL, order >= 0 ? &b : NULL, arg);
		if (order <= 0)
			has_a = next_line(&old, &a);
		if (order >= 0)
			has_b = next_line(&new, &b);
	}
}

static void put_difference(struct differ *d, const struct line *a, const struct line *b, void *arg)
{
	const struct line *named = a ? a : b;
	FILE *out = arg;

	fprintf(out, "%s%.*s: ", ftell(out) ? "; " : "", (int)named->key_len, named->key);
	if (a && b) {
		put_values(d, out, a, b);
	} else {
		fputs(a ? "was " : "now ", out);
		put_cut(out, named->value, named->value_len);
	}
}

/* extra: what the files behind the texts say differently, or NULL. NULL: nothing differs. */
static char *detail_of(struct differ *d, const char *old, const char *new, const char *extra)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out;

	if (!extra && !strcmp(old, new))
		return NULL;
	out = open_memstream(&text, &bytes);
	if (!out) {
		d->rc = -ENOMEM;
		return NULL;
	}
	each_difference(d, old, new, put_difference, out);
	if (extra)
		fprintf(out, "%s%s", ftell(out) ? "; " : "", extra);
	if (fclose(out)) {
		free(text);
		d->rc = -ENOMEM;
		return NULL;
	}
	return text;
}

/* --- the sections --- */

/* Objects by name; without one, what is written is the name. */
static const char *item_name(const struct sp_config_item *item)
{
	return item->name ? item->name : item->text;
}

static int compare_items(const void *a, const void *b)
{
	const struct sp_config_item *x = *(const struct sp_config_item *const *)a;
	const struct sp_config_item *y = *(const struct sp_config_item *const *)b;
	int order = strcmp(item_name(x), item_name(y));

	return order ? order : x < y ? -1 : x > y;
}

/* "as = alice, expect = allow, to = ..." for who has no name. Returns buf or the name. */
static const char *shown_name(const struct sp_config_item *item, char buf[static VALUE_MAX])
{
	if (item->name)
		return item->name;
	snprintf(buf, VALUE_MAX, "%s", item->text);
	for (char *p = buf; *p; p++) {
		if (*p == '\n')
			*p = p[1] ? ';' : '\0';
	}
	return buf;
}

static const struct sp_config_item **sorted(const struct sp_config_written *written)
{
	const struct sp_config_item **list = calloc(written->count + 1u, sizeof(*list));

	for (uint32_t i = 0; list && i < written->count; i++)
		list[i] = &written->items[i];
	if (list)
		qsort(list, written->count, sizeof(*list), compare_items);
	return list;
}

/* Same words, but the file they name holds something else. The old and new indexes are known. */
static const char *hidden_change(const struct differ *d, uint32_t section, uint32_t a, uint32_t b)
{
	if (section == SP_SECTION_WIREGUARD &&
	    !sp_secret_equal(&d->old->wireguards[a].private_key, &d->new->wireguards[b].private_key,
			     sizeof(struct sp_key)))
		return "another private key";
	if (section == SP_SECTION_PEER &&
	    !sp_secret_equal(&d->old->peers[a].preshared_key, &d->new->peers[b].preshared_key,
			     sizeof(struct sp_key)))
		return "another preshared key";
	if (section == SP_SECTION_DESTINATION) {
		const struct sp_config_destination *x = &d->old->destinations[a];
		const struct sp_config_destination *y = &d->new->destinations[b];

		if (!strcmp(d->old->written[section].items[a].text,
			    d->new->written[section].items[b].text) &&
		    (x->prefix_count != y->prefix_count ||
		     memcmp(x->prefixes, y->prefixes, x->prefix_count * sizeof(*x->prefixes))))
			return "other prefixes in its files";
	}
	return NULL;
}

/* place[] of each new item: its position in the old list + 1, or 0. */
static void compare_section(struct differ *d, uint32_t section, uint32_t *place)
{
	const struct sp_config_written *old = &d->old->written[section];
	const struct sp_config_written *new = &d->new->written[section];
	const char *key = new->section ? new->section : old->section;
	_cleanup_free_ const struct sp_config_item **a = sorted(old), **b = sorted(new);
	uint32_t i = 0, j = 0;
	char buf[VALUE_MAX];

	if (!a || !b) {
		d->rc = -ENOMEM;
		return;
	}
	while (i < old->count || j < new->count) {
		int order = i == old->count   ? 1
			    : j == new->count ? -1
					      : strcmp(item_name(a[i]), item_name(b[j]));

		if (order < 0) {
			add_change(d, SP_CONFIG_REMOVED, key, shown_name(a[i], buf), a[i]->source,
				   NULL);
		} else if (order > 0) {
			add_change(d, SP_CONFIG_ADDED, key, shown_name(b[j], buf), b[j]->source,
				   NULL);
		} else {
			uint32_t was = (uint32_t)(a[i] - old->items);
			uint32_t is = (uint32_t)(b[j] - new->items);
			char *detail = detail_of(d, a[i]->text, b[j]->text,
						 hidden_change(d, section, was, is));

			place[is] = was + 1;
			if (detail)
				add_change(d, SP_CONFIG_CHANGED, key, shown_name(b[j], buf),
					   b[j]->source, detail);
		}
		i += order <= 0;
		j += order >= 0;
	}
}

/*
 * The longest run of rules whose order stayed (patience sorting); the others have moved. tails[k]
 * is the item that ends the best run of length k + 1, before[] the item in front of each.
 */
static void mark_unmoved(const uint32_t *place, uint32_t count, uint32_t *tails, uint32_t *before,
			 bool *ret_unmoved)
{
	uint32_t runs = 0, at;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t low = 0, high = runs;

		if (!place[i])
			continue;
		while (low < high) {
			uint32_t mid = low + (high - low) / 2;

			if (place[tails[mid]] < place[i])
				low = mid + 1;
			else
				high = mid;
		}
		before[i] = low ? tails[low - 1] : UINT32_MAX;
		tails[low] = i;
		if (low == runs)
			runs++;
	}
	at = runs ? tails[runs - 1] : UINT32_MAX;
	for (; at != UINT32_MAX; at = before[at])
		ret_unmoved[at] = true;
}

static void find_moved(struct differ *d, const uint32_t *place)
{
	const struct sp_config_written *new = &d->new->written[SP_SECTION_RULE];
	_cleanup_free_ uint32_t *tails = calloc(new->count + 1u, sizeof(*tails));
	_cleanup_free_ uint32_t *before = calloc(new->count + 1u, sizeof(*before));
	_cleanup_free_ bool *unmoved = calloc(new->count + 1u, sizeof(*unmoved));

	if (!tails || !before || !unmoved) {
		d->rc = -ENOMEM;
		return;
	}
	mark_unmoved(place, new->count, tails, before, unmoved);
	for (uint32_t i = 0; i < new->count; i++) {
		char *detail;

		if (!place[i] || unmoved[i])
			continue;
		if (asprintf(&detail, "from place %u to %u", place[i], i + 1) < 0)
			detail = NULL;
		add_change(d, SP_CONFIG_MOVED, new->section, new->items[i].name,
			   new->items[i].source, detail);
	}
}

static void put_gateway_key(struct differ *d, const struct line *a, const struct line *b, void *arg)
{
	static const struct sp_config_source nowhere = {.file = ""};
	const struct sp_config_written *new = &d->new->written[SP_SECTION_COUNT];
	const struct sp_config_written *old = &d->old->written[SP_SECTION_COUNT];
	const struct line *named = a ? a : b;
	_cleanup_free_ char *key = strndup(named->key, named->key_len);
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	if (!out || !key) {
		d->rc = -ENOMEM;
		if (out)
			fclose(out);
		free(text);
		return;
	}
	put_cut(out, a ? a->value : "(default)", a ? a->value_len : 9);
	fputs(" -> ", out);
	put_cut(out, b ? b->value : "(default)", b ? b->value_len : 9);
	if (fclose(out))
		d->rc = -ENOMEM;
	add_change(d, SP_CONFIG_CHANGED, "gateway", key,
		   new->count	? new->items[0].source
		   : old->count ? old->items[0].source
				: nowhere,
		   text);
}

static void compare_gateways(struct differ *d)
{
	const struct sp_config_written *old = &d->old->written[SP_SECTION_COUNT];
	const struct sp_config_written *new = &d->new->written[SP_SECTION_COUNT];

	each_difference(d, old->count ? old->items[0].text : "",
			new->count ? new->items[0].text : "", put_gateway_key, NULL);
}

int sp_config_diff(const struct sp_config *old, const struct sp_config *new,
		   struct sp_config_diff *ret_diff)
{
	struct differ d = {.old = old, .new = new};

	compare_gateways(&d);
	for (uint32_t s = 0; s < SP_SECTION_COUNT && !d.rc; s++) {
		_cleanup_free_ uint32_t *place = calloc(new->written[s].count + 1u, sizeof(*place));

		if (!place) {
			d.rc = -ENOMEM;
			break;
		}
		compare_section(&d, s, place);
		if (s == SP_SECTION_RULE && !d.rc)
			find_moved(&d, place);
	}
	if (d.rc) {
		sp_config_diff_fini(&d.diff);
		return d.rc;
	}
	*ret_diff = d.diff;
	return 0;
}

void sp_config_diff_fini(struct sp_config_diff *diff)
{
	for (uint32_t i = 0; i < diff->count; i++) {
		free(diff->list[i].name);
		free(diff->list[i].detail);
	}
	free(diff->list);
	*diff = (struct sp_config_diff){0};
}

const char *sp_config_change_name(enum sp_config_change_kind kind)
{
	static const char *const names[] = {[SP_CONFIG_ADDED] = "added",
					    [SP_CONFIG_REMOVED] = "removed",
					    [SP_CONFIG_CHANGED] = "changed",
					    [SP_CONFIG_MOVED] = "moved"};

	return names[kind];
}

/* Changes of one section stand together. */
const char *sp_config_diff_summary(const struct sp_config_diff *diff, char *buf, size_t bytes)
{
	size_t used = 0;

	snprintf(buf, bytes, "no change");
	for (uint32_t i = 0, end; i < diff->count && used < bytes; i = end) {
		uint32_t kinds[4] = {0};

		for (end = i;
		     end < diff->count && !strcmp(diff->list[end].section, diff->list[i].section);
		     end++)
			kinds[diff->list[end].kind]++;
		used += (size_t)snprintf(buf + used, bytes - used, "%s%s", i ? ", " : "",
					 diff->list[i].section);
		for (int k = 0; k < 4 && used < bytes; k++) {
			if (kinds[k])
				used += (size_t)snprintf(buf + used, bytes - used, " %u %s",
							 kinds[k], sp_config_change_name(k));
		}
	}
	return buf;
}
