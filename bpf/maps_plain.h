/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of plain egress; included by maps.h. XDP only. */
#ifndef SP_BPF_MAPS_PLAIN_H
#define SP_BPF_MAPS_PLAIN_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "sallyport/abi/path.h"
#include "sallyport/abi/plain.h"
#include "sallyport/abi/record.h"

/* [slot of an interface] -> ifindex: where a redirect goes */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, SP_IFACE_MAX);
	__type(key, __u32);
	__type(value, __u32);
} sp_devs SEC(".maps");

/* [interface slot and source prefix] */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SP_ZONE_PREFIXES_MAX);
	__type(key, struct sp_zone_key);
	__type(value, struct sp_zone);
} sp_zones SEC(".maps");

/* [identity, pool, family] */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* few of them are used */
	__uint(max_entries, SP_EGRESS_MAX);
	__type(key, struct sp_egress_key);
	__type(value, struct sp_egress);
} sp_egress SEC(".maps");

/* [use id]; 0 is none */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SP_EGRESS_USE_MAX);
	__type(key, __u32);
	__type(value, struct sp_egress_use);
} sp_egress_use SEC(".maps");

/* [inside address and port]; as many as flows */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct sp_binding_key);
	__type(value, struct sp_binding);
} sp_bindings SEC(".maps");

/* [outside address and port] */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct sp_port_key);
	__type(value, struct sp_port);
} sp_ports SEC(".maps");

/* [destination prefix] */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2 * SP_ROUTE_MAX); /* while they change, old and new */
	__type(key, struct sp_lpm_key);
	__type(value, struct sp_route_hop);
} sp_route_lpm SEC(".maps");

/* [hash of a flow's key] */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SP_REFUSAL_MAX);
	__type(key, __u32);
	__type(value, struct sp_refusal);
} sp_refusals SEC(".maps");

/* [0] */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sp_pace);
} sp_plain_pace SEC(".maps");

/* struct sp_decision, to the daemon */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SP_EVENT_BYTES);
} sp_decisions SEC(".maps");

/* struct sp_event, to the daemon */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SP_EVENT_BYTES);
} sp_events SEC(".maps");

/* struct sp_record, to the daemon */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SP_RECORD_BYTES);
} sp_records SEC(".maps");

#endif
