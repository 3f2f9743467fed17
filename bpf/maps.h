/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every map of the gateway. Sizes given as 1 are set by the loader before load. XDP only. */
#ifndef SP_BPF_MAPS_H
#define SP_BPF_MAPS_H

#include "maps_array.h"

#include "sallyport/abi/bucket.h"
#include "sallyport/abi/flow.h"
#include "sallyport/abi/fragment.h"
#include "sallyport/abi/gateway.h"
#include "sallyport/abi/path.h"
#include "sallyport/abi/policy.h"
#include "sallyport/abi/session.h"
#include "sallyport/abi/verdict.h"

/* [0] */
SP_SHARED_ARRAY(sp_gateway, 1, struct sp_gateway);

/* [ifindex] */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SP_IFACE_MAX);
	__type(key, __u32);
	__type(value, struct sp_iface);
} sp_ifaces SEC(".maps");

/* [address of ours] */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct sp_addr);
	__type(value, struct sp_local);
} sp_locals SEC(".maps");

/* [UDP port] */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct sp_listener_key);
	__type(value, struct sp_listener);
} sp_listeners SEC(".maps");

/* [receiver index, host order] */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sp_session);
} sp_sessions SEC(".maps");

/* [user id] */
SP_SHARED_ARRAY(sp_users, 1, struct sp_user);

/* [bucket id]; 0 is never taken from */
SP_SHARED_ARRAY(sp_buckets, 1, struct sp_bucket);

/* Preallocated: a full table refuses at a known size instead of at the end of memory. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct sp_flow_key);
	__type(value, struct sp_flow);
} sp_flows SEC(".maps");

/* [datagram]. LRU: to forget one costs its later fragments, and nobody waits for a place. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SP_FRAGMENT_MAX);
	__type(key, struct sp_fragment_key);
	__type(value, struct sp_fragment);
} sp_fragments SEC(".maps");

/* [inner prefix] */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* the only kind of trie there is */
	__uint(max_entries, 262144);
	__type(key, struct sp_lpm_key);
	__type(value, struct sp_inner);
} sp_inner SEC(".maps");

/* [0 .. route_count-1], longest prefix first */
SP_SHARED_ARRAY(sp_routes, SP_ROUTE_MAX, struct sp_route);

/* [next hop id]; 0 is none */
SP_SHARED_ARRAY(sp_nexthops, SP_NEXTHOP_MAX, struct sp_nexthop);

/* [path id]; 0 is none */
SP_SHARED_ARRAY(sp_paths, SP_PATH_MAX, struct sp_path);

/* [address on a link] -> next hop id */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SP_NEXTHOP_MAX);
	__type(key, struct sp_neighbour_key);
	__type(value, struct sp_neighbour);
} sp_neighbours SEC(".maps");

/* [source, IPv6 cut to /64]. LRU: to forget a source costs it nothing but a fresh burst. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct sp_addr);
	__type(value, struct sp_source);
} sp_sources SEC(".maps");

/* [sp_iface.xsk_base + receive queue] */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, SP_IFACE_MAX *SP_QUEUE_MAX);
	__type(key, __u32);
	__type(value, __u32);
} sp_xsks SEC(".maps");

/* [lane * SP_DROP_STRIDE + direction * (SP_DROP_STRIDE / 4) + reason] */
SP_SHARED_ARRAY(sp_drop_lanes, SP_DROP_STRIDE, struct sp_drop_cell);

/* The sum over lanes, for readers of a dump. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SP_DROP_STRIDE);
	__type(key, struct sp_drop_key);
	__type(value, struct sp_drop_cell);
} sp_drops SEC(".maps");

/* [lane * (rules_max + 1) + hit id]; lanes as in sp_drop_lanes */
SP_SHARED_ARRAY(sp_rule_hits, 1, struct sp_rule_hit);

/* Both halves of the policy image: half h starts at h * (max_entries / 2). */
SP_SHARED_ARRAY(sp_policy, 2, struct sp_policy_node);

#include "maps_observe.h"
#include "maps_plain.h"

#endif
