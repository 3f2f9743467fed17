/* SPDX-License-Identifier: Apache-2.0 */
/* Local times of named time zones, by the C library. One thread: the process's TZ is switched meanwhile. */
#ifndef SP_BASE_ZONE_H
#define SP_BASE_ZONE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* "Europe/Berlin": a file of the system's zone database, or "UTC". */
bool sp_zone_exists(const char *zone);
/*
 * Seconds since 1970 of a local time; tm_isdst does not count, and fields beyond their range carry
 * over. RFC 5545 3.3.5: of an hour that comes twice it is the first; of one that a clock change
 * skips it is as far behind the change as the time says. -EOVERFLOW.
 */
int sp_zone_to_time(const char *zone, const struct tm *local, int64_t *ret_s);
int sp_zone_to_local(const char *zone, int64_t time_s, struct tm *ret_local);
/*
 * "2026-12-31 18:00 Europe/Berlin", seconds and zone optional (UTC), or RFC 3339. -EINVAL, or -ENOENT:
 * the zone is not known.
 */
int sp_zone_parse(const char *text, int64_t *ret_s);

#endif
