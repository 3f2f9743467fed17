/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/zone.h"
#include "config/fields.h"
#include "config/units.h"

#define DAY_LISTS_MAX 7
#define ALL_DAYS      0x7fu
#define DAY_MIN	      1440u
#define GRACE_MAX_S   86400u

static const char *const day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static int parse_day(const char *text, uint32_t *ret_day)
{
	for (uint32_t i = 0; i < 7; i++) {
		if (!strncmp(text, day_names[i], 3)) {
			*ret_day = i;
			return 0;
		}
	}
	return -EINVAL;
}

int sp_config_parse_days(const char *text, uint32_t *ret_days)
{
	uint32_t first, last, days = 0;

	if (parse_day(text, &first))
		return -EINVAL;
	last = first;
	if (text[3] == '-') {
		if (parse_day(text + 4, &last) || text[7])
			return -EINVAL;
	} else if (text[3]) {
		return -EINVAL;
	}
	for (uint32_t day = first;; day = (day + 1) % 7) {
		days |= 1u << day;
		if (day == last)
			break;
	}
	*ret_days = days;
	return 0;
}

static const char *parse_clock(const char *p, uint32_t *ret_min)
{
	uint32_t hours, minutes;

	for (int i = 0; i < 5; i++) {
		if (i == 2 ? p[i] != ':' : p[i] < '0' || p[i] > '9')
			return NULL;
	}
	hours = (uint32_t)((p[0] - '0') * 10 + p[1] - '0');
	minutes = (uint32_t)((p[3] - '0') * 10 + p[4] - '0');
	if (minutes > 59 || hours * 60 + minutes > DAY_MIN)
		return NULL;
	*ret_min = hours * 60 + minutes;
	return p + 5;
}

int sp_config_parse_hours(const char *text, uint32_t *ret_from_min, uint32_t *ret_to_min)
{
	uint32_t from_min, to_min;
	const char *p = parse_clock(text, &from_min);

	if (!p || *p != '-')
		return -EINVAL;
	p = parse_clock(p + 1, &to_min);
	if (!p || *p || from_min == DAY_MIN || from_min == to_min)
		return -EINVAL;
	*ret_from_min = from_min;
	*ret_to_min = to_min ? to_min : DAY_MIN;
	return 0;
}

int sp_config_parse_grace(const char *text, uint32_t *ret_grace_s)
{
	uint32_t grace_s = 0;
	const char *p = text;

	if (strncmp(p, "grace ", 6))
		return -EINVAL;
	for (p += 6; *p >= '0' && *p <= '9' && grace_s <= GRACE_MAX_S; p++)
		grace_s = grace_s * 10 + (uint32_t)(*p - '0');
	p += strspn(p, " ");
	if (strcmp(p, "s") || grace_s < 1 || grace_s > GRACE_MAX_S)
		return -EINVAL;
	*ret_grace_s = grace_s;
	return 0;
}

static void read_days(struct sp_config_reader *r, const struct sp_config_field *field,
		      config_setting_t *setting, void *object)
{
	static const char expected[] = "a day or days such as \"sat\" or \"mon-fri\"";
	struct sp_config_schedule *schedule = object;
	uint32_t n = sp_config_list_length(setting), days;

	if (!n || n > DAY_LISTS_MAX) {
		sp_config_expected(r, setting, "%s", expected);
		return;
	}
	schedule->days = 0;
	for (uint32_t i = 0; i < n; i++) {
		config_setting_t *element = sp_config_list_element(setting, i);
		const char *text = sp_config_text(r, element, expected);

		if (!text)
			continue;
		if (sp_config_parse_days(text, &days))
			sp_config_expected(r, element, "%s", expected);
		else
			schedule->days |= days;
	}
}

static void read_hours(struct sp_config_reader *r, const struct sp_config_field *field,
		       config_setting_t *setting, void *object)
{
	static const char expected[] = "hours such as \"08:00-18:00\" or \"22:00-06:00\"";
	struct sp_config_schedule *schedule = object;
	const char *text = sp_config_text(r, setting, expected);

	if (text && sp_config_parse_hours(text, &schedule->from_min, &schedule->to_min))
		sp_config_expected(r, setting, "%s", expected);
}

static void read_zone(struct sp_config_reader *r, const struct sp_config_field *field,
		      config_setting_t *setting, void *object)
{
	struct sp_config_schedule *schedule = object;
	const char *text = sp_config_text(r, setting, "a time zone such as \"Europe/Berlin\"");

	if (!text)
		return;
	if (!sp_zone_exists(text))
		sp_config_expected(r, setting, "a time zone of this system's database");
	schedule->zone = sp_config_copy(r, text);
}

static const struct sp_config_field fields[] = {
	{.key = "days", .read = read_days},
	{.key = "hours", .read = read_hours},
	{.key = "zone", .read = read_zone, .required = true},
};

SP_FIELD_READER(schedule)
{
	struct sp_config_schedule *schedule =
		&SP_MEMBER(object, struct sp_config_schedule, field->offset);

	if (!config_setting_is_group(setting)) {
		sp_config_expected(r, setting, "a group { days = ...; hours = ...; zone = ...; }");
		return;
	}
	*schedule = (struct sp_config_schedule){.days = ALL_DAYS, .to_min = DAY_MIN};
	sp_config_group_read(r, setting, fields, sizeof(fields) / sizeof(*fields), schedule);
}
