/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the flow records, on a connection that only reads. Any thread but the loop's. */
#ifndef SP_RECORDS_QUESTION_H
#define SP_RECORDS_QUESTION_H

#include "base/addr.h"
#include "sallyport/abi/flow.h"
#include "store/store.h"

/* One flow, or one denied kind of flow. Texts are borrowed until the callback returns. */
struct sp_records_row {
	bool is_denied;
	const char *user, *device, *rule, *file;
	uint32_t line;
	enum sp_flow_kind kind;
	uint8_t proto, reason;
	struct sp_sockaddr source, destination, egress; /* denied: no source port, no egress */
	struct sp_addr outer;
	int64_t begun_ms, seen_ms, ended_ms; /* since 1970; ended 0: it had not ended */
	uint64_t packets, bytes, back_packets, back_bytes;
	uint64_t count; /* of a denial; flows: 1 */
};
typedef int (*sp_records_cb)(const struct sp_records_row *row, void *arg);

/* Errors of sp_store_open. */
int sp_records_question_open(const char *path, struct sp_store **ret_store, char **ret_text);

/* Who had the outside address, from from_ms to to_ms? Latest first, at most max. */
struct sp_records_who {
	struct sp_addr addr;
	uint16_t port; /* 0: any */
	uint8_t proto; /* 0: any; ICMP stands for both of its versions */
	int64_t from_ms, to_ms;
	uint32_t max;
};
int sp_records_who(struct sp_store *store, const struct sp_records_who *who, sp_records_cb cb,
		   void *arg);

/* Everything of a user (NULL: of all) that was there from from_ms to to_ms. cb's answer ends it. */
struct sp_records_span {
	const char *user;
	int64_t from_ms, to_ms;
};
int sp_records_flows(struct sp_store *store, const struct sp_records_span *span, sp_records_cb cb,
		     void *arg);
int sp_records_denied(struct sp_store *store, const struct sp_records_span *span, sp_records_cb cb,
		      void *arg);

#endif
