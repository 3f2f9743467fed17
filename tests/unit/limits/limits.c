/* SPDX-License-Identifier: Apache-2.0 */
/* What a limit lets through, and that a reload neither gives nor takes. */
#include <criterion/criterion.h>

#include "limits/limits.h"
#include "sallyport/core/bucket.h"

#define S_NS 1000000000ull

/* Bytes that pass when 1000-byte packets come every 0.1 ms until the time is over. */
static uint64_t offered_for(struct sp_bucket *b, uint64_t *now_ns, uint64_t for_ns)
{
	uint64_t end_ns = *now_ns + for_ns, passed = 0;

	for (; *now_ns < end_ns; *now_ns += 100000)
		passed += sp_bucket_take(b, *now_ns, 1000) ? 1000 : 0;
	return passed;
}

Test(limits, lets_the_rate_through_within_two_percent)
{
	struct sp_config_limit limit = {
		.up_bps = 20000000, .down_bps = 8000000, .burst_bytes = 125000};
	struct sp_bucket up = {0}, down = {0};
	uint64_t now_ns = 7 * S_NS;
	uint64_t passed;

	sp_limits_apply(&limit, &up, &down);
	cr_expect_eq(up.rate_bps, 20000000);
	cr_expect_eq(down.rate_bps, 8000000);
	offered_for(&up, &now_ns, S_NS); /* the burst is spent */
	passed = offered_for(&up, &now_ns, 4 * S_NS);
	cr_expect(passed > 9800000 && passed < 10200000, "20 Mbit/s for 4 s passed %lu bytes",
		  (unsigned long)passed);
}

Test(limits, reload_changes_the_rate_and_is_no_gift)
{
	struct sp_config_limit slow = {.up_bps = 8000000, .burst_bytes = 65536};
	struct sp_config_limit fast = {.up_bps = 40000000, .burst_bytes = 250000}, none = {0};
	struct sp_bucket up = {0}, down = {0};
	uint64_t now_ns = 7 * S_NS, before, passed, tat_ns;

	sp_limits_apply(&slow, &up, &down);
	offered_for(&up, &now_ns, S_NS);
	before = up.passed_bytes;
	tat_ns = up.tat_ns;
	cr_assert_gt(tat_ns, now_ns, "in debt, so that a reset would show");
	sp_limits_apply(&slow, &up, &down);
	cr_expect_eq(up.tat_ns, tat_ns);
	cr_expect_eq(up.passed_bytes, before, "counters stay");
	passed = offered_for(&up, &now_ns, S_NS / 100);
	cr_expect_leq(passed, 12000, "a second burst came with the reload");
	sp_limits_apply(&fast, &up, &down);
	cr_expect_eq(up.tat_ns > tat_ns, true);
	offered_for(&up, &now_ns, S_NS);
	passed = offered_for(&up, &now_ns, S_NS);
	cr_expect(passed > 4900000 && passed < 5100000, "40 Mbit/s: %lu", (unsigned long)passed);
	sp_limits_apply(&none, &up, &down);
	passed = offered_for(&up, &now_ns, S_NS);
	cr_expect_eq(passed, 10000000, "unlimited takes all that is offered");
	sp_limits_apply(&slow, &up, &down);
	offered_for(&up, &now_ns, S_NS);
	passed = offered_for(&up, &now_ns, S_NS);
	cr_expect(passed > 980000 && passed < 1020000, "8 Mbit/s again: %lu",
		  (unsigned long)passed);
}
