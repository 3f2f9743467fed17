/* SPDX-License-Identifier: Apache-2.0 */
/* What the generator's BPF programs and the generator share. Any thread. */
#ifndef SP_TESTS_BENCH_INJECT_H
#define SP_TESTS_BENCH_INJECT_H

#include <linux/types.h>

#define INJECT_FRAME_MAX    1528
#define INJECT_SAMPLE_SHIFT 12 /* a sample every 4096 packets */
#define INJECT_SAMPLES	    4096

/* Workloads of the way "flows": sources, and the first source and destination. */
#define INJECT_SOURCE_BITS 14
#define INJECT_SOURCES	   (1 << INJECT_SOURCE_BITS)
#define INJECT_SOURCE	   0x0a800000u /* 10.128.0.0 */
#define INJECT_DESTINATION \
	0xcb007100u /* 203.0.113.0 and on; nothing leaves the bench's namespaces */

struct inject_slot {
	__u32 bytes;
	__u32 pad;
	__u8 frame[INJECT_FRAME_MAX];
};
_Static_assert(sizeof(struct inject_slot) == 1536, "a map's value");

struct inject_sample {
	__u64 now_ns;
	__u64 delivered;
};

#endif
