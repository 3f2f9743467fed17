/* SPDX-License-Identifier: Apache-2.0 */
/* Two namespaces joined by a veth: ours is near0, the far end is far0 in a namespace of its own. */
#ifndef SP_TESTS_PATHS_FIXTURE_H
#define SP_TESTS_PATHS_FIXTURE_H

#include <criterion/criterion.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "paths/paths.h"
#include "sallyport/core/addr.h"
#include "sallyport/core/route.h"
#include "unit/dataplane/sandbox.h"
#include "unit/dataplane/shell.h"

#define WAIT_MS 8000

static struct sp_dataplane *dp;
static struct sp_shared *shared;
static struct sp_paths *paths;
static uint32_t near_index;
static unsigned int links_told, addresses_told;
static bool link_is_up;

static void on_link(void *arg, uint32_t ifindex, bool up, uint32_t mtu)
{
	cr_assert_eq(ifindex, near_index);
	links_told++;
	link_is_up = up;
}

static void on_address(void *arg)
{
	addresses_told++;
}

static const struct sp_paths_upcalls upcalls = {.on_link = on_link, .on_address = on_address};

static inline void open_paths(void)
{
	struct sp_iface iface;

	cr_assert_eq(sp_paths_open(dp, &upcalls, NULL, &paths), 0);
	cr_assert_eq(sp_paths_iface_probe("near0", &near_index, &iface), 0);
	iface.roles = SP_ROLE_EGRESS;
	iface.slot = 3;
	cr_assert_eq(sp_dataplane_iface_put(dp, near_index, &iface), 0);
	cr_assert_eq(sp_paths_iface_add(paths, near_index, &iface), 0);
	cr_assert_eq(sp_paths_sync(paths), 0);
}

static inline void setup(void)
{
	struct sp_dataplane_config config = {.flows_max = 64, .sessions_max = 64, .users_max = 8};
	char far[32];

	if (geteuid() != 0)
		cr_skip_test("needs root");
	sandbox_open();
	snprintf(far, sizeof(far), "spC%d", getpid());
	setenv("FAR", far, 1); /* the far namespace, in commands */
	run("ip netns add $FAR && ip link set lo up && "
	    "ip link add near0 numrxqueues 2 numtxqueues 2 type veth peer name far0 netns $FAR && "
	    "ip link set near0 address 02:00:00:00:00:01 up && "
	    "ip -n $FAR link set far0 address 02:00:00:00:00:02 up && "
	    "ip addr add 10.0.0.1/24 dev near0 && ip -n $FAR addr add 10.0.0.2/24 dev far0 && "
	    "ip addr add fd00::1/64 dev near0 nodad && "
	    "ip -n $FAR addr add fd00::2/64 dev far0 nodad && "
	    "ip -n $FAR addr add fe80::2/64 dev far0 nodad");
	config.policy_nodes_max = 64;
	config.workers = 1;
	cr_assert_eq(sp_dataplane_open(&config, &dp), 0);
	shared = sp_dataplane_shared(dp);
	open_paths();
}

static inline void teardown(void)
{
	if (!dp)
		return;
	sp_paths_close(paths);
	sp_dataplane_close(dp);
	run("ip netns del $FAR");
}

/* What the daemon's loop would do meanwhile. */
static inline void turn(void)
{
	struct pollfd fd = {.fd = sp_paths_fd(paths), .events = POLLIN};

	if (poll(&fd, 1, 50) > 0)
		cr_assert_eq(sp_paths_on_readable(paths), 0);
	sp_paths_tick(paths, sp_clock_now_ns());
}

#define WAIT_FOR(condition)                                                   \
	do {                                                                  \
		uint64_t until_ = sp_clock_now_ns() + WAIT_MS * SP_NS_PER_MS; \
		while (!(condition) && sp_clock_now_ns() < until_)            \
			turn();                                               \
		cr_assert(condition);                                         \
	} while (0)

static inline struct sp_addr addr(const char *text)
{
	struct sp_addr a;

	cr_assert_eq(sp_addr_parse(text, &a), 0, "%s", text);
	return a;
}

static inline const struct sp_route *route_to(const char *text)
{
	struct sp_addr a = addr(text);
	int i = sp_route_find(shared->routes, shared->gateway->route_count, &a);

	return i < 0 ? NULL : &shared->routes[i];
}

static inline uint32_t hop_to(const char *text)
{
	const struct sp_route *route = route_to(text);

	return route ? route->nexthop_id : 0;
}

static inline uint32_t neighbour(const char *text)
{
	struct sp_neighbour_key key = {.addr = addr(text), .ifindex = near_index};
	struct sp_neighbour found = {};

	return sp_dataplane_neighbour_lookup(dp, &key, &found) == 0 ? found.nexthop_id : 0;
}

/* The last byte of a next hop's link address once it is known; -1 before. */
static inline int hop_mac(uint32_t id)
{
	struct sp_nexthop hop = {};

	(void)(id && sp_nexthop_read(&shared->nexthops[id], &hop));
	return hop.state == SP_NEXTHOP_READY ? hop.dmac[5] : -1;
}

#endif
