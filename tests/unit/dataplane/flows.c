// SPDX-License-Identifier: Apache-2.0
/* Flows in batches, sessions, and the sum of drops. */
#include "dataplane/drops.h"
#include "dataplane/plain.h"
#include "unit/dataplane/fixture.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "sallyport/core/addr.h"

TestSuite(dataplane_flows, .init = fixture_need_kernel);

#define FLOWS 2048 /* both entries of 1024 flows: the table is full */

static struct sp_flow_key keys[FLOWS + 64];
static struct sp_flow flows[FLOWS + 64];

static void make_flows(void)
{
	for (uint32_t i = 0; i < FLOWS + 64; i++) {
		keys[i] = (struct sp_flow_key){.src = sp_addr_from_v4(i + 1),
					       .dst = sp_addr_from_v4(0x0a000001),
					       .sport_be = (__be16)i,
					       .proto = 17};
		flows[i] = (struct sp_flow){.rule_id = i, .packets = 1000 + i};
	}
}

static void put_all(struct sp_dataplane *dp)
{
	make_flows();
	for (unsigned int i = 0; i < FLOWS; i += 64)
		cr_assert_eq(sp_dataplane_flow_put(dp, keys + i, flows + i, 64), 64);
}

Test(dataplane_flows, what_is_put_is_found_and_what_is_removed_is_not)
{
	struct sp_dataplane *dp = fixture_open(NULL);
	struct sp_flow found = {.rule_id = 77};

	put_all(dp);
	for (unsigned int i = 0; i < FLOWS; i++) {
		cr_assert_eq(sp_dataplane_flow_lookup(dp, &keys[i], &found), 0);
		cr_assert_eq(memcmp(&found, &flows[i], sizeof(found)), 0);
	}
	cr_assert_eq(sp_dataplane_flow_remove(dp, keys, 64), 64);
	found.rule_id = 77;
	cr_assert_eq(sp_dataplane_flow_lookup(dp, &keys[0], &found), -ENOENT);
	cr_assert_eq(found.rule_id, 77, "untouched on failure");
	cr_assert_eq(sp_dataplane_flow_lookup(dp, &keys[64], &found), 0);
	sp_dataplane_close(dp);
}

Test(dataplane_flows, what_another_removed_is_not_renewed)
{
	struct sp_dataplane *dp = fixture_open(NULL);
	struct sp_flow found;

	make_flows();
	cr_assert_eq(sp_dataplane_flow_renew(dp, &keys[0], &flows[0]), -ENOENT);
	cr_assert_eq(sp_dataplane_flow_lookup(dp, &keys[0], &found), -ENOENT);
	cr_assert_eq(sp_dataplane_flow_put(dp, keys, flows, 1), 1);
	cr_assert_eq(sp_dataplane_flow_renew(dp, &keys[0], &flows[1]), 0);
	cr_assert_eq(sp_dataplane_flow_lookup(dp, &keys[0], &found), 0);
	cr_assert_eq(found.rule_id, 1);
	sp_dataplane_close(dp);
}

Test(dataplane_flows, remove_steps_over_what_is_absent)
{
	struct sp_dataplane *dp = fixture_open(NULL);
	struct sp_flow found;

	put_all(dp);
	for (unsigned int i = 0; i < 64; i += 3)
		cr_assert_eq(sp_dataplane_flow_remove(dp, keys + i, 1), 1);
	cr_assert_eq(sp_dataplane_flow_remove(dp, keys, 64), 64);
	for (unsigned int i = 0; i < 64; i++)
		cr_assert_eq(sp_dataplane_flow_lookup(dp, &keys[i], &found), -ENOENT, "%u", i);
	cr_assert_eq(sp_dataplane_flow_lookup(dp, &keys[64], &found), 0);
	sp_dataplane_close(dp);
}

Test(dataplane_flows, a_full_table_says_how_many_it_took)
{
	struct sp_dataplane *dp = fixture_open(NULL);

	put_all(dp);
	cr_assert_eq(sp_dataplane_flow_put(dp, keys + FLOWS, flows + FLOWS, 64), -E2BIG);
	cr_assert_eq(sp_dataplane_flow_remove(dp, keys, 5), 5);
	cr_assert_eq(sp_dataplane_flow_put(dp, keys + FLOWS, flows + FLOWS, 64), 5);
	sp_dataplane_close(dp);
}

