/* SPDX-License-Identifier: Apache-2.0 */
/* Answers about the past, as text. */
#include <string.h>

#include "cli/records.h"
#include "cli/render.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* "user-c1 on c1 (from 192.0.2.7)", "zone app". */
static void print_subject(FILE *out, const json_t *row)
{
	const char *device = text_of(row, "device"), *from = text_of(row, "tunnel_from");

	if (json_is_true(json_object_get(row, "zone")))
		fprintf(out, "zone %s", text_of(row, "user"));
	else
		fprintf(out, "user %s", text_of(row, "user"));
	if (*device)
		fprintf(out, ", device %s", device);
	if (*from)
		fprintf(out, ", tunnel from %s", from);
}

static void print_rule(FILE *out, const json_t *row)
{
	fprintf(out, "rule %s", text_of(row, "rule"));
	if (*text_of(row, "file"))
		fprintf(out, " (%s:%lld)", text_of(row, "file"),
			(long long)json_integer_value(json_object_get(row, "line")));
}

static void print_amount(FILE *out, const json_t *row, const char *packets, const char *bytes)
{
	char cell[SP_RENDER_CELL];

	fprintf(out, "%lld packets, %s",
		(long long)json_integer_value(json_object_get(row, packets)),
		sp_render_cell(json_object_get(row, bytes), SP_RENDER_BYTES, cell));
}

static void print_flow(FILE *out, const json_t *row, bool is_live)
{
	const char *ended = text_of(row, "ended");

	print_subject(out, row);
	fprintf(out, "\n  %s %s -> %s, left as %s\n  from %s to ", text_of(row, "protocol"),
		text_of(row, "source"), text_of(row, "destination"), text_of(row, "egress"),
		text_of(row, "begun"));
	if (is_live)
		fprintf(out, "now, last packet %s\n  ", text_of(row, "seen"));
	else if (*ended)
		fprintf(out, "%s, last packet %s\n  ", ended, text_of(row, "seen"));
	else
		fputs("now: it is still open\n  ", out);
	print_rule(out, row);
	if (is_live || *ended) {
		fputs("; out ", out);
		print_amount(out, row, "packets", "bytes");
		fputs("; back ", out);
		print_amount(out, row, "back_packets", "back_bytes");
	}
	fputc('\n', out);
}

static void print_nobody(FILE *out, const json_t *who)
{
	const json_t *last = json_array_get(json_object_get(who, "last"), 0);
	const char *address = text_of(who, "address");
	json_int_t port = json_integer_value(json_object_get(who, "port"));

	fprintf(out,
		strchr(address, ':') && port ? "nobody: no flow %s [%s]" : "nobody: no flow %s %s",
		*text_of(who, "at") ? "left at that time as" : "is open that leaves as", address);
	if (port)
		fprintf(out, ":%lld", (long long)port);
	fputc('\n', out);
	if (!json_is_true(json_object_get(who, "records")))
		fputs("the past is not known: no flow records are kept (gateway.records)\n", out);
	if (last) {
		fputs("the last one that did: ", out);
		print_flow(out, last, false);
	}
}

void sp_render_who(FILE *out, const json_t *who)
{
	const json_t *flows = json_object_get(who, "flows"), *row;
	bool is_live = !*text_of(who, "at");
	size_t i;

	if (!json_array_size(flows))
		print_nobody(out, who);
	json_array_foreach(flows, i, row) print_flow(out, row, is_live);
}

static void print_groups(FILE *out, const char *title, const json_t *list)
{
	static const struct sp_render_column columns[] = {
		{"USER", "user", SP_RENDER_TEXT},
		{"PROTOCOL", "protocol", SP_RENDER_TEXT},
		{"DESTINATION", "destination", SP_RENDER_TEXT},
		{"FLOWS", "flows", SP_RENDER_COUNT},
		{"LAST", "last", SP_RENDER_TEXT},
		{"WAS", "was", SP_RENDER_TEXT},
		{"WOULD BE", "would", SP_RENDER_TEXT},
	};

	fprintf(out, "%s\n", title);
	sp_render_table(out, list, columns, sizeof(columns) / sizeof(*columns), 2);
}

static long long count_of(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

void sp_render_replay(FILE *out, const json_t *replay)
{
	fprintf(out, "%lld recorded flows and %lld denials from %s on, judged by %s\n",
		count_of(replay, "flows"), count_of(replay, "denials"), text_of(replay, "from"),
		text_of(replay, "file"));
	fprintf(out, "would newly block %lld flows of %lld users, newly allow %lld of %lld\n",
		count_of(replay, "blocked_flows"), count_of(replay, "blocked_users"),
		count_of(replay, "allowed_flows"), count_of(replay, "allowed_users"));
	if (json_array_size(json_object_get(replay, "blocked")))
		print_groups(out, "newly blocked:", json_object_get(replay, "blocked"));
	if (json_array_size(json_object_get(replay, "allowed")))
		print_groups(out, "newly allowed:", json_object_get(replay, "allowed"));
	if (count_of(replay, "left_out"))
		fprintf(out, "%lld more kinds of flows are left out here\n",
			count_of(replay, "left_out"));
}
