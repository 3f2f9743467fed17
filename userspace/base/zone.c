/* SPDX-License-Identifier: Apache-2.0 */
#include "base/zone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define DATABASE       "/usr/share/zoneinfo/"
#define NAME_BYTES_MAX 63
#define YEAR_MIN       1970
#define YEAR_MAX       9999
#define DAY_S	       86400 /* clocks are not changed twice within two */

/* TZ as it was before, to be put back. */
struct switched {
	char *before;
	bool was_set;
};

static bool is_name(const char *zone)
{
	size_t len = strlen(zone);

	return len > 0 && len <= NAME_BYTES_MAX && zone[0] != '/' && !strstr(zone, "..") &&
	       strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			    "_+-/") == len;
}

bool sp_zone_exists(const char *zone)
{
	char path[sizeof(DATABASE) + NAME_BYTES_MAX];
	struct stat st;

	if (!strcmp(zone, "UTC"))
		return true;
	if (!is_name(zone))
		return false;
	snprintf(path, sizeof(path), DATABASE "%s", zone);
	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The library takes an unknown zone for UTC, so callers have asked sp_zone_exists. */
static int switch_to(const char *zone, struct switched *ret_switched)
{
	char value[NAME_BYTES_MAX + 2];
	const char *before = getenv("TZ");
	struct switched s = {.was_set = before != NULL};

	if (strlen(zone) > NAME_BYTES_MAX)
		return -EINVAL;
	if (before && !(s.before = strdup(before)))
		return -ENOMEM;
	snprintf(value, sizeof(value), ":%s", zone);
	if (setenv("TZ", value, 1) < 0) {
		free(s.before);
		return -ENOMEM;
	}
	tzset();
	*ret_switched = s;
	return 0;
}

static void switch_back(struct switched *s)
{
	if (!s->was_set || setenv("TZ", s->before, 1) < 0)
		unsetenv("TZ");
	tzset();
	free(s->before);
}

/* What the zone's clock is ahead of UTC at t. */
static bool offset_at(time_t t, long *ret_s)
{
	struct tm tm;

	if (!localtime_r(&t, &tm))
		return false;
	*ret_s = tm.tm_gmtoff;
	return true;
}

/*
 * RFC 5545 3.3.5: an hour that the clock shows twice is the first of the two, and one that it
 * skips is counted by the clock as it was before. mktime leaves both to chance.
 */
static bool resolve(int64_t as_utc_s, int64_t *ret_s)
{
	long before_s, after_s, there_s;

	if (!offset_at((time_t)(as_utc_s - DAY_S), &before_s) ||
	    !offset_at((time_t)(as_utc_s + DAY_S), &after_s) ||
	    !offset_at((time_t)(as_utc_s - after_s), &there_s))
		return false;
	*ret_s = as_utc_s - before_s;
	if (before_s == after_s || there_s != after_s)
		return true;
	/* The clock shows it after the change; did it before, too? */
	if (!offset_at((time_t)(as_utc_s - before_s), &there_s))
		return false;
	if (there_s != before_s)
		*ret_s = as_utc_s - after_s;
	return true;
}

int sp_zone_to_time(const char *zone, const struct tm *local, int64_t *ret_s)
{
	struct switched s;
	struct tm tm = *local;
	int64_t as_utc_s;
	bool ok;
	int rc;

	tm.tm_wday = -1;
	as_utc_s = timegm(&tm);
	if (as_utc_s == -1 && tm.tm_wday == -1)
		return -EOVERFLOW;
	rc = switch_to(zone, &s);
	if (rc)
		return rc;
	ok = resolve(as_utc_s, ret_s);
	switch_back(&s);
	return ok ? 0 : -EOVERFLOW;
}

int sp_zone_to_local(const char *zone, int64_t time_s, struct tm *ret_local)
{
	time_t t = (time_t)time_s;
	struct switched s;
	struct tm tm;
	bool ok;
	int rc = switch_to(zone, &s);

	if (rc)
		return rc;
	ok = localtime_r(&t, &tm);
	switch_back(&s);
	if (!ok)
		return -EOVERFLOW;
	*ret_local = tm;
	return 0;
}

/* Exactly so many digits. NULL: not. */
static const char *digits(const char *p, int count, int min, int max, int *ret_value)
{
	int value = 0;

	for (; count > 0; count--, p++) {
		if (*p < '0' || *p > '9')
			return NULL;
		value = value * 10 + (*p - '0');
	}
	if (value < min || value > max)
		return NULL;
	*ret_value = value;
	return p;
}

static const char *expect(const char *p, const char *chars)
{
	return p && *p && strchr(chars, *p) ? p + 1 : NULL;
}

static const char *parse_date(const char *p, struct tm *tm)
{
	static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	p = digits(p, 4, YEAR_MIN, YEAR_MAX, &tm->tm_year);
	p = expect(p, "-");
	p = p ? digits(p, 2, 1, 12, &tm->tm_mon) : NULL;
	p = expect(p, "-");
	p = p ? digits(p, 2, 1, 31, &tm->tm_mday) : NULL;
	if (!p || tm->tm_mday > days[tm->tm_mon - 1])
		return NULL;
	if (tm->tm_mon == 2 && tm->tm_mday == 29 &&
	    (tm->tm_year % 4 || (tm->tm_year % 100 == 0 && tm->tm_year % 400)))
		return NULL;
	tm->tm_year -= 1900;
	tm->tm_mon--;
	return p;
}

static const char *parse_clock(const char *p, struct tm *tm)
{
	p = digits(p, 2, 0, 23, &tm->tm_hour);
	p = expect(p, ":");
	p = p ? digits(p, 2, 0, 59, &tm->tm_min) : NULL;
	if (p && *p == ':')
		p = digits(p + 1, 2, 0, 60, &tm->tm_sec);
	return p;
}

/* RFC 3339 5.6: Z or +hh:mm behind the time, fractions left out. */
static const char *parse_offset(const char *p, int *ret_offset_s)
{
	int hours, minutes, sign = *p == '-' ? -1 : 1;

	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++)
			;
	if (*p == 'Z' || *p == 'z') {
		*ret_offset_s = 0;
		return p + 1;
	}
	p = expect(p, "+-");
	p = p ? digits(p, 2, 0, 23, &hours) : NULL;
	p = expect(p, ":");
	p = p ? digits(p, 2, 0, 59, &minutes) : NULL;
	if (p)
		*ret_offset_s = sign * (hours * 3600 + minutes * 60);
	return p;
}

int sp_zone_parse(const char *text, int64_t *ret_s)
{
	struct tm tm = {0};
	const char *p = parse_date(text, &tm);
	const char *zone = "UTC";
	bool is_rfc3339 = p && (*p == 'T' || *p == 't');
	int offset_s = 0, rc;
	int64_t time_s;

	p = expect(p, "Tt ");
	p = p ? parse_clock(p, &tm) : NULL;
	if (p && is_rfc3339)
		p = parse_offset(p, &offset_s);
	if (!p || (*p && (is_rfc3339 || *p != ' ')))
		return -EINVAL;
	if (*p) {
		zone = p + strspn(p, " ");
		if (!sp_zone_exists(zone))
			return -ENOENT;
	}
	rc = sp_zone_to_time(zone, &tm, &time_s);
	if (!rc)
		*ret_s = time_s - offset_s;
	return rc;
}
