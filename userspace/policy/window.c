/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/zone.h"

#define DAYS_AHEAD 15 /* two weeks: a schedule of one day a week has two windows in them */

bool sp_policy_is_timed(const struct sp_config_rule *rule)
{
	return rule->schedule.zone || rule->expires_s;
}

/* Moments before this boot are its beginning, those beyond its life its end. */
static uint64_t to_monotonic(const struct sp_policy_time *time, int64_t at_s)
{
	__int128 at_ns = (__int128)at_s * SP_NS_PER_S - time->realtime_ns + time->now_ns;

	if (at_ns < 0)
		return 0;
	return at_ns > INT64_MAX ? INT64_MAX : (uint64_t)at_ns;
}

static int local_time(const struct sp_config_schedule *schedule, const struct tm *day,
		      uint32_t minutes, int64_t *ret_s)
{
	struct tm tm = {.tm_year = day->tm_year,
			.tm_mon = day->tm_mon,
			.tm_mday = day->tm_mday,
			.tm_min = (int)minutes};

	return sp_zone_to_time(schedule->zone, &tm, ret_s);
}

static bool is_on(const struct sp_config_schedule *schedule, const struct tm *today, int days_on)
{
	int weekday = ((today->tm_wday + 6 + days_on) % 7 + 7) % 7; /* 0 = Monday */

	return schedule->days >> weekday & 1;
}

/* Adjoining windows are one: "00:00-24:00" on several days has no seam at midnight. */
static void add_window(struct sp_policy_window *windows, int *count, uint64_t from_ns,
		       uint64_t until_ns)
{
	if (*count && windows[*count - 1].until_ns >= from_ns) {
		if (windows[*count - 1].until_ns < until_ns)
			windows[*count - 1].until_ns = until_ns;
		return;
	}
	if (*count < SP_POLICY_WINDOWS)
		windows[(*count)++] = (struct sp_policy_window){from_ns, until_ns};
}

static int schedule_windows(const struct sp_config_schedule *schedule,
			    const struct sp_policy_time *time, uint64_t end_ns,
			    struct sp_policy_window *windows, int *count)
{
	uint32_t next = schedule->to_min <= schedule->from_min ? 1440 : 0;
	struct tm today;
	int rc = sp_zone_to_local(schedule->zone, (int64_t)(time->realtime_ns / SP_NS_PER_S),
				  &today);

	for (int d = -1; d < DAYS_AHEAD && !rc; d++) {
		struct tm day = today;
		uint64_t from_ns, until_ns;
		int64_t from_s, until_s;

		if (!is_on(schedule, &today, d))
			continue;
		day.tm_mday += d;
		rc = local_time(schedule, &day, schedule->from_min, &from_s);
		if (!rc)
			rc = local_time(schedule, &day, schedule->to_min + next, &until_s);
		if (rc)
			break;
		from_ns = to_monotonic(time, from_s);
		until_ns = to_monotonic(time, until_s);
		until_ns = until_ns < end_ns ? until_ns : end_ns;
		if (until_ns > time->now_ns && from_ns < until_ns)
			add_window(windows, count, from_ns, until_ns);
	}
	return rc;
}

int sp_policy_windows(const struct sp_config_rule *rule, const struct sp_policy_time *time,
		      struct sp_policy_window ret_windows[static SP_POLICY_WINDOWS])
{
	struct sp_policy_window windows[SP_POLICY_WINDOWS] = {0};
	uint64_t end_ns = UINT64_MAX;
	int count = 0, rc;

	if (rule->expires_s)
		end_ns = to_monotonic(time, rule->expires_s);
	if (end_ns <= time->now_ns)
		return 0;
	if (rule->schedule.zone) {
		rc = schedule_windows(&rule->schedule, time, end_ns, windows, &count);
		if (rc)
			return rc;
	} else {
		add_window(windows, &count, 0, end_ns);
	}
	memcpy(ret_windows, windows, sizeof(windows));
	return count;
}

/* Many rules share one schedule, and the zone database is slow. */
static bool same_hours(const struct sp_config_rule *a, const struct sp_config_rule *b)
{
	return a->expires_s == b->expires_s && a->schedule.days == b->schedule.days &&
	       a->schedule.from_min == b->schedule.from_min &&
	       a->schedule.to_min == b->schedule.to_min && !a->schedule.zone == !b->schedule.zone &&
	       (!a->schedule.zone || !strcmp(a->schedule.zone, b->schedule.zone));
}

static bool has_timed(const struct sp_config *config)
{
	for (uint32_t i = 0; i < config->rule_count; i++) {
		if (sp_policy_is_timed(&config->rules[i]))
			return true;
	}
	return false;
}

int sp_policy_schedules_init(struct sp_policy_schedules *s, const struct sp_config *config,
			     const struct sp_policy_time *time)
{
	const struct sp_config_rule *last = NULL;
	int count = 0;

	*s = (struct sp_policy_schedules){0};
	if (!has_timed(config))
		return 0;
	s->list = calloc(config->rule_count, sizeof(*s->list));
	s->counts = calloc(config->rule_count, sizeof(*s->counts));
	if (!s->list || !s->counts)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->rule_count; i++) {
		const struct sp_config_rule *rule = &config->rules[i];

		s->counts[i] = 1;
		if (!sp_policy_is_timed(rule))
			continue;
		if (last && same_hours(last, rule))
			s->list[i] = s->list[last - config->rules];
		else
			count = sp_policy_windows(rule, time, s->list[i].windows);
		if (count < 0)
			return count;
		s->counts[i] = (uint8_t)count;
		last = rule;
	}
	return 0;
}

void sp_policy_schedules_fini(struct sp_policy_schedules *s)
{
	free(s->list);
	free(s->counts);
	*s = (struct sp_policy_schedules){0};
}

bool sp_policy_is_over(const struct sp_policy_schedules *s, uint32_t index)
{
	return s->counts && !s->counts[index];
}

void sp_policy_schedules_fill(const struct sp_policy_schedules *s, uint32_t index,
			      struct sp_policy_choice *choice)
{
	memcpy(choice->windows, s->list[index].windows, sizeof(choice->windows));
}
