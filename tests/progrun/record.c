/* SPDX-License-Identifier: Apache-2.0 */
/* What XDP tells of plain flows for the records: begin, end, denial; a full ring loses and counts. */
#include "progrun/plain_lab.h"

#include <bpf/libbpf.h>
#include <time.h>

#include "sallyport/abi/record.h"

#define RECORDS_MAX 16384

static struct ring_buffer *ring;
static struct sp_record records[RECORDS_MAX];
static uint32_t record_count;

static int take(void *ctx, void *data, size_t bytes)
{
	cr_assert_eq(bytes, sizeof(*records));
	cr_assert_lt(record_count, RECORDS_MAX);
	memcpy(&records[record_count++], data, bytes);
	return 0;
}

static uint32_t read_records(void)
{
	record_count = 0;
	cr_assert_geq(ring_buffer__consume(ring), 0);
	return record_count;
}

static void start(void)
{
	plain_open();
	ring = ring_buffer__new(MAP_FD(sp_records), take, NULL, NULL);
	cr_assert_not_null(ring);
	gateway->records = 1;
}

TestSuite(record, .init = start, .fini = progrun_close);

static void wait_pace(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 2 * SP_RECORD_PACE_NS}, NULL);
}

Test(record, a_flow_is_told_once_with_what_it_leaves_as)
{
	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int proto = 0; proto < 3; proto++) {
			struct sp_flow_key k = plain_key(f, proto, 50000);
			struct sp_addr pool = addr_of(f->pool);
			uint16_t port = plain_send(f, proto, 50000);
			struct sp_flow flow;

			cr_assert_eq(plain_send(f, proto, 50000), port);
			cr_assert_eq(read_records(), 1, "two packets, one flow");
			cr_assert(flow_there(&k, &flow));
			cr_expect_eq(records[0].what, SP_RECORD_BEGUN);
			cr_expect_eq(records[0].kind, SP_FLOW_PLAIN);
			cr_expect_eq(records[0].user_id, USER);
			cr_expect_eq(records[0].rule_id, 1);
			cr_expect_eq(records[0].begun_ns, flow.created_ns);
			cr_expect(!memcmp(&records[0].key, &k, sizeof(k)));
			cr_expect(sp_addr_equal(&records[0].egress, &pool));
			cr_expect_eq(ntohs(records[0].egress_port_be), port);
		}
}

Test(record, a_flow_that_a_new_policy_cuts_ends_with_its_numbers)
{
	const struct family *f = families;
	struct spec s = plain_spec(f, 0, KEPT_PORT);
	struct frame in = frame_of(&s);
	struct sp_record begun;

	plain_send(f, 0, KEPT_PORT);
	plain_send(f, 0, KEPT_PORT);
	cr_assert_eq(read_records(), 1);
	begun = records[0];
	reload(DENY, 0);
	wait_pace();
	expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DENY, "cut");
	cr_assert_eq(read_records(), 1);
	cr_expect_eq(records[0].what, SP_RECORD_ENDED);
	cr_expect(!memcmp(&records[0].key, &begun.key, sizeof(begun.key)));
	cr_expect_eq(records[0].begun_ns, begun.begun_ns);
	cr_expect_eq(records[0].packets, 2);
	cr_expect_geq(records[0].ended_ns, records[0].seen_ns);
	cr_expect_eq(records[0].egress_port_be, begun.egress_port_be);
}

Test(record, a_denial_is_told_at_its_pace_and_leaves_out_what_is_no_policy)
{
	const struct family *f = families;
	struct spec s = plain_spec(f, 1, KEPT_PORT);
	struct frame in = frame_of(&s);

	reload(DENY, 0);
	wait_pace();
	expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DENY, "denied");
	cr_assert_geq(read_records(), 1);
	cr_expect_eq(records[0].what, SP_RECORD_DENIED);
	cr_expect_eq(records[0].reason, SP_R_POLICY_DENY);
	cr_expect_eq(records[0].rule_id, 2);
	cr_expect_eq(records[0].user_id, USER);
	cr_expect_eq(ntohs(records[0].key.dport_be), 443);
	s.src = f->remote;
	in = frame_of(&s);
	wait_pace();
	expect_drop(&in, SP_DIR_UP, SP_R_SPOOFED_SOURCE, "no zone");
	cr_expect_eq(read_records(), 0);
}

Test(record, a_full_ring_loses_and_counts_and_lets_packets_pass)
{
	const struct family *f = families;
	struct sp_flow_key k = plain_key(f, 0, KEPT_PORT);
	uint32_t sent = 0;

	for (; !gateway->records_lost && sent < RECORDS_MAX; sent++) {
		plain_send(f, 0, KEPT_PORT);
		bpf_map_delete_elem(MAP_FD(sp_flows), &k); /* the next one begins it anew */
		users[USER].plain_flows = 0;
	}
	cr_assert_gt(gateway->records_lost, 0);
	cr_expect_eq(read_records(), sent - gateway->records_lost);
}

Test(record, none_are_told_when_switched_off)
{
	gateway->records = 0;
	plain_send(families, 0, KEPT_PORT);
	cr_expect_eq(read_records(), 0);
	cr_expect_eq(gateway->records_lost, 0);
}
