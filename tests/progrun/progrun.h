/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's program in the kernel, its maps filled, packets through BPF_PROG_RUN. Tests only. */
#ifndef SP_TESTS_PROGRUN_PROGRUN_H
#define SP_TESTS_PROGRUN_PROGRUN_H

#include <bpf/bpf.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gateway.skel.h"
#include "progrun/frames.h"
#include "sallyport/abi/bucket.h"
#include "sallyport/abi/event.h"
#include "sallyport/abi/flow.h"
#include "sallyport/abi/gateway.h"
#include "sallyport/abi/path.h"
#include "sallyport/abi/plain.h"
#include "sallyport/abi/policy.h"
#include "sallyport/abi/session.h"
#include "sallyport/abi/verdict.h"

#define LOOPBACK 1 /* ifindex in every namespace: where BPF_PROG_RUN says packets arrive */
#define LANES	 256
#ifndef POLICY_NODES
#define POLICY_NODES 32
#endif
#define RULES  8 /* with counters */
#define TUNNEL (SP_ROLE_TUNNEL | SP_ROLE_EGRESS)

/* One for each process: criterion forks for every test. */
static struct gateway_bpf *skel;
static struct sp_gateway *gateway;
static struct sp_user *users;
static struct sp_bucket *buckets;
static struct sp_drop_cell *lanes;
static struct sp_policy_node *policy; /* two halves of POLICY_NODES */
static struct sp_rule_hit *hits;      /* lanes of RULES + 1 cells */

#define MAP_FD(name) bpf_map__fd(skel->maps.name)

static void *map_shared(struct bpf_map *map, size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	cr_assert_neq(p, MAP_FAILED, "mmap of %s", bpf_map__name(map));
	return p;
}

static inline void map_put(int fd, const void *key, const void *value)
{
	cr_assert_eq(bpf_map_update_elem(fd, key, value, BPF_ANY), 0);
}

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static inline void put_iface(uint32_t roles, uint32_t queues)
{
	struct sp_iface v = {.roles = roles, .xsk_base = 64, .queues = queues, .mtu = 1500};
	uint32_t k = LOOPBACK;

	map_put(MAP_FD(sp_ifaces), &k, &v);
}

static inline void put_local(const char *text, enum sp_local_kind kind, uint16_t min, uint16_t max)
{
	struct sp_addr k = addr_of(text);
	struct sp_local v = {.kind = kind, .port_min = min, .port_max = max};

	map_put(MAP_FD(sp_locals), &k, &v);
}

static inline void put_inner(const char *text, enum sp_inner_kind kind, uint32_t peer_id)
{
	struct sp_addr a = addr_of(text);
	struct sp_lpm_key k = {.prefixlen = 128};
	struct sp_inner v = {.kind = kind, .peer_id = peer_id};

	memcpy(k.addr, a.b, 16);
	map_put(MAP_FD(sp_inner), &k, &v);
}

static inline void put_worker(bool there)
{
	uint32_t k = 64;
	int fd;

	if (!there) {
		(void)bpf_map_delete_elem(MAP_FD(sp_xsks), &k);
		return;
	}
	fd = socket(AF_XDP, SOCK_RAW, 0);
	cr_assert_geq(fd, 0);
	map_put(MAP_FD(sp_xsks), &k, &fd);
}

static void progrun_open(void)
{
	int cpus = libbpf_num_possible_cpus();
	int r = unshare(CLONE_NEWNET);

	cr_assert_eq(r, 0, "a network namespace of its own: run as root");
	skel = gateway_bpf__open();
	cr_assert_not_null(skel);
	bpf_map__set_max_entries(skel->maps.sp_sessions, 64);
	bpf_map__set_max_entries(skel->maps.sp_users, 64);
	bpf_map__set_max_entries(skel->maps.sp_buckets, 64);
	bpf_map__set_max_entries(skel->maps.sp_flows, 64);
	bpf_map__set_max_entries(skel->maps.sp_bindings, 64);
	bpf_map__set_max_entries(skel->maps.sp_ports, 64);
	bpf_map__set_max_entries(skel->maps.sp_policy, 2 * POLICY_NODES);
	bpf_map__set_max_entries(skel->maps.sp_drop_lanes, (uint32_t)cpus * SP_DROP_STRIDE);
	bpf_map__set_max_entries(skel->maps.sp_rule_hits, (uint32_t)cpus * (RULES + 1));
	bpf_map__set_max_entries(skel->maps.sp_drop_paces, (uint32_t)cpus * SP_PACE_STRIDE);
	bpf_map__set_max_entries(skel->maps.sp_forward_lanes, (uint32_t)cpus * SP_FORWARD_STRIDE);
	cr_assert_eq(gateway_bpf__load(skel), 0, "the verifier refuses the program");
	gateway = map_shared(skel->maps.sp_gateway, sizeof(*gateway));
	users = map_shared(skel->maps.sp_users, 64 * sizeof(*users));
	buckets = map_shared(skel->maps.sp_buckets, 64 * sizeof(*buckets));
	lanes = map_shared(skel->maps.sp_drop_lanes,
			   (size_t)cpus * SP_DROP_STRIDE * sizeof(*lanes));
	policy = map_shared(skel->maps.sp_policy, 2 * POLICY_NODES * sizeof(*policy));
	hits = map_shared(skel->maps.sp_rule_hits, (size_t)cpus * (RULES + 1) * sizeof(*hits));
	gateway->abi = SP_ABI_VERSION;
	gateway->policy_nodes_max = POLICY_NODES;
	gateway->rules_max = RULES;
	gateway->open = 1;
	gateway->generation = 5;
	gateway->handshake_cost_ns = 50000000;
	gateway->handshake_burst_ns = 3600000000000;
}

static void progrun_close(void)
{
	gateway_bpf__destroy(skel);
}

#endif
