/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Token buckets: one word of time and a compare-and-swap. Any thread, and XDP, at once. */
#ifndef SALLYPORT_CORE_BUCKET_H
#define SALLYPORT_CORE_BUCKET_H

#include "sallyport/abi/bucket.h"
#include "sallyport/core/addr.h"

#define SP_BUCKET_TRIES		  4
#define SP_BUCKET_BURST_BYTES_MIN 3028 /* two full Ethernet frames: less would pass nothing */
#define SP_BUCKET_COST_MAX_Q16	  (1ull << 47) /* 4 bit/s: no product below can overflow */
#define SP_BUCKET_BURST_NS_MAX	  (1ull << 60) /* 36 years */

/* Time that bytes are worth, rounded; cost_q16 <= SP_BUCKET_COST_MAX_Q16. */
SP_INLINE __u64 sp_bucket_time_ns(__u64 cost_q16, __u32 bytes)
{
	return (cost_q16 >> 16) * bytes + (((cost_q16 & 0xffff) * bytes + 0x8000) >> 16);
}

/*
 * A rate of whole IP or tunnel packets in bits a second; 0 = unlimited. One writer. Counters and
 * the present fill stay: a new rate is not a gift.
 */
SP_INLINE void sp_bucket_set(struct sp_bucket *b, __u64 rate_bps, __u64 burst_bytes)
{
	__u64 cost_q16 = 0;
	__u64 burst_ns = 0;

	if (rate_bps) {
		cost_q16 = ((8000000000ull << 16) + rate_bps / 2) / rate_bps;
		if (cost_q16 > SP_BUCKET_COST_MAX_Q16)
			cost_q16 = SP_BUCKET_COST_MAX_Q16;
		if (cost_q16 == 0)
			cost_q16 = 1;
		if (burst_bytes < SP_BUCKET_BURST_BYTES_MIN)
			burst_bytes = SP_BUCKET_BURST_BYTES_MIN;
		if (burst_bytes > 0xffffffff)
			burst_bytes = 0xffffffff;
		burst_ns = sp_bucket_time_ns(cost_q16, (__u32)burst_bytes);
		if (burst_ns > SP_BUCKET_BURST_NS_MAX)
			burst_ns = SP_BUCKET_BURST_NS_MAX;
	}
	*(volatile __u64 *)&b->rate_bps = rate_bps;
	*(volatile __u64 *)&b->burst_ns = burst_ns;
	*(volatile __u64 *)&b->cost_q16 = cost_q16;
}

SP_INLINE void sp_bucket_count_drop(struct sp_bucket *b, __u32 bytes)
{
	__sync_fetch_and_add(&b->dropped_packets, 1);
	__sync_fetch_and_add(&b->dropped_bytes, bytes);
}

/* True: the packet conforms, its bytes are charged and counted. now_ns is CLOCK_MONOTONIC. */
SP_INLINE bool sp_bucket_take(struct sp_bucket *b, __u64 now_ns, __u32 bytes)
{
	__u64 cost_q16 = *(volatile __u64 *)&b->cost_q16;
	__u64 limit_ns = now_ns + *(volatile __u64 *)&b->burst_ns;
	__u64 charge_ns = sp_bucket_time_ns(cost_q16, bytes);
	__u64 tat_ns, was_ns, next_ns;
	__u32 i;

	if (cost_q16 == 0) {
		__sync_fetch_and_add(&b->passed_bytes, bytes);
		return true;
	}
	tat_ns = *(volatile __u64 *)&b->tat_ns;
	for (i = 0; i < SP_BUCKET_TRIES; i++) {
		next_ns = (tat_ns > now_ns ? tat_ns : now_ns) + charge_ns;
		if (next_ns > limit_ns) {
			sp_bucket_count_drop(b, bytes);
			return false;
		}
		was_ns = __sync_val_compare_and_swap(&b->tat_ns, tat_ns, next_ns);
		if (was_ns == tat_ns) {
			__sync_fetch_and_add(&b->passed_bytes, bytes);
			return true;
		}
		tat_ns = was_ns;
	}
	/* Others moved it every time, so it is not behind now: charging it blindly is exact. */
	__sync_fetch_and_add(&b->tat_ns, charge_ns);
	__sync_fetch_and_add(&b->passed_bytes, bytes);
	return true;
}

#endif
