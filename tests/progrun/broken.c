/* SPDX-License-Identifier: Apache-2.0 */
/* Packets cut, contradictory or random: never aborted, and judged as user space judges them. */
#include "progrun/lab.h"

#include "sallyport/core/parse.h"

TestSuite(broken, .init = lab_open, .fini = progrun_close);

#define KINDS 7

/* One good packet of each kind that the program tells apart. */
static struct frame good(const struct family *f, unsigned int kind, const struct spec *shape)
{
	uint8_t data[96] = {4, 0, 0, 0, 0x44, 0x33, 0x22, 0x11}, hello[148] = {1};
	struct spec s = *shape;
	struct frame quoted;

	s.src = f->remote;
	s.dst = kind < 2 ? f->host : f->pool;
	s.dport = kind < 2 ? PORT : 30001;
	s.sport = 443;
	s.proto = kind == 3 ? SP_PROTO_TCP : SP_PROTO_UDP;
	s.payload = kind == 0 ? data : hello;
	s.bytes = kind == 0 ? sizeof(data) : kind == 1 ? sizeof(hello) : 30;
	if (kind == 4) {
		s.proto = f->icmp;
		s.sport = f->answer;
	}
	if (kind >= 5) {
		struct spec q = {.src = f->pool,
				 .dst = f->remote,
				 .sport = 30001,
				 .dport = 443,
				 .proto = kind == 5 ? SP_PROTO_UDP : SP_PROTO_TCP,
				 .bytes = 20};

		quoted = frame_of(&q);
		s.proto = f->icmp;
		s.sport = f->unreachable;
		s.dport = 0;
		s.payload = quoted.b + quoted.l3;
		s.bytes = quoted.n - quoted.l3;
	}
	return frame_of(&s);
}

static void put_flows(const struct family *f)
{
	uint8_t protos[] = {SP_PROTO_UDP, SP_PROTO_TCP, f->icmp};

	for (int i = 0; i < 3; i++) {
		struct binding b = {.f = f,
				    .nat = f->pool,
				    .proto = protos[i],
				    .nport = 30001,
				    .rport = i == 2 ? 0 : 443,
				    .cport = 50123,
				    .kind = SP_FLOW_TUNNEL};

		put_flow(&b, SP_FLOW_REPLY, 0);
	}
}

static const struct spec shapes[] = {
	{.tcp_flags = 0x10},
	{.tags = 1},
	{.tags = 2, .options = 12, .extensions = 2},
	{.options = 40, .extensions = 6},
};

static enum sp_reason parse(const struct frame *f, struct sp_packet *ret)
{
	return sp_parse_ethernet(f->b, f->b + f->n, ret);
}

/* What the parser of user space says of these bytes, and that no other answer came. */
static void compare(const struct frame *f, const char *row)
{
	struct sp_packet p;
	enum sp_reason reason = parse(f, &p);
	struct outcome o;

	if (reason != SP_R_NONE) {
		expect_drop(f, SP_DIR_HOST, reason, row);
		return;
	}
	o = progrun(f);
	cr_assert(o.action == XDP_DROP || o.action == XDP_PASS || o.action == XDP_REDIRECT,
		  "%s: action %u", row, o.action);
}

Test(broken, every_kind_is_good_when_whole)
{
	for (const struct family *f = families; f < families + 2; f++) {
		put_flows(f);
		for (unsigned int i = 0; i < KINDS * 4; i++) {
			struct frame in = good(f, i % KINDS, &shapes[i / KINDS]);

			cr_assert_eq(progrun(&in).action, i % KINDS == 1 ? XDP_PASS : XDP_REDIRECT,
				     "%s kind %u shape %u", f->name, i % KINDS, i / KINDS);
		}
	}
}

