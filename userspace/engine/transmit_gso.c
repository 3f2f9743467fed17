/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/transmit_gso.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define STAY_MS 10 /* after a buffer a flow's single frames follow it, so long */

static struct sp_transmit_gso *self(struct sp_transmit *transmit)
{
	return (struct sp_transmit_gso *)transmit;
}

static bool queue(struct sp_transmit *transmit, const struct sp_tx *tx)
{
	struct sp_transmit_gso *g = self(transmit);

	if (tx->slot >= SP_IFACE_MAX || g->offload[tx->slot].direct_fd < 0)
		return g->xdp->base.ops->queue(&g->xdp->base, tx);
	if (g->waiting_count == SP_BURST_FRAMES)
		return false;
	g->waiting[g->waiting_count++] = *tx;
	return true;
}

static void give_up(struct sp_transmit_gso *g, const struct sp_tx *tx)
{
	sp_frame_put(g->frames, tx->data);
	g->base.lost++;
}

static void send_singles(struct sp_transmit_gso *g, const struct sp_burst *b,
			 struct sp_gso_flow *flow)
{
	uint16_t i = b->first;

	for (uint32_t n = 0; n < b->count; n++, i = g->bursts.next[i]) {
		if (!g->xdp->base.ops->queue(&g->xdp->base, &g->waiting[i]))
			give_up(g, &g->waiting[i]);
	}
	flow->single = g->xdp->by_slot[b->slot]->queued;
}

static bool has_singles_under_way(const struct sp_transmit_gso *g, uint32_t slot,
				  const struct sp_gso_flow *flow)
{
	return (int32_t)(g->xdp->by_slot[slot]->completed - flow->single) < 0;
}

/* Enough segments to be worth it, or a flow that has just left so; and nothing to overtake. */
static bool is_buffer(struct sp_transmit_gso *g, const struct sp_burst *b,
		      const struct sp_gso_flow *flow, uint32_t now_ms)
{
	const struct sp_offload *offload = &g->offload[b->slot];
	struct sp_transmit *xdp = &g->xdp->base;

	if (!offload->is_usable[b->head.kind] ||
	    (b->count < offload->least[b->head.kind] &&
	     (!flow->buffer_ms || now_ms - flow->buffer_ms > STAY_MS)))
		return false;
	if (has_singles_under_way(g, b->slot, flow)) {
		xdp->ops->flush(xdp);
		xdp->ops->reap(xdp);
	}
	return !has_singles_under_way(g, b->slot, flow);
}

static void add_message(struct sp_transmit_gso *g, uint16_t number)
{
	const struct sp_burst *b = &g->bursts.list[number];
	struct sp_offload_head *head = &g->heads[g->message_count];
	struct iovec *parts = &g->parts[g->part_count];
	uint16_t i = b->first;

	sp_offload_head(&g->bursts, b, head);
	g->parts[g->part_count++] = (struct iovec){&head->vnet, sizeof(head->vnet)};
	g->parts[g->part_count++] = (struct iovec){head->bytes, b->head.payload_off};
	for (uint32_t n = 0; n < b->count; n++, i = g->bursts.next[i]) {
		const struct sp_tx *tx = &g->waiting[i];

		g->parts[g->part_count++] = (struct iovec){tx->data + b->head.payload_off,
							   tx->bytes - b->head.payload_off};
	}
	g->in_buffers += b->count > 1 ? b->count : 0;
	g->message_burst[g->message_count] = number;
	g->message_fd[g->message_count] = sp_offload_fd(&g->offload[b->slot], b);
	g->messages[g->message_count++] = (struct mmsghdr){
		.msg_hdr = {.msg_iov = parts,
			    .msg_iovlen = (size_t)(&g->parts[g->part_count] - parts)}};
}

/* The kernel has its copy. */
static void free_burst(struct sp_transmit_gso *g, const struct sp_burst *b)
{
	uint16_t i = b->first;

	for (uint32_t n = 0; n < b->count; n++, i = g->bursts.next[i])
		sp_frame_put(g->frames, g->waiting[i].data);
}

static struct sp_gso_flow *flow_of(struct sp_transmit_gso *g, const struct sp_burst *b)
{
	return &g->flows[b->slot][b->head.hash % SP_GSO_FLOWS];
}

