/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of ports, draining, fall-backs, addresses of single users: who gets what, and never more. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/addr.h"
#include "nat/nat.h"
#include "sallyport/core/addr.h"

#define ADDRESSES 4

static struct sp_nat_address addresses[2][ADDRESSES];
static struct sp_egress_use uses[2 * ADDRESSES];
static struct sp_nat_pools pools;

static struct sp_addr addr_of(const char *text)
{
	struct sp_addr a;

	cr_assert_eq(sp_addr_parse(text, &a), 0);
	return a;
}

/* Pool 1 has 203.0.113.0-3, pool 2 203.0.113.4-7; 256 ports each. */
static void fill(void)
{
	for (int p = 0; p < 2; p++) {
		for (int i = 0; i < ADDRESSES; i++) {
			struct sp_addr a = addr_of("203.0.113.0");

			a.b[15] = (uint8_t)(p * ADDRESSES + i);
			addresses[p][i] = (struct sp_nat_address){.addr = a,
								  .port_min = 20000,
								  .port_max = 20255,
								  .use = &uses[p * ADDRESSES + i]};
		}
		pools.pools[p] = (struct sp_nat_pool){.id = (uint16_t)(p + 1),
						      .address_count = ADDRESSES,
						      .addresses = addresses[p]};
	}
	pools.count = 2;
}

TestSuite(nat_pools, .init = fill);

static struct sp_nat *nat_open(void)
{
	struct sp_nat *nat;

	cr_assert_eq(sp_nat_open(0, 1, 4096, &nat), 0);
	cr_assert_eq(sp_nat_apply(nat, &pools), 0);
	return nat;
}

static int get(struct sp_nat *nat, uint32_t user_id, uint16_t sport, struct sp_nat_binding *ret)
{
	struct sp_nat_request q = {.src = addr_of("10.0.0.1"),
				   .user_id = user_id,
				   .sport_be = htons(sport),
				   .proto = IPPROTO_TCP,
				   .pool_id = 1,
				   .now_ns = 77};

	return sp_nat_get(nat, &q, ret);
}

static struct sp_nat_wish wishes[64];

static void grant(uint32_t count, int expected)
{
	uint32_t room = 0;

	for (uint32_t i = 0; i < count; i++)
		wishes[i].user_id = i + 2;
	cr_assert_eq(sp_nat_pool_grant(&pools.pools[0], wishes, count, NULL, &room), expected);
	if (expected)
		cr_assert_eq(room, 16);
}

Test(nat_pools, a_user_has_a_block_of_his_own_and_exhausts_nobody_elses)
{
	struct sp_nat_binding b;
	struct sp_nat *nat;

	pools.pools[0].block = 64;
	grant(16, 0);
	nat = nat_open();
	for (uint16_t i = 0; i < 64; i++) {
		struct sp_nat_address range;

		cr_assert_eq(get(nat, 2, (uint16_t)(1000 + i), &b), 0, "port %u", i);
		cr_assert(sp_nat_pool_range(&pools.pools[0], 2, true, &range));
		cr_assert(sp_addr_equal(&b.addr, &range.addr));
		cr_assert_geq(ntohs(b.port_be), range.port_min);
		cr_assert_leq(ntohs(b.port_be), range.port_max);
		cr_assert_eq(range.port_max - range.port_min, 63);
	}
	cr_assert_eq(get(nat, 2, 5000, &b), -ENOSPC, "his block is full");
	for (uint32_t user = 3; user < 18; user++)
		cr_assert_eq(get(nat, user, 5000, &b), 0, "user %u has his own", user);
	cr_assert_eq(get(nat, 18, 5000, &b), -ENOENT, "who was dealt nothing has nothing");
	sp_nat_close(nat);
	free(pools.pools[0].grants);
}

Test(nat_pools, blocks_never_meet_and_are_refused_when_there_are_too_few)
{
	pools.pools[0].block = 64;
	grant(16, 0);
	for (uint32_t a = 0; a < 16; a++)
		for (uint32_t b = 0; b < a; b++) {
			const struct sp_nat_grant *x = &pools.pools[0].grants[a];
			const struct sp_nat_grant *y = &pools.pools[0].grants[b];

			cr_assert(x->address != y->address || x->port_min > y->port_max ||
				  y->port_min > x->port_max);
		}
	grant(17, -ENOSPC);
	free(pools.pools[0].grants);
}

Test(nat_pools, a_block_is_kept_when_others_come_and_go)
{
	struct sp_nat_pool before = pools.pools[0];
	struct sp_nat_address was, is;
	uint32_t room;

	pools.pools[0].block = before.block = 64;
	grant(8, 0);
	before.grants = pools.pools[0].grants;
	before.grant_count = pools.pools[0].grant_count;
	pools.pools[0].grants = NULL;
	/* Users 2 to 5 are gone, 10 to 17 have come, and an address went to the end. */
	for (uint32_t i = 0; i < 12; i++)
		wishes[i].user_id = i + 6;
	addresses[1][0] = addresses[0][0];
	for (int i = 1; i < ADDRESSES; i++)
		addresses[1][i - 1] = addresses[0][i];
	addresses[1][ADDRESSES - 1] = addresses[0][0];
	pools.pools[0].addresses = addresses[1];
	cr_assert_eq(sp_nat_pool_grant(&pools.pools[0], wishes, 12, &before, &room), 0);
	for (uint32_t user = 6; user < 10; user++) {
		cr_assert(sp_nat_pool_range(&before, user, true, &was));
		cr_assert(sp_nat_pool_range(&pools.pools[0], user, true, &is));
		cr_assert(sp_addr_equal(&was.addr, &is.addr), "user %u", user);
		cr_assert_eq(was.port_min, is.port_min, "user %u", user);
	}
	free(before.grants);
	free(pools.pools[0].grants);
}

