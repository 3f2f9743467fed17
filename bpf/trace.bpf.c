// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The same stages run on a packet that nobody sent, and what each said (docs/trace.md). Never
 * attached: BPF_PROG_RUN with a struct sp_trace in front of the packet. Changes no map (dry.h).
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "dry.h"

#include "stages.h"

/* The packet of a user, as a worker has it after opening: what may it, and which way would it go? */
SP_INLINE enum sp_reason sp_trace_path(struct sp_plain *s, struct sp_dry *d)
{
	const struct sp_inner *inner = sp_inner_lookup(&s->key.dst);
	const struct sp_iface *iface;
	enum sp_reason r;
	__u32 ifindex;

	if (inner) {
		d->trace.has_inner = 1;
		d->trace.peer_id = inner->kind == SP_INNER_PEER ? inner->peer_id : 0;
		return SP_R_NONE;
	}
	if (s->key.proto != SP_PROTO_TCP && s->key.proto != SP_PROTO_UDP &&
	    s->key.proto != SP_PROTO_ICMP && s->key.proto != SP_PROTO_ICMPV6)
		return SP_R_PROTOCOL;
	r = sp_plain_path();
	if (r != SP_R_NONE)
		return r;
	ifindex = s->hop.ifindex;
	iface = bpf_map_lookup_elem(&sp_ifaces, &ifindex);
	return iface && iface->roles & (SP_ROLE_EGRESS | SP_ROLE_INSIDE) ? SP_R_NONE
									 : SP_R_NO_ROUTE;
}

SP_INLINE enum sp_verdict sp_trace_judge(struct sp_xdp *x)
{
	enum sp_verdict v = sp_parse(x);
	struct sp_dry *d = sp_dry_here();
	struct sp_flow *flow;
	struct sp_plain *s;
	enum sp_reason r;
	__u32 zero = 0;

	x->gateway = bpf_map_lookup_elem(&sp_gateway, &zero);
	if (v != SP_V_NEXT)
		return v == SP_V_DROP ? v : sp_drop(x, SP_R_INNER_MALFORMED);
	s = x->gateway ? sp_plain_open(x) : NULL;
	if (!s || !d)
		return sp_drop(x, SP_R_CLOSED);
	sp_packet_flow_key(&x->packet, &s->key);
	s->user_id = d->trace.user_id;
	s->query.place = (__u8)d->trace.place;
	flow = bpf_map_lookup_elem(&sp_flows, &s->key);
	r = sp_plain_ask();
	/* A worker asks about a flow again only when the policy or the hour has changed. */
	if (flow && flow->user_id == s->user_id && !sp_flow_is_stale(x, flow))
		r = SP_R_NONE;
	if (d->trace.flags & SP_TRACE_POLICY)
		return r == SP_R_NONE ? SP_V_REDIRECT : sp_drop(x, r);
	if (r == SP_R_NONE)
		r = sp_trace_path(s, d);
	if (r == SP_R_NONE) {
		sp_plain_take(s, &s->flow);
		s->flow.user_id = s->user_id;
		r = sp_flow_take(x, &s->flow, true);
	}
	return r == SP_R_NONE ? SP_V_WORKER : sp_drop(x, r);
}

SP_INLINE void sp_trace_tell_policy(const struct sp_plain *s, struct sp_trace_policy *p)
{
	p->asked = s->answer.reason != SP_R_COUNT;
	p->action = s->answer.action;
	p->reason = s->answer.reason;
	p->rule_id = s->answer.rule_id;
	p->shadow_id = s->answer.shadow_id;
	p->pool_id = s->answer.pool_id;
	p->on_change = s->answer.on_change;
	p->log = s->answer.log;
	p->hit_id = s->answer.hit_id;
	p->grace_s = s->answer.grace_s;
	p->bucket_up = s->answer.bucket_up;
	p->bucket_down = s->answer.bucket_down;
	p->until_ns = s->answer.until_ns;
}

SP_INLINE void sp_trace_tell_way(struct sp_plain *s, struct sp_trace *t)
{
	t->has_nat = s->out.translated || s->flow.translated;
	t->nat_addr = s->out.translated ? s->out.addr : s->flow.nat_addr;
	t->nat_port_be = s->out.translated ? s->out.port_be : s->flow.nat_port_be;
	t->has_binding = t->has_nat && sp_dry_real(&sp_bindings, &s->binding_key);
	t->has_hop = s->hop_id != 0;
	t->hop_id = s->hop_id;
	t->hop_state = s->hop.state;
	t->hop_ifindex = s->hop.ifindex;
	t->hop_addr = s->hop.addr;
	t->hop_mtu = s->hop.mtu;
	t->hop_slot = s->hop.slot;
}

