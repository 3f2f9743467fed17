/* SPDX-License-Identifier: Apache-2.0 */
/* A zone behind the loopback interface, an egress interface beside it, a policy by hand. Tests only. */
#ifndef SP_TESTS_PROGRUN_PLAIN_MAPS_H
#define SP_TESTS_PROGRUN_PLAIN_MAPS_H

#include "progrun/lab.h"
#include "sallyport/abi/policy.h"

#define EGRESS_IFINDEX 7
#define EGRESS_SLOT    1
#define EGRESS_MTU     1400
#define HOP	       5
#define KEPT_PORT      20002 /* of XDP's slice: an odd pair */
#define ALLOW	       2     /* nodes of the image */
#define DENY	       3
#define NOTHING	       0

static const char *const inside[] = {"10.50.0.2", "fd00:50::2"};
static const char *const inside_net[] = {"10.50.0.0", "fd00:50::"};

static inline const char *workload(const struct family *f)
{
	return inside[f - families];
}

/* The zone's user gets the node named; anybody else nothing. */
static inline void put_policy(uint32_t generation, uint32_t node, uint8_t on_change)
{
	struct sp_policy_node *half = policy + (generation & 1) * POLICY_NODES;

	memset(half, 0, POLICY_NODES * sizeof(*half));
	half[ALLOW].kind = half[DENY].kind = SP_POLICY_RULE;
	half[ALLOW].rule = (struct sp_policy_rule){.rule_id = 1, .action = SP_ACTION_ALLOW};
	half[ALLOW].rule.on_change = on_change;
	half[DENY].rule = (struct sp_policy_rule){.rule_id = 2, .action = SP_ACTION_DENY};
	half[4].kind = SP_POLICY_BRANCH;
	half[4].branch = (struct sp_policy_branch){
		.word = SP_POLICY_WORD_WHO, .match = USER << 12, .mask = ~0xfull};
	for (int i = 0; i < 16; i++)
		half[4].branch.slot[i] = node;
	half[0].kind = SP_POLICY_HEADER;
	half[0].header = (struct sp_policy_header){.magic = SP_POLICY_MAGIC,
						   .abi = SP_ABI_VERSION,
						   .generation = generation,
						   .count = 5,
						   .rule_count = 2,
						   .rule_root = 4};
}

static inline void reload(uint32_t node, uint8_t on_change)
{
	put_policy(gateway->generation + 1, node, on_change);
	gateway->generation++;
}

static inline void put_zone(const char *net, uint32_t v6_bits, uint32_t user_id)
{
	struct sp_zone_key k = {.prefixlen = 32 + v6_bits, .slot = 0};
	struct sp_zone v = {.user_id = user_id};
	struct sp_addr a = addr_of(net);

	memcpy(k.addr, a.b, 16);
	map_put(MAP_FD(sp_zones), &k, &v);
}

static inline void put_hop(enum sp_nexthop_state state)
{
	struct sp_nexthop v = {.state = state,
			       .ifindex = EGRESS_IFINDEX,
			       .slot = EGRESS_SLOT,
			       .mtu = EGRESS_MTU,
			       .dmac = "\x06\0\0\0\0\x05",
			       .smac = "\x06\0\0\0\0\x01"};
	uint32_t k = HOP;

	map_put(MAP_FD(sp_nexthops), &k, &v);
}

static inline void put_route(const char *net, uint32_t bits, uint32_t hop)
{
	struct sp_lpm_key k = {.prefixlen = bits};
	struct sp_route_hop v = {.prefixlen = bits, .nexthop_id = hop, .ifindex = EGRESS_IFINDEX};
	struct sp_addr a = addr_of(net);

	memcpy(k.addr, a.b, 16);
	map_put(MAP_FD(sp_route_lpm), &k, &v);
}

static inline void put_egress(const struct family *f, uint16_t min, uint16_t max)
{
	struct sp_egress_key k = {.user_id = USER, .version = f == families ? 4 : 6};
	struct sp_egress v = {.addr = addr_of(f->pool),
			      .port_min = min,
			      .port_max = max,
			      .slice = 1,
			      .slices = 2,
			      .pool_id = 1};

	map_put(MAP_FD(sp_egress), &k, &v);
}

static inline void plain_open(void)
{
	struct sp_iface v = {.roles = SP_ROLE_EGRESS, .slot = EGRESS_SLOT, .mtu = EGRESS_MTU};
	uint32_t k = EGRESS_IFINDEX, slot, loopback = LOOPBACK;

	lab_open();
	put_iface(SP_ROLE_INSIDE, 1);
	map_put(MAP_FD(sp_ifaces), &k, &v);
	for (slot = 0; slot < 2; slot++)
		map_put(MAP_FD(sp_devs), &slot, &loopback);
	for (const struct family *f = families; f < families + 2; f++) {
		put_zone(inside_net[f - families], f == families ? 96 + 24 : 64, USER);
		put_egress(f, 20000, 29999);
	}
	put_hop(SP_NEXTHOP_READY);
	put_route("0.0.0.0", 96, HOP);
	put_route("::", 0, HOP);
	put_policy(gateway->generation, ALLOW, 0);
	users[USER].flow_max = 20;
	users[USER].bucket_up = users[USER].bucket_down = 0;
}

#endif
