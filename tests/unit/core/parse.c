/* SPDX-License-Identifier: Apache-2.0 */
#include "sallyport/core/parse.h"

#include <criterion/criterion.h>
#include <netinet/in.h>

#include "unit/core/random.h"

static struct spec udp(uint8_t version)
{
	uint64_t seed = 7;
	struct spec s = {.version = version,
			 .ttl = 64,
			 .proto = 17,
			 .payload_bytes = 8,
			 .sport = 1000,
			 .dport = 53};

	s.src = random_addr(&seed, version);
	s.dst = random_addr(&seed, version);
	return s;
}

static enum sp_reason parse_bytes(const uint8_t *b, uint32_t bytes, struct sp_packet *ret)
{
	uint8_t *g = guarded(b, bytes);

	return sp_parse_ethernet(g, g + bytes, ret);
}

/* Build, then overwrite one byte (at < 0: none), then parse. */
static enum sp_reason parse_spec(const struct spec *s, int at, uint8_t value)
{
	struct sp_packet p;
	struct built o;

	build(s, &o);
	if (at >= 0)
		o.b[at] = value;
	return parse_bytes(o.b, o.bytes, &p);
}

static void expect_as_built(const struct spec *s, const struct built *o, const struct sp_packet *p,
			    int row)
{
	bool later = s->fragment == 2, icmp = s->proto == 1 || s->proto == 58;
	bool ports = !later && (s->proto == 6 || s->proto == 17);
	bool request = !later && icmp && (s->icmp_type == 8 || s->icmp_type == 128);
	bool reply = !later && icmp && !request;

	cr_assert_eq(p->version, s->version, "row %d", row);
	cr_assert_eq(p->ethertype, s->version == 4 ? 0x0800 : 0x86dd, "row %d", row);
	cr_assert_eq(p->vlan_tags, s->vlans, "row %d", row);
	cr_assert_eq(p->l3_off, o->l3_off, "row %d", row);
	cr_assert_eq(p->l4_off, o->l4_off, "row %d", row);
	cr_assert_eq(p->l3_bytes, o->bytes - o->l3_off, "row %d", row);
	cr_assert_eq(p->payload_off, o->payload_off, "row %d", row);
	cr_assert(sp_addr_equal(&p->src, &s->src) && sp_addr_equal(&p->dst, &s->dst), "row %d",
		  row);
	cr_assert_eq(p->proto, s->proto, "row %d", row);
	cr_assert_eq(p->tos, s->tos, "row %d", row);
	cr_assert_eq(p->ttl, s->ttl, "row %d", row);
	cr_assert_eq(p->fragment, s->fragment, "row %d", row);
	cr_assert_eq(p->may_split, s->version == 4, "row %d", row);
	cr_assert_eq(p->fragment_id, s->version == 4 ? 0x4242 : 0, "row %d", row);
	if (s->fragment) {
		cr_assert_eq(p->fragment_begin, later ? 64 : 0, "row %d", row);
		cr_assert_eq(p->fragment_more, !later, "row %d", row);
	}
	cr_assert_eq(ntohs(p->sport_be), ports ? s->sport : request ? s->id : 0, "row %d", row);
	cr_assert_eq(ntohs(p->dport_be), ports ? s->dport : reply ? s->id : 0, "row %d", row);
	cr_assert_eq(p->tcp_flags, ports && s->proto == 6 ? s->tcp_flags : 0, "row %d", row);
	cr_assert_eq(p->icmp, !later && icmp ? s->icmp_type << 8 : 0, "row %d", row);
	cr_assert_eq(p->icmp_error, 0, "row %d", row);
}

