/* SPDX-License-Identifier: Apache-2.0 */
#include "sallyport/core/icmp.h"

#include <criterion/criterion.h>

#include "unit/core/random.h"

#define LONG_BYTES 1500

static const struct sp_addr gateway_v4 = {{[10] = 0xff, 0xff, 10, 9, 0, 1}};
static const struct sp_addr gateway_v6 = {{0xfd, [15] = 1}};

static const struct sp_addr *gateway(uint8_t version)
{
	return version == 4 ? &gateway_v4 : &gateway_v6;
}

/* The answer's own lengths and checksums, by the naive sum. */
static void expect_right(const uint8_t *b, uint32_t n, uint8_t version, uint16_t type_code,
			 const char *name)
{
	uint32_t l4 = version == 4 ? 20 : 40;
	uint32_t sum = 0;

	cr_assert_gt(n, l4 + 8, "%s", name);
	if (version == 4) {
		cr_assert_eq(get16(b + 2), n, "%s", name);
		cr_assert_eq(naive_sum(b, 20, 0), 0xffff, "%s: IPv4 checksum", name);
		cr_assert_eq(b[9], 1);
	} else {
		cr_assert_eq(get16(b + 4), n - 40, "%s", name);
		cr_assert_eq(b[6], 58);
		sum = naive_sum(b + 8, 32, 58 + n - 40);
	}
	cr_assert_eq(naive_sum(b + l4, n - l4, sum), 0xffff, "%s: ICMP checksum", name);
	cr_assert_eq(get16(b + l4), type_code, "%s", name);
}

Test(core_icmp, builds_each_error_about_any_packet)
{
	static const uint16_t want4[] = {0x0304, 0x0b00, 0x030d};
	static const uint16_t want6[] = {0x0200, 0x0300, 0x0101};
	uint64_t seed = 51;
	uint8_t buf[1280];
	struct built o;

	for (int row = 0; row < 3000; row++) {
		struct spec s = random_spec(&seed);
		const struct sp_addr *from = gateway(s.version);
		uint32_t n[3], head = s.version == 4 ? 28 : 48;

		s.ip_only = true;
		build(&s, &o);
		for (int kind = 0; kind < 3; kind++) {
			n[kind] = kind == 0   ? sp_icmp_build_too_big(o.b, o.bytes, from, 1337, buf,
								      sizeof(buf))
				  : kind == 1 ? sp_icmp_build_time_exceeded(o.b, o.bytes, from, buf,
									    sizeof(buf))
					      : sp_icmp_build_admin_prohibited(o.b, o.bytes, from,
									       buf, sizeof(buf));
			if (s.fragment == 2) {
				cr_assert_eq(n[kind], 0, "row %d: a later fragment", row);
				continue;
			}
			expect_right(buf, n[kind], s.version,
				     s.version == 4 ? want4[kind] : want6[kind], "any");
			cr_assert_eq(n[kind], head + o.bytes);
			cr_assert(!memcmp(buf + head, o.b, o.bytes), "row %d: quotation", row);
			if (kind == 0)
				cr_assert_eq(get16(buf + head - 2), 1337);
		}
	}
}

/* RFC 1812 4.3.2.3: 576; RFC 4443 2.4 (c): 1280. To the sender, from us, into room enough. */
Test(core_icmp, quotes_as_much_as_fits)
{
	for (uint8_t version = 4; version <= 6; version += 2) {
		uint8_t big[LONG_BYTES] = {0}, buf[1280];
		uint32_t want = version == 4 ? 576 : 1280, n;
		struct spec s = {.ip_only = true, .version = version, .proto = 6, .ttl = 3};
		const struct sp_addr *from = gateway(version);
		struct sp_packet p = {0};
		uint64_t seed = 52;
		struct built o;

		s.src = random_addr(&seed, version);
		s.dst = random_addr(&seed, version);
		build(&s, &o);
		memcpy(big, o.b, o.bytes);
		put16(big + (version == 4 ? 2 : 4), version == 4 ? LONG_BYTES : LONG_BYTES - 40);
		n = sp_icmp_build_too_big(big, LONG_BYTES, from, 1280, buf, sizeof(buf));
		cr_assert_eq(n, want);
		expect_right(buf, n, version, version == 4 ? 0x0304 : 0x0200, "long");
		cr_assert_eq(sp_parse_ip(buf, buf + n, 0, &p), SP_R_NONE);
		cr_assert(sp_addr_equal(&p.src, from) && sp_addr_equal(&p.dst, &s.src));
		cr_assert_eq(sp_icmp_build_too_big(big, LONG_BYTES, from, 1280, buf, want - 1), 0);
		/* an address of the other version cannot send it */
		cr_assert_eq(sp_icmp_build_too_big(big, LONG_BYTES, gateway(10 - version), 1280,
						   buf, sizeof(buf)),
			     0);
	}
}

static uint32_t answer(const struct spec *s)
{
	uint8_t buf[1280];
	struct built o;

	build(s, &o);
	return sp_icmp_build_time_exceeded(o.b, o.bytes, gateway(s->version), buf, sizeof(buf));
}

/* RFC 1122 3.2.2, RFC 4443 2.4 (e). */
Test(core_icmp, never_answers_errors)
{
	uint64_t seed = 53;

	for (uint8_t version = 4; version <= 6; version += 2) {
		for (int type = 0; type < 256; type++) {
			struct spec s = {
				.ip_only = true, .version = version, .icmp_type = (uint8_t)type};
			bool query = version == 4 ? type == 8 || type == 0 || type >= 13
						  : type >= 128 && type != 137;

			s.proto = version == 4 ? 1 : 58;
			s.src = random_addr(&seed, version);
			s.dst = random_addr(&seed, version);
			cr_assert_eq(answer(&s) != 0, query, "v%d type %d", version, type);
		}
	}
}

Test(core_icmp, never_answers_nobody_or_many)
{
	const struct {
		const char *name;
		uint8_t version;
		struct sp_addr addr;
	} rows[] = {
		{"0.0.0.0", 4, {{[10] = 0xff, 0xff}}},
		{"127.0.0.1", 4, {{[10] = 0xff, 0xff, 127, 0, 0, 1}}},
		{"224.0.0.1", 4, {{[10] = 0xff, 0xff, 224, 0, 0, 1}}},
		{"255.255.255.255", 4, {{[10] = 0xff, 0xff, 255, 255, 255, 255}}},
		{"::", 6, {{0}}},
		{"::1", 6, {{[15] = 1}}},
		{"ff02::1", 6, {{0xff, 2, [15] = 1}}},
	};
	uint64_t seed = 54;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct spec s = {.ip_only = true, .version = rows[i].version, .proto = 17};

		s.src = random_addr(&seed, s.version);
		s.dst = random_addr(&seed, s.version);
		cr_assert_neq(answer(&s), 0, "%s", rows[i].name);
		s.dst = rows[i].addr;
		cr_assert_eq(answer(&s), 0, "to %s", rows[i].name);
		s.dst = s.src;
		s.src = rows[i].addr;
		cr_assert_eq(answer(&s), 0, "from %s", rows[i].name);
	}
}
