/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule may say beyond who, where and what. */
#include <criterion/criterion.h>
#include <errno.h>

#include "base/zone.h"
#include "config/config.h"
#include "config/units.h"
#include "unit/config/sandbox.h"

static const char text[] =
	"interfaces = ( { name = \"eth0\"; roles = [\"tunnel\", \"egress\"]; } );\n"
	"policy = ( { name = \"a\"; from = \"any\"; to = \"any\"; action = \"reject\";\n"
	"	mode = \"shadow\"; on_change = \"grace 90 s\";\n"
	"	schedule = { days = [\"mon-wed\", \"sun\"]; hours = \"22:30-06:00\"; zone = \"Europe/Berlin\"; };\n"
	"	expires = \"2026-12-31 18:00 Europe/Berlin\";\n"
	"	limit = { up = \"2 Mbit/s\"; down = \"unlimited\"; }; },\n"
	"	{ name = \"b\"; from = \"any\"; to = \"any\"; action = \"allow\";\n"
	"	schedule = { zone = \"UTC\"; }; mode = \"enforce\"; } );\n";

Test(config_rules, take_every_option)
{
	struct sp_config_errors errors;
	struct sp_config *config = NULL;
	const struct sp_config_rule *rule;

	sandbox_enter();
	sandbox_text("a.conf", text);
	cr_assert_eq(sp_config_open("a.conf", &config, &errors), 0);
	rule = &config->rules[0];
	cr_expect(rule->reject && rule->shadow && !rule->allow);
	cr_expect_eq(rule->on_change, SP_ON_CHANGE_GRACE);
	cr_expect_eq(rule->grace_s, 90);
	cr_expect_str_eq(rule->schedule.zone, "Europe/Berlin");
	cr_expect_eq(rule->schedule.days, 0x47);
	cr_expect_eq(rule->schedule.from_min, 22 * 60 + 30);
	cr_expect_eq(rule->schedule.to_min, 6 * 60);
	cr_expect_eq(rule->expires_s, 1798736400);
	cr_expect_eq(rule->limit.up_bps, 2000000);
	cr_expect_eq(rule->limit.down_bps, 0);
	cr_expect_eq(rule->limit.burst_bytes, 65536);
	cr_expect_eq(rule->hit_id, 1);
	rule = &config->rules[1];
	cr_expect_not(rule->reject || rule->shadow);
	cr_expect_eq(rule->schedule.days, 0x7f);
	cr_expect_eq(rule->schedule.from_min, 0);
	cr_expect_eq(rule->schedule.to_min, 1440);
	cr_expect_eq(rule->expires_s, 0);
	cr_expect_eq(rule->hit_id, 2);
	sp_config_close(config);
	sandbox_leave();
}

Test(config_rules, days_hours_and_grace_by_form)
{
	static const struct {
		const char *text;
		int rc;
		uint32_t value;
	} days[] = {{"mon", 0, 1},	  {"sun", 0, 0x40},	  {"mon-fri", 0, 0x1f},
		    {"fri-mon", 0, 0x71}, {"mon-mon", 0, 1},	  {"mon-", -EINVAL, 0},
		    {"", -EINVAL, 0},	  {"monday", -EINVAL, 0}, {"mon-fri,sun", -EINVAL, 0}},
	  grace[] = {{"grace 1 s", 0, 1},
		     {"grace 86400s", 0, 86400},
		     {"grace 0 s", -EINVAL, 0},
		     {"grace 86401 s", -EINVAL, 0},
		     {"grace 99999999999 s", -EINVAL, 0},
		     {"grace s", -EINVAL, 0},
		     {"30 s", -EINVAL, 0},
		     {"grace 5 m", -EINVAL, 0}},
	  hours[] = {{"08:00-18:00", 0, 480 << 16 | 1080},
		     {"22:00-06:00", 0, 1320 << 16 | 360},
		     {"00:00-24:00", 0, 1440},
		     {"22:00-00:00", 0, 1320 << 16 | 1440},
		     {"24:00-06:00", -EINVAL, 0},
		     {"08:00-08:00", -EINVAL, 0},
		     {"08:60-09:00", -EINVAL, 0},
		     {"8:00-18:00", -EINVAL, 0},
		     {"08:00-24:01", -EINVAL, 0},
		     {"08:00", -EINVAL, 0}};
	uint32_t value, to;

	for (size_t i = 0; i < sizeof(days) / sizeof(*days); i++) {
		value = 0;
		cr_expect_eq(sp_config_parse_days(days[i].text, &value), days[i].rc, "%s",
			     days[i].text);
		cr_expect_eq(value, days[i].value, "%s", days[i].text);
	}
	for (size_t i = 0; i < sizeof(grace) / sizeof(*grace); i++) {
		value = 0;
		cr_expect_eq(sp_config_parse_grace(grace[i].text, &value), grace[i].rc, "%s",
			     grace[i].text);
		cr_expect_eq(value, grace[i].value, "%s", grace[i].text);
	}
	for (size_t i = 0; i < sizeof(hours) / sizeof(*hours); i++) {
		value = to = 0;
		cr_expect_eq(sp_config_parse_hours(hours[i].text, &value, &to), hours[i].rc, "%s",
			     hours[i].text);
		cr_expect_eq(value << 16 | to, hours[i].value, "%s", hours[i].text);
	}
}

Test(config_rules, times_in_zones_and_by_rfc_3339)
{
	static const struct {
		const char *text;
		int rc;
		int64_t time_s;
	} rows[] = {
		{"2026-12-31 18:00 Europe/Berlin", 0, 1798736400},
		{"2026-06-30 18:00 Europe/Berlin", 0, 1782835200},
		{"2026-12-31 18:00", 0, 1798740000},
		{"2026-12-31 18:00:30 UTC", 0, 1798740030},
		{"2026-12-31T18:00:00Z", 0, 1798740000},
		{"2026-12-31T18:00:00.25+01:00", 0, 1798736400},
		{"2026-12-31T18:00:00-00:30", 0, 1798741800},
		{"2024-02-29 00:00", 0, 1709164800},
		{"2026-02-29 00:00", -EINVAL, 0},
		{"2100-02-29 00:00", -EINVAL, 0},
		{"2026-13-01 00:00", -EINVAL, 0},
		{"2026-12-31", -EINVAL, 0},
		{"2026-12-31 24:00", -EINVAL, 0},
		{"2026-12-31T18:00:00", -EINVAL, 0},
		{"2026-12-31T18:00:00Z UTC", -EINVAL, 0},
		{"2026-12-31 18:00 Mars/Olympus", -ENOENT, 0},
		{"2026-12-31 18:00 ../../etc/passwd", -ENOENT, 0},
		{"2026-12-31 18:00 /etc/localtime", -ENOENT, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int64_t time_s = 0;

		cr_expect_eq(sp_zone_parse(rows[i].text, &time_s), rows[i].rc, "%s", rows[i].text);
		cr_expect_eq(time_s, rows[i].time_s, "%s: %lld", rows[i].text, (long long)time_s);
	}
}