/* BPF_PROG_RUN takes nothing shorter than an Ethernet header. */
Test(broken, cut_at_every_offset_it_goes_nowhere)
{
	for (const struct family *f = families; f < families + 2; f++) {
		put_flows(f);
		for (unsigned int i = 0; i < KINDS * 4; i++) {
			struct frame in = good(f, i % KINDS, &shapes[i / KINDS]);

			for (in.n--; in.n >= 14; in.n--) {
				struct sp_packet p;
				enum sp_reason reason = parse(&in, &p);

				cr_assert_neq(reason, SP_R_NONE, "kind %u at %u", i, in.n);
				expect_drop(&in, SP_DIR_HOST, reason, "cut");
			}
		}
	}
}

/* The length told in the IP header cut instead: every layer must believe only what is there. */
Test(broken, cut_in_the_ip_length_it_is_no_better)
{
	for (const struct family *f = families; f < families + 2; f++) {
		put_flows(f);
		for (unsigned int i = 0; i < KINDS; i++) {
			struct frame in = good(f, i, &shapes[0]);
			uint32_t whole = in.n - in.l3;

			for (uint32_t bytes = 0; bytes < whole; bytes++) {
				if (f->ip_bytes == 20)
					put16(in.b + in.l3 + 2, (uint16_t)bytes);
				else if (bytes >= 40)
					put16(in.b + in.l3 + 4, (uint16_t)(bytes - 40));
				compare(&in, "length");
			}
		}
	}
}

Test(broken, every_header_byte_changed_ends_in_a_verdict)
{
	static const uint8_t values[] = {0x00, 0x01, 0x0f, 0x2c, 0x3c, 0x40, 0x7f, 0x80, 0xff};

	for (const struct family *f = families; f < families + 2; f++) {
		put_flows(f);
		for (unsigned int i = 0; i < KINDS * 4; i++) {
			struct frame in = good(f, i % KINDS, &shapes[i / KINDS]);
			uint32_t stop = in.l4 + 70 < in.n ? in.l4 + 70 : in.n;

			for (uint32_t at = 12; at < stop; at++) {
				uint8_t was = in.b[at];

				for (size_t v = 0; v < sizeof(values); v++) {
					in.b[at] = values[v];
					compare(&in, "changed");
				}
				in.b[at] = was;
			}
		}
	}
}

Test(broken, each_reason_of_the_parser_has_its_packet)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = {.src = f->remote,
				 .dst = f->host,
				 .proto = SP_PROTO_TCP,
				 .dport = 22,
				 .tags = 3};
		struct frame in = frame_of(&s);

		expect_drop(&in, SP_DIR_HOST, SP_R_TOO_DEEP, "three tags");
		s.tags = 0;
		in = frame_of(&s);
		in.b[in.l3] = 0x55;
		expect_drop(&in, SP_DIR_HOST, SP_R_BAD_HEADER, "version");
		in = frame_of(&s);
		in.b[in.l4 + 12] = 0x40;
		expect_drop(&in, SP_DIR_HOST, SP_R_BAD_HEADER, "TCP header of 16 bytes");
		in = frame_of(&s);
		in.n--;
		expect_drop(&in, SP_DIR_HOST, SP_R_BAD_HEADER, "shorter than it says");
		in.n = in.l3 + 5;
		expect_drop(&in, SP_DIR_HOST, SP_R_TRUNCATED, "inside the IP header");
		s = (struct spec){.src = f->remote,
				  .dst = f->host,
				  .proto = SP_PROTO_TCP,
				  .fragment = 0x2001,
				  .bytes = 24};
		in = frame_of(&s);
		expect_drop(&in, SP_DIR_HOST, SP_R_FRAGMENT_TINY, "RFC 1858: over the flags");
	}
}

Test(broken, extension_headers_end_somewhere)
{
	struct spec s = {.src = "2001:db8:9::9",
			 .dst = "2001:db8:1::2",
			 .proto = SP_PROTO_TCP,
			 .dport = 22,
			 .extensions = 7};
	struct frame in = frame_of(&s);

	expect_drop(&in, SP_DIR_HOST, SP_R_TOO_DEEP, "seven");
	s.extensions = 6;
	in = frame_of(&s);
	expect_pass(&in, "six");
}
