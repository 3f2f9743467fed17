/* SPDX-License-Identifier: Apache-2.0 */
/* What is the kernel's own, what is nobody's, and what only pretends to come from here. */
#include "progrun/lab.h"

TestSuite(host, .init = lab_open, .fini = progrun_close);

static struct frame packet(const char *src, const char *dst, uint8_t proto, uint16_t sport,
			   uint16_t dport)
{
	struct spec s = {.src = src,
			 .dst = dst,
			 .proto = proto,
			 .sport = sport,
			 .dport = dport,
			 .tcp_flags = 0x02,
			 .bytes = 20};

	return frame_of(&s);
}

Test(host, what_is_not_ip_passes_untouched)
{
	static const uint16_t ethertypes[] = {0x0806, 0x88cc, 0x8863, 0x0100, 0x88f7};

	for (unsigned int i = 0; i < 2 * 5; i++) {
		struct frame in = {.n = 60};

		put16(in.b + 12, i & 1 ? SP_ETHERTYPE_VLAN : ethertypes[i / 2]);
		put16(in.b + 16, ethertypes[i / 2]);
		gateway->open = i < 6;
		expect_pass(&in, "not IP");
	}
}

Test(host, its_own_addresses_pass)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct frame ssh = packet(f->remote, f->host, SP_PROTO_TCP, 50000, 22);
		struct frame shared = packet(f->remote, f->shared, SP_PROTO_TCP, 50000, 22);
		struct frame ping = packet(f->remote, f->shared, f->icmp, f->ask, 30000);
		struct frame pong = packet(f->remote, f->host, f->icmp, f->answer, 30000);
		struct frame nat = packet(f->remote, f->host, SP_PROTO_UDP, 53, 30000);
		struct frame low = packet(f->remote, f->shared, SP_PROTO_UDP, 53, NAT_MIN - 1);
		struct frame high = packet(f->remote, f->shared, SP_PROTO_UDP, 53, NAT_MAX + 1);

		expect_pass(&ssh, "SSH");
		expect_pass(&shared, "SSH on the shared address");
		expect_pass(&ping, "echo request");
		expect_pass(&pong, "echo reply");
		expect_pass(&nat, "no NAT on the host's address");
		expect_pass(&low, "below the NAT's range");
		expect_pass(&high, "above it");
	}
}

Test(host, nat_ports_that_nobody_asked_from_are_closed)
{
	for (const struct family *f = families; f < families + 2; f++)
		for (int i = 0; i < 2; i++) {
			uint8_t proto = i ? SP_PROTO_TCP : SP_PROTO_UDP;
			struct frame first = packet(f->remote, f->shared, proto, 53, NAT_MIN);
			struct frame last = packet(f->remote, f->shared, proto, 53, NAT_MAX);
			struct frame pool = packet(f->remote, f->pool, proto, 53, 80);
			struct frame ping = packet(f->remote, f->pool, f->icmp, f->ask, 1);

			expect_drop(&first, SP_DIR_DOWN, SP_R_NO_FLOW, "first port");
			expect_drop(&last, SP_DIR_DOWN, SP_R_NO_FLOW, "last port");
			expect_drop(&pool, SP_DIR_DOWN, SP_R_NO_FLOW, "pool");
			expect_drop(&ping, SP_DIR_DOWN, SP_R_NO_FLOW, "ping to the pool");
		}
}

Test(host, groups_broadcasts_and_dhcp_pass_even_when_closed)
{
	for (int open = 0; open < 2; open++) {
		struct frame in;

		gateway->open = (uint32_t)open;
		for (const struct family *f = families; f < families + 2; f++) {
			in = packet(f->router, f->broadcast, SP_PROTO_UDP, 68, 67);
			expect_pass(&in, "broadcast");
		}
		in = packet("203.0.113.1", "224.0.0.251", SP_PROTO_UDP, 5353, 5353);
		expect_pass(&in, "multicast");
		in = packet("0.0.0.0", "255.255.255.255", SP_PROTO_UDP, 68, 67);
		expect_pass(&in, "discover");
		in = packet("198.51.100.254", "198.51.100.77", SP_PROTO_UDP, 67, 68);
		expect_pass(&in, "an offer to an address that is not yet ours");
		in = packet("198.51.100.254", "198.51.100.255", SP_PROTO_UDP, 137, 137);
		expect_pass(&in, "directed broadcast");
	}
}

