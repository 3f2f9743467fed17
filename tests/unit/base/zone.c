/* SPDX-License-Identifier: Apache-2.0 */
/* Local times around a change of the clock: one meaning each, whatever was asked before. */
#include <criterion/criterion.h>

#include "base/zone.h"

/* Europe/Berlin: 2026-03-29 02:00 is 03:00; 2026-10-25 03:00 is 02:00 again. */
static const struct {
	const char *text;
	int64_t utc_s;
} rows[] = {
	{"2026-03-29 01:59 Europe/Berlin", 1774745940},
	{"2026-03-29 02:00 Europe/Berlin", 1774746000},
	{"2026-03-29 02:30 Europe/Berlin", 1774747800},
	{"2026-03-29 03:00 Europe/Berlin", 1774746000},
	{"2026-03-29 03:30 Europe/Berlin", 1774747800},
	{"2026-10-25 01:59 Europe/Berlin", 1792886340},
	{"2026-10-25 02:00 Europe/Berlin", 1792886400},
	{"2026-10-25 02:59 Europe/Berlin", 1792889940},
	{"2026-10-25 03:00 Europe/Berlin", 1792893600},
	{"2033-11-06 01:20 America/St_Johns", 2014861800},
	{"2033-11-06 02:00 America/St_Johns", 2014867800},
	{"2026-07-01 00:00 UTC", 1782864000},
};

Test(base_zone, a_local_time_has_one_meaning)
{
	static const char *const before[] = {"2026-01-15 12:00 Europe/Berlin",
					     "2026-07-15 12:00 Europe/Berlin",
					     "2033-12-01 00:00 America/St_Johns"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (size_t k = 0; k < sizeof(before) / sizeof(*before); k++) {
			int64_t at_s = 0;

			cr_assert_eq(sp_zone_parse(before[k], &at_s), 0);
			cr_assert_eq(sp_zone_parse(rows[i].text, &at_s), 0);
			cr_assert_eq(at_s, rows[i].utc_s, "%s behind %s: %ld", rows[i].text,
				     before[k], at_s);
		}
}
