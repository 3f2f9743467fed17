/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The one exit: count the drop and answer it, or put the metadata in front and hand over. XDP only. */
#ifndef SP_BPF_STAGE_FINISH_H
#define SP_BPF_STAGE_FINISH_H

#include "answer.h"
#include "context.h"

/* This CPU's lane has no other writer: NAPI polls with softirqs off. */
SP_INLINE int sp_finish_drop(const struct sp_xdp *x)
{
	__u32 index = bpf_get_smp_processor_id() * SP_DROP_STRIDE +
		      x->direction * (SP_DROP_STRIDE / 4) + x->reason;
	struct sp_drop_cell *cell = bpf_map_lookup_elem(&sp_drop_lanes, &index);

	if (cell) {
		cell->packets++;
		cell->bytes += x->ctx->data_end - x->ctx->data;
		cell->last_ns = x->now_ns;
	}
	return XDP_DROP;
}

SP_INLINE int sp_finish_worker(struct sp_xdp *x)
{
	__u32 queue = x->ctx->rx_queue_index;
	struct sp_meta *meta;
	__u32 index;

	x->reason = SP_R_NO_WORKER;
	/* A queue beyond the interface's share would reach another interface's sockets. */
	if (!x->iface || queue >= x->iface->queues)
		return sp_finish_drop(x);
	index = x->iface->xsk_base + queue;
	if (!bpf_map_lookup_elem(&sp_xsks, &index))
		return sp_finish_drop(x);
	if (bpf_xdp_adjust_meta(x->ctx, -(int)sizeof(*meta)))
		return sp_finish_drop(x);
	meta = (void *)(long)x->ctx->data_meta;
	if ((void *)(meta + 1) > sp_data(x))
		return sp_finish_drop(x);
	x->meta.magic = SP_META_MAGIC;
	x->meta.l3_off = x->packet.l3_off;
	x->meta.ifindex = x->ctx->ingress_ifindex;
	*meta = x->meta;
	return bpf_redirect_map(&sp_xsks, index, XDP_DROP);
}

SP_INLINE int sp_finish_redirect(struct sp_xdp *x)
{
	__u32 slot = x->out_slot;

	x->reason = SP_R_REDIRECT_FAILED;
	if (!bpf_map_lookup_elem(&sp_devs, &slot))
		return sp_finish_drop(x);
	return bpf_redirect_map(&sp_devs, slot, XDP_DROP);
}

/*
 * Counted as it came, then, where its sender is to be told, turned round as the answer. By redirect:
 * a veth does not wake its far end for XDP_TX when no program stands there.
 */
SP_INLINE int sp_finish_refused(struct sp_xdp *x)
{
	int action = sp_finish_drop(x);

	if (x->answer == SP_NOTICE_NONE || !x->iface || !sp_answer(x))
		return action;
	return bpf_redirect_map(&sp_devs, x->iface->slot, XDP_DROP);
}

SP_INLINE int sp_finish(struct sp_xdp *x, enum sp_verdict v)
{
	switch (v) {
	case SP_V_PASS:
		return XDP_PASS;
	case SP_V_WORKER:
		return sp_finish_worker(x);
	case SP_V_REDIRECT:
		return sp_finish_redirect(x);
	default:
		return sp_finish_refused(x);
	}
}

#endif
