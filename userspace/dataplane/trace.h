/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that nobody sent, through the stages in the kernel, without effect (docs/trace.md). Daemon thread. */
#ifndef SP_DATAPLANE_TRACE_H
#define SP_DATAPLANE_TRACE_H

#include "dataplane/dataplane.h"
#include "sallyport/abi/trace.h"

/* What a packet is made from; ICMP has its identifier in sport_be. */
struct sp_trace_packet {
	struct sp_addr src, dst;
	__be16 sport_be, dport_be;
	uint16_t icmp;	 /* type << 8 | code, of ICMP and ICMPv6 */
	uint8_t proto;	 /* IPPROTO_*; TCP begins a connection */
	uint8_t dmac[6]; /* of the interface that it comes in by */
};

/* Is there a program to ask? Not when this kernel refused it, which the log says. */
bool sp_dataplane_can_trace(const struct sp_dataplane *dp);
/*
 * Ask about one packet. asked: the part of that name, magic excepted; ret_said: all of it. ifindex:
 * where it comes in, of SP_TRACE_WIRE. 0, -EOPNOTSUPP, or what BPF_PROG_RUN failed with.
 */
int sp_dataplane_trace(struct sp_dataplane *dp, uint32_t ifindex, const struct sp_trace *asked,
		       const struct sp_trace_packet *packet, struct sp_trace *ret_said);
/* The same with a frame as it would arrive, at most SP_TRACE_FRAME_MAX bytes of it. */
#define SP_TRACE_FRAME_MAX 2048
int sp_dataplane_trace_frame(struct sp_dataplane *dp, uint32_t ifindex,
			     const struct sp_trace *asked, const void *frame, uint32_t bytes,
			     struct sp_trace *ret_said);

#endif