Test(core_parse, reads_every_field_of_any_valid_packet)
{
	uint64_t seed = 0x5a11;
	struct sp_packet p;
	struct built o;

	for (int row = 0; row < 20000; row++) {
		struct spec s = random_spec(&seed);

		build(&s, &o);
		cr_assert_eq(parse_bytes(o.b, o.bytes, &p), SP_R_NONE, "row %d", row);
		expect_as_built(&s, &o, &p, row);
		/* Ethernet padding behind it changes nothing. */
		memset(o.b + o.bytes, 0xaa, 46);
		cr_assert_eq(parse_bytes(o.b, o.bytes + 46, &p), SP_R_NONE, "row %d", row);
		expect_as_built(&s, &o, &p, row);
	}
}

/* The capture is shorter than what the headers say. */
Test(core_parse, refuses_a_packet_cut_at_any_offset)
{
	struct sp_packet before, p;
	uint64_t seed = 99;
	struct built o;

	memset(&before, 0x5a, sizeof(before));
	for (int row = 0; row < 500; row++) {
		struct spec s = random_spec(&seed);
		uint32_t fixed = s.version == 4 ? 20 : 40;

		build(&s, &o);
		for (uint32_t n = 0; n < o.bytes; n++) {
			enum sp_reason r;

			p = before;
			r = parse_bytes(o.b, n, &p);
			if (n < o.l3_off + fixed)
				cr_assert_eq(r, SP_R_TRUNCATED, "row %d at %u: %d", row, n, r);
			else
				cr_assert(r == SP_R_TRUNCATED || r == SP_R_BAD_HEADER,
					  "row %d at %u: %d", row, n, r);
			cr_assert(!memcmp(&p, &before, sizeof(p)), "row %d: output touched", row);
		}
	}
}

/* The length fields agree with the cut: only the headers behind them can tell. */
Test(core_parse, refuses_headers_that_reach_beyond_the_length_field)
{
	struct sp_packet p;
	uint64_t seed = 123;
	struct built o;

	for (int row = 0; row < 500; row++) {
		struct spec s = random_spec(&seed);
		uint32_t least;

		build(&s, &o);
		least = o.l3_off + (s.version == 4 ? 20 + s.options_bytes : 40);
		for (uint32_t n = least; n < o.payload_off; n++) {
			uint32_t bytes = n - o.l3_off;
			enum sp_reason r;

			put16(o.b + o.l3_off + (s.version == 4 ? 2 : 4),
			      s.version == 4 ? bytes : bytes - 40);
			r = parse_bytes(o.b, o.bytes, &p);
			cr_assert(r == SP_R_TRUNCATED || r == SP_R_FRAGMENT_TINY,
				  "row %d at %u: %d", row, n, r);
			if (n >= o.l4_off)
				cr_assert_eq(r, s.fragment ? SP_R_FRAGMENT_TINY : SP_R_TRUNCATED,
					     "row %d at %u", row, n);
		}
	}
}

Test(core_parse, refuses_contradictions)
{
	struct spec v4 = udp(4), v6 = udp(6), tcp = udp(4);
	const struct {
		const char *name;
		const struct spec *s;
		int at;
		uint8_t value;
		enum sp_reason want;
	} rows[] = {
		{"as built, v4", &v4, -1, 0, SP_R_NONE},
		{"as built, v6", &v6, -1, 0, SP_R_NONE},
		{"as built, tcp", &tcp, -1, 0, SP_R_NONE},
		{"version 5", &v4, 14, 0x55, SP_R_BAD_HEADER},
		{"ihl 4", &v4, 14, 0x44, SP_R_BAD_HEADER},
		{"ihl beyond the packet", &v4, 14, 0x4f, SP_R_TRUNCATED},
		{"total length 19", &v4, 17, 19, SP_R_BAD_HEADER},
		{"total length 37 of 36", &v4, 17, 37, SP_R_BAD_HEADER},
		{"total length 36", &v4, 17, 36, SP_R_NONE},
		{"payload length 17 of 16", &v6, 19, 17, SP_R_BAD_HEADER},
		{"payload length 65535", &v6, 18, 0xff, SP_R_BAD_HEADER},
		{"udp length 7", &v4, 39, 7, SP_R_BAD_HEADER},
		{"udp length 8", &v4, 39, 8, SP_R_NONE},
		{"udp length 17 of 16", &v4, 39, 17, SP_R_BAD_HEADER},
		{"tcp offset 4", &tcp, 46, 0x40, SP_R_BAD_HEADER},
		{"tcp offset 5", &tcp, 46, 0x50, SP_R_NONE},
		{"tcp offset beyond the packet", &tcp, 46, 0x80, SP_R_TRUNCATED},
		{"ends exactly with tcp", &tcp, 46, 0x70, SP_R_NONE},
	};

	tcp.proto = 6;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum sp_reason r = parse_spec(rows[i].s, rows[i].at, rows[i].value);

		cr_assert_eq(r, rows[i].want, "%s: %d", rows[i].name, r);
	}
}

