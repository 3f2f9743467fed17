/* SPDX-License-Identifier: Apache-2.0 */
/* Outside ports and ways out of plain flows: kept, shared, exhausted; found, asked for, missing. */
#include "progrun/plain_lab.h"

TestSuite(plain_nat, .init = plain_open, .fini = progrun_close);

static struct frame towards(const struct family *f, unsigned int proto, uint16_t sport,
			    const char *dst)
{
	struct spec s = plain_spec(f, proto, sport);

	s.dst = dst;
	return frame_of(&s);
}

/* RFC 4787 REQ-1, RFC 5382 REQ-1. */
Test(plain_nat, one_inside_port_is_one_outside_port_for_every_destination)
{
	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int proto = 0; proto < 3; proto++) {
			uint16_t port = plain_send(f, proto, 50123);
			struct frame in = towards(f, proto, 50123, f->router);
			struct outcome o = expect(&in, XDP_REDIRECT, SP_DIR_HOST, 0, f->name);

			cr_assert_eq(get16(o.b + in.l4 + (proto == 2 ? 4 : 0)), port);
		}
}

/* RFC 4787 REQ-3 and REQ-4. */
Test(plain_nat, keeps_a_port_of_its_slice_and_of_udp_the_parity)
{
	users[USER].flow_max = 0;
	for (const struct family *f = families; f < families + 2; f++) {
		cr_assert_eq(plain_send(f, 0, KEPT_PORT), KEPT_PORT);
		cr_assert_eq(plain_send(f, 0, KEPT_PORT + 1), KEPT_PORT + 1);
		for (uint16_t i = 0; i < 8; i++) {
			uint16_t port = plain_send(f, 0, (uint16_t)(50000 + i));

			cr_assert_eq(port % 2, i % 2, "parity of %u", port);
			cr_assert_eq(port / 2 % 2, 1, "slice of %u", port);
		}
	}
}

Test(plain_nat, one_outside_port_has_one_owner)
{
	for (const struct family *f = families; f < families + 2; f++) {
		const char *other = f == families ? "10.50.0.3" : "fd00:50::3";
		struct spec s = plain_spec(f, 1, KEPT_PORT);
		struct outcome o;
		struct frame in;

		cr_assert_eq(plain_send(f, 1, KEPT_PORT), KEPT_PORT);
		s.src = other;
		in = frame_of(&s);
		o = expect(&in, XDP_REDIRECT, SP_DIR_HOST, 0, f->name);
		cr_assert_neq(get16(o.b + in.l4), KEPT_PORT);
	}
}

Test(plain_nat, a_port_of_the_hosts_is_never_taken)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct sp_port_key k = {.addr = addr_of(f->pool),
					.port_be = htons(KEPT_PORT),
					.proto = SP_PROTO_TCP};
		struct sp_port v = {.owner = {.user_id = SP_USER_GATEWAY}};

		map_put(MAP_FD(sp_ports), &k, &v);
		cr_assert_neq(plain_send(f, 1, KEPT_PORT), KEPT_PORT);
	}
}

Test(plain_nat, is_exhausted_and_says_so)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct frame in = towards(f, 1, 50002, f->remote);

		put_egress(f, 20002, 20003); /* one pair, and it is ours */
		plain_send(f, 1, KEPT_PORT);
		plain_send(f, 1, KEPT_PORT + 1);
		expect_drop(&in, SP_DIR_UP, SP_R_NAT_EXHAUSTED, f->name);
		put_egress(f, 20000, 20001); /* one pair, and it is a worker's */
		in = towards(f, 1, 50003, f->remote);
		expect_drop(&in, SP_DIR_UP, SP_R_NAT_EXHAUSTED, "of another slice");
	}
}

/* Who may hear the answers is decided once: a worker's flow is not overwritten. */
Test(plain_nat, a_reply_that_belongs_to_another_flow_stays_its)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct binding b = {.f = f,
				    .nat = f->pool,
				    .proto = SP_PROTO_TCP,
				    .rport = 443,
				    .nport = KEPT_PORT,
				    .cport = 1234,
				    .kind = SP_FLOW_TUNNEL};
		struct frame in = towards(f, 1, KEPT_PORT, f->remote);

		put_flow(&b, SP_FLOW_REPLY, 0);
		expect_drop(&in, SP_DIR_UP, SP_R_NAT_EXHAUSTED, f->name);
		cr_assert_eq(flow_of(&b).kind, SP_FLOW_TUNNEL);
		cr_assert_eq(users[USER].plain_flows, 0);
	}
}

