/* SPDX-License-Identifier: Apache-2.0 */
#include "config/units.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit rates[] = {
	{"bit/s", 1},		{"kbit/s", 1000},	   {"Mbit/s", 1000000},
	{"Gbit/s", 1000000000}, {"Tbit/s", 1000000000000},
};
static const struct unit sizes[] = {
	{"B", 1},
	{"kB", 1000},
	{"MB", 1000000},
	{"GB", 1000000000},
	{"KiB", 1ull << 10},
	{"MiB", 1ull << 20},
	{"GiB", 1ull << 30},
};
static const struct unit ages[] = {{"h", 3600}, {"d", 86400}};
#define ROOM_MIN_BYTES (1ull << 20)
#define ROOM_MAX_BYTES (1024ull << 30)
#define AGE_MIN_S      3600ull
#define AGE_MAX_S      (3660 * 86400ull)
#define RATE_MIN_BPS   1000ull
#define RATE_MAX_BPS   1000000000000ull
#define SIZE_MIN_BYTES 4096ull /* less than one packet would stop everything */
#define SIZE_MAX_BYTES (1ull << 30)
#define MICRO	       1000000ull

/* Digits, at most twelve, with up to six behind a point, as millionths. */
static const char *parse_decimal(const char *p, uint64_t *ret_micro)
{
	uint64_t whole = 0, part = 0, scale = MICRO;
	unsigned int digits = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (++digits > 12)
			return NULL;
		whole = whole * 10 + (uint64_t)(*p - '0');
	}
	if (!digits)
		return NULL;
	if (*p == '.') {
		p++;
		if (*p < '0' || *p > '9')
			return NULL;
		for (; *p >= '0' && *p <= '9'; p++) {
			if (scale == 1)
				return NULL;
			scale /= 10;
			part += (uint64_t)(*p - '0') * scale;
		}
	}
	*ret_micro = whole * MICRO + part;
	return p;
}

static int parse_with_unit(const char *text, const struct unit *units, size_t count, uint64_t min,
			   uint64_t max, uint64_t *ret_value)
{
	unsigned __int128 value;
	uint64_t micro;
	const char *p = parse_decimal(text, &micro);

	if (!p)
		return -EINVAL;
	p += strspn(p, " ");
	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(p, units[i].name))
			continue;
		value = (unsigned __int128)micro * units[i].factor / MICRO;
		if (value < min || value > max)
			return -ERANGE;
		*ret_value = (uint64_t)value;
		return 0;
	}
	return -EINVAL;
}

int sp_config_parse_rate(const char *text, uint64_t *ret_bps)
{
	return parse_with_unit(text, rates, sizeof(rates) / sizeof(*rates), RATE_MIN_BPS,
			       RATE_MAX_BPS, ret_bps);
}

int sp_config_parse_size(const char *text, uint64_t *ret_bytes)
{
	return parse_with_unit(text, sizes, sizeof(sizes) / sizeof(*sizes), SIZE_MIN_BYTES,
			       SIZE_MAX_BYTES, ret_bytes);
}

int sp_config_parse_room(const char *text, uint64_t *ret_bytes)
{
	return parse_with_unit(text, sizes, sizeof(sizes) / sizeof(*sizes), ROOM_MIN_BYTES,
			       ROOM_MAX_BYTES, ret_bytes);
}

int sp_config_parse_age(const char *text, uint32_t *ret_s)
{
	uint64_t age_s;
	int rc = parse_with_unit(text, ages, sizeof(ages) / sizeof(*ages), AGE_MIN_S, AGE_MAX_S,
				 &age_s);

	if (!rc)
		*ret_s = (uint32_t)age_s;
	return rc;
}

static const char *parse_port(const char *p, uint32_t *ret_port)
{
	uint32_t port = 0;
	unsigned int digits = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (++digits > 8)
			return NULL;
		port = port * 10 + (uint32_t)(*p - '0');
	}
	if (!digits)
		return NULL;
	*ret_port = port;
	return p;
}

int sp_config_parse_ports(const char *text, struct sp_config_port_range *ret_range)
{
	uint32_t min, max;
	const char *p = parse_port(text, &min);

	if (!p)
		return -EINVAL;
	max = min;
	if (*p == '-') {
		p = parse_port(p + 1, &max);
		if (!p)
			return -EINVAL;
	}
	if (*p)
		return -EINVAL;
	if (min == 0 || min > 65535 || max == 0 || max > 65535)
		return -ERANGE;
	if (min > max)
		return -EDOM;
	ret_range->min = (uint16_t)min;
	ret_range->max = (uint16_t)max;
	return 0;
}
