/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/xsk.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define RING_ENTRIES 2048
#define BUSY_TRIES   100
#define BUSY_WAIT_US 20000

int sp_xsk_area_open(struct sp_frames *frames, struct sp_xsk_area *ret_area)
{
	const struct xsk_umem_config config = {
		.fill_size = RING_ENTRIES, .comp_size = RING_ENTRIES, .frame_size = SP_FRAME_BYTES};
	int rc = xsk_umem__create(&ret_area->umem, frames->area,
				  (uint64_t)frames->count * SP_FRAME_BYTES, &ret_area->fill,
				  &ret_area->comp, &config);

	if (rc) {
		ret_area->umem = NULL;
		sp_error("engine: failed to register %u packet buffers: %s", frames->count,
			 strerror(-rc));
	}
	return rc;
}

void sp_xsk_area_close(struct sp_xsk_area *area)
{
	if (area->umem && xsk_umem__delete(area->umem))
		sp_warning("engine: failed to release packet buffers: still in use");
	area->umem = NULL;
}

static bool is_zero_copy(struct xsk_socket *socket)
{
	struct xdp_options options = {0};
	socklen_t bytes = sizeof(options);

	return !getsockopt(xsk_socket__fd(socket), SOL_XDP, XDP_OPTIONS, &options, &bytes) &&
	       (options.flags & XDP_OPTIONS_ZEROCOPY);
}

int sp_xsk_open(const struct sp_xsk_config *config, struct sp_xsk *ret_xsk)
{
	const struct xsk_socket_config sock = {.rx_size = RING_ENTRIES,
					       .tx_size = RING_ENTRIES,
					       .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
					       .bind_flags = XDP_USE_NEED_WAKEUP |
							     (config->force_copy ? XDP_COPY : 0)};
	struct sp_xsk *x = ret_xsk;
	char name[IF_NAMESIZE];
	int rc = -EBUSY;

	*x = (struct sp_xsk){.frames = config->frames,
			     .slot = config->iface->iface.slot,
			     .map_index = config->iface->iface.xsk_base + config->queue,
			     .fill_target = config->fill_target};
	if (!if_indextoname(config->iface->ifindex, name))
		return -errno;
	for (int tries = 0; rc == -EBUSY && tries < BUSY_TRIES; tries++) {
		if (tries)
			usleep(BUSY_WAIT_US);
		rc = xsk_socket__create_shared(&x->socket, name, config->queue, config->area->umem,
					       &x->rx, &x->tx, &x->fill, &x->comp, &sock);
	}
	if (rc) {
		x->socket = NULL;
		sp_error("engine: failed to bind queue %u of %s: %s", config->queue, name,
			 strerror(-rc));
		return rc;
	}
	x->is_zero_copy = is_zero_copy(x->socket);
	sp_xsk_refill(x);
	return 0;
}

void sp_xsk_close(struct sp_xsk *xsk)
{
	if (xsk->socket)
		xsk_socket__delete(xsk->socket);
	xsk->socket = NULL;
}

unsigned int sp_xsk_receive(struct sp_xsk *xsk, struct sp_item *items, unsigned int max)
{
	uint32_t at = 0;
	uint32_t n = xsk_ring_cons__peek(&xsk->rx, max, &at);

	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&xsk->rx, at + i);

		items[i].data = xsk_umem__get_data(xsk->frames->area, desc->addr);
		items[i].bytes = desc->len;
		items[i].slot = xsk->slot;
	}
	if (n)
		xsk_ring_cons__release(&xsk->rx, n);
	xsk->filled -= n;
	return n;
}

void sp_xsk_refill(struct sp_xsk *xsk)
{
	uint32_t n = xsk->fill_target - xsk->filled;
	uint32_t at;

	if (n > xsk->frames->free_count)
		n = xsk->frames->free_count;
	if (n && xsk_ring_prod__reserve(&xsk->fill, n, &at) == n) {
		for (uint32_t i = 0; i < n; i++)
			*xsk_ring_prod__fill_addr(&xsk->fill, at + i) =
				(uint64_t)(sp_frame_get(xsk->frames) - xsk->frames->area);
		xsk_ring_prod__submit(&xsk->fill, n);
		xsk->filled += n;
	}
	if (n && xsk_ring_prod__needs_wakeup(&xsk->fill))
		recvfrom(xsk_socket__fd(xsk->socket), NULL, 0, MSG_DONTWAIT, NULL, NULL);
}
