// SPDX-License-Identifier: Apache-2.0
/* Interfaces and the meaning of local addresses. */
#include "unit/paths/fixture.h"

#include <errno.h>

TestSuite(paths_addresses, .init = setup, .fini = teardown, .timeout = 60);

struct wanted {
	struct sp_addr addr;
	struct sp_local local;
	bool found;
};

static int match(const struct sp_addr *a, const struct sp_local *local, void *arg)
{
	struct wanted *w = arg;

	if (sp_addr_equal(a, &w->addr)) {
		w->found = true;
		w->local = *local;
	}
	return 0;
}

/* The kind of an address, or -1. */
static int kind(const char *text)
{
	struct wanted w = {.addr = addr(text)};

	cr_assert_eq(sp_dataplane_local_each(dp, match, &w), 0);
	return w.found ? (int)w.local.kind : -1;
}

static struct sp_local local(const char *text)
{
	struct wanted w = {.addr = addr(text)};

	cr_assert_eq(sp_dataplane_local_each(dp, match, &w), 0);
	cr_assert(w.found, "%s", text);
	return w.local;
}

Test(paths_addresses, probe_reads_mac_mtu_and_queues)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	struct sp_iface iface = {.mtu = 7};
	uint32_t ifindex = 99;

	cr_assert_eq(sp_paths_iface_probe("nosuch0", &ifindex, &iface), -ENODEV);
	cr_assert_eq(ifindex, 99);
	cr_assert_eq(iface.mtu, 7);
	run("ip link set near0 mtu 1400");
	cr_assert_eq(sp_paths_iface_probe("near0", &ifindex, &iface), 0);
	cr_assert_eq(ifindex, if_nametoindex("near0"));
	cr_assert_eq(iface.mtu, 1400);
	cr_assert_eq(iface.queues, 2);
	cr_assert_eq(memcmp(iface.mac, mac, 6), 0);
	cr_assert_str_eq(iface.name, "near0");
}

Test(paths_addresses, every_address_of_the_namespace_is_the_hosts)
{
	cr_assert_eq(kind("10.0.0.1"), SP_LOCAL_HOST);
	cr_assert_eq(kind("fd00::1"), SP_LOCAL_HOST);
	cr_assert_eq(kind("127.0.0.1"), SP_LOCAL_HOST, "of interfaces without a role too");
	cr_assert_eq(kind("::1"), SP_LOCAL_HOST);
	cr_assert_eq(kind("10.0.0.255"), SP_LOCAL_SUBNET);
	cr_assert_eq(kind("10.0.0.2"), -1);
}

Test(paths_addresses, changes_arrive_and_are_told)
{
	unsigned int told = addresses_told;

	run("ip addr add 10.0.7.1/22 dev near0 && ip addr add fd00::77/64 dev near0 nodad");
	WAIT_FOR(kind("10.0.7.1") == SP_LOCAL_HOST && kind("fd00::77") == SP_LOCAL_HOST);
	cr_assert_eq(kind("10.0.7.255"), SP_LOCAL_SUBNET);
	cr_assert_gt(addresses_told, told);
	run("ip addr del 10.0.7.1/22 dev near0");
	WAIT_FOR(kind("10.0.7.1") == -1 && kind("10.0.7.255") == -1);
	cr_assert_eq(kind("10.0.0.1"), SP_LOCAL_HOST);
}

Test(paths_addresses, point_to_point_prefixes_have_no_broadcast)
{
	run("ip addr add 10.1.0.0/31 dev near0 && ip addr add 10.2.0.1/32 dev near0 && "
	    "ip addr add 10.3.0.1 peer 10.3.9.1/24 dev near0");
	WAIT_FOR(kind("10.3.0.1") == SP_LOCAL_HOST);
	cr_assert_eq(kind("10.1.0.0"), SP_LOCAL_HOST);
	cr_assert_eq(kind("10.1.0.1"), -1);
	cr_assert_eq(kind("10.2.0.1"), SP_LOCAL_HOST);
	cr_assert_eq(kind("10.3.9.255"), -1);
}

