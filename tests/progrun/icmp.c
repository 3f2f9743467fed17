/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors about flows (RFC 5508): both headers un-NATed, or dropped. */
#include "progrun/lab.h"

TestSuite(icmp, .init = lab_open, .fini = progrun_close);

static struct binding binding_of(const struct family *f, const char *nat, uint8_t proto)
{
	return (struct binding){
		.f = f,
		.nat = nat,
		.proto = proto,
		.rport = proto == f->icmp ? 0 : 443,
		.nport = 30001,
		.cport = 50123,
		.kind = SP_FLOW_TUNNEL,
	};
}

/* The packet of the user's that an error quotes: as it left, or as the user knows it. */
static struct frame sent(const struct binding *b, const char *src, uint16_t port)
{
	bool echo = b->proto == b->f->icmp;
	struct spec s = {.src = src,
			 .dst = b->f->remote,
			 .proto = b->proto,
			 .sport = echo ? b->f->ask : port,
			 .dport = echo ? port : b->rport,
			 .bytes = 400};

	return frame_of(&s);
}

Test(icmp, an_error_about_a_flow_reaches_the_user_with_every_checksum_right)
{
	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int i = 0; i < 3 * 2 * 2 * 2; i++) {
			const char *nat = i & 1 ? f->shared : f->pool;
			uint8_t protos[] = {SP_PROTO_UDP, SP_PROTO_TCP, f->icmp};
			struct binding b = binding_of(f, nat, protos[i / 8]);
			uint16_t type = i & 2 ? f->unreachable : f->too_big;
			uint32_t bytes = f->ip_bytes + (i & 4 ? 200 : 20);
			struct frame out = sent(&b, nat, b.nport);
			struct frame known = sent(&b, f->client, b.cport);
			struct frame in = frame_error(f->router, nat, type, &out, bytes);
			struct frame want = frame_error(f->router, f->client, type, &known, bytes);
			struct sp_flow before, after;
			struct sp_meta m;

			b.seen_ns = now_ns() - 5000000000;
			put_flow(&b, SP_FLOW_REPLY, 0);
			before = flow_of(&b);
			m = expect_worker(&in, &want, SP_META_REPLY, f->name);
			after = flow_of(&b);
			cr_assert_eq(m.flags, SP_META_ICMP_ERROR);
			cr_assert_eq(m.peer_id, PEER);
			cr_assert_eq(after.seen_ns, before.seen_ns, "an error refreshes nothing");
			cr_assert_eq(after.packets, before.packets + 1);
		}
}

/* RFC 792 asks a router for no more than the IP header and 8 bytes. */
Test(icmp, eight_quoted_bytes_are_enough)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, f->pool, SP_PROTO_TCP);
		struct frame out = sent(&b, f->pool, b.nport), known = sent(&b, f->client, b.cport);
		uint32_t bytes = f->ip_bytes + 8;
		struct frame in = frame_error(f->router, f->pool, f->unreachable, &out, bytes);
		struct frame want =
			frame_error(f->router, f->client, f->unreachable, &known, bytes);

		put_flow(&b, SP_FLOW_REPLY, 0);
		expect_worker(&in, &want, SP_META_REPLY, f->name);
		in = frame_error(f->router, f->pool, f->unreachable, &out, bytes - 1);
		expect_drop(&in, SP_DIR_DOWN, SP_R_TRUNCATED, "seven are not");
	}
}

/* RFC 5508 REQ-6, RFC 5382 REQ-10: nobody outside ends a flow, or keeps it alive, by an error. */
Test(icmp, an_error_neither_refreshes_nor_ends_its_flow)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, f->pool, SP_PROTO_TCP);
		struct frame out = sent(&b, f->pool, b.nport);
		struct frame in = frame_error(f->router, f->pool, f->unreachable, &out, 60);
		struct sp_flow before, after;

		b.seen_ns = now_ns() - 5000000000;
		put_flow(&b, SP_FLOW_REPLY, SP_TCP_SEEN_SYN);
		before = flow_of(&b);
		(void)progrun(&in);
		after = flow_of(&b);
		cr_assert_eq(after.packets, before.packets + 1, "%s: it was counted", f->name);
		cr_assert_eq(after.seen_ns, before.seen_ns, "%s: not refreshed", f->name);
		cr_assert_eq(after.tcp_seen, before.tcp_seen, "%s: not ended", f->name);
		cr_assert_eq(after.idle_s, before.idle_s, "%s", f->name);
	}
}

