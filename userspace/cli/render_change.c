/* SPDX-License-Identifier: Apache-2.0 */
/* plan, history, and what reload, confirm and rollback answer, as text. */
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "cli/render.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static json_int_t number_at(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void put_change(FILE *out, const json_t *change)
{
	const char *detail = text_at(change, "detail");

	fprintf(out, "  %-8s %s %s (%s:%" JSON_INTEGER_FORMAT ")%s%s%s\n",
		text_at(change, "change"), text_at(change, "section"), text_at(change, "name"),
		text_at(change, "file"), number_at(change, "line"), *detail ? ": " : "", detail,
		json_is_true(json_object_get(change, "at_restart")) ? " [at the next restart]"
								    : "");
}

static void put_changes(FILE *out, const json_t *changes)
{
	const json_t *change;
	size_t i;

	if (!json_array_size(changes)) {
		fputs("the configuration: nothing changes\n", out);
		return;
	}
	fprintf(out, "the configuration: %zu change%s\n", json_array_size(changes),
		json_array_size(changes) == 1 ? "" : "s");
	json_array_foreach(changes, i, change) put_change(out, change);
}

static const struct {
	const char *key, *text;
} effects[] = {
	{"cut", "cut"},
	{"grace", "cut after a grace"},
	{"kept", "denied but kept until they end"},
	{"rule", "under another rule"},
	{"doomed", "denied already, before this"},
	{"same", "as before"},
};

static void put_counts(FILE *out, const json_t *flows)
{
	bool first = true;

	fprintf(out, "open flows: %" JSON_INTEGER_FORMAT, number_at(flows, "total"));
	for (size_t i = 0; i < LENGTH(effects); i++) {
		json_int_t count = number_at(flows, effects[i].key);

		if (!count)
			continue;
		fprintf(out, "%s%" JSON_INTEGER_FORMAT " %s", first ? ": " : ", ", count,
			effects[i].text);
		first = false;
	}
	fputc('\n', out);
}

/* "staff-out (gw.conf:12)" */
static json_t *rule_cell(const json_t *rule)
{
	if (!json_is_object(rule))
		return json_null();
	if (!*text_at(rule, "file"))
		return json_string(text_at(rule, "name"));
	return json_sprintf("%s (%s:%" JSON_INTEGER_FORMAT ")", text_at(rule, "name"),
			    text_at(rule, "file"), number_at(rule, "line"));
}

static void put_flows(FILE *out, const json_t *plan)
{
	static const struct sp_render_column columns[] = {
		{"EFFECT", "effect", SP_RENDER_TEXT},
		{"USER", "user", SP_RENDER_TEXT},
		{"PROTO", "protocol", SP_RENDER_TEXT},
		{"SOURCE", "source", SP_RENDER_TEXT},
		{"DESTINATION", "destination", SP_RENDER_TEXT},
		{"BEFORE", "before", SP_RENDER_TEXT},
		{"AFTER", "after", SP_RENDER_TEXT},
	};
	const json_t *flows = json_object_get(plan, "affected_flows"), *flow;
	json_t *rows = json_array();
	size_t i;

	json_array_foreach(flows, i, flow)
	{
		json_t *row = json_copy((json_t *)flow);
		const json_t *why = json_object_get(flow, "why");

		json_object_set_new(row, "before", rule_cell(json_object_get(flow, "rule_before")));
		json_object_set_new(row, "after",
				    json_is_string(why)
					    ? json_copy((json_t *)why)
					    : rule_cell(json_object_get(flow, "rule_after")));
		json_array_append_new(rows, row);
	}
	fputc('\n', out);
	sp_render_table(out, rows, columns, LENGTH(columns), 2);
	if (number_at(plan, "left_out"))
		fprintf(out, "  and %" JSON_INTEGER_FORMAT " more\n", number_at(plan, "left_out"));
	json_decref(rows);
}

void sp_render_plan(FILE *out, const json_t *plan)
{
	static const struct sp_render_column columns[] = {
		{"USER", "user", SP_RENDER_TEXT},
		{"CUT", "cut", SP_RENDER_COUNT},
		{"GRACE", "grace", SP_RENDER_COUNT},
		{"KEPT", "kept", SP_RENDER_COUNT},
		{"OTHER RULE", "rule", SP_RENDER_COUNT},
		{"SAME", "same", SP_RENDER_COUNT},
		{"DENIED ALREADY", "doomed", SP_RENDER_COUNT},
		{"OPEN", "total", SP_RENDER_COUNT},
	};
	const json_t *users = json_object_get(plan, "users");

	put_changes(out, json_object_get(plan, "changes"));
	put_counts(out, json_object_get(plan, "flows"));
	if (json_array_size(users)) {
		fputc('\n', out);
		sp_render_table(out, users, columns, LENGTH(columns), 2);
	}
	if (json_array_size(json_object_get(plan, "affected_flows")))
		put_flows(out, plan);
}

static json_t *time_cell(json_int_t at)
{
	time_t when = (time_t)at;
	char text[32] = "-";
	struct tm tm;

	if (localtime_r(&when, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	return json_string(text);
}

void sp_render_history(FILE *out, const json_t *history)
{
	static const struct sp_render_column columns[] = {
		{"ENTRY", "entry", SP_RENDER_COUNT},	   {"TIME", "when", SP_RENDER_TEXT},
		{"POLICY", "generation", SP_RENDER_COUNT}, {"BY", "who", SP_RENDER_TEXT},
		{"RESULT", "result", SP_RENDER_TEXT},	   {"RUNS", "runs", SP_RENDER_TEXT},
		{"SUMMARY", "summary", SP_RENDER_TEXT},
	};
	json_t *rows = json_array();
	const json_t *entry;
	size_t i;

	json_array_foreach(history, i, entry)
	{
		json_t *row = json_copy((json_t *)entry);
		const json_t *uid = json_object_get(entry, "uid");

		json_object_set_new(row, "when", time_cell(number_at(entry, "time")));
		json_object_set_new(row, "who",
				    json_is_integer(uid) ? json_sprintf("uid %" JSON_INTEGER_FORMAT,
									json_integer_value(uid))
							 : json_string(text_at(entry, "by")));
		json_object_set_new(
			row, "runs",
			json_string(json_is_true(json_object_get(entry, "running")) ? "now" : ""));
		json_array_append_new(rows, row);
	}
	sp_render_table(out, rows, columns, LENGTH(columns), 0);
	json_decref(rows);
}

void sp_render_reload(FILE *out, const char *command, const json_t *result)
{
	const json_t *trial = json_object_get(result, "trial");

	if (json_object_get(result, "prefixes")) {
		fprintf(out,
			"feeds: %" JSON_INTEGER_FORMAT " prefixes of %" JSON_INTEGER_FORMAT
			" files: policy generation %" JSON_INTEGER_FORMAT " is in force\n",
			number_at(result, "prefixes"), number_at(result, "files"),
			number_at(result, "generation"));
		return;
	}
	fprintf(out, "%s: policy generation %" JSON_INTEGER_FORMAT " is in force\n",
		!strcmp(command, "confirm")    ? "confirmed"
		: !strcmp(command, "rollback") ? "rolled back"
					       : "reloaded",
		number_at(result, "generation"));
	if (json_is_object(trial))
		fprintf(out,
			"it is taken back in %" JSON_INTEGER_FORMAT
			" s, unless you say: sallyport confirm\n",
			number_at(trial, "left_s"));
	if (!strcmp(command, "rollback"))
		fputs("the files still say something else: edit them before the next reload\n",
		      out);
}
