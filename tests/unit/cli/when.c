/* SPDX-License-Identifier: Apache-2.0 */
/* Times and spans as people type them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "cli/when.h"

#define NOW_MS	    1795874527123ll /* 2026-11-28 14:02:07.123 UTC */
#define DAY_MS	    86400000ll
#define MIDNIGHT_MS (NOW_MS / DAY_MS * DAY_MS)

Test(cli_when, spans_have_one_number_and_one_unit)
{
	static const struct {
		const char *text;
		int rc;
		int64_t ms;
	} rows[] = {
		{"30s", 0, 30000},	     {"90m", 0, 5400000},
		{"24h", 0, DAY_MS},	     {"7d", 0, 7 * DAY_MS},
		{"3660d", 0, 3660 * DAY_MS}, {"3661d", -EINVAL, 0},
		{"0h", -EINVAL, 0},	     {"", -EINVAL, 0},
		{"h", -EINVAL, 0},	     {"24", -EINVAL, 0},
		{"24 h", -EINVAL, 0},	     {"24hours", -EINVAL, 0},
		{"-1h", -EINVAL, 0},	     {"1.5h", -EINVAL, 0},
		{"9999999999s", -EINVAL, 0}, {"24w", -EINVAL, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int64_t ms = 0;

		cr_expect_eq(sp_when_parse_span(rows[i].text, &ms), rows[i].rc, "\"%s\"",
			     rows[i].text);
		cr_expect_eq(ms, rows[i].ms, "\"%s\"", rows[i].text);
	}
}

Test(cli_when, times_are_local_unless_a_z_says_utc)
{
	static const struct {
		const char *text;
		int rc;
		int64_t ms, span_ms;
	} rows[] = {
		{"14:02:07Z", 0, NOW_MS - 123, 1000},
		{"14:02Z", 0, NOW_MS - 7123, 60000},
		{"15:02", 0, NOW_MS - 7123, 60000}, /* in a zone one hour east */
		{"2026-11-28T14:02:07Z", 0, NOW_MS - 123, 1000},
		{"2026-11-28 14:02:07Z", 0, NOW_MS - 123, 1000},
		{"2026-11-27 00:00Z", 0, MIDNIGHT_MS - DAY_MS, 60000},
		{"-10m", 0, NOW_MS - 600000, 1000},
		{"24:00", -EINVAL, 0, 0},
		{"12:60", -EINVAL, 0, 0},
		{"12", -EINVAL, 0, 0},
		{"", -EINVAL, 0, 0},
		{"noon", -EINVAL, 0, 0},
		{"2026-11-28", -EINVAL, 0, 0},
		{"2026-13-28 12:00", -EINVAL, 0, 0},
		{"12:00x", -EINVAL, 0, 0},
		{"-10", -EINVAL, 0, 0},
	};

	setenv("TZ", "EAST-1", 1);
	tzset();
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int64_t ms = 0, span_ms = 0;

		cr_expect_eq(sp_when_parse(rows[i].text, NOW_MS, &ms, &span_ms), rows[i].rc,
			     "\"%s\"", rows[i].text);
		cr_expect_eq(ms, rows[i].ms, "\"%s\": %lld", rows[i].text, (long long)ms);
		cr_expect_eq(span_ms, rows[i].span_ms, "\"%s\"", rows[i].text);
	}
}
