/* SPDX-License-Identifier: Apache-2.0 */
#include "sallyport/core/route.h"

#include <criterion/criterion.h>

#include "unit/core/random.h"

static bool naive_contains(const struct sp_prefix *p, const struct sp_addr *a)
{
	for (int bit = 0; bit < p->len; bit++)
		if ((p->addr.b[bit / 8] ^ a->b[bit / 8]) >> (7 - bit % 8) & 1)
			return false;
	return true;
}

/* A near miss: a copy of from with one bit turned, or none. */
static struct sp_addr near(uint64_t *seed, const struct sp_addr *from)
{
	struct sp_addr a = *from;
	uint32_t bit = chance(seed, 160);

	if (bit < 128)
		a.b[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	return a;
}

Test(core_route, contains_by_bits)
{
	uint64_t seed = 41;

	for (int row = 0; row < 50000; row++) {
		struct sp_prefix p = {.addr = random_addr(&seed, 6),
				      .len = (uint8_t)chance(&seed, 129)};
		struct sp_addr a = near(&seed, &p.addr);

		cr_assert_eq(sp_prefix_contains(&p, &a), naive_contains(&p, &a), "row %d /%d", row,
			     p.len);
	}
}

Test(core_route, a_length_beyond_128_contains_nothing)
{
	struct sp_prefix p = {.len = 129};

	cr_assert_not(sp_prefix_contains(&p, &p.addr));
	p.len = 255;
	cr_assert_not(sp_prefix_contains(&p, &p.addr));
}

/* Longest prefix by looking at all of them, against the walk of a table in order. */
Test(core_route, finds_the_longest_prefix)
{
	static struct sp_route routes[SP_ROUTE_MAX];
	struct sp_addr base[4];
	uint64_t seed = 42;
	int found = 0, missed = 0;

	for (uint32_t i = 0; i < 4; i++)
		base[i] = random_addr(&seed, i & 1 ? 4 : 6);
	for (uint32_t i = 0; i < SP_ROUTE_MAX; i++) {
		uint8_t len = (uint8_t)(128 - i / 4);

		routes[i].prefix.addr = near(&seed, &base[chance(&seed, 4)]);
		routes[i].prefix.len = len;
	}
	for (int row = 0; row < 20000; row++) {
		uint32_t count = chance(&seed, SP_ROUTE_MAX + 1);
		struct sp_addr dst = near(&seed, &base[chance(&seed, 4)]);
		int best = -1;
		int got = sp_route_find(routes, count, &dst);

		for (uint32_t i = 0; i < count; i++) {
			if (sp_addr_is_v4(&dst) && routes[i].prefix.len < 96)
				continue;
			if (naive_contains(&routes[i].prefix, &dst) &&
			    (best < 0 || routes[i].prefix.len > routes[best].prefix.len))
				best = (int)i;
		}
		cr_assert_eq(got, best, "row %d: %d, not %d", row, got, best);
		found += got >= 0;
		missed += got < 0;
	}
	cr_assert(found > 1000 && missed > 1000, "%d found, %d missed", found, missed);
}

Test(core_route, an_ipv6_default_is_not_one_for_ipv4)
{
	struct sp_route routes[2] = {{.prefix = {.len = 0}}, {.prefix = {.len = 0}}};
	struct sp_addr v4 = {{[10] = 0xff, 0xff, 9, 9, 9, 9}};
	struct sp_addr v6 = {{0x20, 1}};

	cr_assert_eq(sp_route_find(routes, 1, &v6), 0);
	cr_assert_eq(sp_route_find(routes, 1, &v4), -1);
	routes[0].prefix = (struct sp_prefix){.addr = {{[10] = 0xff, 0xff}}, .len = 96};
	cr_assert_eq(sp_route_find(routes, 2, &v4), 0);
	cr_assert_eq(sp_route_find(routes, 2, &v6), 1);
	cr_assert_eq(sp_route_find(routes, 0, &v6), -1);
}
