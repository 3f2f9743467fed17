/* SPDX-License-Identifier: Apache-2.0 */
#include "sallyport/core/rewrite.h"

#include <criterion/criterion.h>
#include <netinet/in.h>

#include "sallyport/core/parse.h"
#include "unit/core/random.h"

/* What a rewrite of one side means for the description of a packet. */
static void rename_side(struct spec *s, enum sp_rewrite_end which, const struct sp_addr *to,
			uint16_t port)
{
	bool request = s->icmp_type == 8 || s->icmp_type == 128;

	if (which == SP_REWRITE_SRC) {
		s->src = *to;
		s->sport = port;
	} else {
		s->dst = *to;
		s->dport = port;
	}
	if (request == (which == SP_REWRITE_SRC))
		s->id = port;
}

static void expect_same(const uint8_t *got, const struct built *want, int row)
{
	for (uint32_t i = 0; i < want->bytes; i++)
		cr_assert_eq(got[i], want->b[i], "row %d: byte %u is %02x, not %02x (l3 %u, l4 %u)",
			     row, i, got[i], want->b[i], want->l3_off, want->l4_off);
}

/* The rewritten packet is byte for byte the one that would have been built with the new names. */
Test(core_rewrite, equals_a_packet_built_anew)
{
	uint64_t seed = 0xf00d;
	struct sp_packet p = {0};
	struct built o;

	for (int row = 0; row < 20000; row++) {
		enum sp_rewrite_end which = chance(&seed, 2) ? SP_REWRITE_SRC : SP_REWRITE_DST;
		struct spec s = random_spec(&seed);
		struct sp_addr to = random_addr(&seed, s.version);
		uint16_t port = (uint16_t)chance(&seed, 65536);
		uint8_t *g;

		build(&s, &o);
		g = guarded(o.b, o.bytes);
		cr_assert_eq(sp_parse_ethernet(g, g + o.bytes, &p), SP_R_NONE);
		cr_assert_eq(sp_rewrite(g, g + o.bytes, &p, which, &to, htons(port)), SP_R_NONE);
		rename_side(&s, which, &to, port);
		build(&s, &o);
		expect_same(g, &o, row);
	}
}

/* Both sides after one parse, as hairpinning does. */
Test(core_rewrite, changes_both_sides_after_one_parse)
{
	uint64_t seed = 0xbeef;
	struct sp_packet p = {0};
	struct built o;

	for (int row = 0; row < 5000; row++) {
		struct spec s = random_spec(&seed);
		struct sp_addr src = random_addr(&seed, s.version);
		struct sp_addr dst = random_addr(&seed, s.version);
		uint8_t *g;

		build(&s, &o);
		g = guarded(o.b, o.bytes);
		cr_assert_eq(sp_parse_ethernet(g, g + o.bytes, &p), SP_R_NONE);
		sp_rewrite(g, g + o.bytes, &p, SP_REWRITE_SRC, &src, htons(7));
		sp_rewrite(g, g + o.bytes, &p, SP_REWRITE_DST, &dst, htons(9));
		rename_side(&s, SP_REWRITE_SRC, &src, 7);
		rename_side(&s, SP_REWRITE_DST, &dst, 9);
		build(&s, &o);
		expect_same(g, &o, row);
	}
}