Test(nat_pools, drains_without_ending_a_flow_and_begins_none)
{
	struct sp_nat_binding before, same, after;
	struct sp_nat *nat = nat_open();
	unsigned int drained;

	cr_assert_eq(get(nat, 2, 1000, &before), 0);
	drained = before.addr.b[15];
	cr_assert_eq(uses[drained].used[0], 1);
	addresses[0][drained].draining = true;
	cr_assert_eq(sp_nat_apply(nat, &pools), 0);
	cr_assert(sp_nat_has_address(nat, &before.addr), "its flows go on");
	cr_assert_eq(uses[drained].used[0], 1);
	for (uint16_t i = 0; i < 300; i++) {
		cr_assert_eq(get(nat, 2, (uint16_t)(1000 + i % 200), &after), 0);
		cr_assert_neq(after.addr.b[15], drained, "no new flow, not even of the same port");
	}
	sp_nat_put(nat, before.handle);
	cr_assert_eq(uses[drained].used[0], 0, "the last flow is gone");
	addresses[0][drained].draining = false;
	cr_assert_eq(sp_nat_apply(nat, &pools), 0);
	cr_assert_eq(get(nat, 2, 3000, &same), 0);
	cr_assert_eq(same.addr.b[15], drained, "his own address again");
	sp_nat_close(nat);
}

Test(nat_pools, what_is_exhausted_or_drained_falls_back_only_where_it_was_said)
{
	struct sp_nat_binding b;
	struct sp_nat *nat;

	for (int i = 0; i < ADDRESSES; i++)
		addresses[0][i].draining = true;
	nat = nat_open();
	cr_assert_eq(get(nat, 2, 1000, &b), -ENOENT, "every address drains");
	pools.pools[0].fallback = 2;
	cr_assert_eq(sp_nat_apply(nat, &pools), 0);
	cr_assert_eq(get(nat, 2, 1000, &b), 0);
	cr_assert_eq(b.pool_id, 2);
	cr_assert_geq(b.addr.b[15], ADDRESSES);
	sp_nat_close(nat);

	fill();
	for (int i = 0; i < ADDRESSES; i++)
		addresses[0][i].port_max = 20003;
	nat = nat_open();
	for (uint16_t i = 0; i < 4; i++)
		cr_assert_eq(get(nat, 2, (uint16_t)(1000 + i), &b), 0);
	cr_assert_eq(get(nat, 2, 2000, &b), -ENOSPC, "three other addresses are free");
	cr_assert_eq(uses[b.addr.b[15]].refused, 1);
	cr_assert_eq(uses[b.addr.b[15]].refused_ns, 77);
	pools.pools[0].fallback = 2;
	cr_assert_eq(sp_nat_apply(nat, &pools), 0);
	cr_assert_eq(get(nat, 2, 2000, &b), 0);
	cr_assert_eq(b.pool_id, 2);
	sp_nat_close(nat);
}

Test(nat_pools, a_user_with_an_address_of_his_own_gets_that_or_nothing)
{
	struct sp_nat_binding b;
	struct sp_nat *nat;
	uint32_t room;

	for (uint32_t a = 0; a < ADDRESSES; a++) {
		wishes[a] = (struct sp_nat_wish){
			.user_id = a + 2, .has_v4 = true, .v4 = addresses[0][a].addr};
	}
	cr_assert_eq(sp_nat_pool_grant(&pools.pools[0], wishes, ADDRESSES, NULL, &room), 0);
	nat = nat_open();
	for (uint32_t a = 0; a < ADDRESSES; a++) {
		cr_assert_eq(get(nat, a + 2, 1000, &b), 0);
		cr_assert_eq(b.addr.b[15], a);
	}
	cr_assert_eq(get(nat, 99, 1000, &b), 0, "others have the pool's choice");
	addresses[0][1].draining = true;
	cr_assert_eq(sp_nat_pool_grant(&pools.pools[0], wishes, ADDRESSES, NULL, &room), 0);
	cr_assert_eq(sp_nat_apply(nat, &pools), 0);
	cr_assert_eq(get(nat, 3, 1000, &b), -ENOENT, "his drains: no other instead");
	cr_assert_eq(get(nat, 2, 1000, &b), 0);
	sp_nat_close(nat);
	free(pools.pools[0].grants);
}

/* What it frees it may use again, and nobody else's port is taken for it. */
Test(nat_pools, a_full_block_reuses_what_cools_in_it)
{
	struct sp_nat_binding b, kept;
	struct sp_nat *nat;

	pools.pools[0].block = 64;
	grant(16, 0);
	nat = nat_open();
	for (uint16_t i = 0; i < 64; i++)
		cr_assert_eq(get(nat, 2, (uint16_t)(1000 + i), &kept), 0);
	sp_nat_put(nat, kept.handle);
	cr_assert_eq(get(nat, 2, 5000, &b), 0);
	cr_assert_eq(b.port_be, kept.port_be);
	cr_assert_eq(get(nat, 2, 5001, &b), -ENOSPC);
	sp_nat_close(nat);
	free(pools.pools[0].grants);
}
