/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>

#include "base/ring.h"

#define ITEMS 200000

Test(base_ring, refuses_sizes_that_are_no_power_of_two)
{
	struct sp_ring ring;

	cr_assert_eq(sp_ring_init(&ring, 0, 8), -EINVAL);
	cr_assert_eq(sp_ring_init(&ring, 3, 8), -EINVAL);
	cr_assert_eq(sp_ring_init(&ring, 4, 0), -EINVAL);
}

Test(base_ring, counts_what_it_refuses_when_full)
{
	struct sp_ring ring;
	uint64_t v;

	cr_assert_eq(sp_ring_init(&ring, 4, sizeof(v)), 0);
	for (v = 0; v < 4; v++)
		cr_assert(sp_ring_push(&ring, &v));
	cr_assert_not(sp_ring_push(&ring, &v));
	cr_assert_eq(ring.full, 1);
	for (uint64_t i = 0; i < 4; i++) {
		cr_assert(sp_ring_pop(&ring, &v));
		cr_assert_eq(v, i);
	}
	cr_assert_not(sp_ring_pop(&ring, &v));
	sp_ring_fini(&ring);
}

static void *produce(void *arg)
{
	for (uint64_t v = 0; v < ITEMS;) {
		if (sp_ring_push(arg, &v))
			v++;
	}
	return NULL;
}

Test(base_ring, keeps_order_between_two_threads)
{
	struct sp_ring ring;
	pthread_t thread;
	uint64_t v;

	cr_assert_eq(sp_ring_init(&ring, 64, sizeof(v)), 0);
	cr_assert_eq(pthread_create(&thread, NULL, produce, &ring), 0);
	for (uint64_t want = 0; want < ITEMS;) {
		if (!sp_ring_pop(&ring, &v))
			continue;
		cr_assert_eq(v, want);
		want++;
	}
	pthread_join(thread, NULL);
	sp_ring_fini(&ring);
}
