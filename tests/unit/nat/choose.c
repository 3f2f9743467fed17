/* SPDX-License-Identifier: Apache-2.0 */
/* XDP is told the address that a worker would choose, and gets a slice that no worker has. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/addr.h"
#include "nat/nat.h"
#include "sallyport/core/addr.h"

static struct sp_nat_address addresses[8];
static struct sp_nat_pools pools = {
	.count = 1,
	.pools = {{.id = 9, .address_count = 8, .addresses = addresses}},
};

static void fill(void)
{
	for (int i = 0; i < 8; i++) {
		struct sp_addr a;

		cr_assert_eq(sp_addr_parse(i & 1 ? "2001:db8::1" : "203.0.113.1", &a), 0);
		a.b[15] = (uint8_t)i;
		addresses[i] =
			(struct sp_nat_address){.addr = a, .port_min = 20000, .port_max = 20063};
	}
}

Test(nat_choose, agrees_with_the_workers, .init = fill)
{
	struct sp_nat_binding binding;
	unsigned int seen = 0;
	struct sp_nat *nat;

	cr_assert_eq(sp_nat_open(0, 1, 1024, &nat), 0);
	cr_assert_eq(sp_nat_apply(nat, &pools), 0);
	for (uint32_t user = 2; user < 66; user++)
		for (int v4 = 0; v4 < 2; v4++) {
			struct sp_nat_request q = {
				.user_id = user, .sport_be = htons(1), .proto = IPPROTO_TCP};
			const struct sp_nat_address *a =
				sp_nat_pool_choose(&pools.pools[0], user, v4);

			cr_assert_eq(sp_addr_parse(v4 ? "10.0.0.1" : "fd00::1", &q.src), 0);
			cr_assert_eq(sp_nat_get(nat, &q, &binding), 0);
			cr_assert_not_null(a);
			cr_assert(sp_addr_equal(&a->addr, &binding.addr), "user %u", user);
			seen |= 1u << a->addr.b[15];
		}
	cr_assert_eq(seen, 0xff, "64 users use every address");
	sp_nat_close(nat);
}

Test(nat_choose, knows_pools_by_id_and_families_apart, .init = fill)
{
	cr_assert_eq(sp_nat_pools_find(&pools, 9), &pools.pools[0]);
	cr_assert_eq(sp_nat_pools_find(&pools, 0), &pools.pools[0], "the first");
	cr_assert_null(sp_nat_pools_find(&pools, 1));
	pools.pools[0].address_count = 1;
	cr_assert_null(sp_nat_pool_choose(&pools.pools[0], 2, false));
	cr_assert_not_null(sp_nat_pool_choose(&pools.pools[0], 2, true));
}

/* Two workers of three slices: what they leave is the third, in whole pairs. */
Test(nat_choose, leaves_the_last_slice_alone, .init = fill)
{
	unsigned int given = 0;

	pools.pools[0].address_count = 1;
	for (uint32_t worker = 0; worker < 2; worker++) {
		struct sp_nat_binding binding;
		struct sp_nat *nat;

		cr_assert_eq(sp_nat_open(worker, 3, 1024, &nat), 0);
		cr_assert_eq(sp_nat_apply(nat, &pools), 0);
		for (uint16_t port = 1; port <= 64; port++) {
			struct sp_nat_request q = {
				.user_id = 2, .sport_be = htons(port), .proto = IPPROTO_TCP};

			cr_assert_eq(sp_addr_parse("10.0.0.1", &q.src), 0);
			if (sp_nat_get(nat, &q, &binding))
				break;
			cr_assert_eq(ntohs(binding.port_be) / 2 % 3, worker);
			given++;
		}
		sp_nat_close(nat);
	}
	cr_assert_eq(given, 42, "%u: 64 ports without the pairs of the third", given);
}
