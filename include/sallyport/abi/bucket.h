/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Token buckets shared by XDP and the workers (sp_buckets, mmap-able). See core/bucket.h. */
#ifndef SALLYPORT_ABI_BUCKET_H
#define SALLYPORT_ABI_BUCKET_H

#include "sallyport/abi/base.h"

/*
 * A bucket as one word of time (GCRA, ITU-T I.371): tat_ns is when the bucket would be full
 * again. Taking n bytes moves it on by n * cost; the packet conforms while it stays within
 * burst_ns of now. One compare-and-swap, no lock.
 */
struct sp_bucket {
	__u64 tat_ns;
	__u64 cost_q16; /* nanoseconds a byte, 48.16 fixed point; 0 = unlimited */
	__u64 burst_ns;
	__u64 passed_bytes;
	__u64 dropped_packets;
	__u64 dropped_bytes;
	__u64 rate_bps; /* what was configured, for the reader of a dump */
	__u64 pad;
};
SP_ABI_SIZE(struct sp_bucket, 64);

#endif
