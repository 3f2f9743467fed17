/* SPDX-License-Identifier: Apache-2.0 */
/* Transmit back end: bursts of a flow as one buffer, single frames by AF_XDP. Its worker's thread. */
#ifndef SP_ENGINE_TRANSMIT_GSO_H
#define SP_ENGINE_TRANSMIT_GSO_H

#include "engine/offload.h"
#include "engine/xsk.h"

#define SP_GSO_FLOWS 1024 /* hashes of flows whose way is remembered */

struct sp_gso_flow {
	uint32_t buffer_ms; /* when one left as a buffer, 0 = never */
	uint32_t single;    /* number of the last frame by AF_XDP, in its socket's count */
};

/*
 * A flow never has frames under way in two ways: it goes over to buffers when its AF_XDP frames are
 * completed, and back after SP_GSO_STAY_NS without one.
 */
struct sp_transmit_gso {
	struct sp_transmit base;
	struct sp_transmit_xdp *xdp; /* frames alone, and devices without offload */
	struct sp_frames *frames;
	struct sp_offload offload[SP_IFACE_MAX];
	struct sp_gso_flow flows[SP_IFACE_MAX][SP_GSO_FLOWS];
	struct sp_tx waiting[SP_BURST_FRAMES];
	uint32_t waiting_count;
	struct sp_bursts bursts;
	struct mmsghdr messages[SP_BURST_FRAMES];
	struct iovec parts[3 * SP_BURST_FRAMES];
	struct sp_offload_head heads[SP_BURST_FRAMES];
	uint16_t message_burst[SP_BURST_FRAMES];
	int message_fd[SP_BURST_FRAMES];
	uint32_t message_count, part_count;
	uint64_t in_buffers; /* frames that left with others in one */
	char text[48];
};

/*
 * For the slots of ifaces that can and, unless forced, whose sockets are not zero-copy. 0 or
 * -ENOTSUP: no device has anything to offer, use xdp alone. xdp and frames outlive it.
 */
int sp_transmit_gso_open(struct sp_transmit_gso *gso, struct sp_transmit_xdp *xdp,
			 struct sp_worker *worker, bool is_forced);
void sp_transmit_gso_close(struct sp_transmit_gso *gso);

#endif
