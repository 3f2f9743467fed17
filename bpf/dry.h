/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The stages without side effects: every map value that they are given is a copy, and what they
 * insert or delete stands in this CPU's scratch only. Included before any stage, by trace.bpf.c alone.
 * What is only ever read is passed through by name; so is what a CPU has for itself, since the
 * loader gives this program's own maps of these types (dataplane/trace.c). A map that is new here is
 * copied too: nothing has to be done for it, unless a stage looks up again what it has just inserted.
 */
#ifndef SP_BPF_DRY_H
#define SP_BPF_DRY_H

#include "dry_flow.h"

/* What the packet pays is told. */
static __attribute__((noinline)) void *sp_dry_bucket(const __u32 *id)
{
	const struct sp_bucket *there = sp_dry_real(&sp_buckets, id);
	struct sp_dry *d = sp_dry_here();
	__u32 i;

	if (!there || !d)
		return NULL;
	i = d->trace.bucket_count;
	if (i >= SP_TRACE_BUCKETS)
		return NULL;
	i = sp_dry_index(i, SP_TRACE_BUCKETS);
	d->buckets[i] = *there;
	d->buckets[i].dropped_packets = 0;
	d->trace.buckets[i].id = *id;
	d->trace.buckets[i].tat_ns = there->tat_ns;
	d->trace.buckets[i].cost_q16 = there->cost_q16;
	d->trace.buckets[i].burst_ns = there->burst_ns;
	d->trace.buckets[i].rate_bps = there->rate_bps;
	d->trace.bucket_count = i + 1;
	return &d->buckets[i];
}

static __attribute__((noinline)) void *sp_dry_gateway(void)
{
	struct sp_dry *d = sp_dry_here();
	const struct sp_gateway *there;
	__u32 zero = 0;

	there = sp_dry_real(&sp_gateway, &zero);
	if (!there || !d)
		return NULL;
	d->gateway = *there;
	if (d->trace.generation)
		d->gateway.generation = d->trace.generation;
	return &d->gateway;
}

SP_INLINE bool sp_dry_is_read_only(const void *map, __u32 type)
{
	return type == BPF_MAP_TYPE_PERCPU_ARRAY || map == &sp_policy || map == &sp_ifaces ||
	       map == &sp_locals || map == &sp_listeners || map == &sp_inner || map == &sp_zones ||
	       map == &sp_egress || map == &sp_route_lpm || map == &sp_neighbours ||
	       map == &sp_devs || map == &sp_xsks;
}

/* The value, copied to the next place. */
static __attribute__((noinline)) void *sp_dry_copy(void *map, const void *key, __u32 words)
{
	const __u64 *there = sp_dry_real(map, key);
	struct sp_dry *d = sp_dry_here();
	__u64 *copy;
	__u32 i;

	if (!there || !d)
		return NULL;
	i = d->slot_count;
	d->slot_count = i + 1;
	copy = d->slots[sp_dry_index(i, SP_DRY_SLOTS)].words;
#pragma unroll
	for (i = 0; i < SP_DRY_SLOT_WORDS; i++) {
		if (i < words)
			copy[i] = there[i];
	}
	return copy;
}

/* The one map whose missing entry is made and looked up again. */
SP_INLINE void *sp_dry_source(const void *key)
{
	void *there = sp_dry_copy(&sp_sources, key, sizeof(struct sp_source) / 8);
	struct sp_dry *d = sp_dry_here();

	if (there || !d)
		return there;
	d->fresh_source.tat_ns = 0;
	return &d->fresh_source;
}

SP_INLINE void *sp_dry_lookup(void *map, const void *key, __u32 type, __u32 bytes)
{
	if (map == &sp_flows)
		return sp_dry_flow(key);
	if (map == &sp_buckets)
		return sp_dry_bucket(key);
	if (map == &sp_gateway)
		return sp_dry_gateway();
	if (map == &sp_sources)
		return sp_dry_source(key);
	if (map == &sp_refusals)
		return NULL; /* the policy is asked, however often it was */
	if (sp_dry_is_read_only(map, type))
		return sp_dry_real(map, key);
	return sp_dry_copy(map, key, bytes / 8);
}

SP_INLINE long sp_dry_update(void *map, const void *key, const void *value, __u64 flags)
{
	if (map == &sp_flows)
		return sp_dry_flow_put(key, value, flags);
	if (flags == BPF_NOEXIST)
		return sp_dry_real(map, key) ? -SP_DRY_EEXIST : 0;
	if (flags == BPF_EXIST)
		return sp_dry_real(map, key) ? 0 : -SP_DRY_ENOENT;
	return 0;
}

SP_INLINE long sp_dry_delete(void *map, const void *key)
{
	if (map == &sp_flows)
		return sp_dry_flow_remove(key);
	return sp_dry_real(map, key) ? 0 : -SP_DRY_ENOENT;
}

SP_INLINE __u64 sp_dry_ktime_ns(void)
{
	struct sp_dry *d = sp_dry_here();

	return d ? d->trace.now_ns : 0;
}

/* From here on nothing of a stage reaches a map. A value's size and a map's type stand in its type. */
#define SP_DRY_VALUE_BYTES(map)                                                \
	(sizeof(*(map)->value) +                                               \
	 0 * sizeof(char[sizeof(*(map)->value) <= SP_DRY_SLOT_WORDS * 8 ||     \
					 sizeof(*(map)->type) / sizeof(int) == \
						 BPF_MAP_TYPE_PERCPU_ARRAY     \
				 ? 1                                           \
				 : -1]))
#define bpf_map_lookup_elem(map, key) \
	sp_dry_lookup(map, key, sizeof(*(map)->type) / sizeof(int), SP_DRY_VALUE_BYTES(map))
#define bpf_map_update_elem(map, key, value, flags) sp_dry_update(map, key, value, flags)
#define bpf_map_delete_elem(map, key)		    sp_dry_delete(map, key)
#define bpf_ktime_get_ns()			    sp_dry_ktime_ns()

#endif
