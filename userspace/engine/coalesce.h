/* SPDX-License-Identifier: Apache-2.0 */
/* Which frames of a batch may leave as one buffer that the device cuts again. Its worker's thread. */
#ifndef SP_ENGINE_COALESCE_H
#define SP_ENGINE_COALESCE_H

#include "engine/transmit.h"

#define SP_BURST_FRAMES 256 /* of one batch, answers and the TUN device's included */
#define SP_BURST_MAX	64  /* segments of one buffer: UDP_MAX_SEGMENTS before Linux 6.9 */

enum sp_burst_kind {
	SP_BURST_OTHER = 0, /* neither TCP nor UDP */
	SP_BURST_TCP4,
	SP_BURST_TCP6,
	SP_BURST_UDP4,
	SP_BURST_UDP6,
	SP_BURST_KINDS,
};

/* What coalescing wants to know of one frame. */
struct sp_burst_frame {
	enum sp_burst_kind kind;
	uint16_t l4_off, payload_off;
	uint32_t payload_bytes;
	uint32_t hash; /* of its flow */
	bool is_alone; /* SYN, RST and the like: it keeps its place in its flow, but joins nobody */
};

/*
 * Frames of one flow that a device, cutting the buffer, would send exactly as they are: same
 * headers but for lengths, checksums, the IPv4 identifier (which counts up) and TCP's sequence
 * number (which goes on); equal payloads but for a shorter last one.
 */
struct sp_burst {
	struct sp_burst_frame head; /* of the first frame */
	uint32_t slot;
	uint32_t count;
	uint32_t payload_bytes; /* of all frames */
	uint16_t first, last;	/* frames, chained by sp_bursts.next */
	bool is_closed;
	bool is_verified; /* the first frame's checksum is right, so that cutting keeps it */
};

struct sp_bursts {
	const struct sp_tx *frames;
	uint32_t count; /* in order: of one flow none overtakes another */
	struct sp_burst list[SP_BURST_FRAMES];
	uint16_t next[SP_BURST_FRAMES];
	uint16_t table[SP_BURST_FRAMES]; /* newest burst of a flow's hash and 1; 0 = none */
};

/* frames[0 .. n), at most SP_BURST_FRAMES, stay the caller's. */
void sp_bursts_make(struct sp_bursts *bursts, const struct sp_tx *frames, uint32_t n);

#endif
