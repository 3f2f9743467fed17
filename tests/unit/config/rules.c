/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule may say beyond who, where and what. */
#include <criterion/criterion.h>
#include <errno.h>

#include "base/addr.h"
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
	cr_expect_eq(rule->limit.burst_bytes, 262144);
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

static bool holds(const struct sp_config_country *country, const char *address)
{
	struct sp_prefix host;

	cr_assert_eq(sp_prefix_parse(address, &host), 0);
	for (uint32_t i = 0; i < country->prefix_count; i++) {
		const struct sp_prefix *p = &country->prefixes[i];
		uint32_t bit = 0;

		while (bit < p->len &&
		       !((p->addr.b[bit / 8] ^ host.addr.b[bit / 8]) >> (7 - bit % 8) & 1))
			bit++;
		if (bit == p->len)
			return true;
	}
	return false;
}

static const char where_text[] =
	"gateway = { geoip = \"geoip.mmdb\"; };\n"
	"interfaces = ( { name = \"eth0\"; roles = [\"tunnel\", \"egress\"]; } );\n"
	"policy = ( { name = \"a\"; from = \"any\"; to = \"any\"; action = \"allow\";\n"
	"	from_where = [\"192.0.2.0/24\", \"country:DE\", \"country:FR\"]; },\n"
	"	{ name = \"b\"; from = \"any\"; to = \"any\"; action = \"deny\"; from_where = \"country:%s\"; } );\n";

static void write_where(const char *country)
{
	char *file, *db;

	cr_assert_gt(asprintf(&file, where_text, country), 0);
	sandbox_text("a.conf", file);
	free(file);
	db = realpath("data/../../../data/geoip.mmdb", NULL);
	cr_assert(db);
	cr_assert(symlink(db, "geoip.mmdb") == 0 || errno == EEXIST);
	free(db);
}

Test(config_rules, places_are_prefixes_and_countries)
{
	struct sp_config_errors errors;
	struct sp_config *config = NULL;

	sandbox_enter();
	write_where("FR");
	cr_assert_eq(sp_config_open("a.conf", &config, &errors), 0, "%s",
		     errors.count ? errors.list[0].text : "");
	cr_assert_eq(config->country_count, 2);
	cr_expect_eq(config->rules[0].from_prefix_count, 1);
	cr_expect_eq(config->rules[0].from_country_count, 2);
	cr_expect_eq(config->rules[1].from_countries[0], 1);
	cr_expect_not(config->rules[1].from_prefix_count);
	cr_expect_str_eq(config->countries[0].code, "DE");
	cr_expect_eq(config->countries[0].prefix_count, 3, "each network once");
	cr_expect(holds(&config->countries[0], "198.51.100.127"));
	cr_expect_not(holds(&config->countries[0], "198.51.100.128"));
	cr_expect(holds(&config->countries[1], "198.51.100.128"));
	cr_expect(holds(&config->countries[0], "203.0.113.9"));
	cr_expect(holds(&config->countries[0], "2001:db8:49:1::1"));
	cr_expect_not(holds(&config->countries[0], "2001:db8:33::1"));
	cr_expect_not(holds(&config->countries[0], "192.0.2.1"));
	sp_config_close(config);
	sandbox_leave();
}

static void expect_mistake(const char *want)
{
	struct sp_config_errors errors;
	struct sp_config *config = NULL;

	cr_assert_eq(sp_config_open("a.conf", &config, &errors), -EINVAL, "%s", want);
	cr_expect_eq(errors.count, 1);
	cr_expect_str_eq(errors.list[0].text, want);
	sp_config_errors_fini(&errors);
}

Test(config_rules, countries_that_nobody_knows)
{
	sandbox_enter();
	write_where("XX");
	expect_mistake("a.conf:5: from_where: found \"country:XX\", expected a country that "
		       "gateway.geoip has addresses of");
	write_where("Germany");
	expect_mistake(
		"a.conf:5: policy.b.from_where: found \"country:Germany\", expected a country "
		"of ISO 3166-1 such as \"country:DE\"");
	write_where("DE");
	cr_assert_eq(unlink("geoip.mmdb"), 0);
	sandbox_write("geoip.mmdb", "not a database", 14, 0644);
	expect_mistake(
		"a.conf: gateway.geoip: found \"./geoip.mmdb\" (The MaxMind DB file contains "
		"invalid metadata), expected a MaxMind database");
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
