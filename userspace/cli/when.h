/* SPDX-License-Identifier: Apache-2.0 */
/* Times and spans as people type them. Pure but for the time zone. */
#ifndef SP_CLI_WHEN_H
#define SP_CLI_WHEN_H

#include <stdint.h>

/* "30s", "10m", "24h", "7d": 1 s to 3660 d. -EINVAL. */
int sp_when_parse_span(const char *text, int64_t *ret_ms);

/*
 * "14:02", "14:02:07" (today), "2026-11-28 14:02:07", with T instead of the space too; local time,
 * UTC with a Z behind it; or "-10m": so long ago. ret_span_ms: how long that is: what is written
 * without seconds is the whole minute. -EINVAL.
 */
int sp_when_parse(const char *text, int64_t now_ms, int64_t *ret_at_ms, int64_t *ret_span_ms);

#endif
