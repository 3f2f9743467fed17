/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/render.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "cli/records.h"

#define COLUMNS_MAX 16
#define LENGTH(a)   (sizeof(a) / sizeof(*(a)))

static void format_bytes(json_int_t bytes, char buf[static SP_RENDER_CELL])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < LENGTH(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, SP_RENDER_CELL, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void format_age(json_int_t age_s, char buf[static SP_RENDER_CELL])
{
	long long s = age_s;

	if (s < 60)
		snprintf(buf, SP_RENDER_CELL, "%llds", s);
	else if (s < 3600)
		snprintf(buf, SP_RENDER_CELL, "%lldm %llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, SP_RENDER_CELL, "%lldh %lldm", s / 3600, s % 3600 / 60);
	else
		snprintf(buf, SP_RENDER_CELL, "%lldd %lldh", s / 86400, s % 86400 / 3600);
}

static void format_list(const json_t *list, char buf[static SP_RENDER_CELL])
{
	char cell[SP_RENDER_CELL];
	const json_t *value;
	size_t i, used = 0;

	snprintf(buf, SP_RENDER_CELL, "-");
	json_array_foreach(list, i, value)
	{
		used += (size_t)snprintf(buf + used, SP_RENDER_CELL - used, "%s%s", i ? "," : "",
					 sp_render_cell(value, SP_RENDER_TEXT, cell));
		if (used >= SP_RENDER_CELL) {
			snprintf(buf + SP_RENDER_CELL - 4, 4, "...");
			return;
		}
	}
}

const char *sp_render_cell(const json_t *value, enum sp_render_format format,
			   char buf[static SP_RENDER_CELL])
{
	if (json_is_array(value))
		format_list(value, buf);
	else if (json_is_integer(value) && format == SP_RENDER_BYTES)
		format_bytes(json_integer_value(value), buf);
	else if (json_is_integer(value) && format == SP_RENDER_AGE)
		format_age(json_integer_value(value), buf);
	else if (json_is_integer(value))
		snprintf(buf, SP_RENDER_CELL, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_boolean(value))
		snprintf(buf, SP_RENDER_CELL, "%s", json_is_true(value) ? "yes" : "no");
	else if (json_is_string(value) && json_string_length(value))
		snprintf(buf, SP_RENDER_CELL, "%s", json_string_value(value));
	else
		snprintf(buf, SP_RENDER_CELL, "-");
	return buf;
}

static bool is_right(enum sp_render_format format)
{
	return format >= SP_RENDER_COUNT;
}

/* The last column is not padded: no line ends in spaces. */
static void put_cell(FILE *out, const char *text, size_t width, bool right, bool last)
{
	if (last && !right)
		fputs(text, out);
	else
		fprintf(out, right ? "%*s" : "%-*s", (int)width, text);
	fputs(last ? "\n" : "  ", out);
}

void sp_render_table(FILE *out, const json_t *rows, const struct sp_render_column *columns,
		     uint32_t column_count, unsigned int indent)
{
	size_t width[COLUMNS_MAX], r;
	char cell[SP_RENDER_CELL];
	const json_t *row;

	if (!json_array_size(rows)) {
		fprintf(out, "%*snone\n", (int)indent, "");
		return;
	}
	for (uint32_t c = 0; c < column_count; c++) {
		width[c] = strlen(columns[c].title);
		json_array_foreach(rows, r, row)
		{
			const json_t *value = json_object_get(row, columns[c].key);
			size_t len = strlen(sp_render_cell(value, columns[c].format, cell));

			width[c] = len > width[c] ? len : width[c];
		}
	}
	fprintf(out, "%*s", (int)indent, "");
	for (uint32_t c = 0; c < column_count; c++)
		put_cell(out, columns[c].title, width[c], is_right(columns[c].format),
			 c + 1 == column_count);
	json_array_foreach(rows, r, row)
	{
		fprintf(out, "%*s", (int)indent, "");
		for (uint32_t c = 0; c < column_count; c++) {
			sp_render_cell(json_object_get(row, columns[c].key), columns[c].format,
				       cell);
			put_cell(out, cell, width[c], is_right(columns[c].format),
				 c + 1 == column_count);
		}
	}
}

static const struct sp_render_column interface_columns[] = {
	{"INTERFACE", "name", SP_RENDER_TEXT},
	{"ROLES", "roles", SP_RENDER_LIST},
	{"XDP", "mode", SP_RENDER_TEXT},
	{"DISPATCHER", "dispatcher", SP_RENDER_TEXT},
	{"QUEUES", "queues", SP_RENDER_COUNT},
	{"MTU", "mtu", SP_RENDER_COUNT},
	{"WHY NOT BETTER", "reason", SP_RENDER_TEXT},
};
static const struct sp_render_column worker_columns[] = {
	{"WORKER", "id", SP_RENDER_COUNT},
	{"CPU", "cpu", SP_RENDER_COUNT},
	{"TRANSMIT", "transmit", SP_RENDER_TEXT},
	{"AEAD", "aead", SP_RENDER_TEXT},
	{"PACKETS UP", "packets_up", SP_RENDER_COUNT},
	{"DOWN", "packets_down", SP_RENDER_COUNT},
	{"BYTES UP", "bytes_up", SP_RENDER_BYTES},
	{"DOWN", "bytes_down", SP_RENDER_BYTES},
	{"FLOWS", "flows", SP_RENDER_COUNT},
	{"OF", "flows_max", SP_RENDER_COUNT},
	{"FREE FRAMES", "frames_free", SP_RENDER_COUNT},
};
static const struct sp_render_column peer_columns[] = {
	{"PEER", "name", SP_RENDER_TEXT},
	{"USER", "user", SP_RENDER_TEXT},
	{"STATE", "state", SP_RENDER_TEXT},
	{"HANDSHAKE", "last_handshake_s", SP_RENDER_AGE},
	{"RECEIVED", "received_bytes", SP_RENDER_BYTES},
	{"SENT", "sent_bytes", SP_RENDER_BYTES},
	{"ENDPOINT", "endpoint", SP_RENDER_TEXT},
	{"ADDRESSES", "addresses", SP_RENDER_LIST},
};
static const struct sp_render_column session_columns[] = {
	{"INDEX", "receiver_index", SP_RENDER_COUNT},
	{"PEER", "peer", SP_RENDER_TEXT},
	{"USER", "user", SP_RENDER_TEXT},
	{"STATE", "state", SP_RENDER_TEXT},
	{"INITIATOR", "initiator", SP_RENDER_TEXT},
	{"AGE", "age_s", SP_RENDER_AGE},
	{"VALID FOR", "valid_for_s", SP_RENDER_AGE},
	{"PACKETS", "received_packets", SP_RENDER_COUNT},
	{"BYTES", "received_bytes", SP_RENDER_BYTES},
};
static const struct sp_render_column flow_columns[] = {
	{"USER", "user", SP_RENDER_TEXT},
	{"PROTO", "protocol", SP_RENDER_TEXT},
	{"SOURCE", "source", SP_RENDER_TEXT},
	{"DESTINATION", "destination", SP_RENDER_TEXT},
	{"LEAVES AS", "translated", SP_RENDER_TEXT},
	{"KIND", "kind", SP_RENDER_TEXT},
	{"RULE", "rule", SP_RENDER_TEXT},
	{"AGE", "age_s", SP_RENDER_AGE},
	{"IDLE", "idle_s", SP_RENDER_AGE},
	{"UP", "bytes_up", SP_RENDER_BYTES},
	{"DOWN", "bytes_down", SP_RENDER_BYTES},
};
static const struct sp_render_column rule_columns[] = {
	{"ID", "id", SP_RENDER_COUNT},
	{"RULE", "name", SP_RENDER_TEXT},
	{"ACTION", "action", SP_RENDER_TEXT},
	{"MODE", "mode", SP_RENDER_TEXT},
	{"FROM", "from", SP_RENDER_LIST},
	{"TO", "to", SP_RENDER_LIST},
	{"SERVICE", "service", SP_RENDER_LIST},
	{"EGRESS", "egress", SP_RENDER_TEXT},
	{"FLOWS", "flows", SP_RENDER_COUNT},
	{"HITS", "hits", SP_RENDER_COUNT},
	{"WOULD", "would_hits", SP_RENDER_COUNT},
	{"FIRST", "first_hit", SP_RENDER_TEXT},
	{"LAST", "last_hit", SP_RENDER_TEXT},
	{"LINE", "line", SP_RENDER_COUNT},
	{"FILE", "file", SP_RENDER_TEXT},
};
static const struct sp_render_column egress_columns[] = {
	{"POOL", "pool", SP_RENDER_TEXT},	 {"ADDRESS", "address", SP_RENDER_TEXT},
	{"STATE", "state", SP_RENDER_TEXT},	 {"PORTS", "ports", SP_RENDER_COUNT},
	{"TCP", "tcp", SP_RENDER_COUNT},	 {"UDP", "udp", SP_RENDER_COUNT},
	{"ICMP", "icmp", SP_RENDER_COUNT},	 {"BLOCK", "block", SP_RENDER_COUNT},
	{"USERS", "users", SP_RENDER_COUNT},	 {"FLOWS", "flows", SP_RENDER_COUNT},
	{"REFUSED", "refused", SP_RENDER_COUNT}, {"LAST", "refused_s", SP_RENDER_AGE},
};
static const struct sp_render_column path_columns[] = {
	{"PATH", "name", SP_RENDER_TEXT},
	{"STATE", "state", SP_RENDER_TEXT},
	{"INTERFACE", "interface", SP_RENDER_TEXT},
	{"EGRESS", "egress", SP_RENDER_TEXT},
};
static const struct sp_render_column drop_columns[] = {
	{"REASON", "reason", SP_RENDER_TEXT},	 {"DIRECTION", "direction", SP_RENDER_TEXT},
	{"PACKETS", "packets", SP_RENDER_COUNT}, {"BYTES", "bytes", SP_RENDER_BYTES},
	{"LAST", "last_s", SP_RENDER_AGE},	 {"MEANING", "text", SP_RENDER_TEXT},
};

static const struct {
	const char *command;
	const struct sp_render_column *columns;
	uint32_t count;
} tables[] = {
	{"show peers", peer_columns, LENGTH(peer_columns)},
	{"show sessions", session_columns, LENGTH(session_columns)},
	{"show flows", flow_columns, LENGTH(flow_columns)},
	{"show rules", rule_columns, LENGTH(rule_columns)},
	{"show egress", egress_columns, LENGTH(egress_columns)},
	{"show paths", path_columns, LENGTH(path_columns)},
	{"show drops", drop_columns, LENGTH(drop_columns)},
	{"show interfaces", interface_columns, LENGTH(interface_columns)},
};

static void put_fact(FILE *out, const json_t *status, const char *title, const char *key,
		     enum sp_render_format format)
{
	char cell[SP_RENDER_CELL];

	fprintf(out, "%-15s %s\n", title,
		sp_render_cell(json_object_get(status, key), format, cell));
}

static void put_reload(FILE *out, const json_t *reload)
{
	const json_t *at = json_object_get(reload, "time");
	const char *error = json_string_value(json_object_get(reload, "error"));
	time_t when = (time_t)json_integer_value(at);
	char text[32] = "-";
	struct tm tm;

	if (when && localtime_r(&when, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	if (!when)
		fprintf(out, "%-15s never\n", "last reload");
	else
		fprintf(out, "%-15s %s, %s%s%s\n", "last reload", text,
			json_is_true(json_object_get(reload, "ok")) ? "taken over" : "refused",
			error ? ": " : "", error ? error : "");
}

/* What must not be overlooked: what runs is not what the files say, or goes away by itself. */
static void put_running(FILE *out, const json_t *status)
{
	const json_t *running = json_object_get(status, "running");
	const json_t *trial = json_object_get(status, "trial");
	const char *source = json_string_value(json_object_get(running, "source"));

	if (source && !strcmp(source, "history"))
		fprintf(out,
			"%-15s entry %" JSON_INTEGER_FORMAT
			" of the history, NOT what the files say: they take over with a reload\n",
			"running", json_integer_value(json_object_get(running, "entry")));
	if (json_is_object(trial))
		fprintf(out,
			"%-15s taken back in %" JSON_INTEGER_FORMAT
			" s, unless you say: sallyport confirm\n",
			"on trial", json_integer_value(json_object_get(trial, "left_s")));
}

static void put_records(FILE *out, const json_t *records)
{
	const char *problem = json_string_value(json_object_get(records, "problem"));
	json_int_t lost = 0;
	char cell[SP_RENDER_CELL];

	if (!json_is_object(records)) {
		fprintf(out, "%-15s none are kept\n", "records");
		return;
	}
	for (const char *const *key =
		     (const char *const[]){"lost_rings", "lost_queue", "lost_store", NULL};
	     *key; key++)
		lost += json_integer_value(json_object_get(records, *key));
	fprintf(out, "%-15s %lld written, %lld lost, %s", "records",
		(long long)json_integer_value(json_object_get(records, "written")), (long long)lost,
		sp_render_cell(json_object_get(records, "used_bytes"), SP_RENDER_BYTES, cell));
	if (problem && *problem)
		fprintf(out, "; PROBLEM: %s", problem);
	fputc('\n', out);
}

static void put_status(FILE *out, const json_t *status)
{
	put_fact(out, status, "gateway", "name", SP_RENDER_TEXT);
	put_fact(out, status, "version", "version", SP_RENDER_TEXT);
	put_fact(out, status, "pid", "pid", SP_RENDER_TEXT);
	put_fact(out, status, "up for", "uptime_s", SP_RENDER_AGE);
	put_fact(out, status, "policy", "generation", SP_RENDER_TEXT);
	put_fact(out, status, "encryption", "aead", SP_RENDER_TEXT);
	put_fact(out, status, "configuration", "config_files", SP_RENDER_LIST);
	put_running(out, status);
	put_reload(out, json_object_get(status, "last_reload"));
	put_fact(out, status, "peers", "peers", SP_RENDER_TEXT);
	put_fact(out, status, "sessions", "sessions", SP_RENDER_TEXT);
	put_fact(out, status, "flows", "flows", SP_RENDER_TEXT);
	put_records(out, json_object_get(status, "records"));
	fputc('\n', out);
	sp_render_table(out, json_object_get(status, "interfaces"), interface_columns,
			LENGTH(interface_columns), 0);
	fputc('\n', out);
	sp_render_table(out, json_object_get(status, "workers"), worker_columns,
			LENGTH(worker_columns), 0);
}

void sp_render_answer(FILE *out, const char *command, const json_t *result)
{
	for (size_t i = 0; i < LENGTH(tables); i++) {
		if (!strcmp(tables[i].command, command)) {
			sp_render_table(out, result, tables[i].columns, tables[i].count, 0);
			return;
		}
	}
	if (!strcmp(command, "status"))
		put_status(out, result);
	else if (!strcmp(command, "metrics"))
		fputs(json_string_value(json_object_get(result, "text")) ?: "", out);
	else if (!strcmp(command, "why"))
		sp_render_why(out, result);
	else if (!strcmp(command, "plan"))
		sp_render_plan(out, result);
	else if (!strcmp(command, "who"))
		sp_render_who(out, result);
	else if (!strcmp(command, "replay"))
		sp_render_replay(out, result);
	else if (!strcmp(command, "history"))
		sp_render_history(out, result);
	else
		sp_render_reload(out, command, result);
}