Test(icmp, an_error_about_a_routed_flow_is_not_touched)
{
	const struct family *f = &families[1];
	struct binding b = binding_of(f, NULL, SP_PROTO_UDP);
	struct frame out = sent(&b, f->client, b.cport);
	struct frame in = frame_error(f->router, f->client, f->too_big, &out, 100);

	expect_drop(&in, SP_DIR_DOWN, SP_R_INNER_FROM_OUTSIDE, "before a flow asks");
	put_flow(&b, SP_FLOW_REPLY, 0);
	cr_assert_eq(expect_worker(&in, &in, SP_META_REPLY, "after").flags, SP_META_ICMP_ERROR);
}

Test(icmp, an_error_about_no_flow_is_dropped_or_the_hosts)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, f->pool, SP_PROTO_UDP);
		struct frame out = sent(&b, f->pool, b.nport), in;

		in = frame_error(f->router, f->pool, f->unreachable, &out, f->ip_bytes + 8);
		expect_drop(&in, SP_DIR_DOWN, SP_R_ICMP_UNMATCHED, "pool");
		out = sent(&b, f->shared, b.nport);
		in = frame_error(f->router, f->shared, f->unreachable, &out, f->ip_bytes + 8);
		expect_drop(&in, SP_DIR_DOWN, SP_R_ICMP_UNMATCHED, "shared, in the NAT's range");
		out = sent(&b, f->shared, NAT_MIN - 1);
		in = frame_error(f->router, f->shared, f->unreachable, &out, f->ip_bytes + 8);
		expect_pass(&in, "shared, below it");
		out = sent(&b, f->host, b.nport);
		in = frame_error(f->router, f->host, f->unreachable, &out, f->ip_bytes + 8);
		expect_pass(&in, "host");
		b.proto = f->icmp;
		out = sent(&b, f->shared, b.nport);
		in = frame_error(f->router, f->shared, f->unreachable, &out, f->ip_bytes + 8);
		expect_pass(&in, "a ping of the host's own");
	}
}

/* The error must come to the address that the quoted packet left from. */
Test(icmp, a_quotation_of_another_source_matches_nothing)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, f->pool, SP_PROTO_UDP);
		struct frame out = sent(&b, f->shared, b.nport), in;

		b.nat = f->shared;
		put_flow(&b, SP_FLOW_REPLY, 0);
		in = frame_error(f->router, f->pool, f->unreachable, &out, f->ip_bytes + 8);
		expect_drop(&in, SP_DIR_DOWN, SP_R_ICMP_UNMATCHED, f->name);
	}
}

Test(icmp, redirects_and_quotations_of_quotations_carry_nothing)
{
	const struct family *f = families;
	struct binding b = binding_of(f, f->pool, SP_PROTO_UDP);
	struct frame out = sent(&b, f->pool, b.nport), in, error;

	put_flow(&b, SP_FLOW_REPLY, 0);
	in = frame_error(f->router, f->pool, 0x0501, &out, f->ip_bytes + 8);
	expect_drop(&in, SP_DIR_DOWN, SP_R_NO_FLOW, "redirect");
	error = frame_error(f->pool, f->remote, f->unreachable, &out, f->ip_bytes + 8);
	in = frame_error(f->router, f->pool, f->unreachable, &error, 60);
	expect_drop(&in, SP_DIR_DOWN, SP_R_ICMP_UNMATCHED, "error about an error");
}

Test(icmp, a_quoted_later_fragment_has_no_ports_to_match)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = binding_of(f, f->pool, SP_PROTO_UDP);
		struct spec s = {.src = f->pool,
				 .dst = f->remote,
				 .proto = SP_PROTO_UDP,
				 .fragment = 64,
				 .bytes = 64};
		struct frame quoted = frame_of(&s), in;

		b.rport = 0;
		b.nport = 0;
		put_flow(&b, SP_FLOW_REPLY, 0);
		in = frame_error(f->router, f->pool, f->unreachable, &quoted, f->ip_bytes + 24);
		expect_drop(&in, SP_DIR_DOWN, SP_R_ICMP_UNMATCHED, f->name);
	}
}
