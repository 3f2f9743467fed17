/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers of many segments into a device: a packet socket with a virtio header. Its worker's thread. */
#ifndef SP_ENGINE_OFFLOAD_H
#define SP_ENGINE_OFFLOAD_H

#include <sys/socket.h>

#include <linux/virtio_net.h>

#include "engine/coalesce.h"

#define SP_OFFLOAD_HEADER 128 /* Ethernet, IP and TCP with all options */

struct sp_offload {
	uint32_t ifindex;
	int direct_fd;		       /* past the queueing discipline; -1: closed */
	int queued_fd;		       /* through it: where the kernel must cut before the device */
	uint8_t least[SP_BURST_KINDS]; /* segments below which AF_XDP is cheaper */
	bool is_cut[SP_BURST_KINDS];   /* the device cuts this kind itself */
	bool is_usable[SP_BURST_KINDS]; /* this kind leaves as a buffer */
};

/*
 * is_forced: also the kinds that the kernel would have to cut. 0 with no kind usable is an answer,
 * too; -errno: no packet socket.
 */
int sp_offload_open(uint32_t ifindex, bool is_forced, struct sp_offload *ret_offload);
void sp_offload_close(struct sp_offload *offload);
/* A device refused this kind. True: for good, and the kind is no longer usable. */
bool sp_offload_is_lost(struct sp_offload *offload, enum sp_burst_kind kind, int error);
bool sp_offload_is_any(const struct sp_offload *offload);

/* The socket by which this burst leaves. */
static inline int sp_offload_fd(const struct sp_offload *offload, const struct sp_burst *burst)
{
	return offload->is_cut[burst->head.kind] ? offload->direct_fd : offload->queued_fd;
}

/* Headers of a buffer: those of its first frame, made to speak for all of them. */
struct sp_offload_head {
	struct virtio_net_hdr vnet;
	uint8_t bytes[SP_OFFLOAD_HEADER];
};
void sp_offload_head(const struct sp_bursts *bursts, const struct sp_burst *burst,
		     struct sp_offload_head *ret_head);

#endif
