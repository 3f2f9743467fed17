/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the stages' writes go when nothing may change: copies, per CPU. Of the trace programs only. */
#ifndef SP_BPF_DRY_SCRATCH_H
#define SP_BPF_DRY_SCRATCH_H

#include "maps.h"

#include "sallyport/abi/trace.h"
#include "sallyport/core/wire.h"

#define SP_DRY_SLOTS	  16
#define SP_DRY_SLOT_WORDS 32 /* of 8 bytes: room for the largest value */
#define SP_DRY_FLOWS	  4
#define SP_DRY_EEXIST	  17
#define SP_DRY_ENOENT	  2

enum sp_dry_state {
	SP_DRY_FREE = 0,
	SP_DRY_THERE = 1, /* in the map, or made by this packet */
	SP_DRY_GONE = 2,
};

struct sp_dry_flow {
	struct sp_flow_key key;
	struct sp_flow flow;
	__u32 state;
	__u32 pad;
};

struct sp_dry_slot {
	__u64 words[SP_DRY_SLOT_WORDS];
};

struct sp_dry {
	struct sp_trace trace;
	struct sp_dry_flow flows[SP_DRY_FLOWS];
	struct sp_bucket buckets[SP_TRACE_BUCKETS];
	struct sp_gateway gateway;
	struct sp_dry_slot slots[SP_DRY_SLOTS]; /* the oldest gives way */
	struct sp_source fresh_source;
	__u32 flow_count;
	__u32 slot_count;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sp_dry);
} sp_dry_now SEC(".maps");

SP_INLINE struct sp_dry *sp_dry_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&sp_dry_now, &zero);
}

/* An index whose bound the verifier sees, whatever the compiler made of the test before it. */
SP_INLINE __u32 sp_dry_index(__u32 i, __u32 count)
{
	SP_OPAQUE(i);
	return i & (count - 1);
}

SP_INLINE void *sp_dry_real(void *map, const void *key)
{
	return bpf_map_lookup_elem(map, key);
}

#endif
