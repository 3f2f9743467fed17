/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A flow from inside that no entry knows: zone, policy, quota, path, NAT, both entries. XDP only. */
#ifndef SP_BPF_PLAIN_BEGIN_H
#define SP_BPF_PLAIN_BEGIN_H

#include "plain_path.h"
#include "plain_pool.h"
#include "plain_refusal.h"

/* An address of ours, a tunnel's, or none of a zone's does not send from an inside interface. */
SP_INLINE enum sp_reason sp_plain_source(struct sp_plain *s)
{
	s->user_id = sp_plain_zone(s->slot, &s->key.src);
	if (s->user_id == SP_USER_NOBODY || bpf_map_lookup_elem(&sp_locals, &s->key.src))
		return SP_R_SPOOFED_SOURCE;
	if (sp_inner_lookup(&s->key.src) || sp_inner_lookup(&s->key.dst))
		return SP_R_INNER_FROM_OUTSIDE;
	return SP_R_NONE;
}

SP_INLINE enum sp_reason sp_plain_quota(const struct sp_plain *s)
{
	__u32 id = s->user_id;
	const struct sp_user *user = bpf_map_lookup_elem(&sp_users, &id);

	if (!user)
		return SP_R_FLOW_QUOTA;
	if (user->flow_max && user->plain_flows >= 0 && (__u32)user->plain_flows >= user->flow_max)
		return SP_R_FLOW_QUOTA;
	return SP_R_NONE;
}

/* Out of an egress interface as one of the pool's; into another zone as it is. */
SP_INLINE enum sp_reason sp_plain_translate(struct sp_plain *s)
{
	__u32 ifindex = s->hop.ifindex;
	const struct sp_iface *iface = bpf_map_lookup_elem(&sp_ifaces, &ifindex);

	if (iface && iface->roles & SP_ROLE_EGRESS)
		return sp_plain_nat();
	return iface && iface->roles & SP_ROLE_INSIDE ? SP_R_NONE : SP_R_NO_ROUTE;
}

SP_INLINE void sp_plain_fill(struct sp_plain *s)
{
	struct sp_flow *f = &s->flow;

	f->side = SP_FLOW_ORIGINAL;
	f->kind = SP_FLOW_PLAIN;
	f->generation = s->generation;
	sp_plain_take(s, f);
	f->user_id = s->user_id;
	f->nexthop_id = s->hop_id;
	f->worker = SP_WORKER_MAX;
	f->pool_id = f->translated ? s->egress.pool_id : 0;
	f->idle_s = sp_flow_idle_s(s->key.proto, 0, 0);
	f->created_ns = s->now_ns;
	f->seen_ns = s->now_ns;
	f->route_seq = s->route_seq;
	f->slot = (__u16)s->slot;
	f->paths = s->paths;
	f->mtu = s->mtu;
	__builtin_memcpy(f->mac, s->mac, 6);
	__builtin_memcpy(f->own_mac, s->own_mac, 6);
	sp_flow_mate_key(&s->key, f, &s->reply);
	s->back = *f;
	s->back.side = SP_FLOW_REPLY;
	s->back.nat_addr = s->key.src;
	s->back.nat_port_be = s->key.sport_be;
}

/*
 * The reply entry first: an original without one would send and never hear. Whoever else owns the
 * answers keeps them; only what is left of this flow's own former life gives way.
 */
SP_INLINE enum sp_reason sp_plain_insert_back(struct sp_plain *s)
{
	const struct sp_flow *there;

	if (!bpf_map_update_elem(&sp_flows, &s->reply, &s->back, BPF_NOEXIST))
		return SP_R_NONE;
	there = bpf_map_lookup_elem(&sp_flows, &s->reply);
	if (!there)
		return SP_R_FLOW_TABLE_FULL;
	if (there->side != SP_FLOW_REPLY || there->kind != SP_FLOW_PLAIN ||
	    there->nat_port_be != s->key.sport_be || !sp_addr_equal(&there->nat_addr, &s->key.src))
		return SP_R_NAT_EXHAUSTED;
	return bpf_map_update_elem(&sp_flows, &s->reply, &s->back, BPF_ANY) ? SP_R_FLOW_TABLE_FULL
									    : SP_R_NONE;
}

SP_INLINE enum sp_reason sp_plain_insert(struct sp_plain *s)
{
	enum sp_reason r = sp_plain_insert_back(s);
	struct sp_user *user;
	__u32 id = s->user_id;

	if (r != SP_R_NONE)
		return r;
	if (bpf_map_update_elem(&sp_flows, &s->key, &s->flow, BPF_NOEXIST) == 0) {
		user = bpf_map_lookup_elem(&sp_users, &id);
		if (user)
			__sync_fetch_and_add(&user->plain_flows, 1);
		sp_record_fill(&s->record, SP_RECORD_BEGUN, &s->key, &s->flow);
		sp_record_put(&s->record);
		return SP_R_NONE;
	}
	/* Another CPU was first, or the source has moved to another interface of its zone. */
	if (bpf_map_update_elem(&sp_flows, &s->key, &s->flow, BPF_EXIST) == 0)
		return SP_R_NONE;
	(void)bpf_map_delete_elem(&sp_flows, &s->reply);
	return SP_R_FLOW_TABLE_FULL;
}

/* s->key, slot, link addresses, MTU, time and generation are set. */
__attribute__((noinline)) int sp_plain_begin(void)
{
	struct sp_plain *s = sp_plain_here();
	enum sp_reason r;

	if (!s)
		return SP_R_CLOSED;
	__builtin_memset(&s->flow, 0, sizeof(s->flow));
	r = sp_plain_recall(s);
	if (r != SP_R_NONE)
		return r;
	r = sp_plain_source(s);
	if (r == SP_R_NONE)
		r = sp_plain_decide(s);
	if (r == SP_R_NONE)
		r = sp_plain_quota(s);
	s->paths = s->answer.paths;
	if (r == SP_R_NONE)
		r = s->paths ? sp_plain_path_choose() : sp_plain_path();
	if (!s->paths || s->answer.pool_id)
		s->pool_id = s->answer.pool_id;
	if (r == SP_R_NONE)
		r = sp_plain_translate(s);
	if (r != SP_R_NONE)
		return r;
	sp_plain_fill(s);
	return sp_plain_insert(s);
}

#endif
