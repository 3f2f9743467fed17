// SPDX-License-Identifier: Apache-2.0
/* Opening, adopting and refusing pinned maps. */
#include "unit/dataplane/fixture.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(dataplane_open, .init = fixture_need_kernel, .fini = fixture_remove_pins);

static void pin_path(const char *name, char *path, size_t bytes)
{
	snprintf(path, bytes, "%s/%s", fixture_pin_dir(), name);
}

static const struct sp_session session = {
	.state = SP_SESSION_FULL, .protocol = SP_TUNNEL_WIREGUARD, .peer_id = 7, .user_id = 3};

Test(dataplane_open, a_fresh_gateway_is_closed_and_carries_the_abi)
{
	struct sp_dataplane *dp = fixture_open(NULL);
	struct sp_shared *shared = sp_dataplane_shared(dp);

	cr_assert_eq(shared->gateway->abi, SP_ABI_VERSION);
	cr_assert_eq(shared->gateway->open, 0);
	cr_assert_eq(shared->gateway->workers, 2);
	cr_assert_eq(shared->drop_lanes, shared->gateway->drop_lane_first_worker + 2);
	cr_assert_eq(shared->buckets_max, 66 + 16, "of 32 users, then of 7 rules");
	cr_assert_eq(shared->rule_buckets, 66);
	cr_assert(!sp_dataplane_is_adopted(dp));
	sp_dataplane_close(dp);
}

Test(dataplane_open, shared_memory_is_writable_to_its_last_element)
{
	struct sp_dataplane *dp = fixture_open(NULL);
	struct sp_shared *shared = sp_dataplane_shared(dp);

	shared->buckets[shared->buckets_max - 1].rate_bps = 1;
	shared->hits[shared->drop_lanes * (shared->rules_max + 1) - 1].flows = 9;
	shared->users[shared->users_max - 1].flow_max = 2;
	shared->nexthops[SP_NEXTHOP_MAX - 1].mtu = 3;
	shared->routes[SP_ROUTE_MAX - 1].metric = 4;
	shared->policy[2 * shared->policy_nodes_max - 1].miss = 5;
	shared->drops[shared->drop_lanes * SP_DROP_STRIDE - 1].packets = 6;
	cr_assert_eq(shared->buckets[shared->buckets_max - 1].rate_bps, 1);
	cr_assert_eq(shared->hits[shared->drop_lanes * (shared->rules_max + 1) - 1].flows, 9);
	sp_dataplane_close(dp);
}

