// SPDX-License-Identifier: Apache-2.0
/* The program on a veth: attached, taken over, detached, removed. */
#include "unit/dataplane/fixture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

static void setup(void)
{
	fixture_need_kernel();
	run("ip link add spc0 type veth peer name spc1 && ip link set spc0 up && "
	    "ip link set spc1 up");
}

TestSuite(dataplane_attach, .init = setup, .fini = fixture_remove_pins);

static const struct sp_iface iface = {.roles = SP_ROLE_TUNNEL, .mtu = 1500, .name = "spc0"};

static uint32_t program_on(const char *name)
{
	uint32_t id = 0;

	cr_assert_eq(bpf_xdp_query_id((int)if_nametoindex(name), 0, &id), 0);
	return id;
}

static const char *link_path(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/links/spc0", fixture_pin_dir());
	return path;
}

static struct sp_attach_info attach(struct sp_dataplane *dp, enum sp_attach_mode mode)
{
	struct sp_attach_info info = {};

	cr_assert_eq(sp_dataplane_attach(dp, &iface, if_nametoindex("spc0"), mode, &info), 0);
	return info;
}

Test(dataplane_attach, auto_is_native_on_veth_and_says_why_it_is_not_better)
{
	struct sp_dataplane *dp = fixture_open(NULL);
	struct sp_attach_info info = attach(dp, SP_ATTACH_AUTO);

	cr_assert_eq(info.mode, SP_ATTACH_NATIVE);
	cr_assert_neq(info.dispatcher, info.reason[0] != '\0', "%s", info.reason);
	cr_assert_neq(program_on("spc0"), 0);
	cr_assert_eq(program_on("spc1"), 0);
	sp_dataplane_close(dp);
	cr_assert_eq(program_on("spc0"), 0, "nothing pinned: gone with its owner");
}

Test(dataplane_attach, generic_when_asked_for)
{
	struct sp_dataplane *dp = fixture_open(NULL);
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	cr_assert_eq(attach(dp, SP_ATTACH_GENERIC).mode, SP_ATTACH_GENERIC);
	cr_assert_eq(bpf_xdp_query((int)if_nametoindex("spc0"), 0, &query), 0);
	cr_assert_neq(query.skb_prog_id, 0);
	cr_assert_eq(query.drv_prog_id, 0);
	sp_dataplane_close(dp);
}

Test(dataplane_attach, auto_falls_back_to_generic_where_native_is_refused)
{
	struct sp_dataplane *dp = fixture_open(NULL);
	struct sp_attach_info info = {};
	struct sp_iface loopback = {.mtu = 65535, .name = "lo"}; /* has no native XDP */
	uint32_t ifindex = if_nametoindex("lo");

	cr_assert_neq(sp_dataplane_attach(dp, &loopback, ifindex, SP_ATTACH_NATIVE, &info), 0);
	cr_assert_eq(info.reason[0], '\0', "untouched on failure");
	cr_assert_eq(sp_dataplane_attach(dp, &loopback, ifindex, SP_ATTACH_AUTO, &info), 0);
	cr_assert_eq(info.mode, SP_ATTACH_GENERIC);
	cr_assert_not_null(strstr(info.reason, "not native"), "%s", info.reason);
	sp_dataplane_close(dp);
}

Test(dataplane_attach, a_pinned_program_outlives_its_owner_and_is_replaced_in_place)
{
	struct sp_dataplane *dp = fixture_open(fixture_pin_dir());
	uint32_t first, second;

	attach(dp, SP_ATTACH_AUTO);
	first = program_on("spc0");
	sp_dataplane_close(dp);
	cr_assert_eq(program_on("spc0"), first, "drops and limits go on without the daemon");

	dp = fixture_open(fixture_pin_dir());
	attach(dp, SP_ATTACH_AUTO);
	second = program_on("spc0");
	cr_assert_neq(second, 0);
	cr_assert_neq(second, first);
	sp_dataplane_close(dp);
	cr_assert_eq(program_on("spc0"), second);
}

Test(dataplane_attach, a_pinned_link_in_the_wrong_mode_is_made_anew)
{
	struct sp_dataplane *dp = fixture_open(fixture_pin_dir());

	attach(dp, SP_ATTACH_GENERIC);
	sp_dataplane_close(dp);
	dp = fixture_open(fixture_pin_dir());
	cr_assert_eq(attach(dp, SP_ATTACH_NATIVE).mode, SP_ATTACH_NATIVE);
	sp_dataplane_close(dp);
}

Test(dataplane_attach, a_pin_of_an_interface_that_is_gone_is_made_anew)
{
	struct sp_dataplane *dp = fixture_open(fixture_pin_dir());

	attach(dp, SP_ATTACH_AUTO);
	sp_dataplane_close(dp);
	run("ip link del spc0 && ip link add spc3 type veth peer name spc4 && "
	    "ip link add spc0 type veth peer name spc1 && ip link set spc0 up");
	dp = fixture_open(fixture_pin_dir());
	attach(dp, SP_ATTACH_AUTO);
	cr_assert_neq(program_on("spc0"), 0);
	sp_dataplane_close(dp);
}

Test(dataplane_attach, detach_takes_program_and_pin)
{
	struct sp_dataplane *dp = fixture_open(fixture_pin_dir());
	uint32_t ifindex = if_nametoindex("spc0");

	attach(dp, SP_ATTACH_AUTO);
	cr_assert_eq(access(link_path(), F_OK), 0);
	cr_assert_eq(sp_dataplane_detach(dp, ifindex), 0);
	cr_assert_eq(program_on("spc0"), 0);
	cr_assert_neq(access(link_path(), F_OK), 0);
	cr_assert_eq(sp_dataplane_detach(dp, ifindex), -ENOENT);
	attach(dp, SP_ATTACH_AUTO);
	sp_dataplane_close(dp);
}

Test(dataplane_attach, remove_leaves_nothing)
{
	struct sp_dataplane *dp = fixture_open(fixture_pin_dir());

	attach(dp, SP_ATTACH_AUTO);
	cr_assert_eq(sp_dataplane_remove(dp), 0);
	cr_assert_eq(program_on("spc0"), 0);
	cr_assert_neq(access(fixture_pin_dir(), F_OK), 0);
	sp_dataplane_close(dp);
}

Test(dataplane_attach, unpin_takes_links_of_a_dead_owner)
{
	struct sp_dataplane *dp = fixture_open(fixture_pin_dir());

	attach(dp, SP_ATTACH_AUTO);
	sp_dataplane_close(dp);
	cr_assert_eq(sp_dataplane_unpin(fixture_pin_dir()), 0);
	cr_assert_eq(program_on("spc0"), 0);
}

Test(dataplane_attach, another_program_is_not_pushed_aside)
{
	struct sp_dataplane *dp = fixture_open(NULL), *other = fixture_open(NULL);
	struct sp_attach_info info = attach(other, SP_ATTACH_AUTO);
	uint32_t theirs = program_on("spc0");

	if (info.dispatcher) {
		sp_dataplane_close(other);
		cr_skip_test("the dispatcher of this kernel chains them");
	}
	cr_assert_eq(sp_dataplane_attach(dp, &iface, if_nametoindex("spc0"), SP_ATTACH_AUTO, &info),
		     -EBUSY);
	cr_assert_eq(program_on("spc0"), theirs);
	sp_dataplane_close(dp);
	sp_dataplane_close(other);
}
