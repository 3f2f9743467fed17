/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/frames.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_BYTES (2ul << 20)

static void *map_area(size_t bytes)
{
	void *area;

	area = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	if (area == MAP_FAILED)
		area = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	return area == MAP_FAILED ? NULL : area;
}

int sp_frames_init(struct sp_frames *frames, uint32_t count)
{
	size_t bytes = ((size_t)count * SP_FRAME_BYTES + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
	uint32_t *stack = calloc(count ? count : 1, sizeof(*stack));
	uint8_t *area = map_area(bytes);

	if (!area || !stack) {
		if (area)
			munmap(area, bytes);
		free(stack);
		return -ENOMEM;
	}
	*frames = (struct sp_frames){area, bytes, count, 0, stack};
	sp_frames_reset(frames);
	return 0;
}

void sp_frames_reset(struct sp_frames *frames)
{
	for (uint32_t i = 0; i < frames->count; i++)
		frames->free[i] = frames->count - 1 - i;
	frames->free_count = frames->count;
}

void sp_frames_fini(struct sp_frames *frames)
{
	if (frames->area)
		munmap(frames->area, frames->area_bytes);
	free(frames->free);
	*frames = (struct sp_frames){0};
}