struct walk {
	uint8_t seen[FLOWS + 64];
	unsigned int count, stop_after;
};

static int on_flow(const struct sp_flow_key *key, const struct sp_flow *flow, void *arg)
{
	struct walk *walk = arg;

	cr_assert_lt(flow->rule_id, FLOWS);
	cr_assert_eq(memcmp(key, &keys[flow->rule_id], sizeof(*key)), 0);
	walk->seen[flow->rule_id]++;
	return ++walk->count == walk->stop_after ? 42 : 0;
}

Test(dataplane_flows, each_shows_every_flow_once)
{
	struct sp_dataplane *dp = fixture_open(NULL);
	struct walk walk = {};

	cr_assert_eq(sp_dataplane_flow_each(dp, on_flow, &walk), 0);
	cr_assert_eq(walk.count, 0);
	put_all(dp);
	cr_assert_eq(sp_dataplane_flow_each(dp, on_flow, &walk), 0);
	cr_assert_eq(walk.count, FLOWS);
	for (unsigned int i = 0; i < FLOWS; i++)
		cr_assert_eq(walk.seen[i], 1, "%u", i);
	sp_dataplane_close(dp);
}

Test(dataplane_flows, steps_show_every_flow_once)
{
	struct sp_dataplane *dp = fixture_open(NULL);
	struct sp_flow_walk step = {0};
	struct walk walk = {};
	int steps = 0, more;

	put_all(dp);
	do {
		more = sp_dataplane_flow_step(dp, &step, on_flow, &walk);
		cr_assert_geq(more, 0);
		cr_assert_lt(steps++, 100);
	} while (more);
	cr_assert_gt(steps, 1, "all in one step");
	cr_assert_eq(walk.count, FLOWS);
	for (unsigned int i = 0; i < FLOWS; i++)
		cr_assert_eq(walk.seen[i], 1, "%u", i);
	sp_dataplane_close(dp);
}

Test(dataplane_flows, of_two_who_remove_a_plain_flow_one_did_it)
{
	struct sp_dataplane *dp = fixture_open(NULL);
	struct sp_flow flow;

	put_all(dp);
	cr_assert_eq(sp_dataplane_plain_remove(dp, &keys[0], &keys[1]), 1);
	cr_assert_eq(sp_dataplane_plain_remove(dp, &keys[0], &keys[1]), 0);
	cr_assert_eq(sp_dataplane_flow_lookup(dp, &keys[1], &flow), -ENOENT);
	sp_dataplane_close(dp);
}

struct port_walk {
	struct sp_dataplane *dp;
	unsigned int seen[600];
};

static int on_port(const struct sp_port_key *key, const struct sp_port *port, void *arg)
{
	struct port_walk *walk = arg;

	cr_assert_eq(port->claimed_ns, key->port_be);
	walk->seen[key->port_be]++;
	return sp_dataplane_port_remove(walk->dp, key);
}

Test(dataplane_flows, ports_may_be_removed_while_they_are_shown)
{
	struct sp_dataplane *dp = fixture_open(NULL);
	struct port_walk walk = {.dp = dp};
	struct sp_port_walk step = {0};
	int steps = 0, more;

	for (uint16_t i = 0; i < 600; i++) {
		struct sp_port_key key = {.port_be = i};
		struct sp_port port = {.claimed_ns = i};

		cr_assert_eq(sp_dataplane_port_put(dp, &key, &port), 0);
	}
	do {
		more = sp_dataplane_port_step(dp, &step, on_port, &walk);
		cr_assert_geq(more, 0);
		cr_assert_lt(steps++, 100);
	} while (more);
	cr_assert_gt(steps, 2);
	for (unsigned int i = 0; i < 600; i++)
		cr_assert_eq(walk.seen[i], 1, "%u", i);
	step = (struct sp_port_walk){0};
	cr_assert_eq(sp_dataplane_port_step(dp, &step, on_port, &walk), 0, "nothing is left");
	sp_dataplane_close(dp);
}

