/* SPDX-License-Identifier: Apache-2.0 */
/* Who has, or had, an outside address and port: live flows from sp_flows, past ones from the records. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/daemon.h"
#include "daemon/records.h"
#include "dataplane/plain.h"
#include "sallyport/core/flow.h"

#define ROWS_MAX  200
#define TIME_TEXT 40

json_t *sp_record_time(int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	char text[TIME_TEXT];
	struct tm tm;

	if (!ms || !gmtime_r(&seconds, &tm) ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		return json_null();
	return json_sprintf("%s.%03dZ", text, (int)(ms % 1000));
}

json_t *sp_record_protocol(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return json_string("tcp");
	case IPPROTO_UDP:
		return json_string("udp");
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return json_string("icmp");
	default:
		return json_sprintf("%u", proto);
	}
}

static json_t *endpoint_json(const struct sp_sockaddr *endpoint)
{
	char text[SP_ENDPOINT_TEXT];

	return json_string(sp_sockaddr_format(endpoint, text));
}

static json_t *addr_json(const struct sp_addr *addr)
{
	static const struct sp_addr none;
	char text[SP_ADDR_TEXT];

	return sp_addr_equal(addr, &none) ? json_null() : json_string(sp_addr_format(addr, text));
}

json_t *sp_record_row(const struct sp_records_row *row)
{
	return json_pack(
		"{s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:i, s:o, s:o, s:o, s:I, s:I, "
		"s:I, s:I}",
		"user", row->user, "device", row->device, "zone", row->kind == SP_FLOW_PLAIN,
		"protocol", sp_record_protocol(row->proto), "source", endpoint_json(&row->source),
		"destination", endpoint_json(&row->destination), "egress",
		endpoint_json(&row->egress), "tunnel_from", addr_json(&row->outer), "rule",
		row->rule, "file", row->file, "line", (int)row->line, "begun",
		sp_record_time(row->begun_ms), "seen", sp_record_time(row->seen_ms), "ended",
		sp_record_time(row->ended_ms), "packets", (json_int_t)row->packets, "bytes",
		(json_int_t)row->bytes, "back_packets", (json_int_t)row->back_packets, "back_bytes",
		(json_int_t)row->back_bytes);
}

/* --- on the question's thread --- */

struct live {
	struct sp_flow_key key; /* original */
	struct sp_flow flow, reply;
};
struct search {
	struct sp_daemon *daemon;
	struct sp_records_who who;
	struct live *list;
	uint32_t count;
};

static bool is_proto(uint8_t wanted, uint8_t proto)
{
	return !wanted || wanted == proto || (wanted == IPPROTO_ICMP && proto == IPPROTO_ICMPV6);
}

/* The answer's destination is the outside address and port. */
static int match_flow(const struct sp_flow_key *key, const struct sp_flow *reply, void *arg)
{
	struct search *s = arg;
	struct live *live = &s->list[s->count];

	if (reply->side != SP_FLOW_REPLY || s->count == s->who.max ||
	    !sp_addr_equal(&key->dst, &s->who.addr) || !is_proto(s->who.proto, key->proto) ||
	    (s->who.port && ntohs(key->dport_be) != s->who.port))
		return 0;
	sp_flow_key_reverse(key, &live->key);
	live->key.src = reply->nat_addr;
	live->key.sport_be = reply->nat_port_be;
	live->reply = *reply;
	if (sp_dataplane_flow_lookup(s->daemon->dataplane, &live->key, &live->flow) == 0)
		s->count++;
	return 0;
}

static int search_live(struct sp_daemon_question *q, const struct sp_records_who *who)
{
	struct search s = {.daemon = q->daemon, .who = *who};
	struct sp_flow_walk walk = {0};
	int more;

	/* One more than may be found: match_flow writes before it knows. */
	q->found = s.list = calloc(who->max + 1, sizeof(*s.list));
	if (!s.list)
		return -ENOMEM;
	do {
		more = sp_dataplane_flow_step(q->daemon->dataplane, &walk, match_flow, &s);
	} while (more > 0);
	q->found_count = s.count;
	return more;
}

static int add_past(const struct sp_records_row *row, void *arg)
{
	json_array_append_new(arg, sp_record_row(row));
	return 0;
}

static int ask_past(struct sp_daemon_question *q, const struct sp_records_who *who, json_t *list)
{
	struct sp_store *store;
	int rc = sp_question_open_store(q, &store);

	if (rc)
		return rc;
	rc = sp_records_who(store, who, add_past, list);
	if (rc && asprintf(&q->error, "failed to read the records: %s", sp_store_error(store)) < 0)
		q->error = NULL;
	sp_store_close(store);
	return rc;
}

