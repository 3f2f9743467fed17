/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the functions of plain egress hand to each other, per CPU; ends of flows. XDP only. */
#ifndef SP_BPF_PLAIN_H
#define SP_BPF_PLAIN_H

#include "flow.h"
#include "maps.h"
#include "packet.h"
#include "record.h"

#include "sallyport/core/flow.h"
#include "sallyport/core/path.h"

/* core/policy.h reads the image through this. */
SP_INLINE const struct sp_policy_node *sp_policy_node_at(__u32 base, __u32 count, __u32 i)
{
	__u32 at = base + i;

	return i < count ? bpf_map_lookup_elem(&sp_policy, &at) : NULL;
}
#define SP_POLICY_NODE(view, i) sp_policy_node_at((view)->base, (view)->count, i)
#include "sallyport/core/policy.h"

/* Longer than a next hop's slot could rest and mean another address (paths/neighbours.c). */
#define SP_PLAIN_PATH_NS (60 * SP_NS_PER_S)

/*
 * Each function looks it up by itself: Linux 6.1 takes no key or value for a map from memory that
 * a global function was handed.
 */
struct sp_plain {
	struct sp_flow_key key;	  /* original direction */
	struct sp_flow_key reply; /* what the answers look like */
	struct sp_flow flow;	  /* both entries, on their way into the map */
	struct sp_flow back;
	struct sp_packet inner; /* quoted by an ICMP error */
	struct sp_out out;
	struct sp_policy_query query;
	struct sp_policy_answer answer;
	struct sp_nexthop hop;
	struct sp_binding_key binding_key;
	struct sp_binding binding;
	struct sp_egress egress;
	struct sp_port_key port_key;
	struct sp_port port;
	__u64 now_ns;
	__u32 hop_id;
	__u32 user_id;
	__u32 slot; /* of the inside interface */
	__u32 generation;
	__u32 rules_max;
	__u32 route_seq;
	__u32 paths; /* core/path.h: of the rule, then of the flow */
	__u32 pool_id;
	__u16 mtu;   /* of the inside interface */
	__u8 mac[6]; /* the packet's link addresses */
	__u8 own_mac[6];
	__u8 rejects; /* 1: the rule that refuses says so to the sender */
	__u8 pad[5];
	struct sp_record record;
	__u64 denied_ns; /* the last denial that was told */
};

/* No packet meets it half done: XDP runs to its end on a CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sp_plain);
} sp_plain_now SEC(".maps");

SP_INLINE struct sp_plain *sp_plain_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&sp_plain_now, &zero);
}

/* A flood of denials is sampled: how many there were stands in sp_drops. */
SP_INLINE void sp_plain_tell_denied(struct sp_plain *s, enum sp_reason reason)
{
	struct sp_record *r = &s->record;

	if (s->now_ns - s->denied_ns < SP_RECORD_PACE_NS)
		return;
	s->denied_ns = s->now_ns;
	__builtin_memset(r, 0, sizeof(*r));
	r->key = s->key;
	r->begun_ns = s->now_ns;
	r->seen_ns = s->now_ns;
	r->user_id = s->user_id;
	r->rule_id = s->answer.rule_id;
	r->hit_id = s->answer.hit_id;
	r->what = SP_RECORD_DENIED;
	r->kind = SP_FLOW_PLAIN;
	r->reason = (__u8)reason;
	sp_record_put(r);
}

/* Both entries go; only who removed the original gives back its place in the quota. */
__attribute__((noinline)) int sp_plain_end(void)
{
	struct sp_plain *s = sp_plain_here();
	struct sp_user *user;
	__u32 id;

	if (!s)
		return 0;
	id = s->user_id;
	sp_record_end(&s->record, &s->key, &s->reply, s->now_ns);
	(void)bpf_map_delete_elem(&sp_flows, &s->reply);
	if (bpf_map_delete_elem(&sp_flows, &s->key))
		return 0;
	sp_record_put(&s->record);
	user = bpf_map_lookup_elem(&sp_users, &id);
	if (user)
		__sync_fetch_and_add(&user->plain_flows, -1);
	return 0;
}

#endif
