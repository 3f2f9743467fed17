/* SPDX-License-Identifier: Apache-2.0 */
/* An AF_XDP socket on one queue of one interface, its frames the worker's. Its worker's thread. */
#ifndef SP_ENGINE_XSK_H
#define SP_ENGINE_XSK_H

#include <xdp/xsk.h>

#include "engine/worker.h"

/* All sockets of a worker share its frames. */
struct sp_xsk_area {
	struct xsk_umem *umem;
	struct xsk_ring_prod fill; /* libxdp hands these to the first socket */
	struct xsk_ring_cons comp;
};
int sp_xsk_area_open(struct sp_frames *frames, struct sp_xsk_area *ret_area);
void sp_xsk_area_close(struct sp_xsk_area *area); /* after its sockets */

struct sp_xsk {
	struct xsk_socket *socket;
	struct xsk_ring_cons rx, comp;
	struct xsk_ring_prod tx, fill;
	struct sp_frames *frames;
	uint32_t slot;
	uint32_t map_index;	      /* in sp_xsks */
	uint32_t fill_target, filled; /* frames the device has to receive into */
	uint32_t queued, completed;   /* frames for sending, counted without end */
	bool is_zero_copy;
};

struct sp_xsk_config {
	struct sp_xsk_area *area;
	struct sp_frames *frames;
	const struct sp_engine_iface *iface;
	uint32_t queue;
	uint32_t fill_target;
	bool force_copy;
};
/* -EBUSY only after two seconds: a socket that was just closed leaves its queue late. */
int sp_xsk_open(const struct sp_xsk_config *config, struct sp_xsk *ret_xsk);
void sp_xsk_close(struct sp_xsk *xsk);

/* What has arrived, at most max items. */
unsigned int sp_xsk_receive(struct sp_xsk *xsk, struct sp_item *items, unsigned int max);
void sp_xsk_refill(struct sp_xsk *xsk);

/* Transmit back end over the sockets of a worker, one for each slot. */
struct sp_transmit_xdp {
	struct sp_transmit base;
	struct sp_xsk *by_slot[SP_IFACE_MAX];
};
void sp_transmit_xdp_init(struct sp_transmit_xdp *transmit, struct sp_xsk *xsks, uint32_t count);

#endif
