/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker tells for the records: each flow once at either end, each denial, and no packet. */
#include "sallyport/core/flow.h"
#include "tunnel.h"

static const struct shape web = {"10.9.0.2", "192.0.2.1", SP_PROTO_TCP, 5000, 80, 100};
static const struct shape denied = {"10.9.0.2", "192.0.2.66", 0, 5000, 53, 100};

static bool pop(struct house *h, struct sp_record *ret_record)
{
	return sp_ring_pop(&h->w->records, ret_record);
}

Test(engine_record, tells_a_flow_that_begins_and_ends_with_its_numbers)
{
	struct sp_record begun, ended, none;
	struct sp_flow_key key;
	struct sp_flow reply;
	struct house h;

	house_open(&h);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(house_say(&h, ALICE, &web), 1);
	cr_assert(pop(&h, &begun));
	cr_assert_not(pop(&h, &none), "five packets are one flow");
	cr_expect_eq(begun.what, SP_RECORD_BEGUN);
	cr_expect_eq(begun.kind, SP_FLOW_TUNNEL);
	cr_expect_eq(begun.user_id, 2);
	cr_expect_eq(begun.peer_id, ALICE);
	cr_expect_eq(begun.begun_ns, h.now_ns);
	assert_addr(begun.key.src, "10.9.0.2");
	assert_addr(begun.key.dst, "192.0.2.1");
	assert_addr(begun.egress, "203.0.113.10");
	sp_flow_key_reverse(&begun.key, &key);
	key.dst = begun.egress;
	key.dport_be = begun.egress_port_be;
	cr_assert_eq(sp_dataplane_flow_lookup(h.dp, &key, &reply), 0, "the answer finds it there");
	reply.packets = 7;
	reply.bytes = 7000;
	cr_assert_eq(sp_dataplane_flow_renew(h.dp, &key, &reply), 0);
	h.now_ns += 8000 * S_NS;
	for (int i = 0; i < 200; i++)
		sp_housekeep(h.w, h.now_ns += S_NS / 50);
	cr_assert(pop(&h, &ended));
	cr_assert_not(pop(&h, &none));
	cr_expect_eq(ended.what, SP_RECORD_ENDED);
	cr_expect(!memcmp(&ended.key, &begun.key, sizeof(begun.key)));
	cr_expect_eq(ended.begun_ns, begun.begun_ns, "the same flow");
	cr_expect_eq(ended.packets, 5);
	cr_expect_eq(ended.bytes, 5 * 140);
	cr_expect_eq(ended.back_packets, 7);
	cr_expect_eq(ended.back_bytes, 7000);
	cr_expect_gt(ended.ended_ns, ended.seen_ns);
	house_close(&h);
}

Test(engine_record, tells_denials_at_their_pace)
{
	struct sp_record record, none;
	struct shape shape = denied;
	struct house h;

	house_open(&h);
	for (int i = 0; i < 3; i++) {
		shape.sport = (uint16_t)(5000 + i);
		cr_assert_eq(house_say(&h, ALICE, &shape), 0);
	}
	cr_assert(pop(&h, &record));
	cr_expect_eq(record.what, SP_RECORD_DENIED);
	cr_expect_eq(record.reason, SP_R_POLICY_DENY);
	cr_expect_eq(record.rule_id, 1);
	cr_expect_eq(record.peer_id, ALICE);
	assert_addr(record.key.dst, "192.0.2.66");
	cr_assert_not(pop(&h, &none), "the others came in the same millisecond");
	h.now_ns += SP_RECORD_PACE_NS;
	shape.sport = 6000;
	cr_assert_eq(house_say(&h, ALICE, &shape), 0);
	cr_assert(pop(&h, &record));
	house_close(&h);
}

Test(engine_record, a_full_ring_loses_records_and_no_packet)
{
	struct shape shape = web;
	struct house h;

	house_open(&h);
	for (uint16_t i = 0; i < 10; i++) {
		shape.sport = (uint16_t)(7000 + i);
		cr_assert_eq(house_say(&h, ALICE, &shape), 1);
	}
	cr_expect_eq(h.w->records.full, 2);
	house_close(&h);
}
