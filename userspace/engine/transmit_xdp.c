/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/socket.h>

#include "engine/xsk.h"

/* In copy mode one system call sends 32 frames, so a batch of 64 and its answers take three. */
#define KICKS_MAX 6

static struct sp_transmit_xdp *self(struct sp_transmit *transmit)
{
	return (struct sp_transmit_xdp *)transmit;
}

static bool queue(struct sp_transmit *transmit, const struct sp_tx *tx)
{
	struct sp_xsk *x = tx->slot < SP_IFACE_MAX ? self(transmit)->by_slot[tx->slot] : NULL;
	struct xdp_desc *desc;
	uint32_t at;

	if (!x || xsk_ring_prod__reserve(&x->tx, 1, &at) != 1)
		return false;
	desc = xsk_ring_prod__tx_desc(&x->tx, at);
	*desc = (struct xdp_desc){.addr = (uint64_t)(tx->data - x->frames->area), .len = tx->bytes};
	sp_tx_finish(tx);
	xsk_ring_prod__submit(&x->tx, 1);
	x->queued++;
	return true;
}

static bool has_unsent(const struct sp_xsk *x)
{
	return __atomic_load_n(x->tx.consumer, __ATOMIC_ACQUIRE) != *x->tx.producer;
}

static void kick(struct sp_xsk *x)
{
	for (int i = 0; i < KICKS_MAX && has_unsent(x); i++) {
		if (!xsk_ring_prod__needs_wakeup(&x->tx))
			return;
		if (sendto(xsk_socket__fd(x->socket), NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 &&
		    errno != EAGAIN)
			return; /* what stays in the ring is tried again with the next batch */
	}
}

static void flush(struct sp_transmit *transmit)
{
	for (uint32_t slot = 0; slot < SP_IFACE_MAX; slot++) {
		if (self(transmit)->by_slot[slot])
			kick(self(transmit)->by_slot[slot]);
	}
}

static void reap(struct sp_transmit *transmit)
{
	for (uint32_t slot = 0; slot < SP_IFACE_MAX; slot++) {
		struct sp_xsk *x = self(transmit)->by_slot[slot];
		uint32_t at, n;

		if (!x)
			continue;
		n = xsk_ring_cons__peek(&x->comp, x->comp.size, &at);
		for (uint32_t i = 0; i < n; i++)
			sp_frame_put(x->frames,
				     x->frames->area + *xsk_ring_cons__comp_addr(&x->comp, at + i));
		if (n)
			xsk_ring_cons__release(&x->comp, n);
		x->completed += n;
	}
}

static const char *name(const struct sp_transmit *transmit)
{
	const struct sp_transmit_xdp *xdp = (const struct sp_transmit_xdp *)transmit;
	bool copy = false, zero_copy = false;

	for (uint32_t slot = 0; slot < SP_IFACE_MAX; slot++) {
		if (xdp->by_slot[slot] && xdp->by_slot[slot]->is_zero_copy)
			zero_copy = true;
		else if (xdp->by_slot[slot])
			copy = true;
	}
	if (copy && zero_copy)
		return "af_xdp mixed";
	return zero_copy ? "af_xdp zero-copy" : "af_xdp copy";
}

static const struct sp_transmit_ops transmit_xdp = {
	.queue = queue, .flush = flush, .reap = reap, .name = name};

void sp_transmit_xdp_init(struct sp_transmit_xdp *transmit, struct sp_xsk *xsks, uint32_t count)
{
	*transmit = (struct sp_transmit_xdp){.base = {.ops = &transmit_xdp}};
	/* The first queue of an interface that the worker serves is the one it sends on. */
	for (uint32_t i = 0; i < count; i++) {
		if (!transmit->by_slot[xsks[i].slot])
			transmit->by_slot[xsks[i].slot] = &xsks[i];
	}
}
