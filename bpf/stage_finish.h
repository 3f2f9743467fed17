/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The one exit: count, tell the daemon and the sender of drops, or hand over with metadata. XDP only. */
#ifndef SP_BPF_STAGE_FINISH_H
#define SP_BPF_STAGE_FINISH_H

#include "answer.h"
#include "context.h"

#include "sallyport/core/pace.h"

/* This CPU's lanes have no other writer: NAPI polls with softirqs off. */
SP_INLINE void sp_finish_count(const struct sp_xdp *x, __u32 lane)
{
	__u32 index = lane * SP_DROP_STRIDE + x->direction * (SP_DROP_STRIDE / 4) + x->reason;
	struct sp_drop_cell *cell = bpf_map_lookup_elem(&sp_drop_lanes, &index);

	if (!cell)
		return;
	cell->packets++;
	cell->bytes += x->ctx->data_end - x->ctx->data;
	cell->last_ns = x->now_ns;
}

SP_INLINE void sp_finish_describe(const struct sp_xdp *x, struct sp_drop_event *event)
{
	const struct sp_packet *p = &x->packet;

	event->at_ns = x->now_ns;
	event->src = p->src;
	event->dst = p->dst;
	event->user_id = x->meta.user_id;
	event->peer_id = x->meta.peer_id;
	event->rule_id = x->meta.rule_id;
	event->hit_id = x->hit_id;
	event->ifindex = x->ctx->ingress_ifindex;
	event->bytes = x->ctx->data_end - x->ctx->data;
	event->sport_be = p->sport_be;
	event->dport_be = p->dport_be;
	event->icmp = p->icmp;
	event->reason = (__u8)x->reason;
	event->direction = (__u8)x->direction;
	event->proto = p->proto;
	event->tcp_flags = p->tcp_flags;
	event->tunnelled = 0;
	__builtin_memset(event->pad, 0, sizeof(event->pad));
}

/* The daemon is not woken: it looks by its own clock. */
SP_INLINE void sp_finish_tell(const struct sp_xdp *x, __u32 lane)
{
	__u32 zero = 0;
	__u32 index =
		lane * SP_PACE_STRIDE + sp_pace_cell(x->reason, x->meta.user_id, &x->packet.src);
	const struct sp_gateway *gateway = bpf_map_lookup_elem(&sp_gateway, &zero);
	struct sp_drop_pace *pace;
	struct sp_drop_event *event;

	if (!gateway || !gateway->event_cost_ns)
		return;
	pace = bpf_map_lookup_elem(&sp_drop_paces, &index);
	if (!pace || !sp_pace_take(pace, x->now_ns, gateway->event_cost_ns))
		return;
	event = bpf_ringbuf_reserve(&sp_drop_events, sizeof(*event), 0);
	if (!event) {
		sp_pace_lose(pace);
		return;
	}
	sp_finish_describe(x, event);
	event->generation = gateway->generation;
	event->waited = pace->waiting;
	pace->waiting = 0;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

SP_INLINE void sp_finish_drop(const struct sp_xdp *x)
{
	__u32 lane = bpf_get_smp_processor_id();

	sp_finish_count(x, lane);
	sp_finish_tell(x, lane);
}

/* XDP_DROP for the reason in x. */
SP_INLINE int sp_finish_worker(struct sp_xdp *x)
{
	__u32 queue = x->ctx->rx_queue_index;
	struct sp_meta *meta;
	__u32 index;

	x->reason = SP_R_NO_WORKER;
	/* A queue beyond the interface's share would reach another interface's sockets. */
	if (!x->iface || queue >= x->iface->queues)
		return XDP_DROP;
	index = x->iface->xsk_base + queue;
	if (!bpf_map_lookup_elem(&sp_xsks, &index))
		return XDP_DROP;
	if (bpf_xdp_adjust_meta(x->ctx, -(int)sizeof(*meta)))
		return XDP_DROP;
	meta = (void *)(long)x->ctx->data_meta;
	if ((void *)(meta + 1) > sp_data(x))
		return XDP_DROP;
	x->meta.magic = SP_META_MAGIC;
	x->meta.l3_off = x->packet.l3_off;
	x->meta.ifindex = x->ctx->ingress_ifindex;
	*meta = x->meta;
	return bpf_redirect_map(&sp_xsks, index, XDP_DROP);
}

SP_INLINE void sp_finish_forward(const struct sp_xdp *x)
{
	__u32 index = bpf_get_smp_processor_id() * SP_FORWARD_STRIDE + SP_FLOW_PLAIN * 2 +
		      (x->direction == SP_DIR_DOWN);
	struct sp_forward_cell *cell = bpf_map_lookup_elem(&sp_forward_lanes, &index);

	if (!cell)
		return;
	cell->packets++;
	cell->bytes += x->packet.l3_bytes;
}

SP_INLINE int sp_finish_redirect(struct sp_xdp *x)
{
	__u32 slot = x->out_slot;

	x->reason = SP_R_REDIRECT_FAILED;
	if (!bpf_map_lookup_elem(&sp_devs, &slot))
		return XDP_DROP;
	sp_finish_forward(x);
	return bpf_redirect_map(&sp_devs, slot, XDP_DROP);
}

SP_INLINE int sp_finish(struct sp_xdp *x, enum sp_verdict v)
{
	int action = XDP_DROP;

	if (v == SP_V_PASS)
		return XDP_PASS;
	if (v == SP_V_WORKER)
		action = sp_finish_worker(x);
	else if (v == SP_V_REDIRECT)
		action = sp_finish_redirect(x);
	if (action != XDP_DROP)
		return action;
	sp_finish_drop(x);
	return sp_answer(x);
}

#endif