Test(host, neighbour_discovery_passes_on_every_address)
{
	struct spec s = {.src = "fe80::1", .proto = SP_PROTO_ICMPV6, .sport = 0x8700, .bytes = 16};
	static const char *const to[] = {"2001:db8:1::1", "2001:db8:1::3", "fe80::2",
					 "ff02::1:ff00:1"};

	for (int i = 0; i < 8; i++) {
		struct frame in;

		gateway->open = i < 4;
		s.dst = to[i & 3];
		s.hops = 255;
		in = frame_of(&s);
		expect_pass(&in, s.dst);
	}
	gateway->open = 1;
	s.dst = "2001:db8:1::3";
	for (int i = 0; i < 2; i++) {
		struct frame in;

		s.hops = i ? 254 : 255;
		s.sport = i ? 0x8700 : 0x8a00;
		in = frame_of(&s);
		expect_drop(&in, SP_DIR_DOWN, SP_R_NO_FLOW,
			    "came through a router, or is no discovery");
	}
}

Test(host, link_local_is_the_kernels_but_for_tunnels)
{
	struct frame web = packet("fe80::1", "fe80::2", SP_PROTO_TCP, 50000, 22);
	struct frame tunnel = packet("fe80::1", "fe80::2", SP_PROTO_UDP, 50000, PORT);

	expect_pass(&web, "TCP");
	expect_drop(&tunnel, SP_DIR_HOST, SP_R_NOT_FOR_US, "unlimited handshakes");
}

/* The daemon's socket would hear them, at no rate. */
Test(host, groups_and_broadcasts_reach_no_tunnel)
{
	static const char *const to[] = {"224.0.0.1", "255.255.255.255", "198.51.100.255",
					 "ff02::1"};
	uint8_t payload[148] = {1};

	for (int i = 0; i < 4; i++) {
		struct spec s = {.src = i < 3 ? "203.0.113.9" : "2001:db8:9::9",
				 .dst = to[i],
				 .proto = SP_PROTO_UDP,
				 .sport = 4000,
				 .dport = PORT,
				 .payload = payload,
				 .bytes = sizeof(payload)};
		struct frame in = frame_of(&s);

		expect_drop(&in, SP_DIR_HOST, SP_R_UNSPECIFIED, to[i]);
	}
}

Test(host, other_hosts_packets_are_not_for_us)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct frame in = packet(f->remote, f->router, SP_PROTO_TCP, 1, 2);

		expect_drop(&in, SP_DIR_HOST, SP_R_NOT_FOR_US, "egress");
		put_iface(SP_ROLE_INSIDE, 1);
		expect_drop(&in, SP_DIR_UP, SP_R_SPOOFED_SOURCE, "inside, of no zone");
		put_iface(TUNNEL, 1);
		in = packet(f->remote, f->name[1] == '4' ? "127.0.0.1" : "::1", SP_PROTO_TCP, 1, 2);
		put_local(f->name[1] == '4' ? "127.0.0.1" : "::1", SP_LOCAL_HOST, 0, 0);
		expect_drop(&in, SP_DIR_HOST, SP_R_NOT_FOR_US, "loopback, though it is ours");
	}
}

/* CVE-2019-14899: inner addresses seen from outside, as destination or as source. */
Test(host, inner_addresses_exist_only_inside_the_tunnel)
{
	for (const struct family *f = families; f < families + 2; f++)
		for (int i = 0; i < 3; i++) {
			uint8_t proto = i == 0 ? SP_PROTO_TCP : i == 1 ? SP_PROTO_UDP : f->icmp;
			uint16_t type = i == 2 ? f->ask : 443;
			struct frame client = packet(f->remote, f->client, proto, type, 50123);
			struct frame inner = packet(f->remote, f->gateway, proto, type, 53);
			struct frame both = packet(f->gateway, f->client, proto, type, 50123);
			struct frame passing = packet(f->client, f->router, proto, type, 80);
			struct frame host = packet(f->client, f->host, proto, type, 22);
			struct frame nat = packet(f->client, f->pool, proto, type, 30001);

			expect_drop(&client, SP_DIR_DOWN, SP_R_INNER_FROM_OUTSIDE, "client");
			expect_drop(&inner, SP_DIR_HOST, SP_R_INNER_FROM_OUTSIDE, "gateway");
			expect_drop(&both, SP_DIR_HOST, SP_R_SPOOFED_SOURCE, "source of ours");
			expect_drop(&passing, SP_DIR_HOST, SP_R_INNER_FROM_OUTSIDE, "source");
			expect_drop(&host, SP_DIR_HOST, SP_R_SPOOFED_SOURCE, "to the host");
			expect_drop(&nat, SP_DIR_HOST, SP_R_SPOOFED_SOURCE, "to the pool");
		}
}