/* Functions of their own: their stack is not the stages'. */
__attribute__((noinline)) int sp_trace_tell_plain(void)
{
	struct sp_plain *s = sp_plain_here();
	struct sp_dry *d = sp_dry_here();

	if (!s || !d)
		return -1;
	d->trace.identity = s->user_id;
	d->trace.key = s->key;
	sp_trace_tell_policy(s, &d->trace.policy);
	sp_trace_tell_way(s, &d->trace);
	return 0;
}

/* What the packet before left in this CPU's scratch says nothing about this one. */
__attribute__((noinline)) int sp_trace_clear(void)
{
	struct sp_plain *s = sp_plain_here();
	struct sp_dry *d = sp_dry_here();
	__u32 i;

	if (!s || !d)
		return -1;
	for (i = 0; i < SP_DRY_FLOWS; i++)
		d->flows[i].state = SP_DRY_FREE;
	d->flow_count = 0;
	d->slot_count = 0;
	d->trace.bucket_count = 0;
	d->trace.has_flow = 0;
	__builtin_memset(&s->flow, 0, sizeof(s->flow));
	__builtin_memset(&s->out, 0, sizeof(s->out));
	__builtin_memset(&s->answer, 0, sizeof(s->answer));
	__builtin_memset(&s->binding_key, 0, sizeof(s->binding_key));
	__builtin_memset(&s->key, 0, sizeof(s->key));
	s->answer.reason = SP_R_COUNT;
	s->query.place = 0;
	s->user_id = 0;
	s->hop_id = 0;
	return 0;
}

/* The record in front of the packet is taken away, and put back when it is full. */
__attribute__((noinline)) int sp_trace_open(struct xdp_md *ctx)
{
	const struct sp_trace *asked = (void *)(long)ctx->data;
	struct sp_dry *d = sp_dry_here();

	if (!d || (void *)(asked + 1) > (void *)(long)ctx->data_end ||
	    asked->magic != SP_TRACE_MAGIC)
		return -1;
	d->trace = *asked;
	if (sp_trace_clear())
		return -1;
	return (int)bpf_xdp_adjust_head(ctx, sizeof(*asked));
}

__attribute__((noinline)) int sp_trace_close(struct xdp_md *ctx)
{
	const struct sp_dry *d = sp_dry_here();
	struct sp_trace *told;

	if (!d || sp_trace_tell_plain() || bpf_xdp_adjust_head(ctx, -(int)sizeof(*told)))
		return XDP_ABORTED;
	told = (void *)(long)ctx->data;
	if ((void *)(told + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	*told = d->trace;
	return XDP_PASS;
}

SP_INLINE void sp_trace_tell(struct sp_xdp *x, enum sp_verdict v)
{
	struct sp_dry *d = sp_dry_here();
	__u32 i, slot = x->out_slot;

	if (!d)
		return;
	if (v == SP_V_REDIRECT && d->trace.as == SP_TRACE_WIRE &&
	    !bpf_map_lookup_elem(&sp_devs, &slot))
		v = sp_drop(x, SP_R_REDIRECT_FAILED);
	d->trace.verdict = v;
	d->trace.reason = v == SP_V_DROP ? x->reason : SP_R_NONE;
	d->trace.direction = x->direction;
	d->trace.roles = x->roles;
	d->trace.has_local = x->local != NULL;
	for (i = 0; i < SP_TRACE_BUCKETS; i++)
		d->trace.buckets[i].conforms = d->buckets[i].dropped_packets == 0;
}

/* Two programs, since one's stack has no room for both. */
SEC("xdp")
int sp_trace_wire(struct xdp_md *ctx)
{
	struct sp_xdp x = {
		.ctx = ctx,
		.direction = SP_DIR_HOST,
	};

	if (sp_trace_open(ctx))
		return XDP_ABORTED;
	x.now_ns = bpf_ktime_get_ns();
	sp_trace_tell(&x, sp_stages(&x));
	return sp_trace_close(ctx);
}

SEC("xdp")
int sp_trace_user(struct xdp_md *ctx)
{
	struct sp_xdp x = {
		.ctx = ctx,
		.direction = SP_DIR_UP,
	};

	if (sp_trace_open(ctx))
		return XDP_ABORTED;
	x.now_ns = bpf_ktime_get_ns();
	sp_trace_tell(&x, sp_trace_judge(&x));
	return sp_trace_close(ctx);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
