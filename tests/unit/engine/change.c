/* SPDX-License-Identifier: Apache-2.0 */
/* A policy changes under live flows; flows grow old. */
#include "tunnel.h"

#include "sallyport/core/flow.h"

static const struct shape up = {"10.9.0.2", "192.0.2.1", 0, 5000, 53, 10};
static const struct shape down = {"192.0.2.1", "10.9.0.2", 0, 53, 5000, 10};
static const struct shape up_keep = {"10.9.0.2", "198.51.100.1", 0, 5000, 53, 10};

/* Both halves of the only flow, as they stand in the map. */
struct halves {
	struct sp_flow original, reply;
	struct sp_flow_key original_key, reply_key;
	uint32_t count;
};

static int collect(const struct sp_flow_key *key, const struct sp_flow *flow, void *arg)
{
	struct halves *halves = arg;

	halves->count++;
	if (flow->side == SP_FLOW_ORIGINAL) {
		halves->original = *flow;
		halves->original_key = *key;
	} else {
		halves->reply = *flow;
		halves->reply_key = *key;
	}
	return 0;
}

static struct halves halves_of(struct house *h)
{
	struct halves halves = {.count = 0};

	sp_dataplane_flow_each(h->dp, collect, &halves);
	return halves;
}

static void neighbour(struct house *h)
{
	struct sp_neighbour_key key = {.addr = addr_of("198.51.100.1"), .ifindex = 7};

	house_nexthop(h, 3, "198.51.100.1");
	sp_dataplane_neighbour_put(h->dp, &key, &(struct sp_neighbour){.nexthop_id = 3});
}

/* Seconds of housekeeping, four looks at every entry in each. */
static void pass(struct house *h, uint64_t seconds)
{
	for (uint64_t i = 0; i < seconds * 4; i++) {
		h->now_ns += S_NS / 4;
		for (uint32_t n = 0; n < h->w->table.high; n++) {
			h->w->housekeep_ns = 0;
			sp_housekeep(h->w, h->now_ns);
		}
	}
}

Test(engine_change, flow_that_is_still_allowed_takes_the_new_generation)
{
	struct packet answer = packet_make(&down);
	struct halves before, after;
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	before = halves_of(&h);
	house_rules(&h, HOUSE_USUAL);
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	house_down(&h, ALICE, &answer, SP_META_STALE);
	cr_assert_eq(house_run(&h), 1);
	after = halves_of(&h);
	cr_assert_eq(after.count, 2);
	cr_assert_eq(after.reply.generation, before.reply.generation + 1);
	cr_assert_eq(after.original.generation, before.original.generation + 1);
	cr_assert_eq(after.reply.nat_port_be, before.reply.nat_port_be, "its binding stays");
	house_close(&h);
}

Test(engine_change, denied_flow_is_cut_by_its_next_packet)
{
	struct sp_nat_stats nat;
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	house_rules(&h, &house_usual[2], 2);
	cr_assert_eq(house_say(&h, ALICE, &up), 0);
	cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_POLICY_DEFAULT), 1);
	cr_assert_eq(halves_of(&h).count, 0, "no answer gets in either");
	cr_assert_eq(h.w->table.count, 0);
	cr_assert_eq(h.w->user_flows[2], 0);
	sp_nat_stats(h.w->nat, &nat);
	cr_assert_eq(nat.bindings, 0);
	house_close(&h);
}

Test(engine_change, denied_flow_is_cut_by_its_next_answer)
{
	struct packet answer = packet_make(&down);
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	house_rules(&h, &house_usual[2], 2);
	house_down(&h, ALICE, &answer, SP_META_STALE);
	cr_assert_eq(house_run(&h), 0);
	cr_assert_eq(house_drops(&h, SP_DIR_DOWN, SP_R_POLICY_DEFAULT), 1);
	cr_assert_eq(halves_of(&h).count, 0);
	cr_assert_eq(h.w->table.count, 0);
	house_down(&h, ALICE, &answer, SP_META_STALE);
	cr_assert_eq(house_run(&h), 0);
	cr_assert_eq(house_drops(&h, SP_DIR_DOWN, SP_R_NO_FLOW), 1);
	house_close(&h);
}

Test(engine_change, keep_lets_the_flow_end_by_itself)
{
	const struct shape back = {"198.51.100.1", "10.9.0.2", 0, 53, 5000, 10};
	struct packet answer = packet_make(&back);
	struct shape other = up_keep;
	struct house h;

	house_open(&h);
	neighbour(&h);
	cr_assert_eq(house_say(&h, ALICE, &up_keep), 1);
	house_rules(&h, &house_usual[1], 1);
	cr_assert_eq(house_say(&h, ALICE, &up_keep), 1);
	house_down(&h, ALICE, &answer, SP_META_STALE);
	cr_assert_eq(house_run(&h), 1);
	cr_assert_eq(halves_of(&h).reply.generation, h.published.generation);
	house_rules(&h, &house_usual[1], 1);
	cr_assert_eq(house_say(&h, ALICE, &up_keep), 1, "kept through the next change, too");
	other.sport++;
	cr_assert_eq(house_say(&h, ALICE, &other), 0, "but no new flow");
	house_close(&h);
}