/* The quotation is cut anywhere behind 8 bytes, also before TCP's checksum; padding follows. */
Test(core_rewrite, keeps_both_checksums_of_an_icmp_error)
{
	static const uint8_t padding[18];
	uint64_t seed = 0xca11;
	struct sp_packet outer = {0}, inner = {0};
	struct built o, e, want;

	for (int row = 0; row < 20000; row++) {
		enum sp_rewrite_end which = chance(&seed, 2) ? SP_REWRITE_SRC : SP_REWRITE_DST;
		struct spec s = random_spec(&seed);
		struct spec error = {.version = s.version, .ttl = 9, .icmp_type = 3};
		struct sp_addr to = random_addr(&seed, s.version);
		uint16_t port = (uint16_t)chance(&seed, 65536);
		uint32_t least;
		uint8_t *g;

		s.ip_only = true;
		build(&s, &o);
		least = s.fragment == 2 || s.proto == 47 ? o.l4_off : o.l4_off + 8;
		error.proto = s.version == 4 ? 1 : 58;
		error.src = random_addr(&seed, s.version);
		error.dst = s.src;
		error.quoted = o.b;
		error.quoted_bytes = least + chance(&seed, o.bytes - least + 1);
		/* Half a checksum is nobody's to keep right. */
		if (s.proto == 6 && error.quoted_bytes == o.l4_off + 17)
			error.quoted_bytes--;
		build(&error, &e);
		memcpy(e.b + e.bytes, padding, sizeof(padding));
		g = guarded(e.b, e.bytes + sizeof(padding));
		cr_assert_eq(sp_parse_ethernet(g, g + e.bytes + sizeof(padding), &outer),
			     SP_R_NONE);
		cr_assert_eq(sp_parse_embedded(g, g + e.bytes, &outer, &inner), SP_R_NONE);
		cr_assert_eq(sp_rewrite_embedded(g, g + e.bytes + sizeof(padding), &outer, &inner,
						 which, &to, htons(port)),
			     SP_R_NONE);
		rename_side(&s, which, &to, port);
		build(&s, &o);
		build(&error, &want);
		expect_same(g, &want, row);
		cr_assert(!memcmp(g + e.bytes, padding, sizeof(padding)), "row %d: padding", row);
	}
}

/* RFC 768: one port in 65536 makes the sum 0, which must not go out as "no checksum". */
Test(core_rewrite, never_makes_a_udp_checksum_of_zero)
{
	uint64_t seed = 77;
	uint32_t all_ones = 0;
	struct sp_packet p = {0};
	struct built o;

	for (uint8_t version = 4; version <= 6; version += 2) {
		struct spec s = {.version = version, .ttl = 1, .proto = 17, .payload_bytes = 3};

		s.src = random_addr(&seed, version);
		s.dst = random_addr(&seed, version);
		for (uint32_t port = 0; port < 65536; port++) {
			build(&s, &o);
			cr_assert_eq(sp_parse_ethernet(o.b, o.b + o.bytes, &p), SP_R_NONE);
			sp_rewrite(o.b, o.b + o.bytes, &p, SP_REWRITE_SRC, &s.src,
				   htons((uint16_t)port));
			s.sport = (uint16_t)port;
			all_ones += o.b[o.l4_off + 6] == 0xff && o.b[o.l4_off + 7] == 0xff;
			cr_assert(o.b[o.l4_off + 6] | o.b[o.l4_off + 7], "port %u", port);
		}
	}
	cr_assert_geq(all_ones, 2, "the case was not met");
}

Test(core_rewrite, refuses_and_touches_nothing)
{
	uint64_t seed = 31;
	struct built o, before;
	struct sp_packet p = {0};

	for (int row = 0; row < 2000; row++) {
		struct spec s = random_spec(&seed);
		struct sp_addr other = random_addr(&seed, s.version == 4 ? 6 : 4);
		struct sp_addr same = random_addr(&seed, s.version);
		uint32_t cut;
		uint8_t *g;

		build(&s, &o);
		before = o;
		cr_assert_eq(sp_parse_ethernet(o.b, o.b + o.bytes, &p), SP_R_NONE);
		cr_assert_eq(sp_rewrite(o.b, o.b + o.bytes, &p, SP_REWRITE_SRC, &other, 1),
			     SP_R_PROTOCOL);
		cr_assert(!memcmp(&o, &before, sizeof(o)), "row %d", row);
		/* memory that ends earlier than when it was parsed */
		cut = chance(&seed, o.l3_off + (s.version == 4 ? 20 : 40));
		g = guarded(o.b, cut);
		cr_assert_eq(sp_rewrite(g, g + cut, &p, SP_REWRITE_SRC, &same, 1), SP_R_TRUNCATED);
		cr_assert(!memcmp(g, before.b, cut), "row %d", row);
	}
}
