// SPDX-License-Identifier: Apache-2.0
/* Routes, next hops and neighbours against a real kernel and a real far end. */
#include "dataplane/plain.h"
#include "unit/paths/fixture.h"

#include <errno.h>
#include <sys/socket.h>

TestSuite(paths_routes, .init = setup, .fini = teardown, .timeout = 60);

Test(paths_routes, a_gateway_is_made_at_once_and_resolved)
{
	struct sp_nexthop hop;

	cr_assert_null(route_to("198.51.100.1"));
	run("ip route add default via 10.0.0.2");
	WAIT_FOR(hop_to("198.51.100.1") != 0);
	WAIT_FOR(hop_mac(hop_to("198.51.100.1")) == 2);
	hop = shared->nexthops[hop_to("198.51.100.1")];
	cr_assert_eq(hop.smac[5], 1);
	cr_assert_eq(hop.ifindex, near_index);
	cr_assert_eq(hop.slot, 3);
	cr_assert_eq(hop.mtu, 1500);
	cr_assert_eq(hop.seq % 2, 0);
	cr_assert_null(route_to("2001:db8::1"), "an IPv4 default is none for IPv6");
	run("ip route del default");
	WAIT_FOR(!route_to("198.51.100.1"));
}

Test(paths_routes, ipv6_by_a_global_and_by_a_link_local_gateway)
{
	run("ip -6 route add 2001:db8:1::/48 via fd00::2 && "
	    "ip -6 route add default via fe80::2 dev near0");
	WAIT_FOR(hop_mac(hop_to("2001:db8:1::5")) == 2);
	WAIT_FOR(hop_mac(hop_to("2001:db8:2::5")) == 2);
	cr_assert_neq(hop_to("2001:db8:1::5"), hop_to("2001:db8:2::5"));
	cr_assert_null(route_to("198.51.100.1"), "an IPv6 default is none for IPv4");
}

/* A user may talk to every address of a link: routes must find their gateways all the same. */
Test(paths_routes, a_scan_of_a_link_leaves_room_for_gateways)
{
	struct sp_addr target = addr("fd00::1:0");
	uint32_t taken = 0;
	int rc = 0;

	/* While the link is down the kernel, whose table all namespaces share, keeps none of it. */
	run("ip link set near0 down");
	WAIT_FOR(!link_is_up);
	for (; taken < SP_NEXTHOP_MAX && rc == 0; taken++) {
		target.b[14] = (uint8_t)(taken >> 8);
		target.b[15] = (uint8_t)taken;
		target.b[13] = 1;
		rc = sp_paths_resolve(paths, near_index, &target);
	}
	cr_assert_eq(rc, -ENOSPC, "there is an end to it");
	run("ip link set near0 up && ip route add 198.51.100.0/24 via 10.0.0.2");
	WAIT_FOR(hop_mac(hop_to("198.51.100.9")) == 2);
	/* Nobody answered, so nobody holds their numbers: soon given up, they are free at once. */
	for (int i = 0; i < 40; i++)
		sp_paths_tick(paths, sp_clock_now_ns() + 40 * SP_NS_PER_S);
	target.b[13] = 2;
	cr_assert_eq(sp_paths_resolve(paths, near_index, &target), 0);
}

Test(paths_routes, an_ipv4_route_by_an_ipv6_gateway)
{
	run("ip route add 198.51.100.0/24 via inet6 fd00::2 dev near0");
	WAIT_FOR(hop_mac(hop_to("198.51.100.9")) == 2);
	cr_assert_eq(shared->nexthops[hop_to("198.51.100.9")].addr.b[0], 0xfd);
}