Test(core_parse, believes_the_ethertype_only_if_the_version_agrees)
{
	struct spec v4 = udp(4), v6 = udp(6);
	struct sp_packet p;
	struct built o;

	build(&v6, &o);
	put16(o.b + 12, 0x0800);
	cr_assert_eq(parse_bytes(o.b, o.bytes, &p), SP_R_BAD_HEADER);
	build(&v4, &o);
	put16(o.b + 12, 0x86dd);
	cr_assert_eq(parse_bytes(o.b, o.bytes, &p), SP_R_BAD_HEADER);
}

Test(core_parse, limits_vlan_tags)
{
	struct spec s = udp(4);

	s.vlans = 2;
	cr_assert_eq(parse_spec(&s, -1, 0), SP_R_NONE);
	s.vlans = 3;
	cr_assert_eq(parse_spec(&s, -1, 0), SP_R_TOO_DEEP);
}

Test(core_parse, leaves_what_is_not_ip)
{
	static const uint8_t arp[42] = {[12] = 0x08, 0x06};
	static const uint8_t tagged[20] = {[12] = 0x81, 0x00, 0x00, 0x05, 0x88, 0xcc};
	static const uint8_t priority[20] = {[12] = 0x81, 0x00, 0xe0, 0x00, 0x88, 0xcc};
	struct sp_packet p;

	cr_assert_eq(parse_bytes(arp, sizeof(arp), &p), SP_R_NONE);
	cr_assert(p.version == 0 && p.ethertype == 0x0806 && p.l3_off == 14 && p.vlan_tags == 0);
	cr_assert_eq(parse_bytes(tagged, sizeof(tagged), &p), SP_R_NONE);
	cr_assert(p.version == 0 && p.ethertype == 0x88cc && p.l3_off == 18 && p.vlan_tags == 1);
	cr_assert_eq(parse_bytes(priority, sizeof(priority), &p), SP_R_NONE);
	cr_assert(p.l3_off == 18 && p.vlan_tags == 0, "VLAN 0 is none");
	cr_assert_eq(parse_bytes(tagged, 17, &p), SP_R_TRUNCATED);
}