/* Full: the frames are lost, as in a full ring. Without its offload: they leave one by one. */
static void on_refused(struct sp_transmit_gso *g, const struct sp_burst *b, int error)
{
	uint16_t i = b->first;

	if (sp_offload_is_lost(&g->offload[b->slot], b->head.kind, error)) {
		sp_warning("engine: failed to send %u segments as one buffer: %s; one by one now",
			   b->count, strerror(error));
		send_singles(g, b, flow_of(g, b));
		return;
	}
	for (uint32_t n = 0; n < b->count; n++, i = g->bursts.next[i])
		give_up(g, &g->waiting[i]);
}

static const struct sp_burst *burst_of(const struct sp_transmit_gso *g, uint32_t message)
{
	return &g->bursts.list[g->message_burst[message]];
}

static bool is_usable(const struct sp_transmit_gso *g, uint32_t message)
{
	const struct sp_burst *b = burst_of(g, message);

	return g->offload[b->slot].is_usable[b->head.kind];
}

static void send_messages(struct sp_transmit_gso *g)
{
	uint32_t at = 0, end;

	while (at < g->message_count) {
		int sent;

		/* What was refused a moment ago is not overtaken. */
		if (!is_usable(g, at)) {
			send_singles(g, burst_of(g, at), flow_of(g, burst_of(g, at)));
			at++;
			continue;
		}
		for (end = at + 1; end < g->message_count && is_usable(g, end) &&
				   g->message_fd[end] == g->message_fd[at];)
			end++;
		sent = sendmmsg(g->message_fd[at], &g->messages[at], end - at, MSG_DONTWAIT);
		if (sent <= 0) {
			on_refused(g, burst_of(g, at), errno);
			at++;
			continue;
		}
		for (; sent > 0; sent--)
			free_burst(g, burst_of(g, at++));
	}
	g->message_count = 0;
	g->part_count = 0;
}

static void flush(struct sp_transmit *transmit)
{
	struct sp_transmit_gso *g = self(transmit);
	uint32_t now_ms;

	if (g->waiting_count) {
		/* Never 0, which means never. */
		now_ms = (uint32_t)(sp_clock_now_ns() / SP_NS_PER_MS) | 1;
		sp_bursts_make(&g->bursts, g->waiting, g->waiting_count);
		for (uint32_t i = 0; i < g->bursts.count; i++) {
			const struct sp_burst *b = &g->bursts.list[i];
			struct sp_gso_flow *flow = flow_of(g, b);

			if (!is_buffer(g, b, flow, now_ms)) {
				send_singles(g, b, flow);
				continue;
			}
			flow->buffer_ms = now_ms;
			add_message(g, (uint16_t)i);
		}
		send_messages(g);
		g->waiting_count = 0;
	}
	g->xdp->base.ops->flush(&g->xdp->base);
	g->base.lost += g->xdp->base.lost;
	g->xdp->base.lost = 0;
}

static void reap(struct sp_transmit *transmit)
{
	struct sp_transmit_gso *g = self(transmit);

	g->xdp->base.ops->reap(&g->xdp->base);
}

static const char *name(const struct sp_transmit *transmit)
{
	return ((const struct sp_transmit_gso *)transmit)->text;
}

static const struct sp_transmit_ops transmit_gso = {
	.queue = queue, .flush = flush, .reap = reap, .name = name};

int sp_transmit_gso_open(struct sp_transmit_gso *g, struct sp_transmit_xdp *xdp,
			 struct sp_worker *w, bool is_forced)
{
	uint32_t usable = 0;

	memset(g, 0, sizeof(*g));
	g->base.ops = &transmit_gso;
	g->xdp = xdp;
	g->frames = &w->frames;
	for (uint32_t slot = 0; slot < SP_IFACE_MAX; slot++) {
		struct sp_offload *offload = &g->offload[slot];

		*offload = (struct sp_offload){.direct_fd = -1, .queued_fd = -1};
		if (!xdp->by_slot[slot] || (xdp->by_slot[slot]->is_zero_copy && !is_forced))
			continue;
		if (sp_offload_open(w->ifaces[slot].ifindex, is_forced, offload) == 0 &&
		    !sp_offload_is_any(offload))
			sp_offload_close(offload);
		usable += offload->direct_fd >= 0;
	}
	snprintf(g->text, sizeof(g->text), "gso, %s", xdp->base.ops->name(&xdp->base));
	return usable ? 0 : -ENOTSUP;
}

void sp_transmit_gso_close(struct sp_transmit_gso *g)
{
	for (uint32_t slot = 0; g->base.ops && slot < SP_IFACE_MAX; slot++)
		sp_offload_close(&g->offload[slot]);
	g->base.ops = NULL;
}
