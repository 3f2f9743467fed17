// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "dataplane/state.h"
#include "gateway.skel.h"

static const struct {
	const char *name;
	uint32_t key_bytes, value_bytes;
} maps[SP_MAP_COUNT] = {
	[SP_MAP_GATEWAY] = {"sp_gateway", 4, sizeof(struct sp_gateway)},
	[SP_MAP_IFACES] = {"sp_ifaces", 4, sizeof(struct sp_iface)},
	[SP_MAP_LOCALS] = {"sp_locals", sizeof(struct sp_addr), sizeof(struct sp_local)},
	[SP_MAP_LISTENERS] = {"sp_listeners", sizeof(struct sp_listener_key),
			      sizeof(struct sp_listener)},
	[SP_MAP_SESSIONS] = {"sp_sessions", 4, sizeof(struct sp_session)},
	[SP_MAP_USERS] = {"sp_users", 4, sizeof(struct sp_user)},
	[SP_MAP_BUCKETS] = {"sp_buckets", 4, sizeof(struct sp_bucket)},
	[SP_MAP_FLOWS] = {"sp_flows", sizeof(struct sp_flow_key), sizeof(struct sp_flow)},
	[SP_MAP_FRAGMENTS] = {"sp_fragments", sizeof(struct sp_fragment_key),
			      sizeof(struct sp_fragment)},
	[SP_MAP_INNER] = {"sp_inner", sizeof(struct sp_lpm_key), sizeof(struct sp_inner)},
	[SP_MAP_ROUTES] = {"sp_routes", 4, sizeof(struct sp_route)},
	[SP_MAP_NEXTHOPS] = {"sp_nexthops", 4, sizeof(struct sp_nexthop)},
	[SP_MAP_PATHS] = {"sp_paths", 4, sizeof(struct sp_path)},
	[SP_MAP_NEIGHBOURS] = {"sp_neighbours", sizeof(struct sp_neighbour_key),
			       sizeof(struct sp_neighbour)},
	[SP_MAP_SOURCES] = {"sp_sources", sizeof(struct sp_addr), sizeof(struct sp_source)},
	[SP_MAP_XSKS] = {"sp_xsks", 4, 4},
	[SP_MAP_DROP_LANES] = {"sp_drop_lanes", 4, sizeof(struct sp_drop_cell)},
	[SP_MAP_DROPS] = {"sp_drops", sizeof(struct sp_drop_key), sizeof(struct sp_drop_cell)},
	[SP_MAP_POLICY] = {"sp_policy", 4, sizeof(struct sp_policy_node)},
	[SP_MAP_RULE_HITS] = {"sp_rule_hits", 4, sizeof(struct sp_rule_hit)},
	[SP_MAP_DEVS] = {"sp_devs", 4, 4},
	[SP_MAP_ZONES] = {"sp_zones", sizeof(struct sp_zone_key), sizeof(struct sp_zone)},
	[SP_MAP_EGRESS] = {"sp_egress", sizeof(struct sp_egress_key), sizeof(struct sp_egress)},
	[SP_MAP_EGRESS_USE] = {"sp_egress_use", 4, sizeof(struct sp_egress_use)},
	[SP_MAP_BINDINGS] = {"sp_bindings", sizeof(struct sp_binding_key),
			     sizeof(struct sp_binding)},
	[SP_MAP_PORTS] = {"sp_ports", sizeof(struct sp_port_key), sizeof(struct sp_port)},
	[SP_MAP_ROUTE_LPM] = {"sp_route_lpm", sizeof(struct sp_lpm_key),
			      sizeof(struct sp_route_hop)},
	[SP_MAP_EVENTS] = {"sp_events", 0, 0},
	[SP_MAP_DECISIONS] = {"sp_decisions", 0, 0},
	[SP_MAP_PLAIN_PACE] = {"sp_plain_pace", 4, sizeof(struct sp_pace)},
	[SP_MAP_RECORDS] = {"sp_records", 0, 0},
	[SP_MAP_DROP_EVENTS] = {"sp_drop_events", 0, 0},
	[SP_MAP_DROP_PACES] = {"sp_drop_paces", 4, sizeof(struct sp_drop_pace)},
	[SP_MAP_FORWARD_LANES] = {"sp_forward_lanes", 4, sizeof(struct sp_forward_cell)},
};

const char *sp_program_map_name(enum sp_map_id id)
{
	return maps[id].name;
}

static int size_maps(struct bpf_object *object, const struct sp_dataplane_config *config)
{
	uint64_t lanes = (uint64_t)libbpf_num_possible_cpus() + config->workers;
	uint64_t rules = (uint64_t)config->rules_max + 1;
	const struct {
		enum sp_map_id id;
		uint64_t entries;
	} sizes[] = {
		{SP_MAP_SESSIONS, config->sessions_max},
		{SP_MAP_USERS, config->users_max},
		{SP_MAP_BUCKETS, 2 * ((uint64_t)config->users_max + 1 + rules)},
		{SP_MAP_FLOWS, 2 * (uint64_t)config->flows_max}, /* a flow has two entries */
		{SP_MAP_BINDINGS, config->flows_max},
		{SP_MAP_PORTS, config->flows_max},
		{SP_MAP_POLICY, 2 * (uint64_t)config->policy_nodes_max},
		{SP_MAP_DROP_LANES, lanes * SP_DROP_STRIDE},
		{SP_MAP_RULE_HITS, lanes * rules},
		{SP_MAP_DROP_PACES, lanes * SP_PACE_STRIDE},
		{SP_MAP_FORWARD_LANES, lanes * SP_FORWARD_STRIDE},
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, maps[sizes[i].id].name);
		int r;

		if (!map)
			return -EPROTO;
		if (sizes[i].entries == 0 || sizes[i].entries > INT32_MAX)
			return -EINVAL;
		r = bpf_map__set_max_entries(map, (uint32_t)sizes[i].entries);
		if (r < 0)
			return r;
	}
	return 0;
}

int sp_program_open(const struct sp_dataplane_config *config, struct bpf_object **ret_object)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "gateway");
	_cleanup_bpf_object_ struct bpf_object *object = NULL;
	struct bpf_map *map;
	const void *elf;
	size_t elf_bytes;
	int r;

	elf = gateway_bpf__elf_bytes(&elf_bytes);
	object = bpf_object__open_mem(elf, elf_bytes, &opts);
	if (!object)
		return -errno;
	/* Pinning is decided here and never by an attribute in the object. */
	bpf_object__for_each_map(map, object)
	{
		r = bpf_map__set_pin_path(map, NULL);
		if (r < 0)
			return r;
	}
	r = size_maps(object, config);
	if (r < 0)
		return r;
	*ret_object = TAKE_PTR(object);
	return 0;
}

int sp_program_find_maps(struct bpf_object *object, int ret_fds[static SP_MAP_COUNT])
{
	int fds[SP_MAP_COUNT];

	for (int i = 0; i < SP_MAP_COUNT; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, maps[i].name);

		if (!map || bpf_map__key_size(map) != maps[i].key_bytes ||
		    bpf_map__value_size(map) != maps[i].value_bytes) {
			sp_error("dataplane: failed to find map %s: the program %s", maps[i].name,
				 map ? "has it with other sizes" : "does not have it");
			return -EPROTO;
		}
		fds[i] = bpf_map__fd(map);
	}
	memcpy(ret_fds, fds, sizeof(fds));
	return 0;
}

struct bpf_program *sp_program_xdp(struct bpf_object *object)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
	{
		if (bpf_program__type(program) == BPF_PROG_TYPE_XDP)
			return program;
	}
	return NULL;
}