Test(host, sources_that_cannot_be_are_refused)
{
	static const struct {
		const char *src, *dst;
		enum sp_reason reason;
	} rows[] = {
		{"127.0.0.1", "198.51.100.2", SP_R_SPOOFED_SOURCE},
		{"127.255.1.2", "198.51.100.1", SP_R_SPOOFED_SOURCE},
		{"198.51.100.1", "198.51.100.2", SP_R_SPOOFED_SOURCE},
		{"198.51.100.2", "198.51.100.2", SP_R_SPOOFED_SOURCE},
		{"198.51.100.3", "198.51.100.2", SP_R_SPOOFED_SOURCE},
		{"0.0.0.0", "198.51.100.2", SP_R_UNSPECIFIED},
		{"224.0.0.1", "198.51.100.2", SP_R_UNSPECIFIED},
		{"255.255.255.255", "198.51.100.2", SP_R_UNSPECIFIED},
		{"203.0.113.9", "0.0.0.0", SP_R_UNSPECIFIED},
		{"::1", "2001:db8:1::2", SP_R_SPOOFED_SOURCE},
		{"2001:db8:1::1", "2001:db8:1::2", SP_R_SPOOFED_SOURCE},
		{"2001:db8:1::3", "2001:db8:1::1", SP_R_SPOOFED_SOURCE},
		{"::", "2001:db8:1::2", SP_R_UNSPECIFIED},
		{"ff02::1", "2001:db8:1::2", SP_R_UNSPECIFIED},
		{"2001:db8:9::9", "::", SP_R_UNSPECIFIED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct frame in = packet(rows[i].src, rows[i].dst, SP_PROTO_UDP, 1, 22);

		expect_drop(&in, SP_DIR_HOST, rows[i].reason, rows[i].src);
	}
}

Test(host, a_handshake_from_our_own_address_is_spoofed)
{
	uint8_t payload[148] = {1};

	for (const struct family *f = families; f < families + 2; f++)
		for (int i = 0; i < 2; i++) {
			struct spec s = {.src = i ? f->client : f->host,
					 .dst = f->shared,
					 .proto = SP_PROTO_UDP,
					 .sport = PORT,
					 .dport = PORT,
					 .payload = payload,
					 .bytes = sizeof(payload)};
			struct frame in = frame_of(&s);

			expect_drop(&in, SP_DIR_UP, SP_R_SPOOFED_SOURCE, s.src);
		}
}

Test(host, when_closed_only_the_hosts_own_passes)
{
	for (int i = 0; i < 2; i++)
		for (const struct family *f = families; f < families + 2; f++) {
			struct frame ssh = packet(f->remote, f->host, SP_PROTO_TCP, 50000, 22);
			struct frame shared = packet(f->remote, f->shared, SP_PROTO_TCP, 1, 22);
			struct frame ping = packet(f->remote, f->shared, f->icmp, f->ask, 30000);
			struct frame nat = packet(f->remote, f->shared, SP_PROTO_TCP, 1, NAT_MIN);
			struct frame pool = packet(f->remote, f->pool, SP_PROTO_TCP, 1, 22);
			struct frame other = packet(f->remote, f->router, SP_PROTO_TCP, 1, 22);
			struct frame inner = packet(f->remote, f->gateway, SP_PROTO_TCP, 1, 22);
			struct frame hello = packet(f->remote, f->host, SP_PROTO_UDP, 1, PORT);

			gateway->open = i == 0;
			gateway->abi = i == 0 ? SP_ABI_VERSION + 1 : SP_ABI_VERSION;
			expect_pass(&ssh, "SSH");
			expect_pass(&shared, "SSH on the shared address");
			expect_pass(&ping, "ping");
			expect_drop(&nat, SP_DIR_HOST, SP_R_CLOSED, "NAT port");
			expect_drop(&pool, SP_DIR_HOST, SP_R_CLOSED, "pool");
			expect_drop(&other, SP_DIR_HOST, SP_R_CLOSED, "another host");
			expect_drop(&inner, SP_DIR_HOST, SP_R_CLOSED, "inner");
			expect_drop(&hello, SP_DIR_HOST, SP_R_CLOSED, "tunnel");
		}
}

Test(host, an_interface_without_an_entry_reaches_only_the_host)
{
	uint32_t k = LOOPBACK;

	cr_assert_eq(bpf_map_delete_elem(MAP_FD(sp_ifaces), &k), 0);
	for (const struct family *f = families; f < families + 2; f++) {
		struct frame ssh = packet(f->remote, f->host, SP_PROTO_TCP, 50000, 22);
		struct frame other = packet(f->remote, f->router, SP_PROTO_TCP, 1, 22);
		struct frame nat = packet(f->remote, f->pool, SP_PROTO_TCP, 1, 30001);
		struct frame tunnel = packet(f->remote, f->host, SP_PROTO_UDP, 1, PORT);

		expect_pass(&ssh, "SSH");
		expect_drop(&other, SP_DIR_HOST, SP_R_NO_INTERFACE, "another host");
		expect_drop(&nat, SP_DIR_DOWN, SP_R_NO_FLOW, "NAT port");
		expect_drop(&tunnel, SP_DIR_UP, SP_R_NO_INTERFACE, "tunnel");
	}
}
