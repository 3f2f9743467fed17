/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Sequence locks over map memory: one writer (the daemon), readers in XDP and workers. */
#ifndef SALLYPORT_CORE_SEQLOCK_H
#define SALLYPORT_CORE_SEQLOCK_H

#include "sallyport/abi/path.h"
#include "sallyport/core/addr.h"

#define SP_SEQ_TRIES 8

/*
 * Reader: seq = sp_seq_begin(s); copy; if (sp_seq_retry(s, seq)) the copy is worth nothing.
 * Bounded: give up after SP_SEQ_TRIES. BPF has no acquire load before Linux 6.15, so there the
 * reads are volatile only, which suffices on x86 (total store order); a torn record on another
 * machine costs one packet.
 */
SP_INLINE __u32 sp_seq_begin(const __u32 *seq)
{
#ifdef __bpf__
	return *(const volatile __u32 *)seq;
#else
	return __atomic_load_n(seq, __ATOMIC_ACQUIRE);
#endif
}

SP_INLINE bool sp_seq_retry(const __u32 *seq, __u32 begun)
{
#ifdef __bpf__
	asm volatile("" ::: "memory");
	return (begun & 1) || *(const volatile __u32 *)seq != begun;
#else
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return (begun & 1) || __atomic_load_n(seq, __ATOMIC_RELAXED) != begun;
#endif
}

/* Copies that the compiler may neither tear at will nor move out of the section. words of 8. */
SP_INLINE void sp_seq_copy(void *to, const void *from, __u32 words)
{
	__u64 *t = to;
	const __u64 *f = from;
	__u32 i;

	for (i = 0; i < words; i++)
#ifdef __bpf__
		t[i] = *(const volatile __u64 *)(f + i);
#else
		__atomic_store_n(&t[i], __atomic_load_n(&f[i], __ATOMIC_RELAXED), __ATOMIC_RELAXED);
#endif
}

/* Copy a next hop as a whole. False: it was being written all the time; ret is untouched. */
SP_INLINE bool sp_nexthop_read(const struct sp_nexthop *n, struct sp_nexthop *ret)
{
	struct sp_nexthop copy;
	__u32 seq, i;

	for (i = 0; i < SP_SEQ_TRIES; i++) {
		seq = sp_seq_begin(&n->seq);
		sp_seq_copy(&copy, n, sizeof(copy) / 8);
		if (!sp_seq_retry(&n->seq, seq)) {
			*ret = copy;
			return true;
		}
	}
	return false;
}

#ifndef __bpf__
/* One writer at a time; readers that look meanwhile will retry. */
SP_INLINE void sp_seq_write_begin(__u32 *seq)
{
	__atomic_store_n(seq, __atomic_load_n(seq, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

SP_INLINE void sp_seq_write_end(__u32 *seq)
{
	__atomic_store_n(seq, __atomic_load_n(seq, __ATOMIC_RELAXED) + 1, __ATOMIC_RELEASE);
}
#endif

#endif