Test(paths_routes, the_longest_prefix_wins_then_the_metric)
{
	run("ip -n $FAR addr add 10.0.0.3/24 dev far0 && ip -n $FAR addr add 10.0.0.4/24 dev far0 && "
	    "ip route add default via 10.0.0.2 && ip route add 10.0.0.0/8 via 10.0.0.3 && "
	    "ip route add 10.20.0.0/16 via 10.0.0.4 metric 20 && "
	    "ip route add 10.20.0.0/16 via 10.0.0.3 metric 10");
	WAIT_FOR(hop_to("8.8.8.8") && hop_to("10.77.0.1") && hop_to("10.20.0.1"));
	cr_assert_eq(shared->nexthops[hop_to("8.8.8.8")].addr.b[15], 2);
	cr_assert_eq(hop_to("10.20.0.1"), hop_to("10.77.0.1"), "metric 10 before 20");
	cr_assert_neq(hop_to("10.20.0.1"), hop_to("8.8.8.8"));
	cr_assert_eq(hop_to("10.0.0.77"), 0, "on-link is its own next hop");
	cr_assert_not_null(route_to("10.0.0.77"));
	for (uint32_t i = 1; i < shared->gateway->route_count; i++)
		cr_assert_geq(shared->routes[i - 1].prefix.len, shared->routes[i].prefix.len);
	run("ip route del 10.20.0.0/16 metric 10");
	WAIT_FOR(shared->nexthops[hop_to("10.20.0.1")].addr.b[15] == 4);
}

Test(paths_routes, other_tables_kinds_and_interfaces_are_not_published)
{
	uint32_t before = shared->gateway->route_count;

	run("ip link add near1 type veth peer name far1 && ip link set near1 up && "
	    "ip link set far1 up && ip addr add 10.5.0.1/24 dev near1 && "
	    "ip route add 198.51.100.0/24 via 10.0.0.2 table 77 && "
	    "ip route add unreachable 203.0.113.0/24 && "
	    "ip route add 192.0.2.0/24 via 10.0.0.2");
	WAIT_FOR(hop_to("192.0.2.1"));
	cr_assert_null(route_to("10.5.0.9"), "near1 has no role");
	cr_assert_null(route_to("198.51.100.1"));
	cr_assert_null(route_to("203.0.113.1"));
	cr_assert_eq(shared->gateway->route_count, before + 1);
}

Test(paths_routes, of_a_multipath_route_the_first_live_leg)
{
	run("ip link add near1 type veth peer name far1 && ip link set near1 up && "
	    "ip addr add 10.5.0.1/24 dev near1 && ip link set far1 up && "
	    "ip route add 192.0.2.0/24 nexthop via 10.5.0.2 dev near1 "
	    "nexthop via 10.0.0.2 dev near0");
	WAIT_FOR(hop_mac(hop_to("192.0.2.1")) == 2);
}

Test(paths_routes, a_new_link_address_is_followed_in_place)
{
	uint32_t id;

	run("ip route add default via 10.0.0.2");
	WAIT_FOR(hop_mac(hop_to("8.8.8.8")) == 2);
	id = hop_to("8.8.8.8");
	shared->nexthops[id].used_ns = 12345;
	usleep(1100000); /* the kernel believes a new address after a second (locktime) */
	run("ip -n $FAR link set far0 address 02:00:00:00:00:0a && "
	    "ip netns exec $FAR ping -c 1 -W 1 10.0.0.1 >/dev/null");
	WAIT_FOR(hop_mac(id) == 0x0a);
	cr_assert_eq(hop_to("8.8.8.8"), id, "flows hold the id");
	cr_assert_eq(shared->nexthops[id].used_ns, 12345, "not the daemon's to write");
}

Test(paths_routes, our_own_link_address_and_mtu_are_followed)
{
	uint32_t id;

	run("ip route add default via 10.0.0.2");
	WAIT_FOR(hop_mac(hop_to("8.8.8.8")) == 2);
	id = hop_to("8.8.8.8");
	links_told = 0;
	run("ip link set near0 mtu 1380");
	WAIT_FOR(shared->nexthops[id].mtu == 1380);
	WAIT_FOR(links_told > 0);
	run("ip link set near0 address 02:00:00:00:00:0b");
	WAIT_FOR(shared->nexthops[id].smac[5] == 0x0b);
}

Test(paths_routes, a_lost_link_takes_its_routes_and_brings_them_back)
{
	run("ip route add 192.0.2.0/24 via 10.0.0.2");
	WAIT_FOR(hop_mac(hop_to("192.0.2.1")) == 2);
	cr_assert(link_is_up);
	run("ip link set near0 down");
	WAIT_FOR(!link_is_up && !route_to("192.0.2.1") && !route_to("10.0.0.2"));
	run("ip link set near0 up && ip route add 192.0.2.0/24 via 10.0.0.2");
	WAIT_FOR(link_is_up && hop_mac(hop_to("192.0.2.1")) == 2);
}

