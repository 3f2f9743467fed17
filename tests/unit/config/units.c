/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>

#include "config/units.h"

Test(config_units, rates_are_decimal_and_need_a_unit)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t bps;
	} rows[] = {
		{"20 Mbit/s", 0, 20000000},
		{"500 kbit/s", 0, 500000},
		{"1.5 Gbit/s", 0, 1500000000},
		{"1.5gbit/s", 0, 1500000000},
		{"1000 bit/s", 0, 1000},
		{"0.000001 Gbit/s", 0, 1000},
		{"1 Tbit/s", 0, 1000000000000},
		{"999 bit/s", -ERANGE, 0},
		{"1.000001 Tbit/s", -ERANGE, 0},
		{"0 Mbit/s", -ERANGE, 0},
		{"999999999999 Tbit/s", -ERANGE, 0},
		{"1000000000000 bit/s", -EINVAL, 0}, /* thirteen digits */
		{"0.0000001 Gbit/s", -EINVAL, 0},
		{"20000000", -EINVAL, 0},
		{"20 M", -EINVAL, 0},
		{"20 MB/s", -EINVAL, 0},
		{"20 Mbit/s ", -EINVAL, 0},
		{" 20 Mbit/s", -EINVAL, 0},
		{"-20 Mbit/s", -EINVAL, 0},
		{".5 Mbit/s", -EINVAL, 0},
		{"5. Mbit/s", -EINVAL, 0},
		{"Mbit/s", -EINVAL, 0},
		{"", -EINVAL, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t bps = 0;

		cr_expect_eq(sp_config_parse_rate(rows[i].text, &bps), rows[i].rc, "\"%s\"",
			     rows[i].text);
		cr_expect_eq(bps, rows[i].bps, "\"%s\": %llu", rows[i].text,
			     (unsigned long long)bps);
	}
}

Test(config_units, sizes_know_both_kinds_of_kilo)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t bytes;
	} rows[] = {
		{"256 KiB", 0, 262144},	  {"64 kB", 0, 64000},	   {"4096 B", 0, 4096},
		{"1 GiB", 0, 1073741824}, {"1.5 MiB", 0, 1572864}, {"4095 B", -ERANGE, 0},
		{"1.1 GiB", -ERANGE, 0},  {"256", -EINVAL, 0},	   {"256 Kbit", -EINVAL, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t bytes = 0;

		cr_expect_eq(sp_config_parse_size(rows[i].text, &bytes), rows[i].rc, "\"%s\"",
			     rows[i].text);
		cr_expect_eq(bytes, rows[i].bytes, "\"%s\"", rows[i].text);
	}
}

Test(config_units, ports_are_one_or_a_range)
{
	static const struct {
		const char *text;
		int rc;
		uint16_t min, max;
	} rows[] = {
		{"80", 0, 80, 80},	  {"1-65535", 0, 1, 65535},   {"8000-8080", 0, 8000, 8080},
		{"80-80", 0, 80, 80},	  {"81-80", -EDOM, 0, 0},     {"0", -ERANGE, 0, 0},
		{"65536", -ERANGE, 0, 0}, {"1-65536", -ERANGE, 0, 0}, {"0-5", -ERANGE, 0, 0},
		{"80-", -EINVAL, 0, 0},	  {"-80", -EINVAL, 0, 0},     {"80 - 90", -EINVAL, 0, 0},
		{"http", -EINVAL, 0, 0},  {"", -EINVAL, 0, 0},	      {"123456789", -EINVAL, 0, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sp_config_port_range range = {0};

		cr_expect_eq(sp_config_parse_ports(rows[i].text, &range), rows[i].rc, "\"%s\"",
			     rows[i].text);
		cr_expect_eq(range.min, rows[i].min, "\"%s\"", rows[i].text);
		cr_expect_eq(range.max, rows[i].max, "\"%s\"", rows[i].text);
	}
}