/* The flow of another worker: its answers may arrive here. */
Test(engine_change, answer_of_another_workers_flow_is_judged_again)
{
	struct packet answer = packet_make(&down);
	struct halves halves;
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	halves = halves_of(&h);
	halves.original.worker = halves.reply.worker = 1;
	sp_flow_forget(h.w, sp_flow_table_lookup(&h.w->table, &halves.original_key));
	sp_dataplane_flow_put(h.dp, &halves.original_key, &halves.original, 1);
	sp_dataplane_flow_put(h.dp, &halves.reply_key, &halves.reply, 1);
	house_rules(&h, HOUSE_USUAL);
	house_down(&h, ALICE, &answer, SP_META_STALE);
	cr_assert_eq(house_run(&h), 1);
	cr_assert_eq(halves_of(&h).reply.generation, h.published.generation);
	cr_assert_eq(halves_of(&h).original.generation, h.published.generation);
	house_rules(&h, &house_usual[2], 2);
	house_down(&h, ALICE, &answer, SP_META_STALE);
	cr_assert_eq(house_run(&h), 0);
	cr_assert_eq(halves_of(&h).count, 0);
	house_close(&h);
}

/* The peer moved to another queue: its packets go on with the binding that the flow has. */
Test(engine_change, flow_of_another_worker_keeps_its_outside_port)
{
	struct sp_packet first, second;
	struct halves halves;
	struct packet out;
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	first = house_outside(&h, 0, &out);
	halves = halves_of(&h);
	sp_flow_forget(h.w, sp_flow_table_lookup(&h.w->table, &halves.original_key));
	halves.original.worker = 1;
	halves.original.nat_port_be = (__be16)sp_swap16(20777);
	sp_dataplane_flow_put(h.dp, &halves.original_key, &halves.original, 1);
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	second = house_outside(&h, 0, &out);
	cr_assert_neq(second.sport_be, first.sport_be);
	cr_assert_eq(sp_swap16((uint16_t)second.sport_be), 20777);
	cr_assert_eq(h.w->user_flows[2], 0, "a guest counts where it lives");
	house_close(&h);
}

Test(engine_change, address_that_moved_to_another_peer)
{
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	house_inner(&h, "10.9.0.2/32", SP_INNER_PEER, BOB);
	cr_assert_eq(house_say(&h, BOB, &up), 0, "alice's flow ends");
	cr_assert_eq(halves_of(&h).count, 0);
	cr_assert_eq(house_say(&h, BOB, &up), 1, "bob begins one of his own");
	cr_assert_eq(halves_of(&h).original.user_id, 3);
	cr_assert_eq(house_say(&h, ALICE, &up), 0);
	cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_SOURCE_NOT_ALLOWED), 1);
	cr_assert_eq(halves_of(&h).count, 2, "and alice cannot end it");
	house_close(&h);
}

/* The address that alice talks to is bob's now: what she sends is his, and nobody else's. */
Test(engine_change, destination_that_became_a_peers)
{
	struct packet in;
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	house_inner(&h, "192.0.2.1/32", SP_INNER_PEER, BOB);
	house_rules(&h, HOUSE_USUAL);
	cr_assert_eq(house_say(&h, ALICE, &up), 0, "the old way ends");
	cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_NO_FLOW), 1);
	cr_assert_eq(halves_of(&h).count, 0);
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	assert_addr(house_inside(&h, 0, BOB, &in).dst, "192.0.2.1");
	house_close(&h);
}

Test(engine_change, answer_to_an_address_that_moved)
{
	struct packet answer = packet_make(&down);
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	house_inner(&h, "10.9.0.2/32", SP_INNER_PEER, BOB);
	house_rules(&h, HOUSE_USUAL);
	house_down(&h, ALICE, &answer, SP_META_STALE);
	cr_assert_eq(house_run(&h), 0);
	cr_assert_eq(house_drops(&h, SP_DIR_DOWN, SP_R_NO_FLOW), 1);
	cr_assert_eq(halves_of(&h).count, 0);
	house_close(&h);
}

Test(engine_change, peer_that_became_another_users)
{
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	h.peers[ALICE].peer->user_id = 3;
	house_rules(&h, HOUSE_USUAL);
	cr_assert_eq(house_say(&h, ALICE, &up), 0, "no packet more by the old user's right");
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	cr_assert_eq(halves_of(&h).original.user_id, 3);
	house_close(&h);
}

