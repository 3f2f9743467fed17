/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Answers to plain flows: judged, un-NATed and on their way inside. XDP only. */
#ifndef SP_BPF_PLAIN_BACK_H
#define SP_BPF_PLAIN_BACK_H

#include "plain_policy.h"

/* What a packet asks of all that follows, in this CPU's place. */
SP_INLINE struct sp_plain *sp_plain_open(const struct sp_xdp *x)
{
	struct sp_plain *s = sp_plain_here();

	if (!s)
		return NULL;
	s->now_ns = x->now_ns;
	s->query.place = 0; /* out of no tunnel */
	s->generation = x->gateway->generation;
	s->rules_max = x->gateway->rules_max;
	s->rejects = 0;
	s->user_id = SP_USER_NOBODY;
	s->answer.rule_id = 0;
	s->answer.hit_id = 0;
	s->route_seq = *(const volatile __u32 *)&x->gateway->route_seq;
	return s;
}

/* RFC 4459 3.2: neither side may send what does not fit the narrower interface. */
SP_INLINE __u16 sp_plain_mss(const struct sp_xdp *x, __u32 mtu)
{
	__u32 least = x->iface && x->iface->mtu < mtu ? x->iface->mtu : mtu;
	__u32 headers = SP_TCP_BYTES + (x->packet.version == 4 ? SP_IPV4_BYTES : SP_IPV6_BYTES);

	return least > headers && least < 0xffff ? (__u16)(least - headers) : 0xffff;
}

/* By whom and by what rule, as far as it was asked about. */
SP_INLINE enum sp_verdict sp_plain_drop(struct sp_xdp *x, const struct sp_plain *s,
					enum sp_reason reason)
{
	x->meta.user_id = s->user_id;
	x->meta.rule_id = s->answer.rule_id;
	x->hit_id = s->answer.hit_id;
	x->rejects = s->rejects;
	return sp_drop(x, reason);
}

SP_INLINE enum sp_verdict sp_plain_leave(struct sp_xdp *x, struct sp_plain *s,
					 const struct sp_flow *flow, __u32 slot)
{
	enum sp_reason r = sp_packet_forward(x->ctx, &x->packet, &s->inner, &s->out);

	if (r != SP_R_NONE)
		return sp_drop_of(x, flow, r);
	x->out_slot = slot;
	return SP_V_REDIRECT;
}

/* flow: the reply entry under key. inner: what an ICMP error quotes. */
SP_INLINE enum sp_verdict sp_plain_back(struct sp_xdp *x, const struct sp_flow_key *key,
					struct sp_flow *flow, const struct sp_packet *inner)
{
	struct sp_plain *s = sp_plain_open(x);
	enum sp_reason r;

	x->direction = SP_DIR_DOWN;
	if (!s)
		return sp_drop(x, SP_R_CLOSED);
	if (sp_flow_is_over(x, key, flow))
		return sp_drop_of(x, flow, SP_R_FLOW_EXPIRED);
	if (sp_plain_is_due(s, flow)) {
		s->reply = *key;
		sp_flow_mate_key(key, flow, &s->key);
		r = sp_plain_judge_again();
		if (r != SP_R_NONE)
			return sp_plain_drop(x, s, r);
	}
	if (x->packet.l3_bytes > flow->mtu)
		if (x->packet.l3_bytes > flow->mtu) {
			x->mtu = flow->mtu;
			return sp_drop_of(x, flow, SP_R_TOO_BIG);
		}
	r = sp_flow_take(x, flow, false);
	if (r != SP_R_NONE)
		return sp_drop_of(x, flow, r);
	sp_flow_count(x, key, flow);
	if (x->packet.icmp_error)
		s->inner = *inner;
	s->out.addr = flow->nat_addr;
	s->out.port_be = flow->nat_port_be;
	s->out.which = SP_REWRITE_DST;
	s->out.translated = flow->translated;
	s->out.mss_max = sp_plain_mss(x, flow->mtu);
	__builtin_memcpy(s->out.dmac, flow->mac, 6);
	__builtin_memcpy(s->out.smac, flow->own_mac, 6);
	return sp_plain_leave(x, s, flow, flow->slot);
}

#endif
