/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's memory of inner addresses never outlives a change of sp_inner. */
#include "house_run.h"

#include "engine/inner.h"

#include <errno.h>

static struct sp_prefix host_prefix(const char *text)
{
	return (struct sp_prefix){.addr = addr_of(text), .len = 128};
}

Test(engine_inner, follows_every_change)
{
	struct sp_inner bob = {.kind = SP_INNER_PEER, .peer_id = 7}, got;
	struct sp_prefix prefix = host_prefix("10.9.0.77");
	struct sp_inner_cache cache;
	struct house h;

	house_open(&h);
	cr_assert_eq(sp_inner_cache_init(&cache), 0);
	for (int round = 0; round < 3; round++) {
		/* twice each: asked, then remembered */
		for (int i = 0; i < 2; i++)
			cr_assert_eq(sp_inner_cache_lookup(&cache, h.dp, &prefix.addr, &got),
				     -ENOENT);
		bob.peer_id = 7 + (uint32_t)round;
		cr_assert_eq(sp_dataplane_inner_put(h.dp, &prefix, &bob), 0);
		for (int i = 0; i < 2; i++) {
			cr_assert_eq(sp_inner_cache_lookup(&cache, h.dp, &prefix.addr, &got), 0);
			cr_assert_eq(got.peer_id, bob.peer_id);
		}
		cr_assert_eq(sp_dataplane_inner_remove(h.dp, &prefix), 0);
	}
	sp_inner_cache_fini(&cache);
	house_close(&h);
}

/* More addresses than places: each gets its own answer, whoever was there before. */
Test(engine_inner, keeps_addresses_of_one_place_apart)
{
	const struct sp_inner alice = {.kind = SP_INNER_PEER, .peer_id = 3};
	struct sp_addr at = addr_of("10.77.0.0");
	struct sp_prefix odd;
	struct sp_inner_cache cache;
	struct sp_inner got;
	struct house h;

	house_open(&h);
	cr_assert_eq(sp_inner_cache_init(&cache), 0);
	for (uint32_t i = 0; i < 64; i++) {
		odd = (struct sp_prefix){.addr = at, .len = 128};
		odd.addr.b[14] = (uint8_t)i;
		odd.addr.b[15] = 1;
		cr_assert_eq(sp_dataplane_inner_put(h.dp, &odd, &alice), 0);
	}
	for (uint32_t i = 0; i < 2 * SP_INNER_SLOTS; i++) {
		at.b[14] = (uint8_t)(i >> 8);
		at.b[15] = (uint8_t)i;
		cr_assert_eq(sp_inner_cache_lookup(&cache, h.dp, &at, &got),
			     at.b[15] == 1 && at.b[14] < 64 ? 0 : -ENOENT, "%u", i);
	}
	sp_inner_cache_fini(&cache);
	house_close(&h);
}
