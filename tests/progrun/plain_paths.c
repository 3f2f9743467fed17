/* SPDX-License-Identifier: Apache-2.0 */
/* The way out that a rule names for plain flows, instead of the routing table's. */
#include "progrun/plain_lab.h"

#define FIRST	   1
#define SECOND	   2
#define HOP_FIRST  8
#define HOP_SECOND 9

static void put_hop_of(uint32_t hop, enum sp_nexthop_state state)
{
	struct sp_nexthop v = {.state = state,
			       .ifindex = EGRESS_IFINDEX,
			       .slot = EGRESS_SLOT,
			       .mtu = EGRESS_MTU,
			       .dmac = {6, 0, 0, 0, 1, (uint8_t)hop},
			       .smac = "\x06\0\0\0\0\x01"};

	map_put(MAP_FD(sp_nexthops), &hop, &v);
}

static void put_path(uint32_t id, uint32_t hop, uint32_t pool_id)
{
	struct sp_path v = {.name = "path", .hop_v4 = hop, .hop_v6 = hop, .pool_id = pool_id};

	map_put(MAP_FD(sp_paths), &id, &v);
}

static void put_pool(uint16_t pool_id, const char *addrs[2])
{
	for (int i = 0; i < 2; i++) {
		struct sp_egress_key k = {
			.user_id = USER, .pool_id = pool_id, .version = i ? 6 : 4};
		struct sp_egress v = {.addr = addr_of(addrs[i]),
				      .port_min = 20000,
				      .port_max = 29999,
				      .slice = 1,
				      .slices = 2,
				      .pool_id = (uint8_t)pool_id};

		map_put(MAP_FD(sp_egress), &k, &v);
	}
}

static void name_paths(uint32_t paths)
{
	policy[(gateway->generation & 1) * POLICY_NODES + ALLOW].rule.paths = paths;
}

static const char *first_pool[] = {"198.51.100.3", "2001:db8:1::3"};
static const char *second_pool[] = {"198.51.100.1", "2001:db8:1::1"};

static void paths_open(void)
{
	plain_open();
	put_hop_of(HOP_FIRST, SP_NEXTHOP_READY);
	put_hop_of(HOP_SECOND, SP_NEXTHOP_READY);
	put_path(FIRST, HOP_FIRST, 1);
	put_path(SECOND, HOP_SECOND, 2);
	put_pool(1, first_pool);
	put_pool(2, second_pool);
}

TestSuite(plain_paths, .init = paths_open, .fini = progrun_close);

static void leaves_by(const struct family *f, uint16_t sport, uint32_t hop, const char *as)
{
	struct spec s = plain_spec(f, 1, sport);
	struct frame in = frame_of(&s), want = plain_left(s, as, sport, false);

	want.b[4] = 1;
	want.b[5] = (uint8_t)hop;
	expect_out(&in, &want, f->name);
}

static void is_down(const struct family *f, uint16_t sport, const char *name)
{
	struct spec s = plain_spec(f, 1, sport);
	struct frame in = frame_of(&s);

	expect_drop(&in, SP_DIR_UP, SP_R_PATH_DOWN, name);
}

Test(plain_paths, a_rule_names_the_way_and_with_it_the_address)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct sp_lpm_key route = {.prefixlen = f == families ? 96 : 0};
		struct sp_addr net = addr_of(f == families ? "0.0.0.0" : "::");

		memcpy(route.addr, net.b, 16);
		cr_assert_eq(bpf_map_delete_elem(MAP_FD(sp_route_lpm), &route), 0);
		name_paths(SECOND);
		leaves_by(f, KEPT_PORT, HOP_SECOND, second_pool[f - families]);
		leaves_by(f, KEPT_PORT, HOP_SECOND, second_pool[f - families]);
		name_paths(FIRST);
		leaves_by(f, KEPT_PORT + 1, HOP_FIRST, first_pool[f - families]);
	}
}

Test(plain_paths, what_is_down_is_never_replaced_by_the_routes)
{
	for (const struct family *f = families; f < families + 2; f++) {
		name_paths(FIRST);
		leaves_by(f, KEPT_PORT, HOP_FIRST, first_pool[f - families]);
		put_hop_of(HOP_FIRST, SP_NEXTHOP_PENDING);
		is_down(f, KEPT_PORT, "established");
		is_down(f, KEPT_PORT + 1, "new");
		put_hop_of(HOP_FIRST, SP_NEXTHOP_READY);
		leaves_by(f, KEPT_PORT, HOP_FIRST, first_pool[f - families]);
		put_path(FIRST, 0, 1);
		is_down(f, KEPT_PORT + 1, "no next hop");
		put_path(FIRST, HOP_FIRST, 1);
	}
}

Test(plain_paths, the_second_choice_takes_over_with_an_address_of_its_own)
{
	for (const struct family *f = families; f < families + 2; f++) {
		const char *one = first_pool[f - families], *two = second_pool[f - families];

		name_paths(FIRST | SECOND << 8);
		leaves_by(f, KEPT_PORT, HOP_FIRST, one);
		put_hop_of(HOP_FIRST, SP_NEXTHOP_PENDING);
		leaves_by(f, KEPT_PORT + 1, HOP_SECOND, two);
		is_down(f, KEPT_PORT, "established: ends");
		cr_assert_eq(users[USER].plain_flows, f == families ? 1 : 3, "its place is free");
		leaves_by(f, KEPT_PORT, HOP_SECOND, two);
		put_hop_of(HOP_FIRST, SP_NEXTHOP_READY);
		leaves_by(f, KEPT_PORT, HOP_SECOND, two);
	}
}

Test(plain_paths, a_reload_that_names_another_path_begins_its_flows_anew)
{
	for (const struct family *f = families; f < families + 2; f++) {
		const char *one = first_pool[f - families], *two = second_pool[f - families];

		name_paths(FIRST);
		leaves_by(f, KEPT_PORT, HOP_FIRST, one);
		reload(ALLOW, SP_FLOW_KEEP);
		name_paths(SECOND | FIRST << 8);
		leaves_by(f, KEPT_PORT, HOP_FIRST, one);
		reload(ALLOW, SP_FLOW_KEEP);
		name_paths(SECOND);
		is_down(f, KEPT_PORT, "not named any more");
		leaves_by(f, KEPT_PORT, HOP_SECOND, two);
	}
}