Test(paths_routes, on_link_destinations_are_resolved_when_asked_for)
{
	static const char *const far[] = {"10.0.0.2", "fd00::2"};

	for (int i = 0; i < 2; i++) {
		struct sp_addr a = addr(far[i]);

		cr_assert_eq(sp_paths_resolve(paths, near_index, &a), 0);
		cr_assert_neq(neighbour(far[i]), 0, "%s: the entry stands at once", far[i]);
		WAIT_FOR(hop_mac(neighbour(far[i])) == 2);
	}
	cr_assert_neq(neighbour(far[0]), neighbour(far[1]));
}

Test(paths_routes, nonsense_is_not_resolved)
{
	struct sp_addr group = addr("ff02::1"), group4 = addr("224.0.0.1"), none = addr("::");
	struct sp_addr far = addr("10.0.0.2");

	cr_assert_eq(sp_paths_resolve(paths, near_index, &group), -EINVAL);
	cr_assert_eq(sp_paths_resolve(paths, near_index, &group4), -EINVAL);
	cr_assert_eq(sp_paths_resolve(paths, near_index, &none), -EINVAL);
	cr_assert_eq(sp_paths_resolve(paths, near_index + 100, &far), -ENODEV);
	cr_assert_eq(sp_paths_resolve(paths, 0, &far), -ENODEV);
}

Test(paths_routes, lookup_walks_route_and_neighbour)
{
	struct sp_addr far = addr("10.0.0.2"), out = addr("8.8.8.8"), lost = addr("10.0.0.99");
	struct sp_nexthop hop = {};

	cr_assert_eq(sp_paths_lookup(paths, &out, &hop), -ENETUNREACH);
	cr_assert_eq(sp_paths_lookup(paths, &lost, &hop), -EAGAIN);
	cr_assert_eq(hop.ifindex, 0, "untouched on failure");
	WAIT_FOR(sp_paths_lookup(paths, &far, &hop) == 0);
	cr_assert_eq(hop.dmac[5], 2);
	run("ip route add default via 10.0.0.2");
	WAIT_FOR(sp_paths_lookup(paths, &out, &hop) == 0);
	cr_assert_eq(hop.dmac[5], 2);
	cr_assert_eq(hop.slot, 3);
}

Test(paths_routes, on_link_entries_go_when_nobody_uses_them)
{
	struct sp_addr far = addr("10.0.0.2"), nobody = addr("10.0.0.99");
	uint64_t now_ns = sp_clock_now_ns();
	uint32_t used;

	cr_assert_eq(sp_paths_resolve(paths, near_index, &far), 0);
	cr_assert_eq(sp_paths_resolve(paths, near_index, &nobody), 0);
	WAIT_FOR(hop_mac(neighbour("10.0.0.2")) == 2);
	used = neighbour("10.0.0.2");
	cr_assert_neq(neighbour("10.0.0.99"), 0);
	sp_paths_tick(paths, now_ns + 100 * SP_NS_PER_S);
	cr_assert_eq(neighbour("10.0.0.99"), 0, "a host that never answered holds no slot");
	cr_assert_neq(neighbour("10.0.0.2"), 0);

	shared->nexthops[used].used_ns = now_ns + 350 * SP_NS_PER_S;
	sp_paths_tick(paths, now_ns + 400 * SP_NS_PER_S);
	cr_assert_eq(neighbour("10.0.0.2"), used, "in use until then");
	sp_paths_tick(paths, now_ns + 660 * SP_NS_PER_S);
	cr_assert_eq(neighbour("10.0.0.2"), 0);
	cr_assert_eq(shared->nexthops[used].state, SP_NEXTHOP_FREE);
}

