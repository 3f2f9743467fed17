/* SPDX-License-Identifier: Apache-2.0 */
#include "sallyport/core/fragment.h"

#include <criterion/criterion.h>
#include <string.h>

static struct sp_packet piece(uint8_t version, uint32_t from, uint32_t to, bool more)
{
	return (struct sp_packet){.version = version,
				  .proto = SP_PROTO_UDP,
				  .l3_off = 14,
				  .l4_off = 34,
				  .l3_bytes = (uint16_t)(20 + to - from),
				  .fragment = from ? SP_FRAGMENT_LATER : SP_FRAGMENT_FIRST,
				  .fragment_begin = (uint16_t)from,
				  .fragment_more = more,
				  .fragment_id = 77,
				  .sport_be = 1,
				  .dport_be = 2};
}

/* RFC 8200 4.5: the next headers of later fragments need not be the first one's; RFC 791 3.2. */
Test(core_fragment, protocol_tells_datagrams_apart_in_version_4_only)
{
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct sp_packet a = piece(version, 0, 800, true), b = a;
		struct sp_fragment_key ka, kb;

		memset(&ka, 1, sizeof(ka));
		memset(&kb, 2, sizeof(kb));
		b.proto = SP_PROTO_DESTINATION;
		sp_fragment_key_of(&a, &ka);
		sp_fragment_key_of(&b, &kb);
		cr_assert_eq(memcmp(&ka, &kb, sizeof(ka)) == 0, version == 6);
		b = a;
		b.fragment_id++;
		sp_fragment_key_of(&b, &kb);
		cr_assert_neq(memcmp(&ka, &kb, sizeof(ka)), 0);
		b = a;
		b.src.b[15]++;
		sp_fragment_key_of(&b, &kb);
		cr_assert_neq(memcmp(&ka, &kb, sizeof(ka)), 0);
	}
}

Test(core_fragment, lives_for_fifteen_seconds_and_behind_the_first)
{
	struct sp_packet first = piece(4, 0, 800, true), p;
	const uint64_t end_ns = 1000 + SP_FRAGMENT_LIFE_NS;
	struct sp_fragment f;

	memset(&f, 0x5a, sizeof(f));
	sp_fragment_first(&first, 1, 2, 1000, &f);
	p = piece(4, 800, 808, true);
	cr_assert_eq(sp_fragment_check(&f, &p, 1000), SP_R_NONE);
	cr_assert_eq(sp_fragment_check(&f, &p, 0), SP_R_NONE, "another CPU's clock was ahead");
	cr_assert_eq(sp_fragment_check(&f, &p, end_ns - 1), SP_R_NONE);
	cr_assert_eq(sp_fragment_check(&f, &p, end_ns), SP_R_FRAGMENT);
	p = piece(4, 792, 1600, true);
	cr_assert_eq(sp_fragment_check(&f, &p, 1000), SP_R_FRAGMENT_TINY);
}

Test(core_fragment, is_whole_when_the_last_and_all_before_it_have_passed)
{
	static const uint32_t cuts[] = {0, 800, 1000, 2000, 2345};
	static const uint8_t orders[][3] = {{1, 2, 3}, {1, 3, 2}, {2, 1, 3},
					    {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};
	struct sp_fragment f;

	for (int row = 0; row < 6; row++) {
		struct sp_packet p = piece(4, 0, 800, true);

		sp_fragment_first(&p, 1, 2, 0, &f);
		for (int i = 0; i < 3; i++) {
			uint8_t n = orders[row][i];

			p = piece(4, cuts[n], cuts[n + 1], n < 3);
			cr_assert_eq(sp_fragment_take(&f, &p), i == 2, "row %d", row);
		}
		cr_assert_eq(f.total_bytes, 2345);
	}
}

Test(core_fragment, same_first_is_same_flow_and_length)
{
	struct sp_packet p = piece(4, 0, 800, true), longer = piece(4, 0, 808, true);
	struct sp_fragment a, b;

	sp_fragment_first(&p, 1, 2, 0, &a);
	sp_fragment_first(&p, 1, 2, 99, &b);
	cr_assert(sp_fragment_is_same(&a, &b));
	sp_fragment_first(&longer, 1, 2, 0, &b);
	cr_assert(!sp_fragment_is_same(&a, &b));
	sp_fragment_first(&p, 1, 3, 0, &b);
	cr_assert(!sp_fragment_is_same(&a, &b));
	sp_fragment_first(&p, 2, 2, 0, &b);
	cr_assert(!sp_fragment_is_same(&a, &b));
	p.proto = SP_PROTO_TCP;
	sp_fragment_first(&p, 1, 2, 0, &b);
	cr_assert(!sp_fragment_is_same(&a, &b));
}
