/* SPDX-License-Identifier: Apache-2.0 */
/* What a user or a zone reached, each destination and service once: what `sallyport learn` writes from. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/cleanup.h"
#include "daemon/daemon.h"
#include "daemon/records.h"

#define SEEN_MAX 100000

struct seen_key {
	struct sp_addr dst;
	__be16 port_be;
	uint8_t proto;
	uint8_t to_gateway;
	uint8_t pad[4];
};
struct seen {
	UT_hash_handle hh;
	struct seen_key key;
	uint64_t flows, bytes, back_bytes;
	int64_t first_ms, last_ms;
};

struct seen_rule { /* that let it out until now */
	UT_hash_handle hh;
	uint64_t flows;
	uint32_t line;
	char *file;
	char name[];
};

struct gathering {
	struct seen *seen;
	struct seen_rule *rules;
	uint64_t flows, left_out;
};

static int add_rule(struct gathering *g, const struct sp_records_row *row)
{
	size_t len = strlen(row->rule);
	struct seen_rule *rule;

	HASH_FIND_STR(g->rules, row->rule, rule);
	if (!rule) {
		rule = calloc(1, sizeof(*rule) + len + 1);
		if (rule)
			rule->file = strdup(row->file);
		if (!rule || !rule->file) {
			free(rule);
			return -ENOMEM;
		}
		memcpy(rule->name, row->rule, len + 1);
		HASH_ADD_STR(g->rules, name, rule);
	}
	rule->line = row->line;
	rule->flows++;
	return 0;
}

static int gather(const struct sp_records_row *row, void *arg)
{
	struct gathering *g = arg;
	struct seen_key key = {.dst = row->destination.addr,
			       .port_be = row->destination.port_be,
			       .proto = row->proto,
			       .to_gateway = row->kind == SP_FLOW_HOST};
	struct seen *seen;

	g->flows++;
	HASH_FIND(hh, g->seen, &key, sizeof(key), seen);
	if (!seen && HASH_COUNT(g->seen) >= SEEN_MAX) {
		g->left_out++;
		return 0;
	}
	if (!seen) {
		seen = calloc(1, sizeof(*seen));
		if (!seen)
			return -ENOMEM;
		seen->key = key;
		seen->first_ms = row->begun_ms;
		HASH_ADD(hh, g->seen, key, sizeof(key), seen);
	}
	seen->flows++;
	seen->bytes += row->bytes;
	seen->back_bytes += row->back_bytes;
	if (row->begun_ms < seen->first_ms)
		seen->first_ms = row->begun_ms;
	if (row->seen_ms > seen->last_ms)
		seen->last_ms = row->seen_ms;
	return add_rule(g, row);
}

static void gathering_fini(struct gathering *g)
{
	struct seen_rule *rule, *next_rule;
	struct seen *seen, *next;

	HASH_ITER (hh, g->seen, seen, next) {
		HASH_DEL(g->seen, seen);
		free(seen);
	}
	HASH_ITER (hh, g->rules, rule, next_rule) {
		HASH_DEL(g->rules, rule);
		free(rule->file);
		free(rule);
	}
}

static json_t *gathering_json(const struct gathering *g)
{
	json_t *list = json_array(), *rules = json_array();
	const struct seen_rule *rule;
	const struct seen *seen;
	char text[SP_ADDR_TEXT];

	for (seen = g->seen; seen; seen = seen->hh.next)
		json_array_append_new(
			list, json_pack("{s:o, s:s, s:i, s:b, s:I, s:I, s:I, s:o, s:o}", "protocol",
					sp_record_protocol(seen->key.proto), "address",
					sp_addr_format(&seen->key.dst, text), "port",
					(int)ntohs(seen->key.port_be), "to_gateway",
					seen->key.to_gateway, "flows", (json_int_t)seen->flows,
					"bytes", (json_int_t)seen->bytes, "back_bytes",
					(json_int_t)seen->back_bytes, "first",
					sp_record_time(seen->first_ms), "last",
					sp_record_time(seen->last_ms)));
	for (rule = g->rules; rule; rule = rule->hh.next)
		json_array_append_new(rules, json_pack("{s:s, s:s, s:i, s:I}", "name", rule->name,
						       "file", rule->file, "line", (int)rule->line,
						       "flows", (json_int_t)rule->flows));
	return json_pack("{s:o, s:o, s:I, s:I}", "seen", list, "rules", rules, "flows",
			 (json_int_t)g->flows, "left_out", (json_int_t)g->left_out);
}

static void run_seen(struct sp_daemon_question *q)
{
	struct sp_records_span span = {
		.user = json_string_value(json_object_get(q->request, "user")),
		.from_ms = json_integer_value(json_object_get(q->request, "from_ms")),
		.to_ms = json_integer_value(json_object_get(q->request, "to_ms"))};
	struct gathering g = {0};
	struct sp_store *store;

	if (!span.user || !*span.user) {
		q->error = strdup("expected the name of a user or a zone");
		q->rc = -EINVAL;
		return;
	}
	q->rc = sp_question_open_store(q, &store);
	if (q->rc)
		return;
	q->rc = sp_records_flows(store, &span, gather, &g);
	if (q->rc &&
	    asprintf(&q->error, "failed to read the records: %s", sp_store_error(store)) < 0)
		q->error = NULL;
	sp_store_close(store);
	if (!q->rc)
		q->result = gathering_json(&g);
	gathering_fini(&g);
}

const struct sp_daemon_question_ops sp_daemon_seen = {.run = run_seen};
