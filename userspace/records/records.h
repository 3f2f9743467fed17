/* SPDX-License-Identifier: Apache-2.0 */
/* Flow records on disk: who had which address and port, and what was denied. Written from the loop (docs/records.md). */
#ifndef SP_RECORDS_RECORDS_H
#define SP_RECORDS_RECORDS_H

#include "base/addr.h"
#include "sallyport/abi/record.h"
#include "store/writer.h"

#define SP_RECORDS_FILE "records.db" /* in state_dir */

struct sp_records;

struct sp_records_config {
	const char *path;
	uint64_t keep_s, size_bytes;
};
int sp_records_open(const struct sp_records_config *config, struct sp_records **ret_records);
/* Flows that have no end yet end now, since the workers' do. */
void sp_records_close(struct sp_records *records);

/* What the numbers of a record are called; "": not known any more. Copied. */
struct sp_records_names {
	const char *user, *device, *rule;
	const char *file; /* of the rule; line 0: none */
	uint32_t line;
	struct sp_addr outer; /* where the tunnel comes from; zero: from none */
};
/* The loop. offset_ns: of CLOCK_REALTIME from CLOCK_MONOTONIC. False: lost, and counted. */
bool sp_records_put(struct sp_records *records, const struct sp_record *record,
		    const struct sp_records_names *names, int64_t offset_ns);

void sp_records_numbers(struct sp_records *records, struct sp_store_writer_numbers *ret_numbers);
/* Not on the loop: what was put before can be read afterwards. False: not within timeout_ms. */
bool sp_records_flush(struct sp_records *records, uint32_t timeout_ms);

#endif
