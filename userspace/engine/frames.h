/* SPDX-License-Identifier: Apache-2.0 */
/* The packet buffers of one worker: one area, a stack of what is free. Its worker's thread. */
#ifndef SP_ENGINE_FRAMES_H
#define SP_ENGINE_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#define SP_FRAME_BYTES	  4096
#define SP_FRAME_HEADROOM 256 /* what XDP leaves in front of a packet; ours where we make one */

struct sp_frames {
	uint8_t *area; /* aligned to SP_FRAME_BYTES */
	size_t area_bytes;
	uint32_t count;
	uint32_t free_count;
	uint32_t *free; /* numbers of frames */
};

/* 0 or -ENOMEM. Huge pages when the system has some to give. */
int sp_frames_init(struct sp_frames *frames, uint32_t count);
/* Every frame is free again: whatever held some is closed. */
void sp_frames_reset(struct sp_frames *frames);
void sp_frames_fini(struct sp_frames *frames);

/* The start of a free frame, or NULL. */
static inline uint8_t *sp_frame_get(struct sp_frames *frames)
{
	if (!frames->free_count)
		return NULL;
	return frames->area + (size_t)frames->free[--frames->free_count] * SP_FRAME_BYTES;
}

/* p: any byte of the frame. */
static inline void sp_frame_put(struct sp_frames *frames, const uint8_t *p)
{
	frames->free[frames->free_count++] =
		(uint32_t)((size_t)(p - frames->area) / SP_FRAME_BYTES);
}

/* Bytes of the frame in front of p, and from p on. */
static inline uint32_t sp_frame_headroom(const struct sp_frames *frames, const uint8_t *p)
{
	return (uint32_t)((size_t)(p - frames->area) % SP_FRAME_BYTES);
}

static inline uint32_t sp_frame_room(const struct sp_frames *frames, const uint8_t *p)
{
	return SP_FRAME_BYTES - sp_frame_headroom(frames, p);
}

#endif
