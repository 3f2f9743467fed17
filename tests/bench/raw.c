/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limit of AF_XDP in this place: frames in by one device, out by another, their link addresses
 * changed and nothing else. Arguments: device in, device out. Runs until it is told to end.
 */
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <xdp/xsk.h>

#include "bench/inject.h"
#include "bench/measure.h"
#include "bench/wire.h"

#include "bench/inject.skel.h"

#define FRAMES	    8192
#define FRAME_BYTES 4096
#define RING	    2048
#define FILL	    1024
#define BATCH	    64
#define SPINS	    64 /* as the gateway's */

struct raw {
	struct xsk_umem *umem;
	struct xsk_socket *in, *out;
	struct xsk_ring_prod fill, unused_fill, tx, unused_tx;
	struct xsk_ring_cons comp, unused_comp, rx, unused_rx;
	uint8_t *area;
	uint64_t free[FRAMES];
	uint32_t free_count, filled;
};

static volatile sig_atomic_t is_ended;

static void on_signal(int signal)
{
	is_ended = 1;
}

static void open_sockets(struct raw *r, const char *in, const char *out)
{
	const struct xsk_umem_config area = {
		.fill_size = RING, .comp_size = RING, .frame_size = FRAME_BYTES};
	const struct xsk_socket_config config = {.rx_size = RING,
						 .tx_size = RING,
						 .libxdp_flags =
							 XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
						 .bind_flags = XDP_USE_NEED_WAKEUP};

	r->area = aligned_alloc(4096, (size_t)FRAMES * FRAME_BYTES);
	MUST(r->area);
	MUST(xsk_umem__create(&r->umem, r->area, (uint64_t)FRAMES * FRAME_BYTES, &r->fill, &r->comp,
			      &area) == 0);
	MUST(xsk_socket__create_shared(&r->in, in, 0, r->umem, &r->rx, &r->unused_tx, &r->fill,
				       &r->unused_comp, &config) == 0);
	MUST(xsk_socket__create_shared(&r->out, out, 0, r->umem, &r->unused_rx, &r->tx,
				       &r->unused_fill, &r->comp, &config) == 0);
	for (uint32_t i = 0; i < FRAMES; i++)
		r->free[r->free_count++] = (uint64_t)i * FRAME_BYTES;
}

static struct inject_bpf *attach(const struct raw *r, const char *in)
{
	struct inject_bpf *bpf = inject_bpf__open();
	uint32_t zero = 0;
	int fd = xsk_socket__fd(r->in);

	MUST(bpf && inject_bpf__load(bpf) == 0);
	MUST(bpf_map_update_elem(bpf_map__fd(bpf->maps.xsks), &zero, &fd, 0) == 0);
	MUST(bpf_xdp_attach((int)if_nametoindex(in), bpf_program__fd(bpf->progs.to_socket), 0,
			    NULL) == 0);
	return bpf;
}

static void refill(struct raw *r)
{
	uint32_t n = FILL - r->filled, at;

	n = n < r->free_count ? n : r->free_count;
	if (!n || xsk_ring_prod__reserve(&r->fill, n, &at) != n)
		return;
	for (uint32_t i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&r->fill, at + i) = r->free[--r->free_count];
	xsk_ring_prod__submit(&r->fill, n);
	r->filled += n;
}

static bool has_unsent(const struct raw *r)
{
	return __atomic_load_n(r->tx.consumer, __ATOMIC_ACQUIRE) != *r->tx.producer;
}

static uint32_t forward(struct raw *r)
{
	uint32_t from, to, n = xsk_ring_cons__peek(&r->rx, BATCH, &from);
	bool has_room = n && xsk_ring_prod__reserve(&r->tx, n, &to) == n;

	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&r->rx, from + i);
		uint8_t *frame = xsk_umem__get_data(r->area, d->addr);

		if (!has_room) {
			r->free[r->free_count++] = d->addr & ~(uint64_t)(FRAME_BYTES - 1);
			continue;
		}
		memcpy(frame, wire_mac_o0, 6);
		memcpy(frame + 6, wire_mac_out, 6);
		*xsk_ring_prod__tx_desc(&r->tx, to + i) = *d;
	}
	if (has_room)
		xsk_ring_prod__submit(&r->tx, n);
	xsk_ring_cons__release(&r->rx, n);
	r->filled -= n;
	/* In copy mode a call sends 32 frames. */
	for (int i = 0; i < 3 && has_unsent(r); i++)
		sendto(xsk_socket__fd(r->out), NULL, 0, MSG_DONTWAIT, NULL, 0);
	return n;
}

static void reap(struct raw *r)
{
	uint32_t at, n = xsk_ring_cons__peek(&r->comp, RING, &at);

	for (uint32_t i = 0; i < n; i++)
		r->free[r->free_count++] =
			*xsk_ring_cons__comp_addr(&r->comp, at + i) & ~(uint64_t)(FRAME_BYTES - 1);
	if (n)
		xsk_ring_cons__release(&r->comp, n);
}

int main(int argc, char **argv)
{
	static struct raw r;
	struct inject_bpf *bpf;
	struct pollfd in = {.events = POLLIN};
	unsigned int idle = 0;

	MUST(argc == 3);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	open_sockets(&r, argv[1], argv[2]);
	bpf = attach(&r, argv[1]);
	in.fd = xsk_socket__fd(r.in);
	puts("ready");
	fflush(stdout);
	while (!is_ended) {
		refill(&r);
		idle = forward(&r) ? 0 : idle + 1;
		reap(&r);
		if (idle > SPINS) {
			poll(&in, 1, 100);
			idle = 0;
		}
	}
	bpf_xdp_detach((int)if_nametoindex(argv[1]), 0, NULL);
	inject_bpf__destroy(bpf);
	return 0;
}
