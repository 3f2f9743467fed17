/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Replay window of one keypair, shared by several workers without a lock. User space; any thread. */
#ifndef SALLYPORT_CORE_REPLAY_H
#define SALLYPORT_CORE_REPLAY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * RFC 6479's ring, one step further: each 64-bit word says which block of counters its 32 bits
 * stand for, so that one compare-and-swap marks a counter and retires the old block at once.
 *
 *   block = counter / 32, slot = block % 256, tag = low 32 bits of counter / 8192.
 *
 * A word only ever moves on to newer tags, so a counter is taken once whatever the workers'
 * order. A word without bits was never used: whoever takes a word leaves a bit in it.
 */
#define SP_REPLAY_BITS	     32
#define SP_REPLAY_SLOTS	     256
#define SP_REPLAY_RING_SHIFT 13 /* SLOTS * BITS = 8192 counters */
/* A counter this far behind the greatest one, or farther, is too old: one block is being filled. */
#define SP_REPLAY_WINDOW (SP_REPLAY_SLOTS * SP_REPLAY_BITS - SP_REPLAY_BITS)
/* WireGuard paper, 6.1: Reject-After-Messages. */
#define SP_REPLAY_REJECT_AFTER (UINT64_MAX - (1ull << 13))
/*
 * Truncated tags order two words right while their counters are closer than 2^44. Before the ring
 * spans that much, one worker sweeps the old words out, and the others refuse meanwhile: greatest
 * is SP_REPLAY_SWEEPING, behind which everything is too old. No honest sender gets there in the
 * life of a keypair.
 */
#define SP_REPLAY_SPAN	   (1ull << 43)
#define SP_REPLAY_SWEEPING UINT64_MAX

struct sp_replay {
	_Atomic uint64_t greatest;
	_Atomic uint64_t base; /* no word in the ring is older than this less one window */
	_Atomic uint64_t words[SP_REPLAY_SLOTS]; /* tag << 32 | bits */
};

static inline void sp_replay_init(struct sp_replay *r)
{
	atomic_init(&r->greatest, 0);
	atomic_init(&r->base, 0);
	for (int i = 0; i < SP_REPLAY_SLOTS; i++)
		atomic_init(&r->words[i], 0);
}

static inline bool sp_replay_is_too_old(const struct sp_replay *r, uint64_t counter)
{
	uint64_t greatest = atomic_load_explicit(&r->greatest, memory_order_acquire);

	return greatest > counter && greatest - counter >= SP_REPLAY_WINDOW;
}

/* Before the packet is opened, cheaply: false = certainly a replay or too old. */
static inline bool sp_replay_check(const struct sp_replay *r, uint64_t counter)
{
	uint64_t greatest = atomic_load_explicit(&r->greatest, memory_order_acquire);
	uint64_t slot = counter / SP_REPLAY_BITS % SP_REPLAY_SLOTS;
	uint64_t word = atomic_load_explicit(&r->words[slot], memory_order_relaxed);
	uint32_t tag = (uint32_t)(counter >> SP_REPLAY_RING_SHIFT);

	if (counter >= SP_REPLAY_REJECT_AFTER)
		return false;
	if (counter > greatest)
		return true; /* its word may be so old that the tag came round */
	return greatest - counter < SP_REPLAY_WINDOW &&
	       !((uint32_t)(word >> 32) == tag && word >> counter % SP_REPLAY_BITS & 1);
}

/* Removes the words that the window of `counter` no longer covers; greatest is SWEEPING. */
static inline void sp_replay_sweep(struct sp_replay *r, uint64_t greatest, uint64_t counter)
{
	uint64_t newest = greatest >> SP_REPLAY_RING_SHIFT;

	for (int i = 0; i < SP_REPLAY_SLOTS; i++) {
		uint64_t word = atomic_load_explicit(&r->words[i], memory_order_relaxed);
		uint64_t tag = newest - (uint32_t)((uint32_t)newest - (uint32_t)(word >> 32));

		if ((counter >> SP_REPLAY_RING_SHIFT) - tag > 1)
			atomic_store_explicit(&r->words[i], 0, memory_order_relaxed);
	}
	atomic_store_explicit(&r->base, counter, memory_order_relaxed);
}

static inline void sp_replay_raise(struct sp_replay *r, uint64_t counter)
{
	uint64_t greatest = atomic_load_explicit(&r->greatest, memory_order_relaxed);

	while (counter > greatest) {
		uint64_t base = atomic_load_explicit(&r->base, memory_order_relaxed);
		/* Never below base, unless another has moved both on: then the exchange fails. */
		bool sweep = counter - base >= SP_REPLAY_SPAN;

		if (!atomic_compare_exchange_weak_explicit(
			    &r->greatest, &greatest, sweep ? SP_REPLAY_SWEEPING : counter,
			    memory_order_acq_rel, memory_order_relaxed))
			continue;
		if (sweep) {
			sp_replay_sweep(r, greatest, counter);
			atomic_store_explicit(&r->greatest, counter, memory_order_release);
		}
		return;
	}
}

/* After the tag was found authentic. True for exactly one caller a counter; others drop theirs. */
static inline bool sp_replay_commit(struct sp_replay *r, uint64_t counter)
{
	_Atomic uint64_t *slot = &r->words[counter / SP_REPLAY_BITS % SP_REPLAY_SLOTS];
	uint32_t tag = (uint32_t)(counter >> SP_REPLAY_RING_SHIFT);
	uint64_t bit = 1ull << counter % SP_REPLAY_BITS;
	uint64_t word, next;

	if (counter >= SP_REPLAY_REJECT_AFTER)
		return false;
	sp_replay_raise(r, counter);
	word = atomic_load_explicit(slot, memory_order_acquire);
	do {
		int32_t ahead = (int32_t)(tag - (uint32_t)(word >> 32));

		/* After the load: whoever wrote the word had raised greatest before. */
		if (sp_replay_is_too_old(r, counter))
			return false;
		if ((uint32_t)word == 0 || ahead > 0)
			next = (uint64_t)tag << 32 | bit;
		else if (ahead < 0 || word & bit)
			return false;
		else
			next = word | bit;
	} while (!atomic_compare_exchange_weak_explicit(slot, &word, next, memory_order_acq_rel,
							memory_order_acquire));
	return true;
}

_Static_assert(SP_REPLAY_SLOTS *SP_REPLAY_BITS == 1 << SP_REPLAY_RING_SHIFT, "a ring of 8192");
_Static_assert(sizeof(struct sp_replay) == 2048 + 16, "about 2 KiB for each keypair");

#endif
