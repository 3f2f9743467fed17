/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/flow_table.h"

#define FLOWS 300

static struct sp_flow_key key_of(uint32_t i)
{
	struct sp_flow_key key = {.proto = 17};

	memcpy(key.src.b, &i, sizeof(i));
	return key;
}

Test(engine_table, holds_exactly_what_it_may)
{
	struct sp_flow_table t;
	struct sp_flow_key key;

	cr_assert_eq(sp_flow_table_init(&t, 0), -EINVAL);
	cr_assert_eq(sp_flow_table_init(&t, 3), 0);
	for (uint32_t i = 0; i < 3; i++) {
		key = key_of(i);
		cr_assert_not_null(sp_flow_table_insert(&t, &key));
	}
	key = key_of(3);
	cr_assert_null(sp_flow_table_insert(&t, &key));
	key = key_of(1);
	sp_flow_table_remove(&t, sp_flow_table_lookup(&t, &key));
	key = key_of(3);
	cr_assert_not_null(sp_flow_table_insert(&t, &key));
	cr_assert_eq(t.count, 3);
	sp_flow_table_fini(&t);
}

/* Against a plain array, over many insertions and removals: probing never loses an entry. */
Test(engine_table, agrees_with_an_array)
{
	struct sp_entry *known[2 * FLOWS] = {NULL};
	struct sp_flow_table t;
	uint32_t count = 0;

	srand(1);
	cr_assert_eq(sp_flow_table_init(&t, FLOWS), 0);
	for (int step = 0; step < 200000; step++) {
		uint32_t i = (uint32_t)rand() % (2 * FLOWS);
		struct sp_flow_key key = key_of(i);

		cr_assert_eq(sp_flow_table_lookup(&t, &key), known[i], "step %d", step);
		if (known[i]) {
			sp_flow_table_remove(&t, known[i]);
			known[i] = NULL;
			count--;
		} else {
			known[i] = sp_flow_table_insert(&t, &key);
			cr_assert_eq(!known[i], count == FLOWS);
			count += known[i] != NULL;
		}
		cr_assert_eq(t.count, count);
	}
	sp_flow_table_fini(&t);
}