/* The address may be another machine's by now: nothing leaves from it any more. */
Test(engine_change, outside_address_that_left_its_pool)
{
	struct sp_nat_pools *old;
	struct packet out;
	struct house h;

	house_open(&h);
	old = h.published.pools;
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	h.published.pools = house_pools();
	h.published.pools->pools[0].addresses[0].addr = addr_of("203.0.113.77");
	house_rules(&h, HOUSE_USUAL);
	cr_assert_eq(house_say(&h, ALICE, &up), 0);
	cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_NO_FLOW), 1);
	cr_assert_eq(halves_of(&h).count, 0);
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	assert_addr(house_outside(&h, 0, &out).src, "203.0.113.77");
	sp_nat_pools_close(old);
	house_close(&h);
}

Test(engine_change, numbers_are_written_once_a_second)
{
	struct house h;

	house_open(&h);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(house_say(&h, ALICE, &up), 1);
	pass(&h, 2);
	cr_assert_eq(halves_of(&h).original.packets, 3);
	cr_assert_eq(halves_of(&h).original.bytes, 3 * 38);
	cr_assert_eq(halves_of(&h).reply.packets, 0, "XDP's numbers are XDP's");
	house_close(&h);
}

Test(engine_change, idle_flow_ends_when_both_sides_are_idle)
{
	struct sp_nat_stats nat;
	struct halves halves;
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	pass(&h, SP_FLOW_UDP_S - 10);
	halves = halves_of(&h);
	cr_assert_eq(halves.count, 2);
	halves.reply.seen_ns = h.now_ns; /* XDP has seen an answer */
	sp_dataplane_flow_put(h.dp, &halves.reply_key, &halves.reply, 1);
	pass(&h, SP_FLOW_UDP_S - 10);
	cr_assert_eq(halves_of(&h).count, 2, "the answer kept it");
	pass(&h, 20);
	cr_assert_eq(halves_of(&h).count, 0);
	cr_assert_eq(h.w->table.count, 0);
	cr_assert_eq(h.w->user_flows[2], 0);
	sp_nat_stats(h.w->nat, &nat);
	cr_assert_eq(nat.bindings, 0);
	house_close(&h);
}

/* RFC 5382 REQ-5: what stands when the connection was closed by the other side alone? */
Test(engine_change, tcp_waits_long_only_while_it_is_established)
{
	const struct shape tcp = {"10.9.0.2", "192.0.2.1", SP_PROTO_TCP, 5000, 80, 10};
	struct halves halves;
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &tcp), 1);
	halves = halves_of(&h);
	halves.reply.tcp_seen = SP_TCP_SEEN_SYN | SP_TCP_SEEN_ACK;
	sp_dataplane_flow_put(h.dp, &halves.reply_key, &halves.reply, 1);
	pass(&h, 2 * SP_FLOW_TCP_TRANSITORY_S);
	cr_assert_eq(halves_of(&h).count, 2, "established");
	halves.reply.tcp_seen |= SP_TCP_SEEN_RST;
	sp_dataplane_flow_put(h.dp, &halves.reply_key, &halves.reply, 1);
	pass(&h, SP_FLOW_TCP_TRANSITORY_S + 2);
	cr_assert_eq(halves_of(&h).count, 0);
	house_close(&h);
}

Test(engine_change, flow_that_the_daemon_cut_is_forgotten)
{
	struct halves halves;
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	halves = halves_of(&h);
	sp_dataplane_flow_remove(h.dp, &halves.original_key, 1);
	sp_dataplane_flow_remove(h.dp, &halves.reply_key, 1);
	pass(&h, SP_FLOW_UDP_S + 1);
	cr_assert_eq(h.w->table.count, 0);
	house_close(&h);
}

Test(engine_change, removed_peer_takes_its_flows_with_it)
{
	const struct shape to_bob = {"10.9.0.2", "10.9.0.3", 0, 5000, 53, 10};
	const struct shape of_bob = {"10.9.0.3", "192.0.2.1", 0, 5000, 53, 10};
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &up), 1);
	cr_assert_eq(house_say(&h, ALICE, &to_bob), 1);
	cr_assert_eq(house_say(&h, BOB, &of_bob), 1);
	pass(&h, 1);
	cr_assert_eq(halves_of(&h).count, 6);
	sp_peer_remove(h.sessions, ALICE);
	pass(&h, 1);
	cr_assert_eq(halves_of(&h).count, 2);
	cr_assert_eq(halves_of(&h).original.user_id, 3, "bob's own stays");
	cr_assert_eq(h.w->table.count, 1);
	cr_assert_eq(h.w->user_flows[2], 0);
	house_close(&h);
}
