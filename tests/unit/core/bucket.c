/* SPDX-License-Identifier: Apache-2.0 */
#include "sallyport/core/bucket.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#define NS_PER_S 1000000000ull

static const uint64_t rates_bps[] = {1000000,	3333333,   10000000,  100000000,
				     250000000, 937500001, 1000000000};

static double off_by(uint64_t got, double want)
{
	return (got > want ? got - want : want - got) / want;
}

/* Offered twice the rate for 10 s of a fake clock, in packets of three sizes. */
Test(core_bucket, passes_the_rate_within_one_percent)
{
	static const uint32_t sizes[] = {64, 577, 1420};

	for (size_t r = 0; r < sizeof(rates_bps) / sizeof(rates_bps[0]); r++) {
		for (size_t i = 0; i < 3; i++) {
			double step_ns = sizes[i] * 8e9 / (double)rates_bps[r] / 2;
			struct sp_bucket b = {0};
			uint64_t offered = 0, passed = 0;

			sp_bucket_set(&b, rates_bps[r], 15000);
			/* the burst first, so that only the rate is left to measure */
			while (sp_bucket_take(&b, NS_PER_S, sizes[i]))
				;
			for (double at_ns = 0; at_ns < 2e8; at_ns += step_ns, offered++)
				passed += sp_bucket_take(&b, NS_PER_S + (uint64_t)at_ns, sizes[i]);
			cr_assert_lt(off_by(passed * sizes[i] * 8, (double)rates_bps[r] / 5),
				     0.01 + sizes[i] * 8.0 / ((double)rates_bps[r] / 5),
				     "%lu bit/s of %u bytes: %lu of %lu passed", rates_bps[r],
				     sizes[i], passed, offered);
		}
	}
}

Test(core_bucket, passes_a_burst_and_then_refills)
{
	struct sp_bucket b = {0};
	uint32_t passed = 0;

	sp_bucket_set(&b, 8000000, 10000); /* 1 byte a microsecond */
	while (sp_bucket_take(&b, 5 * NS_PER_S, 1000))
		passed++;
	cr_assert_eq(passed, 10);
	cr_assert_not(sp_bucket_take(&b, 5 * NS_PER_S + 999999, 1000));
	cr_assert(sp_bucket_take(&b, 5 * NS_PER_S + 1000000, 1000));
	cr_assert_not(sp_bucket_take(&b, 5 * NS_PER_S + 1000000, 1));
	/* idle for long: never more than the burst */
	for (passed = 0; sp_bucket_take(&b, 500 * NS_PER_S, 1000);)
		passed++;
	cr_assert_eq(passed, 10);
}

Test(core_bucket, counts_what_it_passes_and_drops)
{
	struct sp_bucket b = {0};

	sp_bucket_set(&b, 8000000, 4000);
	cr_assert(sp_bucket_take(&b, NS_PER_S, 3000));
	cr_assert_not(sp_bucket_take(&b, NS_PER_S, 1001));
	cr_assert_not(sp_bucket_take(&b, NS_PER_S, 1500));
	cr_assert(sp_bucket_take(&b, NS_PER_S, 1000));
	cr_assert_eq(b.passed_bytes, 4000);
	cr_assert_eq(b.dropped_packets, 2);
	cr_assert_eq(b.dropped_bytes, 2501);
	cr_assert_eq(b.rate_bps, 8000000);
}

Test(core_bucket, unlimited_passes_and_counts_all)
{
	struct sp_bucket b = {0};

	sp_bucket_set(&b, 1000, 0);
	sp_bucket_set(&b, 0, 0);
	for (int i = 0; i < 1000; i++)
		cr_assert(sp_bucket_take(&b, 1, 65535));
	cr_assert_eq(b.passed_bytes, 65535000);
	cr_assert_eq(b.dropped_packets, 0);
}

/* A burst that is too small for one packet would block it for ever. */
Test(core_bucket, passes_a_full_frame_whatever_the_burst)
{
	struct sp_bucket b = {0};

	sp_bucket_set(&b, 1000000, 1);
	cr_assert(sp_bucket_take(&b, NS_PER_S, 1514));
}

Test(core_bucket, survives_extreme_rates)
{
	struct sp_bucket b = {0};

	sp_bucket_set(&b, 1, UINT64_MAX);
	cr_assert(sp_bucket_take(&b, NS_PER_S, 1 << 28));
	cr_assert_not(sp_bucket_take(&b, NS_PER_S, UINT32_MAX), "wrapped");
	sp_bucket_set(&b, UINT64_MAX, UINT64_MAX);
	cr_assert_neq(b.cost_q16, 0, "not unlimited");
	sp_bucket_set(&b, 400000000000ull, 1 << 20);
	cr_assert_eq(b.cost_q16, 1311); /* 0.02 ns */
}

/* Two threads on one bucket and one fake clock: together no more and no less than the rate. */
static struct sp_bucket shared;
static _Atomic uint64_t clock_ns;
static const uint64_t shared_end_ns = 2 * NS_PER_S;

static void *take_until_end(void *arg)
{
	uint64_t *passed = arg;
	uint64_t now_ns;

	while ((now_ns = atomic_fetch_add(&clock_ns, 400)) < shared_end_ns)
		*passed += sp_bucket_take(&shared, now_ns, 100) ? 100 : 0;
	return NULL;
}

Test(core_bucket, is_shared_by_threads_without_error)
{
	pthread_t other;
	uint64_t mine = 0, its = 0;

	/* offered: 100 bytes each 400 ns = 2 Gbit/s for 1 s; allowed: half of it */
	atomic_store(&clock_ns, NS_PER_S);
	sp_bucket_set(&shared, 1000000000, 10000);
	cr_assert_eq(pthread_create(&other, NULL, take_until_end, &its), 0);
	take_until_end(&mine);
	pthread_join(other, NULL);
	cr_assert_eq(mine + its, shared.passed_bytes);
	cr_assert_lt(off_by(mine + its, 125000000.0), 0.01, "%lu + %lu", mine, its);
}

/* One instant, one burst, two threads: every byte of it is given out once. */
static void *take_a_burst(void *arg)
{
	uint64_t *passed = arg;

	for (int refused = 0; refused < 1000;) {
		if (sp_bucket_take(&shared, NS_PER_S, 1))
			++*passed;
		else
			refused++;
	}
	return NULL;
}

/* Many rounds, since on a busy machine the two do not always run at once. */
Test(core_bucket, gives_no_byte_to_two_threads)
{
	const uint64_t burst_bytes = 1000000;

	for (int round = 0; round < 30; round++) {
		uint64_t mine = 0, its = 0;
		pthread_t other;

		shared = (struct sp_bucket){0};
		sp_bucket_set(&shared, 8000000000, burst_bytes);
		cr_assert_eq(pthread_create(&other, NULL, take_a_burst, &its), 0);
		take_a_burst(&mine);
		pthread_join(other, NULL);
		cr_assert_geq(mine + its, burst_bytes);
		/* who lost SP_BUCKET_TRIES races passes unasked: the last few may be too many */
		cr_assert_lt(mine + its, burst_bytes + 10, "%lu + %lu", mine, its);
	}
}