Test(paths_routes, ids_survive_the_daemon)
{
	uint32_t gateway, on_link;
	struct sp_addr far6 = addr("fd00::2");

	run("ip route add default via 10.0.0.2");
	cr_assert_eq(sp_paths_resolve(paths, near_index, &far6), 0);
	WAIT_FOR(hop_mac(hop_to("8.8.8.8")) == 2 && hop_mac(neighbour("fd00::2")) == 2);
	gateway = hop_to("8.8.8.8");
	on_link = neighbour("fd00::2");
	sp_paths_close(paths);
	shared->nexthops[on_link].seq |= 1; /* the writer died inside */
	shared->gateway->route_seq |= 1;

	open_paths();
	cr_assert_eq(hop_to("8.8.8.8"), gateway);
	cr_assert_eq(neighbour("fd00::2"), on_link);
	cr_assert_eq(shared->nexthops[on_link].seq % 2, 0);
	cr_assert_eq(shared->gateway->route_seq % 2, 0);
	cr_assert_eq(hop_mac(gateway), 2);
}

Test(paths_routes, removing_an_interface_takes_routes_and_next_hops)
{
	uint32_t id;

	run("ip route add default via 10.0.0.2");
	WAIT_FOR(hop_mac(hop_to("8.8.8.8")) == 2);
	id = hop_to("8.8.8.8");
	sp_paths_iface_remove(paths, near_index);
	cr_assert_eq(shared->gateway->route_count, 0);
	cr_assert_eq(shared->nexthops[id].state, SP_NEXTHOP_FREE);
	cr_assert_eq(neighbour("10.0.0.2"), 0);
}

Test(paths_routes, lost_messages_are_made_good)
{
	int small = 2304, fd = sp_paths_fd(paths);

	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &small, sizeof(small)), 0);
	run("for i in $(seq 1 200); do echo route add 192.0.2.$i/32 via 10.0.0.2; done | "
	    "ip -batch - && for i in $(seq 1 199); do echo route del 192.0.2.$i/32; done | "
	    "ip -batch -");
	cr_assert_eq(sp_paths_on_readable(paths), 0);
	cr_assert_not_null(route_to("192.0.2.200"));
	for (int i = 1; i < 200; i++) {
		char text[32];

		snprintf(text, sizeof(text), "192.0.2.%d", i);
		cr_assert_null(route_to(text), "%s", text);
	}
}

Test(paths_routes, a_table_that_is_too_large_keeps_the_longest_prefixes)
{
	run("for i in $(seq 0 599); do "
	    "echo route add 172.16.$((i / 250)).$((i % 250))/32 via 10.0.0.2; done | "
	    "ip -batch - && ip route add default via 10.0.0.2");
	cr_assert_eq(sp_paths_sync(paths), 0);
	cr_assert_eq(shared->gateway->route_count, SP_ROUTE_MAX);
	cr_assert_not_null(route_to("172.16.0.7"));
	cr_assert_null(route_to("8.8.8.8"), "what is left out is refused, not guessed");
	run("ip route flush root 172.16.0.0/12");
	WAIT_FOR(route_to("8.8.8.8") && route_to("172.16.0.7") == route_to("8.8.8.8"));
}

static int count_prefix(const struct sp_prefix *prefix, void *arg)
{
	uint32_t *count = arg;

	for (uint32_t i = 0; i < shared->gateway->route_count; i++)
		*count += shared->routes[i].prefix.len == prefix->len &&
			  sp_addr_equal(&shared->routes[i].prefix.addr, &prefix->addr);
	*count += 1000;
	return 0;
}

/* Each entry counts 1000, and 1 if sp_routes has it too. */
static uint32_t trie(void)
{
	uint32_t count = 0;

	cr_assert_eq(sp_dataplane_route_each(dp, count_prefix, &count), 0);
	return count;
}

Test(paths_routes, the_trie_of_xdp_holds_the_same_routes)
{
	struct sp_prefix stale = {.addr = {.b = {0x20, 1}}, .len = 16};
	struct sp_route_hop hop = {.prefixlen = 16};

	cr_assert_eq(sp_dataplane_route_put(dp, &stale, &hop), 0); /* an earlier run's */
	run("ip route add default via 10.0.0.2 && ip route add 192.0.2.0/24 via 10.0.0.2");
	WAIT_FOR(route_to("8.8.8.8") && route_to("192.0.2.1") != route_to("8.8.8.8"));
	cr_assert_eq(trie(), 1001 * shared->gateway->route_count);
	run("ip route del 192.0.2.0/24");
	WAIT_FOR(route_to("192.0.2.1") == route_to("8.8.8.8"));
	cr_assert_eq(trie(), 1001 * shared->gateway->route_count);
}