Test(plain_nat, a_withdrawn_address_serves_no_new_flow)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct sp_egress_key k = {.user_id = USER, .version = f == families ? 4 : 6};
		struct sp_egress v = {.addr = addr_of(f->shared),
				      .port_min = 20000,
				      .port_max = 29999,
				      .slice = 1,
				      .slices = 2,
				      .pool_id = 1};
		struct spec s = plain_spec(f, 1, KEPT_PORT);
		struct frame in, want;

		plain_send(f, 1, KEPT_PORT);
		map_put(MAP_FD(sp_egress), &k, &v);
		s.dst = f->router;
		in = frame_of(&s);
		want = plain_left(s, f->shared, KEPT_PORT, false);
		expect_out(&in, &want, f->name);
		s.dst = f->remote;
		in = frame_of(&s);
		want = plain_left(s, f->pool, KEPT_PORT, false);
		expect_out(&in, &want, "the old flow keeps its own");
	}
}

Test(plain_nat, routed_ipv6_leaves_as_it_is_and_is_answered)
{
	const struct family *f = &families[1];
	struct sp_egress_key k = {.user_id = USER, .version = 6};
	struct sp_egress v = {.routed = 1, .pool_id = 1};
	struct spec s = plain_spec(f, 1, 50123);
	struct frame in = frame_of(&s), want = plain_left(s, workload(f), 50123, false);

	map_put(MAP_FD(sp_egress), &k, &v);
	expect_out(&in, &want, "out");
	in = plain_answer(f, 1, workload(f), 50123, 64);
	want = plain_answer(f, 1, workload(f), 50123, 63);
	put_iface(SP_ROLE_EGRESS, 1);
	expect_out(&in, &want, "back");
	put_iface(SP_ROLE_INSIDE, 1);
	expect_drop(&in, SP_DIR_UP, SP_R_SPOOFED_SOURCE, "the same from an inside interface");
}

Test(plain_nat, no_pool_no_way_no_neighbour)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct sp_egress_key egress = {.user_id = USER, .version = f == families ? 4 : 6};
		struct sp_lpm_key route = {.prefixlen = f == families ? 96 : 0};
		struct sp_addr net = addr_of(f == families ? "0.0.0.0" : "::");
		struct frame in = towards(f, 1, KEPT_PORT, f->remote);

		memcpy(route.addr, net.b, 16);
		put_hop(SP_NEXTHOP_PENDING);
		expect_drop(&in, SP_DIR_UP, SP_R_NO_NEIGHBOUR, "not resolved yet");
		put_hop(SP_NEXTHOP_FREE);
		expect_drop(&in, SP_DIR_UP, SP_R_NO_NEIGHBOUR, "freed");
		put_hop(SP_NEXTHOP_READY);
		cr_assert_eq(bpf_map_delete_elem(MAP_FD(sp_egress), &egress), 0);
		expect_drop(&in, SP_DIR_UP, SP_R_NAT_NO_POOL, f->name);
		cr_assert_eq(bpf_map_delete_elem(MAP_FD(sp_route_lpm), &route), 0);
		expect_drop(&in, SP_DIR_UP, SP_R_NO_ROUTE, f->name);
		if (f == families)
			put_route("::", 0, HOP);
		expect_drop(&in, SP_DIR_UP, SP_R_NO_ROUTE, "::/0 is not for IPv4");
	}
}

static int on_sample(void *ctx, void *data, size_t bytes)
{
	cr_assert_eq(bytes, sizeof(struct sp_event));
	*(struct sp_event *)ctx = *(struct sp_event *)data;
	return 0;
}

Test(plain_nat, a_missing_neighbour_is_asked_for)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct frame in = towards(f, 1, KEPT_PORT, f->remote);
		struct sp_addr addr = addr_of(f->remote);
		struct sp_event event = {0};
		struct ring_buffer *ring;

		put_route(f->remote, 128, 0);
		expect_drop(&in, SP_DIR_UP, SP_R_NO_NEIGHBOUR, f->name);
		ring = ring_buffer__new(MAP_FD(sp_events), on_sample, &event, NULL);
		cr_assert_not_null(ring);
		cr_assert_eq(ring_buffer__consume(ring), 1);
		cr_assert_eq(event.kind, SP_EVENT_NEIGHBOUR);
		cr_assert_eq(event.ifindex, EGRESS_IFINDEX);
		cr_assert_eq(memcmp(&event.addr, &addr, 16), 0);
		for (int i = 0; i < 1000; i++)
			(void)progrun(&in);
		cr_assert_lt(ring_buffer__consume(ring), 300, "a flood of them is cut");
		ring_buffer__free(ring);
	}
}

Test(plain_nat, a_redirect_without_a_device_is_counted)
{
	uint32_t slot = EGRESS_SLOT;
	struct frame in = towards(families, 1, KEPT_PORT, families->remote);

	cr_assert_eq(bpf_map_delete_elem(MAP_FD(sp_devs), &slot), 0);
	expect_drop(&in, SP_DIR_UP, SP_R_REDIRECT_FAILED, "no device");
}
