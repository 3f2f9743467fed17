/* SPDX-License-Identifier: Apache-2.0 */
/* The way out that a rule names, instead of the one that the routing table knows. */
#include "tunnel.h"

#define FIRST  11 /* paths */
#define SECOND 12
#define HOP_1  21 /* next hops of theirs */
#define HOP_2  22

static const struct shape question = {"10.9.0.2", "192.0.2.1", 0, 5000, 53, 10};

/* Every rule of the policy in force names these paths. */
static void put_paths(struct house *h, uint32_t paths)
{
	struct sp_policy_node *half = h->shared->policy + (size_t)(h->published.generation & 1) *
								  h->shared->policy_nodes_max;

	for (uint32_t i = 2; i < 2 + half->header.rule_count; i++) {
		half[i].rule.paths = paths;
		half[i].rule.pool_id = 0;
	}
}

static void open_paths(struct house *h)
{
	house_open(h);
	house_nexthop(h, HOP_1, "203.0.113.201");
	house_nexthop(h, HOP_2, "203.0.113.202");
	h->shared->paths[FIRST] = (struct sp_path){.name = "first", .hop_v4 = HOP_1, .pool_id = 1};
	h->shared->paths[SECOND] =
		(struct sp_path){.name = "second", .hop_v4 = HOP_2, .pool_id = 1};
}

static void assert_leaves_by(struct house *h, const struct shape *shape, uint8_t hop,
			     const char *name)
{
	cr_assert_eq(house_say(h, ALICE, shape), 1, "%s", name);
	cr_assert_eq(h->sent[0].b[5], hop, "%s: left by %u", name, h->sent[0].b[5]);
}

static void assert_down(struct house *h, const struct shape *shape, const char *name)
{
	uint64_t before = house_drops(h, SP_DIR_UP, SP_R_PATH_DOWN), all = house_all_drops(h);

	cr_assert_eq(house_say(h, ALICE, shape), 0, "%s", name);
	cr_assert_eq(house_drops(h, SP_DIR_UP, SP_R_PATH_DOWN), before + 1, "%s", name);
	cr_assert_eq(house_all_drops(h), all + 1, "%s", name);
}

Test(engine_paths, rule_names_the_way_whatever_the_routes_say)
{
	struct shape other = question;
	struct house h;

	open_paths(&h);
	put_paths(&h, FIRST);
	assert_leaves_by(&h, &question, HOP_1, "new");
	assert_leaves_by(&h, &question, HOP_1, "established");
	h.shared->gateway->route_count = 0;
	h.shared->gateway->route_seq += 2;
	assert_leaves_by(&h, &question, HOP_1, "without any route");
	other.sport++;
	assert_leaves_by(&h, &other, HOP_1, "new, without any route");
	house_close(&h);
}

Test(engine_paths, what_is_down_is_never_replaced_by_the_routes)
{
	static const struct shape v6 = {"fd00:9::2", "2001:db8:1::1", 0, 5000, 53, 10};
	struct shape other = question;
	struct house h;

	open_paths(&h);
	put_paths(&h, FIRST);
	assert_leaves_by(&h, &question, HOP_1, "up");
	assert_down(&h, &v6, "no next hop of that family");
	h.shared->nexthops[HOP_1].state = SP_NEXTHOP_PENDING;
	other.sport++;
	assert_down(&h, &other, "new");
	assert_down(&h, &question, "established");
	h.shared->nexthops[HOP_1].state = SP_NEXTHOP_READY;
	assert_leaves_by(&h, &question, HOP_1, "up again");
	cr_assert_eq(h.w->table.count, 1, "and the flow has lived on");
	h.shared->paths[FIRST] = (struct sp_path){0};
	assert_down(&h, &other, "no such path");
	house_close(&h);
}

Test(engine_paths, second_choice_takes_over_only_where_the_rule_names_one)
{
	struct shape other = question;
	struct house h;

	open_paths(&h);
	put_paths(&h, FIRST | SECOND << 8);
	assert_leaves_by(&h, &question, HOP_1, "the first");
	h.shared->nexthops[HOP_1].state = SP_NEXTHOP_PENDING;
	other.sport++;
	assert_leaves_by(&h, &other, HOP_2, "new: the second");
	assert_down(&h, &question, "established: ends, as its address is of the first");
	assert_leaves_by(&h, &question, HOP_2, "and begins anew");
	h.shared->nexthops[HOP_1].state = SP_NEXTHOP_READY;
	assert_leaves_by(&h, &question, HOP_2, "what has begun stays where it is");
	other.sport++;
	assert_leaves_by(&h, &other, HOP_1, "what is new goes by the first again");
	house_close(&h);
}

Test(engine_paths, flow_of_a_path_that_its_rule_no_longer_names)
{
	struct house h;

	open_paths(&h);
	put_paths(&h, FIRST);
	assert_leaves_by(&h, &question, HOP_1, "first");
	house_rules(&h, HOUSE_USUAL);
	put_paths(&h, SECOND | FIRST << 8);
	assert_leaves_by(&h, &question, HOP_1, "still named");
	house_rules(&h, HOUSE_USUAL);
	put_paths(&h, SECOND);
	assert_down(&h, &question, "not named: it ends");
	assert_leaves_by(&h, &question, HOP_2, "and begins anew");
	house_rules(&h, HOUSE_USUAL);
	put_paths(&h, 0);
	assert_down(&h, &question, "the routing table is another way, too");
	assert_leaves_by(&h, &question, 1, "by the routes");
	house_close(&h);
}

Test(engine_paths, path_that_got_another_next_hop)
{
	struct house h;

	open_paths(&h);
	put_paths(&h, FIRST);
	assert_leaves_by(&h, &question, HOP_1, "before");
	h.shared->paths[FIRST].hop_v4 = HOP_2;
	house_rules(&h, HOUSE_USUAL);
	put_paths(&h, FIRST);
	assert_leaves_by(&h, &question, HOP_2, "after the reload");
	house_close(&h);
}
