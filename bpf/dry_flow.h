/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Flows in the scratch: found, made and removed there. Of the trace programs only. */
#ifndef SP_BPF_DRY_FLOW_H
#define SP_BPF_DRY_FLOW_H

#include "dry_scratch.h"

/* The one map whose entries are looked up again after a stage has made them. */

SP_INLINE bool sp_dry_is_key(const struct sp_flow_key *a, const struct sp_flow_key *b)
{
	const __u32 *x = (const __u32 *)&a->sport_be, *y = (const __u32 *)&b->sport_be;

	return sp_addr_equal(&a->src, &b->src) && sp_addr_equal(&a->dst, &b->dst) &&
	       ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

/* The place of the key's copy, made when there was none; negative: no such flow. */
__attribute__((noinline)) int sp_dry_flow_find(const struct sp_flow_key *key)
{
	struct sp_dry *d = sp_dry_here();
	const struct sp_flow *there;
	__u32 i;

	if (!d || !key)
		return -1;
	for (i = 0; i < SP_DRY_FLOWS; i++) {
		if (d->flows[i].state != SP_DRY_FREE && sp_dry_is_key(&d->flows[i].key, key))
			return d->flows[i].state == SP_DRY_THERE ? (int)i : -1;
	}
	i = d->flow_count;
	if (d->trace.flags & SP_TRACE_FRESH || i >= SP_DRY_FLOWS)
		return -1;
	i = sp_dry_index(i, SP_DRY_FLOWS);
	d->flows[i].key = *key;
	there = bpf_map_lookup_elem(&sp_flows, &d->flows[i].key);
	if (!there)
		return -1;
	d->flows[i].flow = *there;
	d->flows[i].state = SP_DRY_THERE;
	d->flow_count = i + 1;
	if (!d->trace.has_flow) {
		d->trace.has_flow = 1;
		d->trace.flow = *there;
	}
	return (int)i;
}

__attribute__((noinline)) int sp_dry_flow_put(const struct sp_flow_key *key,
					      const struct sp_flow *flow, __u64 flags)
{
	int at = sp_dry_flow_find(key);
	struct sp_dry *d = sp_dry_here();
	__u32 i;

	if (!d || !key || !flow)
		return -SP_DRY_ENOENT;
	if (at >= 0 && flags == BPF_NOEXIST)
		return -SP_DRY_EEXIST;
	if (at < 0 && flags == BPF_EXIST)
		return -SP_DRY_ENOENT;
	i = at >= 0 ? (__u32)at : d->flow_count;
	if (i >= SP_DRY_FLOWS)
		return -SP_DRY_ENOENT;
	i = sp_dry_index(i, SP_DRY_FLOWS);
	if (at < 0)
		d->flow_count = i + 1;
	d->flows[i].key = *key;
	d->flows[i].flow = *flow;
	d->flows[i].state = SP_DRY_THERE;
	return 0;
}

__attribute__((noinline)) int sp_dry_flow_remove(const struct sp_flow_key *key)
{
	int at = sp_dry_flow_find(key);
	struct sp_dry *d = sp_dry_here();

	if (!d || at < 0)
		return -SP_DRY_ENOENT;
	d->flows[sp_dry_index((__u32)at, SP_DRY_FLOWS)].state = SP_DRY_GONE;
	return 0;
}

static __attribute__((noinline)) void *sp_dry_flow(const void *key)
{
	int at = sp_dry_flow_find(key);
	struct sp_dry *d = sp_dry_here();

	if (!d || at < 0)
		return NULL;
	return &d->flows[sp_dry_index((__u32)at, SP_DRY_FLOWS)].flow;
}

#endif
