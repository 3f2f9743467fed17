/* SPDX-License-Identifier: Apache-2.0 */
/* A batch put in order by key: nothing is lost, nothing of one key changes places. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "engine/group.h"

static void check(const void *const *keys, uint32_t n)
{
	uint8_t order[SP_GROUP_MAX];
	bool seen[SP_GROUP_MAX] = {false};

	sp_group_order(keys, n, order);
	for (uint32_t i = 0; i < n; i++) {
		cr_assert_lt(order[i], n);
		cr_assert_not(seen[order[i]], "each once");
		seen[order[i]] = true;
		if (i && keys[order[i]] == keys[order[i - 1]])
			cr_assert_gt(order[i], order[i - 1], "the order of arrival");
		for (uint32_t k = 0; i && k + 1 < i; k++)
			cr_assert(keys[order[k]] != keys[order[i]] ||
					  keys[order[i - 1]] == keys[order[i]],
				  "one key stands in one place");
	}
}

Test(engine_group, keeps_everything_and_the_order_within_a_key)
{
	static char things[1 << 16];
	const void *keys[SP_GROUP_MAX];

	srand(7);
	for (uint32_t round = 0; round < 20000; round++) {
		uint32_t n = (uint32_t)rand() % (SP_GROUP_MAX + 1);
		uint32_t kinds = 1 + (uint32_t)rand() % SP_GROUP_MAX;

		for (uint32_t i = 0; i < n; i++)
			keys[i] = &things[(size_t)((uint32_t)rand() % kinds) * 1000 % 65536];
		check(keys, n);
	}
}

Test(engine_group, survives_keys_of_one_slot)
{
	const void *keys[SP_GROUP_MAX];
	uint32_t found = 0, wanted = 0;

	for (uintptr_t at = 16; found < SP_GROUP_MAX; at += 16) {
		if (!found)
			wanted = sp_group_hash((const void *)at);
		if (sp_group_hash((const void *)at) == wanted)
			keys[found++] = (const void *)at;
	}
	check(keys, SP_GROUP_MAX);
}