Test(core_parse, limits_extension_headers)
{
	const struct {
		const char *name;
		uint8_t kinds[8];
		uint32_t count;
		enum sp_reason want;
	} rows[] = {
		{"six", {0, 60, 43, 60, 44, 60}, 6, SP_R_NONE},
		{"seven", {0, 60, 43, 60, 44, 60, 60}, 7, SP_R_TOO_DEEP},
		{"hop-by-hop second", {60, 0}, 2, SP_R_BAD_HEADER},
		{"only hop-by-hop", {0}, 1, SP_R_NONE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct spec s = udp(6);
		enum sp_reason r;

		memcpy(s.extensions, rows[i].kinds, 8);
		s.extension_count = rows[i].count;
		r = parse_spec(&s, -1, 0);
		cr_assert_eq(r, rows[i].want, "%s: %d", rows[i].name, r);
	}
}

Test(core_parse, refuses_what_could_deceive_a_policy)
{
	struct spec s = udp(6);

	/* the real destination is in the list */
	s.extension_count = 1;
	s.extensions[0] = 43;
	cr_assert_eq(parse_spec(&s, 54 + 3, 0), SP_R_NONE);
	cr_assert_eq(parse_spec(&s, 54 + 3, 1), SP_R_PROTOCOL);
	/* an IPv6 address that keys would take for IPv4 */
	s = udp(6);
	memset(s.src.b, 0, 10);
	memset(s.src.b + 10, 0xff, 2);
	cr_assert_eq(parse_spec(&s, -1, 0), SP_R_BAD_HEADER);
	s = udp(6);
	s.dst = udp(4).dst;
	cr_assert_eq(parse_spec(&s, -1, 0), SP_R_BAD_HEADER);
}

/* RFC 1858, RFC 7112, and the ping of death. */
Test(core_parse, refuses_fragments_that_hide_or_overflow)
{
	struct spec s = udp(4), t = udp(6);
	struct sp_packet p;
	struct built o;

	s.proto = 6;
	s.fragment = 2;
	cr_assert_eq(parse_spec(&s, 21, 3), SP_R_NONE); /* from byte 24 */
	cr_assert_eq(parse_spec(&s, 21, 2), SP_R_FRAGMENT_TINY);
	cr_assert_eq(parse_spec(&s, 21, 1), SP_R_FRAGMENT_TINY);
	s.proto = 17;
	cr_assert_eq(parse_spec(&s, 21, 1), SP_R_NONE);
	s.payload_bytes = 16;
	build(&s, &o);
	put16(o.b + 20, 0x1ffd); /* ends at 65528 */
	cr_assert_eq(parse_bytes(o.b, o.bytes, &p), SP_R_NONE);
	put16(o.b + 20, 0x1fff); /* ends at 65544 */
	cr_assert_eq(parse_bytes(o.b, o.bytes, &p), SP_R_BAD_HEADER);
	/* a first fragment that ends inside its own extension headers */
	t.extension_count = 2;
	t.extensions[0] = 44;
	t.extensions[1] = 60;
	t.fragment = 1;
	build(&t, &o);
	put16(o.b + 14 + 4, 8 + 7);
	cr_assert_eq(parse_bytes(o.b, o.bytes, &p), SP_R_FRAGMENT_TINY);
	/* a fragment of a fragment */
	t.extensions[1] = 44;
	cr_assert_eq(parse_spec(&t, -1, 0), SP_R_BAD_HEADER);
}

/* Where a fragment stands in its datagram, headers behind the fragment header included. */
Test(core_parse, tells_a_fragments_place)
{
	struct spec s = udp(6);
	struct sp_packet p;
	struct built o;

	s.extension_count = 3;
	s.extensions[0] = 60;
	s.extensions[1] = 44;
	s.extensions[2] = 60;
	s.fragment = 1;
	build(&s, &o);
	put16(o.b + o.l3_off + 40 + 8 + 4, 0x1122);
	put16(o.b + o.l3_off + 40 + 8 + 6, 0x3344);
	cr_assert_eq(parse_bytes(o.b, o.bytes, &p), SP_R_NONE);
	cr_assert_eq(p.fragment, SP_FRAGMENT_FIRST);
	cr_assert_eq(p.fragment_begin, 8, "the second destination options are fragmentable");
	cr_assert_eq(p.fragment_id, htonl(0x11223344));
	cr_assert_eq(p.fragment_more, 1);
	s = udp(4);
	build(&s, &o);
	for (int df = 0; df < 2; df++) {
		put16(o.b + o.l3_off + 6, df ? 0x4000 : 0x2000 | 185);
		cr_assert_eq(parse_bytes(o.b, o.bytes, &p), SP_R_NONE);
		cr_assert_eq(p.may_split, !df);
		cr_assert_eq(p.fragment_begin, df ? 0 : 1480);
		cr_assert_eq(p.fragment_more, !df);
	}
}
