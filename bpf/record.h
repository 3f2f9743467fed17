/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Plain flows that begin, end or are denied, told to the daemon for its records. XDP only. */
#ifndef SP_BPF_RECORD_H
#define SP_BPF_RECORD_H

#include "maps.h"

/* The daemon looks often enough not to be woken. A full ring is counted. */
SP_INLINE void sp_record_put(const struct sp_record *record)
{
	struct sp_gateway *gateway;
	__u32 zero = 0;

	gateway = bpf_map_lookup_elem(&sp_gateway, &zero);
	if (!gateway || !gateway->records)
		return;
	if (bpf_ringbuf_output(&sp_records, (void *)record, sizeof(*record), BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&gateway->records_lost, 1);
}

SP_INLINE void sp_record_fill(struct sp_record *r, enum sp_record_what what,
			      const struct sp_flow_key *key, const struct sp_flow *flow)
{
	__builtin_memset(r, 0, sizeof(*r));
	r->key = *key;
	r->egress = flow->translated ? flow->nat_addr : key->src;
	r->egress_port_be = flow->translated ? flow->nat_port_be : key->sport_be;
	r->begun_ns = flow->created_ns;
	r->seen_ns = flow->seen_ns;
	r->packets = flow->packets;
	r->bytes = flow->bytes;
	r->user_id = flow->user_id;
	r->rule_id = flow->rule_id;
	r->hit_id = flow->hit_id;
	r->what = (__u8)what;
	r->kind = SP_FLOW_PLAIN;
}

/* Before both entries go; put by whoever removes the original. */
SP_INLINE void sp_record_end(struct sp_record *r, const struct sp_flow_key *key,
			     const struct sp_flow_key *reply, __u64 now_ns)
{
	const struct sp_flow *flow = bpf_map_lookup_elem(&sp_flows, key);
	const struct sp_flow *back = bpf_map_lookup_elem(&sp_flows, reply);

	if (!flow)
		return;
	sp_record_fill(r, SP_RECORD_ENDED, key, flow);
	r->ended_ns = now_ns;
	if (!back)
		return;
	r->back_packets = back->packets;
	r->back_bytes = back->bytes;
	if (back->seen_ns > r->seen_ns)
		r->seen_ns = back->seen_ns;
}

#endif
