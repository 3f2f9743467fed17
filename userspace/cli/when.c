/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/when.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SPAN_MAX_S (3660ll * 86400)

int sp_when_parse_span(const char *text, int64_t *ret_ms)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	size_t digits = strspn(text, "0123456789");
	long long number = strtoll(text, NULL, 10); /* of at most nine digits */

	if (!digits || digits > 9 || strlen(text) != digits + 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (text[digits] != units[i].letter)
			continue;
		if (number < 1 || number > SPAN_MAX_S / units[i].seconds)
			return -EINVAL;
		*ret_ms = number * units[i].seconds * 1000;
		return 0;
	}
	return -EINVAL;
}

/* "HH:MM" or "HH:MM:SS" and perhaps a Z. */
static int parse_clock(const char *text, struct tm *tm, bool *ret_utc, bool *ret_seconds)
{
	int used = 0;

	*ret_seconds =
		sscanf(text, "%2d:%2d:%2d%n", &tm->tm_hour, &tm->tm_min, &tm->tm_sec, &used) == 3 &&
		used;
	if (!*ret_seconds) {
		used = 0;
		tm->tm_sec = 0;
		if (sscanf(text, "%2d:%2d%n", &tm->tm_hour, &tm->tm_min, &used) != 2 || !used)
			return -EINVAL;
	}
	*ret_utc = text[used] == 'Z';
	if (text[used + *ret_utc] || tm->tm_hour < 0 || tm->tm_hour > 23 || tm->tm_min < 0 ||
	    tm->tm_min > 59 || tm->tm_sec < 0 || tm->tm_sec > 60)
		return -EINVAL;
	return 0;
}

/* "YYYY-MM-DD" and a space or T: the characters used, 0: none. */
static int parse_day(const char *text, struct tm *tm)
{
	int used = 0, year, month, day;

	if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3 || used != 10 ||
	    (text[used] != ' ' && text[used] != 'T') || year < 1970 || month < 1 || month > 12 ||
	    day < 1 || day > 31)
		return 0;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	return used + 1;
}

int sp_when_parse(const char *text, int64_t now_ms, int64_t *ret_at_ms, int64_t *ret_span_ms)
{
	time_t now = (time_t)(now_ms / 1000), at;
	bool utc, seconds;
	int64_t ago_ms;
	struct tm tm;
	int used, rc;

	if (*text == '-') {
		rc = sp_when_parse_span(text + 1, &ago_ms);
		if (rc)
			return rc;
		*ret_at_ms = now_ms - ago_ms;
		*ret_span_ms = 1000;
		return 0;
	}
	utc = *text && text[strlen(text) - 1] == 'Z';
	if (!(utc ? gmtime_r(&now, &tm) : localtime_r(&now, &tm)))
		return -EINVAL;
	used = parse_day(text, &tm);
	rc = parse_clock(text + used, &tm, &utc, &seconds);
	if (rc)
		return rc;
	tm.tm_isdst = -1;
	at = utc ? timegm(&tm) : mktime(&tm);
	if (at < 0)
		return -EINVAL;
	*ret_at_ms = (int64_t)at * 1000;
	*ret_span_ms = seconds ? 1000 : 60000;
	return 0;
}
