/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 packets too long for their way, cut into fragments (RFC 791 3.2). Its worker's thread. */
#ifndef SP_ENGINE_SPLIT_H
#define SP_ENGINE_SPLIT_H

#include <errno.h>

#include "engine/frames.h"
#include "sallyport/core/packet.h"

#define SP_PIECES_MAX 8 /* of one packet: a frame's 3840 bytes through an MTU of 576 */

struct sp_piece {
	uint8_t *data; /* at its IP header */
	uint32_t bytes;
};

struct sp_pieces {
	unsigned int count;
	struct sp_piece list[SP_PIECES_MAX];
};

/* IPv4 without DF, and in at most SP_PIECES_MAX pieces. */
bool sp_split_may(const struct sp_packet *ip, uint32_t mtu);
/*
 * data: at its IP header, longer than mtu, and may be split. The first piece stays in its frame,
 * the others get frames of their own. -ENOBUFS: none is free; nothing has changed.
 */
int sp_split(struct sp_frames *frames, uint8_t *data, const struct sp_packet *ip, uint32_t mtu,
	     struct sp_pieces *ret_pieces);

#endif