Test(dataplane_flows, each_stops_when_told)
{
	struct sp_dataplane *dp = fixture_open(NULL);
	struct walk walk = {.stop_after = 300};

	put_all(dp);
	cr_assert_eq(sp_dataplane_flow_each(dp, on_flow, &walk), 42);
	cr_assert_eq(walk.count, 300);
	sp_dataplane_close(dp);
}

static int remove_each(uint32_t receiver, const struct sp_session *session, void *arg)
{
	struct sp_dataplane *dp = ((void **)arg)[0];
	unsigned int *count = ((void **)arg)[1];

	cr_assert_eq(session->peer_id, receiver * 2);
	(*count)++;
	return sp_dataplane_session_remove(dp, receiver);
}

Test(dataplane_flows, sessions_may_be_removed_while_they_are_shown)
{
	struct sp_dataplane *dp = fixture_open(NULL);
	unsigned int count = 0;
	void *arg[] = {dp, &count};

	for (uint32_t i = 1; i <= 200; i++) {
		struct sp_session session = {.state = SP_SESSION_FULL, .peer_id = i * 2};

		cr_assert_eq(sp_dataplane_session_put(dp, i, &session), 0);
	}
	cr_assert_eq(sp_dataplane_session_each(dp, remove_each, arg), 0);
	cr_assert_eq(count, 200);
	count = 0;
	cr_assert_eq(sp_dataplane_session_each(dp, remove_each, arg), 0);
	cr_assert_eq(count, 0);
	cr_assert_eq(sp_dataplane_session_remove(dp, 1), 0, "removing what is absent is no fault");
	sp_dataplane_close(dp);
}

Test(dataplane_flows, an_empty_socket_slot_may_be_emptied)
{
	struct sp_dataplane *dp = fixture_open(NULL);

	cr_assert_eq(sp_dataplane_xsk_put(dp, 0, -1), 0);
	cr_assert_eq(sp_dataplane_xsk_put(dp, SP_IFACE_MAX * SP_QUEUE_MAX, -1), -EINVAL);
	sp_dataplane_close(dp);
}

Test(dataplane_flows, drops_are_summed_over_lanes_and_published)
{
	struct sp_dataplane *dp = fixture_open(fixture_pin_dir());
	struct sp_shared *shared = sp_dataplane_shared(dp);
	struct sp_drop_key key = {.reason = SP_R_REPLAYED, .direction = SP_DIR_UP};
	struct sp_drop_cell cell;
	struct sp_drop_totals totals;
	char path[128];
	int fd;

	for (uint32_t i = 0; i < shared->drop_lanes; i++)
		sp_drop_count(shared->drops + i * SP_DROP_STRIDE, SP_DIR_UP, SP_R_REPLAYED, 100,
			      500 + i);
	cr_assert_eq(sp_dataplane_drops_collect(dp, &totals), 0);
	cr_assert_eq(totals.cell[SP_DIR_UP][SP_R_REPLAYED].packets, shared->drop_lanes);
	cr_assert_eq(totals.cell[SP_DIR_UP][SP_R_REPLAYED].bytes, 100 * shared->drop_lanes);
	cr_assert_eq(totals.cell[SP_DIR_UP][SP_R_REPLAYED].last_ns, 499 + shared->drop_lanes);
	cr_assert_eq(totals.cell[SP_DIR_DOWN][SP_R_REPLAYED].packets, 0);

	snprintf(path, sizeof(path), "%s/sp_drops", fixture_pin_dir());
	fd = bpf_obj_get(path);
	cr_assert_geq(fd, 0);
	cr_assert_eq(bpf_map_lookup_elem(fd, &key, &cell), 0);
	cr_assert_eq(cell.packets, shared->drop_lanes);
	key.direction = SP_DIR_DOWN;
	cr_assert_eq(bpf_map_lookup_elem(fd, &key, &cell), -ENOENT, "rows of zero are not shown");
	close(fd);
	cr_assert_eq(sp_dataplane_remove(dp), 0);
	sp_dataplane_close(dp);
	fixture_remove_pins();
}
