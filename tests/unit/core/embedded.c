/* SPDX-License-Identifier: Apache-2.0 */
#include "sallyport/core/parse.h"

#include <criterion/criterion.h>
#include <netinet/in.h>

#include "unit/core/random.h"

/* An ICMP error of s's version that quotes the first bytes of o. */
static struct spec error_about(const struct spec *s, const struct built *o, uint32_t bytes)
{
	uint64_t seed = 3;
	struct spec e = {.version = s->version,
			 .ttl = 60,
			 .proto = s->version == 4 ? 1 : 58,
			 .icmp_type = 3,
			 .quoted = o->b,
			 .quoted_bytes = bytes};

	e.src = random_addr(&seed, s->version);
	e.dst = s->src;
	return e;
}

static enum sp_reason parse_both(const struct spec *e, struct sp_packet *ret_outer,
				 struct sp_packet *ret_inner)
{
	enum sp_reason r;
	struct built o;
	uint8_t *g;

	build(e, &o);
	g = guarded(o.b, o.bytes);
	r = sp_parse_ethernet(g, g + o.bytes, ret_outer);
	cr_assert_eq(r, SP_R_NONE);
	return sp_parse_embedded(g, g + o.bytes, ret_outer, ret_inner);
}

Test(core_parse_embedded, needs_the_header_and_eight_bytes_and_no_more)
{
	struct sp_packet outer, inner, before;
	uint64_t seed = 4711;
	struct built o;

	memset(&before, 0x5a, sizeof(before));
	for (int row = 0; row < 2000; row++) {
		struct spec s = random_spec(&seed), e;
		bool ported, icmp, request;

		s.ip_only = true;
		build(&s, &o);
		icmp = s.proto == 1 || s.proto == 58;
		ported = s.fragment != 2 && (icmp || s.proto == 6 || s.proto == 17);
		request = s.icmp_type == 8 || s.icmp_type == 128;
		for (uint32_t n = 0; n < o.bytes && n <= o.l4_off + 20; n++) {
			bool enough = n >= o.l4_off + (ported ? 8 : 0);
			enum sp_reason r;

			e = error_about(&s, &o, n);
			inner = before;
			r = parse_both(&e, &outer, &inner);
			cr_assert_eq(outer.icmp_error, 1);
			if (!enough) {
				cr_assert(r == SP_R_TRUNCATED || r == SP_R_FRAGMENT_TINY,
					  "row %d at %u: %d", row, n, r);
				cr_assert(!memcmp(&inner, &before, sizeof(inner)), "touched");
				continue;
			}
			cr_assert_eq(r, SP_R_NONE, "row %d at %u of %u: %d", row, n, o.bytes, r);
			cr_assert_eq(inner.l4_off, outer.l4_off + 8 + o.l4_off);
			cr_assert_eq(inner.l3_bytes, o.bytes);
			cr_assert_eq(inner.fragment, s.fragment);
			cr_assert(sp_addr_equal(&inner.src, &s.src));
			cr_assert(sp_addr_equal(&inner.dst, &s.dst));
			cr_assert_eq(ntohs(inner.sport_be), !ported   ? 0
							    : !icmp   ? s.sport
							    : request ? s.id
								      : 0);
			cr_assert_eq(ntohs(inner.dport_be), !ported   ? 0
							    : !icmp   ? s.dport
							    : request ? 0
								      : s.id);
		}
	}
}

Test(core_parse_embedded, tells_errors_from_all_else)
{
	for (int version = 4; version <= 6; version += 2) {
		for (int type = 0; type < 256; type++) {
			uint64_t seed = 5;
			struct spec s = {.ip_only = true, .version = (uint8_t)version, .proto = 17};
			struct spec e;
			bool error = version == 4 ? type == 3 || type == 11 || type == 12
						  : type >= 1 && type <= 4;
			struct sp_packet outer = {0}, inner;
			struct built o;

			s.src = random_addr(&seed, s.version);
			s.dst = random_addr(&seed, s.version);
			build(&s, &o);
			e = error_about(&s, &o, o.bytes);
			e.icmp_type = (uint8_t)type;
			cr_assert_eq(parse_both(&e, &outer, &inner),
				     error ? SP_R_NONE : SP_R_BAD_HEADER, "v%d %d", version, type);
			cr_assert_eq(outer.icmp_error, error, "v%d type %d", version, type);
		}
	}
}

Test(core_parse_embedded, refuses_a_quotation_of_the_other_version)
{
	uint64_t seed = 6;
	struct sp_packet outer = {0}, inner;
	struct spec s = {.ip_only = true, .version = 6, .proto = 17}, e;
	struct built o;

	s.src = random_addr(&seed, 6);
	s.dst = random_addr(&seed, 6);
	build(&s, &o);
	e = error_about(&s, &o, o.bytes);
	cr_assert_eq(parse_both(&e, &outer, &inner), SP_R_NONE);
	e.version = 4;
	e.proto = 1;
	e.src = e.dst = random_addr(&seed, 4);
	cr_assert_eq(parse_both(&e, &outer, &inner), SP_R_BAD_HEADER);
}

/* Padding behind the outer packet is not part of the quotation. */
Test(core_parse_embedded, does_not_read_beyond_the_error)
{
	uint64_t seed = 8;
	struct spec s = {.ip_only = true, .version = 4, .proto = 17}, e;
	struct sp_packet outer = {0}, inner;
	struct built o, f;

	s.src = random_addr(&seed, 4);
	s.dst = random_addr(&seed, 4);
	build(&s, &o);
	e = error_about(&s, &o, 27);
	build(&e, &f);
	cr_assert_eq(sp_parse_ethernet(f.b, f.b + f.bytes + 20, &outer), SP_R_NONE);
	cr_assert_eq(sp_parse_embedded(f.b, f.b + f.bytes + 20, &outer, &inner), SP_R_TRUNCATED);
}
