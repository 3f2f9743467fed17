/* SPDX-License-Identifier: Apache-2.0 */
#include "sallyport/core/adjust.h"

#include <criterion/criterion.h>

#include "sallyport/core/parse.h"
#include "unit/core/random.h"

static uint8_t *parsed(const struct spec *s, struct built *o, struct sp_packet *ret)
{
	uint8_t *g;

	build(s, o);
	g = guarded(o->b, o->bytes);
	cr_assert_eq(sp_parse_ethernet(g, g + o->bytes, ret), SP_R_NONE);
	return g;
}

static void expect_built(const uint8_t *got, const struct spec *s, const char *name, int row)
{
	struct built want;

	build(s, &want);
	cr_assert(!memcmp(got, want.b, want.bytes), "%s, row %d", name, row);
}

Test(core_adjust, takes_one_from_the_ttl)
{
	uint64_t seed = 21;
	struct sp_packet p = {0};
	struct built o;

	for (int row = 0; row < 5000; row++) {
		struct spec s = random_spec(&seed);
		uint8_t *g = parsed(&s, &o, &p);

		cr_assert(sp_decrement_ttl(g, g + o.bytes, &p), "row %d", row);
		s.ttl--;
		expect_built(g, &s, "ttl", row);
	}
}

Test(core_adjust, never_lets_the_ttl_reach_zero)
{
	uint64_t seed = 22;
	struct sp_packet p = {0};
	struct built o;

	for (int row = 0; row < 1000; row++) {
		struct spec s = random_spec(&seed);
		uint8_t *g;

		s.ttl = (uint8_t)(row & 1);
		g = parsed(&s, &o, &p);
		cr_assert_not(sp_decrement_ttl(g, g + o.bytes, &p), "row %d", row);
		expect_built(g, &s, "ttl", row);
	}
}

Test(core_adjust, sets_any_ecn_on_any_dscp)
{
	uint64_t seed = 23;
	struct sp_packet p = {0};
	struct built o;

	for (int row = 0; row < 5000; row++) {
		struct spec s = random_spec(&seed);
		uint8_t ecn = (uint8_t)chance(&seed, 4);
		uint8_t *g = parsed(&s, &o, &p);

		sp_set_ecn(g, g + o.bytes, &p, ecn);
		s.tos = (uint8_t)((s.tos & 0xfc) | ecn);
		expect_built(g, &s, "ecn", row);
	}
}

/* One SYN with the MSS option at an offset, clamped; mss_at < 0: none. */
static void clamp(struct spec *s, int mss_at, uint16_t mss, uint16_t mss_max, uint16_t want,
		  const char *name)
{
	struct sp_packet p = {0};
	struct built o;
	uint8_t *g;

	if (mss_at >= 0) {
		s->tcp_options[mss_at] = 2;
		s->tcp_options[mss_at + 1] = 4;
		put16(s->tcp_options + mss_at + 2, mss);
	}
	g = parsed(s, &o, &p);
	sp_clamp_mss(g, g + o.bytes, &p, mss_max);
	if (mss_at >= 0)
		put16(s->tcp_options + mss_at + 2, want);
	expect_built(g, s, name, mss_at);
}

static struct spec syn(uint8_t version, uint32_t options_bytes)
{
	uint64_t seed = 24;
	struct spec s = {.version = version,
			 .ttl = 64,
			 .proto = 6,
			 .tcp_flags = 2,
			 .tcp_options_bytes = options_bytes};

	s.src = random_addr(&seed, version);
	s.dst = random_addr(&seed, version);
	memset(s.tcp_options, 1, sizeof(s.tcp_options));
	return s;
}

/* At every offset, odd ones too, behind NOPs; up to the sixteenth option. */
Test(core_adjust, clamps_the_mss_at_any_offset)
{
	for (uint8_t version = 4; version <= 6; version += 2) {
		for (int at = 0; at <= 36; at++) {
			uint16_t want = at < SP_TCP_OPTIONS_MAX ? 1360 : 1460;
			struct spec s = syn(version, 40);

			clamp(&s, at, 1460, 1360, want, "behind NOPs");
		}
		for (uint32_t mss = 0; mss < 65536; mss += 13) {
			struct spec s = syn(version, 8);

			clamp(&s, 3, (uint16_t)mss, 1360, mss > 1360 ? 1360 : (uint16_t)mss,
			      "value");
		}
	}
}

Test(core_adjust, clamps_behind_other_options)
{
	struct spec s = syn(4, 20);

	/* SACK permitted, timestamps, NOP, window scale as Linux sends them, but MSS last */
	memcpy(s.tcp_options, (const uint8_t[]){4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7},
	       16);
	clamp(&s, 16, 8960, 1280, 1280, "last");
	s = syn(6, 4);
	s.tcp_flags = 0x12;
	clamp(&s, 0, 8960, 1280, 1280, "SYN ACK");
}

Test(core_adjust, leaves_every_other_segment_alone)
{
	struct spec s = syn(4, 8);

	s.tcp_flags = 0x10;
	clamp(&s, 0, 1460, 1000, 1460, "no SYN");
	s = syn(4, 8);
	s.tcp_options[0] = 0;
	clamp(&s, 4, 1460, 1000, 1460, "behind the end of options");
	s = syn(4, 8);
	s.tcp_options[0] = 9;
	s.tcp_options[1] = 0;
	clamp(&s, 4, 1460, 1000, 1460, "behind an option of length 0");
	s = syn(4, 8);
	s.tcp_options[0] = 9;
	s.tcp_options[1] = 200;
	clamp(&s, 4, 1460, 1000, 1460, "behind an option beyond the header");
	s = syn(4, 4);
	s.tcp_options[0] = 2;
	s.tcp_options[1] = 3;
	clamp(&s, -1, 0, 1, 0, "an MSS option of length 3");
	s = syn(4, 0);
	s.payload_bytes = 4;
	memcpy(s.payload, (const uint8_t[]){2, 4, 0xff, 0xff}, 4);
	clamp(&s, -1, 0, 1, 0, "payload that looks like an option");
	s.proto = 17;
	clamp(&s, -1, 0, 1, 0, "UDP");
}