static uint8_t proto_of(const char *text)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} names[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"icmp", IPPROTO_ICMP}};

	for (size_t i = 0; text && i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(text, names[i].name))
			return names[i].proto;
	}
	return 0;
}

static int read_who(struct sp_daemon_question *q, struct sp_records_who *ret_who)
{
	const char *addr = json_string_value(json_object_get(q->request, "address"));
	json_int_t port = json_integer_value(json_object_get(q->request, "port"));
	json_int_t at_ms = json_integer_value(json_object_get(q->request, "at_ms"));
	json_int_t span_ms = json_integer_value(json_object_get(q->request, "span_ms"));
	struct sp_records_who who = {.port = (uint16_t)port, .max = ROWS_MAX};

	if (!addr || sp_addr_parse(addr, &who.addr) || port < 0 || port > 65535 || at_ms < 0 ||
	    span_ms < 0 || at_ms >= INT64_MAX - span_ms) {
		q->error = strdup("expected an address, a port from 0 to 65535, a time");
		return -EINVAL;
	}
	who.proto = proto_of(json_string_value(json_object_get(q->request, "protocol")));
	who.from_ms = at_ms;
	who.to_ms = at_ms + (span_ms ? span_ms : 1);
	*ret_who = who;
	return 0;
}

/* Nobody has it now: who had it last? Without records there is no telling. */
static void ask_last(struct sp_daemon_question *q, struct sp_records_who who, json_t *list)
{
	who.from_ms = 0;
	who.to_ms = INT64_MAX;
	who.max = 1;
	if (ask_past(q, &who, list)) {
		free(q->error);
		q->error = NULL;
	}
}

static void run_who(struct sp_daemon_question *q)
{
	json_t *list = json_array();
	struct sp_records_who who = {0};
	bool is_now = true;

	q->rc = read_who(q, &who);
	if (!q->rc) {
		is_now = !who.from_ms;
		q->rc = is_now ? search_live(q, &who) : ask_past(q, &who, list);
	}
	if (!q->rc && is_now && !q->found_count)
		ask_last(q, who, list);
	if (!q->rc)
		q->result = json_pack("{s:O, s:i, s:o, s:b, s:O, s:[]}", "address",
				      json_object_get(q->request, "address"), "port", (int)who.port,
				      "at", sp_record_time(who.from_ms), "records",
				      q->daemon->records != NULL, is_now ? "last" : "flows", list,
				      is_now ? "flows" : "last");
	json_decref(list);
}

/* --- on the loop --- */

static json_t *live_row(struct sp_daemon *daemon, const struct live *live)
{
	int64_t offset_ns = (int64_t)(sp_clock_realtime_ns() - sp_clock_now_ns());
	const struct sp_flow *f = &live->flow;
	uint64_t seen_ns = f->seen_ns > live->reply.seen_ns ? f->seen_ns : live->reply.seen_ns;
	const struct sp_record record = {.user_id = f->user_id,
					 .peer_id = f->peer_id,
					 .rule_id = f->rule_id,
					 .hit_id = f->hit_id};
	struct sp_records_names names;
	struct sp_records_row row = {
		.kind = f->kind,
		.proto = live->key.proto,
		.source = {.addr = live->key.src, .port_be = live->key.sport_be},
		.destination = {.addr = live->key.dst, .port_be = live->key.dport_be},
		.egress = {.addr = f->nat_addr, .port_be = f->nat_port_be},
		.begun_ms = ((int64_t)f->created_ns + offset_ns) / (int64_t)SP_NS_PER_MS,
		.seen_ms = ((int64_t)seen_ns + offset_ns) / (int64_t)SP_NS_PER_MS,
		.packets = f->packets,
		.bytes = f->bytes,
		.back_packets = live->reply.packets,
		.back_bytes = live->reply.bytes,
	};

	if (!f->translated)
		row.egress = row.source;
	sp_record_names(daemon, &record, &names);
	row.user = names.user;
	row.device = names.device;
	row.rule = names.rule;
	row.file = names.file;
	row.line = names.line;
	row.outer = names.outer;
	return sp_record_row(&row);
}

static void finish_who(struct sp_daemon_question *q)
{
	json_t *flows = json_object_get(q->result, "flows");
	const struct live *list = q->found;

	for (uint32_t i = 0; i < q->found_count; i++)
		json_array_append_new(flows, live_row(q->daemon, &list[i]));
}

const struct sp_daemon_question_ops sp_daemon_who = {.run = run_who, .finish = finish_who};