Test(paths_addresses, pools_share_or_own_their_address)
{
	struct sp_paths_pool_address pool[] = {
		{addr("10.0.0.1"), 32768, 60999},
		{addr("203.0.113.9"), 1024, 65535},
		{addr("203.0.113.9"), 512, 2000},
	};
	struct sp_addr inner[] = {addr("10.9.0.1"), addr("fd00:9::1")};

	cr_assert_eq(sp_paths_set_pool_addresses(paths, pool, 3), 0);
	cr_assert_eq(sp_paths_set_inner_addresses(paths, inner, 2), 0);
	cr_assert_eq(local("10.0.0.1").kind, SP_LOCAL_SHARED);
	cr_assert_eq(local("10.0.0.1").port_min, 32768);
	cr_assert_eq(local("10.0.0.1").port_max, 60999);
	cr_assert_eq(local("203.0.113.9").kind, SP_LOCAL_POOL);
	cr_assert_eq(local("203.0.113.9").port_min, 512, "both pools' ranges");
	cr_assert_eq(local("203.0.113.9").port_max, 65535);
	cr_assert_eq(kind("10.9.0.1"), SP_LOCAL_INNER);
	cr_assert_eq(kind("fd00:9::1"), SP_LOCAL_INNER);

	/* The kernel loses one address and gains the others. */
	run("ip addr del 10.0.0.1/24 dev near0 && ip addr add 203.0.113.9/32 dev near0 && "
	    "ip addr add 10.9.0.1/24 dev near0");
	WAIT_FOR(kind("203.0.113.9") == SP_LOCAL_SHARED && kind("10.0.0.1") == SP_LOCAL_POOL);
	cr_assert_eq(kind("10.9.0.1"), SP_LOCAL_INNER, "inner stays inner on the TUN device");

	cr_assert_eq(sp_paths_set_pool_addresses(paths, NULL, 0), 0);
	cr_assert_eq(sp_paths_set_inner_addresses(paths, NULL, 0), 0);
	cr_assert_eq(kind("10.0.0.1"), -1);
	cr_assert_eq(local("203.0.113.9").kind, SP_LOCAL_HOST);
	cr_assert_eq(local("203.0.113.9").port_max, 0);
	cr_assert_eq(kind("fd00:9::1"), -1);
}

Test(paths_addresses, what_an_earlier_run_left_is_cleared)
{
	struct sp_addr stale = addr("192.0.2.77");
	struct sp_local value = {.kind = SP_LOCAL_POOL, .port_min = 1, .port_max = 2};

	cr_assert_eq(sp_dataplane_local_put(dp, &stale, &value), 0);
	cr_assert_eq(sp_paths_sync(paths), 0);
	cr_assert_eq(kind("192.0.2.77"), -1);
	cr_assert_eq(kind("10.0.0.1"), SP_LOCAL_HOST);
}

/* Flows in the kernel go on while a new daemon comes up: their NAT ports stay the gateway's. */
Test(paths_addresses, what_a_dead_daemon_published_stands_until_told_otherwise)
{
	struct sp_dataplane_config config = {.flows_max = 64,
					     .sessions_max = 8,
					     .users_max = 8,
					     .policy_nodes_max = 8,
					     .workers = 1};
	struct sp_paths_pool_address pool = {addr("10.0.0.1"), 20000, 29999};
	char dir[64];

	snprintf(dir, sizeof(dir), "/sys/fs/bpf/sp-paths-%d/v1", getpid());
	config.pin_dir = dir;
	for (int life = 0; life < 2; life++) {
		sp_paths_close(paths);
		sp_dataplane_close(dp);
		cr_assert_eq(sp_dataplane_open(&config, &dp), 0);
		shared = sp_dataplane_shared(dp);
		cr_assert_eq(sp_dataplane_is_adopted(dp), life == 1);
		open_paths();
		if (life == 0)
			cr_assert_eq(sp_paths_set_pool_addresses(paths, &pool, 1), 0);
		cr_assert_eq(local("10.0.0.1").kind, SP_LOCAL_SHARED);
		cr_assert_eq(local("10.0.0.1").port_min, 20000);
	}
	cr_assert_eq(sp_paths_set_pool_addresses(paths, NULL, 0), 0);
	cr_assert_eq(local("10.0.0.1").kind, SP_LOCAL_HOST, "now it has been told");
	cr_assert_eq(sp_dataplane_remove(dp), 0);
	*strrchr(dir, '/') = '\0';
	rmdir(dir);
}