Test(dataplane_open, pins_are_for_the_owner_only)
{
	struct sp_dataplane *dp = fixture_open(fixture_pin_dir());
	char path[128];
	struct stat st;

	cr_assert_eq(stat(fixture_pin_dir(), &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0700);
	pin_path("sp_flows", path, sizeof(path));
	cr_assert_eq(stat(path, &st), 0, "maps are pinned under their names");
	cr_assert_eq(st.st_mode & 0077, 0);
	sp_dataplane_close(dp);
}

Test(dataplane_open, adopts_what_an_earlier_run_left)
{
	struct sp_dataplane *dp = fixture_open(fixture_pin_dir());
	struct sp_session found;

	sp_dataplane_shared(dp)->gateway->open = 1;
	sp_dataplane_shared(dp)->gateway->generation = 9;
	cr_assert_eq(sp_dataplane_session_put(dp, 0x1234, &session), 0);
	sp_dataplane_close(dp);

	dp = fixture_open(fixture_pin_dir());
	cr_assert(sp_dataplane_is_adopted(dp));
	cr_assert_eq(sp_dataplane_shared(dp)->gateway->open, 1, "live maps stay open");
	cr_assert_eq(sp_dataplane_shared(dp)->gateway->generation, 9);
	cr_assert_eq(sp_dataplane_session_lookup(dp, 0x1234, &found), 0);
	cr_assert_eq(memcmp(&found, &session, sizeof(found)), 0);
	sp_dataplane_close(dp);
}

Test(dataplane_open, refuses_another_size_and_touches_nothing)
{
	struct sp_dataplane_config config = fixture_config(fixture_pin_dir());
	struct sp_dataplane *dp = fixture_open(fixture_pin_dir()), *other = NULL;
	struct sp_session found;

	cr_assert_eq(sp_dataplane_session_put(dp, 1, &session), 0);
	sp_dataplane_close(dp);
	config.sessions_max = 512;
	cr_assert_eq(sp_dataplane_open(&config, &other), -EPROTO);
	cr_assert_null(other);

	dp = fixture_open(fixture_pin_dir());
	cr_assert_eq(sp_dataplane_session_lookup(dp, 1, &found), 0);
	sp_dataplane_close(dp);
}

/* In the place of a map of ours stands one that differs in one thing only. */
static void refuses_in_place_of(const char *name, enum bpf_map_type type, uint32_t key_bytes,
				uint32_t value_bytes, uint32_t entries, uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	struct sp_dataplane_config config = fixture_config(fixture_pin_dir());
	struct sp_dataplane *dp = fixture_open(fixture_pin_dir());
	char path[128];
	int fd;

	sp_dataplane_close(dp);
	pin_path(name, path, sizeof(path));
	cr_assert_eq(unlink(path), 0);
	fd = bpf_map_create(type, "other", key_bytes, value_bytes, entries, &opts);
	cr_assert_geq(fd, 0);
	cr_assert_eq(bpf_obj_pin(fd, path), 0);
	close(fd);
	cr_assert_eq(sp_dataplane_open(&config, &dp), -EPROTO, "%s", name);
}

Test(dataplane_open, refuses_another_type)
{
	refuses_in_place_of("sp_sessions", BPF_MAP_TYPE_LRU_HASH, 4, sizeof(struct sp_session), 256,
			    0);
}

Test(dataplane_open, refuses_another_key_size)
{
	refuses_in_place_of("sp_sessions", BPF_MAP_TYPE_HASH, 8, sizeof(struct sp_session), 256, 0);
}

Test(dataplane_open, refuses_another_value_size)
{
	refuses_in_place_of("sp_sessions", BPF_MAP_TYPE_HASH, 4, sizeof(struct sp_session) + 8, 256,
			    0);
}

Test(dataplane_open, refuses_other_flags)
{
	refuses_in_place_of("sp_sessions", BPF_MAP_TYPE_HASH, 4, sizeof(struct sp_session), 256,
			    BPF_F_NO_PREALLOC);
}

Test(dataplane_open, refuses_another_abi)
{
	struct sp_dataplane_config config = fixture_config(fixture_pin_dir());
	struct sp_dataplane *dp = fixture_open(fixture_pin_dir());

	sp_dataplane_shared(dp)->gateway->abi = SP_ABI_VERSION + 1;
	sp_dataplane_close(dp);
	cr_assert_eq(sp_dataplane_open(&config, &dp), -EPROTO);
}

Test(dataplane_open, unpin_is_the_way_out_of_a_refusal)
{
	struct sp_dataplane *dp = fixture_open(fixture_pin_dir());

	sp_dataplane_shared(dp)->gateway->abi = SP_ABI_VERSION + 1;
	sp_dataplane_close(dp);
	cr_assert_eq(sp_dataplane_unpin(fixture_pin_dir()), 0);
	cr_assert_neq(access(fixture_pin_dir(), F_OK), 0);
	dp = fixture_open(fixture_pin_dir());
	cr_assert(!sp_dataplane_is_adopted(dp));
	sp_dataplane_close(dp);
}

Test(dataplane_open, what_a_crash_left_unfinished_is_made_anew)
{
	struct sp_dataplane *dp = fixture_open(fixture_pin_dir());
	struct sp_session found;
	char path[128];

	cr_assert_eq(sp_dataplane_session_put(dp, 1, &session), 0);
	sp_dataplane_close(dp);
	pin_path("sp_gateway", path, sizeof(path)); /* the mark of completeness */
	cr_assert_eq(unlink(path), 0);
	dp = fixture_open(fixture_pin_dir());
	cr_assert(!sp_dataplane_is_adopted(dp));
	cr_assert_eq(sp_dataplane_session_lookup(dp, 1, &found), -ENOENT);
	sp_dataplane_close(dp);
}

static int count_local(const struct sp_addr *addr, const struct sp_local *local, void *arg)
{
	return 1;
}

Test(dataplane_open, forgets_what_only_the_dead_could_explain)
{
	const struct sp_listener listener = {.protocol = SP_TUNNEL_WIREGUARD};
	const struct sp_inner inner = {.kind = SP_INNER_PEER, .peer_id = 7};
	const struct sp_local local = {.kind = SP_LOCAL_HOST};
	struct sp_dataplane *dp = fixture_open(fixture_pin_dir());
	struct sp_prefix prefixes[3] = {{.len = 128}, {.len = 120}, {.len = 0}};
	struct sp_session found_session;
	struct sp_inner found_inner;
	struct sp_addr addr = {.b = {[15] = 1}};

	for (uint32_t i = 0; i < 3; i++) {
		prefixes[i].addr = addr;
		cr_assert_eq(sp_dataplane_inner_put(dp, &prefixes[i], &inner), 0);
		cr_assert_eq(sp_dataplane_session_put(dp, i + 1, &session), 0);
	}
	cr_assert_eq(sp_dataplane_listener_put(dp, 1, &listener), 0);
	cr_assert_eq(sp_dataplane_local_put(dp, &addr, &local), 0);
	sp_dataplane_close(dp);
	dp = fixture_open(fixture_pin_dir());
	cr_assert(sp_dataplane_is_adopted(dp));
	cr_assert_eq(sp_dataplane_inner_lookup(dp, &addr, &found_inner), 0, "adopted, until");
	cr_assert_eq(sp_dataplane_forget(dp), 0);
	cr_assert_eq(sp_dataplane_inner_lookup(dp, &addr, &found_inner), -ENOENT);
	for (uint32_t i = 0; i < 3; i++)
		cr_assert_eq(sp_dataplane_session_lookup(dp, i + 1, &found_session), -ENOENT);
	cr_assert_eq(sp_dataplane_local_each(dp, count_local, NULL), 1, "not everything");
	sp_dataplane_close(dp);
}

Test(dataplane_open, one_owner_at_a_time)
{
	struct sp_dataplane_config config = fixture_config(fixture_pin_dir());
	struct sp_dataplane *dp = fixture_open(fixture_pin_dir()), *other = NULL;

	cr_assert_eq(sp_dataplane_open(&config, &other), -EBUSY);
	cr_assert_null(other);
	sp_dataplane_close(dp);
}

Test(dataplane_open, says_enoent_where_no_bpffs_is)
{
	struct sp_dataplane_config config = fixture_config("/tmp/sp-unit-no-bpffs/v1");
	struct sp_dataplane *dp = NULL;

	cr_assert_eq(sp_dataplane_open(&config, &dp), -ENOENT);
	cr_assert_neq(access("/tmp/sp-unit-no-bpffs", F_OK), 0, "nothing was made there");
}

Test(dataplane_open, refuses_a_limit_of_zero)
{
	struct sp_dataplane_config config = fixture_config(NULL);
	struct sp_dataplane *dp = NULL;

	config.flows_max = 0;
	cr_assert_eq(sp_dataplane_open(&config, &dp), -EINVAL);
}
