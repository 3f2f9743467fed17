/* SPDX-License-Identifier: Apache-2.0 */
#include "records/question.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "records/schema.h"

#define WORDS                                                          \
	" JOIN word u ON u.id = f.user JOIN word d ON d.id = f.device" \
	" JOIN word r ON r.id = f.rule JOIN word p ON p.id = f.file "
#define FLOW                                                                           \
	"SELECT u.text, d.text, r.text, p.text, f.line, f.kind, f.protocol, f.source," \
	" f.source_port, f.destination, f.destination_port, f.outer, f.begun, f.seen," \
	" coalesce(f.ended, 0), f.egress, f.egress_port, f.packets, f.bytes,"          \
	" f.back_packets, f.back_bytes FROM flow f" WORDS
#define DENIED                                                                            \
	"SELECT u.text, d.text, r.text, p.text, f.line, f.kind, f.protocol, f.source, 0," \
	" f.destination, f.destination_port, f.outer, f.begun, f.seen, 0, f.reason,"      \
	" f.count FROM denied f" WORDS

int sp_records_question_open(const char *path, struct sp_store **ret_store, char **ret_text)
{
	const struct sp_store_config config = {.path = path,
					       .migrations = sp_records_migrations,
					       .migration_count = sp_records_migration_count,
					       .is_read_only = true};

	return sp_store_open(&config, ret_store, ret_text);
}

/* What does not look like an address is none: the file is input. */
static struct sp_addr addr_at(struct sp_store_statement *s, int at)
{
	struct sp_addr addr = {0};
	size_t len;
	const void *bytes = sp_store_bytes(s, at, &len);

	if (len == sizeof(addr))
		memcpy(&addr, bytes, len);
	return addr;
}

static struct sp_sockaddr endpoint_at(struct sp_store_statement *s, int at)
{
	return (struct sp_sockaddr){.addr = addr_at(s, at),
				    .port_be = htons((uint16_t)sp_store_number(s, at + 1))};
}

static void read_row(struct sp_store_statement *s, bool is_denied, struct sp_records_row *ret_row)
{
	*ret_row = (struct sp_records_row){
		.is_denied = is_denied,
		.user = sp_store_text(s, 0),
		.device = sp_store_text(s, 1),
		.rule = sp_store_text(s, 2),
		.file = sp_store_text(s, 3),
		.line = (uint32_t)sp_store_number(s, 4),
		.kind = (enum sp_flow_kind)sp_store_number(s, 5),
		.proto = (uint8_t)sp_store_number(s, 6),
		.source = endpoint_at(s, 7),
		.destination = endpoint_at(s, 9),
		.outer = addr_at(s, 11),
		.begun_ms = sp_store_number(s, 12),
		.seen_ms = sp_store_number(s, 13),
		.ended_ms = sp_store_number(s, 14),
		.count = 1,
	};
	if (is_denied) {
		ret_row->reason = (uint8_t)sp_store_number(s, 15);
		ret_row->count = (uint64_t)sp_store_number(s, 16);
		return;
	}
	ret_row->egress = endpoint_at(s, 15);
	ret_row->packets = (uint64_t)sp_store_number(s, 17);
	ret_row->bytes = (uint64_t)sp_store_number(s, 18);
	ret_row->back_packets = (uint64_t)sp_store_number(s, 19);
	ret_row->back_bytes = (uint64_t)sp_store_number(s, 20);
}

static int each(struct sp_store_statement *s, bool is_denied, sp_records_cb cb, void *arg)
{
	struct sp_records_row row;
	int rc;

	while ((rc = sp_store_step(s)) == 1) {
		read_row(s, is_denied, &row);
		rc = cb(&row, arg);
		if (rc)
			return rc;
	}
	return rc;
}

int sp_records_who(struct sp_store *store, const struct sp_records_who *who, sp_records_cb cb,
		   void *arg)
{
	static const char sql[] =
		FLOW "WHERE f.egress = ?1 AND (?2 = 0 OR f.egress_port = ?2)"
		     " AND (?3 = 0 OR f.protocol = ?3 OR (?3 = 1 AND f.protocol = 58))"
		     " AND f.begun < ?5 AND (f.ended IS NULL OR f.ended >= ?4)"
		     " ORDER BY f.begun DESC LIMIT ?6";
	/* The planner sees a port only when it is one. */
	static const char sql_port[] =
		FLOW "WHERE f.egress = ?1 AND f.egress_port = ?2"
		     " AND (?3 = 0 OR f.protocol = ?3 OR (?3 = 1 AND f.protocol = 58))"
		     " AND f.begun < ?5 AND (f.ended IS NULL OR f.ended >= ?4)"
		     " ORDER BY f.begun DESC LIMIT ?6";
	struct sp_store_statement *s;
	int rc = sp_store_prepare(store, who->port ? sql_port : sql, &s);

	if (rc)
		return rc;
	sp_store_bind_bytes(s, 0, &who->addr, sizeof(who->addr));
	sp_store_bind_number(s, 1, who->port);
	sp_store_bind_number(s, 2, who->proto == IPPROTO_ICMPV6 ? IPPROTO_ICMP : who->proto);
	sp_store_bind_number(s, 3, who->from_ms);
	sp_store_bind_number(s, 4, who->to_ms);
	sp_store_bind_number(s, 5, who->max);
	rc = each(s, false, cb, arg);
	sp_store_statement_close(s);
	return rc;
}

static int each_of_span(struct sp_store *store, const char *sql, bool is_denied,
			const struct sp_records_span *span, sp_records_cb cb, void *arg)
{
	struct sp_store_statement *s;
	int rc = sp_store_prepare(store, sql, &s);

	if (rc)
		return rc;
	sp_store_bind_text(s, 0, span->user ? span->user : "");
	sp_store_bind_number(s, 1, span->from_ms);
	sp_store_bind_number(s, 2, span->to_ms);
	rc = each(s, is_denied, cb, arg);
	sp_store_statement_close(s);
	return rc;
}

int sp_records_flows(struct sp_store *store, const struct sp_records_span *span, sp_records_cb cb,
		     void *arg)
{
	static const char sql[] = FLOW "WHERE f.begun < ?3 AND (f.ended IS NULL OR f.ended >= ?2)"
				       " AND (?1 = '' OR u.text = ?1)";

	return each_of_span(store, sql, false, span, cb, arg);
}

int sp_records_denied(struct sp_store *store, const struct sp_records_span *span, sp_records_cb cb,
		      void *arg)
{
	static const char sql[] =
		DENIED "WHERE f.begun < ?3 AND f.seen >= ?2 AND (?1 = '' OR u.text = ?1)";

	return each_of_span(store, sql, true, span, cb, arg);
}
