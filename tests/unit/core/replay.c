/* SPDX-License-Identifier: Apache-2.0 */
#include "sallyport/core/replay.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

/* The rule said plainly: a ring of bytes, one a counter, twice as long as the window. */
#define ORACLE_RING 16384
struct oracle {
	uint64_t greatest;
	bool any;
	uint64_t seen[ORACLE_RING]; /* counter + 1, or 0 */
};

static bool oracle_commit(struct oracle *o, uint64_t counter)
{
	if (counter >= SP_REPLAY_REJECT_AFTER)
		return false;
	if (o->any && counter < o->greatest && o->greatest - counter >= SP_REPLAY_WINDOW)
		return false;
	if (o->seen[counter % ORACLE_RING] == counter + 1)
		return false;
	o->seen[counter % ORACLE_RING] = counter + 1;
	if (!o->any || counter > o->greatest)
		o->greatest = counter;
	o->any = true;
	return true;
}

struct step {
	uint64_t counter;
	bool first;
};

static void run(const char *name, const struct step *steps, size_t n)
{
	struct sp_replay *r = malloc(sizeof(*r));
	struct oracle *o = calloc(1, sizeof(*o));

	sp_replay_init(r);
	for (size_t i = 0; i < n; i++) {
		bool cheap = sp_replay_check(r, steps[i].counter);

		cr_assert_eq(oracle_commit(o, steps[i].counter), steps[i].first, "%s: oracle, %zu",
			     name, i);
		cr_assert_eq(cheap, steps[i].first, "%s: check, step %zu", name, i);
		cr_assert_eq(sp_replay_commit(r, steps[i].counter), steps[i].first, "%s: step %zu",
			     name, i);
	}
	free(o);
	free(r);
}
#define RUN(name, ...)                                                 \
	do {                                                           \
		static const struct step steps_[] = {__VA_ARGS__};     \
		run(name, steps_, sizeof(steps_) / sizeof(steps_[0])); \
	} while (0)

#define W    SP_REPLAY_WINDOW
#define LAST (SP_REPLAY_REJECT_AFTER - 1)
#define FAR  (1ull << 45) /* where truncated tags come round */

Test(replay, takes_each_counter_once)
{
	RUN("steps", {0, true}, {1, true}, {1, false}, {9, true}, {8, true}, {7, true}, {7, false},
	    {128, true}, {127, true}, {127, false}, {126, true}, {0, false}, {2, true});
}

Test(replay, knows_its_window_to_the_counter)
{
	RUN("edge", {W, true}, {0, false}, {1, true}, {1, false}, {2, true}, {W + 1, true},
	    {2, false}, {3, true}, {2 * W, true}, {W, false}, {W - 1, false}, {W + 2, true});
	RUN("edge inside a block", {31, true}, {W + 31, true}, {31, false}, {32, true}, {W, true});
	RUN("edge of a ring", {8191, true}, {0, false}, {31, false}, {32, true}, {8192, true},
	    {8192, false}, {32, false}, {33, true}, {33, false}, {8191, false});
}

Test(replay, zero_is_not_never)
{
	RUN("zero", {0, true}, {0, false});
	RUN("block 0 after its slot came round", {8192, true}, {0, false}, {8223, true},
	    {64, true});
	RUN("zero last", {31, true}, {1, true}, {0, true}, {0, false});
}

Test(replay, jumps_as_far_as_counters_go)
{
	RUN("jump", {0, true}, {8192, true}, {3 * 8192, true}, {8192, false}, {3 * 8192 - 1, true});
	RUN("tags come round", {5, true}, {FAR + 5, true}, {FAR + 5, false}, {5, false},
	    {FAR + 4, true}, {3 * FAR + 4, true}, {FAR + 4, false}, {3 * FAR + 5, true});
	RUN("half way round", {5, true}, {FAR / 2 + 5, true}, {FAR / 2 + 4, true}, {FAR - 1, true},
	    {FAR + 5, true}, {FAR + 5, false}, {FAR + 6, true});
	RUN("many jumps below the span", {7, true}, {FAR / 4 - 9, true}, {FAR / 2 - 20, true},
	    {3 * (FAR / 4) - 30, true}, {FAR + 7, true}, {FAR + 7, false}, {FAR + 6, true});
	RUN("a sweep keeps the window", {FAR / 4 - 3, true}, {FAR / 4 - 2, true},
	    {FAR / 4 + 2, true}, {FAR / 4 - 3, false}, {FAR / 4 - 2, false}, {FAR / 4 - 1, true},
	    {FAR / 4 + 2, false});
}

Test(replay, rejects_after_the_last_message)
{
	RUN("end", {0, true}, {LAST, true}, {LAST, false}, {LAST + 1, false}, {LAST + 2, false},
	    {UINT64_MAX, false}, {0, false}, {LAST - 1, true}, {LAST - W + 1, true},
	    {LAST - W, false}, {LAST - 1, false});
	RUN("past the end first", {UINT64_MAX, false}, {LAST + 1, false}, {0, true}, {1, true});
}

Test(replay, sweeps_forwards_and_backwards)
{
	struct sp_replay *r = malloc(sizeof(*r));

	sp_replay_init(r);
	for (uint64_t c = 0; c < 3 * W; c++)
		cr_assert(sp_replay_commit(r, c));
	for (uint64_t c = 0; c < 3 * W; c++)
		cr_assert(!sp_replay_commit(r, c));
	sp_replay_init(r);
	cr_assert(sp_replay_commit(r, 5 * W));
	for (uint64_t c = 5 * W - 1; c > 4 * W; c--)
		cr_assert(sp_replay_commit(r, c), "%lu", (unsigned long)c);
	cr_assert(!sp_replay_commit(r, 4 * W));
	free(r);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* T07: reorders, repeats, leaps up to beyond where tags come round. */
Test(replay, equals_the_oracle_over_ten_million)
{
	struct sp_replay *r = malloc(sizeof(*r));
	struct oracle *o = calloc(1, sizeof(*o));
	uint64_t state = 0x5a11f0271ull, head = 0, taken = 0;

	sp_replay_init(r);
	for (int i = 0; i < 10000000; i++) {
		uint64_t random = next_random(&state), counter;
		uint64_t kind = random % 65536;

		random = next_random(&state);
		if (kind < 4)
			head += random % (1ull << (20 + random % 27));
		else if (kind < 1024)
			head += random % 9000;
		else
			head += random % 3;
		counter = head - random % (kind % 5 ? 64 : 8400);
		if (counter > head)
			counter = 0;
		bool expected = oracle_commit(o, counter);

		if (sp_replay_check(r, counter) != expected ||
		    sp_replay_commit(r, counter) != expected)
			cr_assert_fail("step %d, counter %lu", i, (unsigned long)counter);
		taken += expected;
	}
	cr_assert_gt(taken, 1000000);
	cr_assert_lt(taken, 9000000);
	cr_assert_gt(head, FAR);
	free(o);
	free(r);
}

#define RACE_COUNTERS 2000000
struct racer {
	struct sp_replay *replay;
	pthread_barrier_t *barrier;
	uint64_t seed;
	uint8_t *won;
};

static void *race(void *arg)
{
	struct racer *racer = arg;
	uint64_t state = racer->seed;

	pthread_barrier_wait(racer->barrier);
	for (uint64_t base = 0; base < RACE_COUNTERS; base += 64) {
		uint64_t twist = next_random(&state) % 64;

		for (uint64_t i = 0; i < 64; i++) {
			uint64_t counter = base + (i ^ twist);

			racer->won[counter] = sp_replay_commit(racer->replay, counter);
		}
		/* In step, or the slower one would only find counters that are too old. */
		if (base % 4096 == 0)
			pthread_barrier_wait(racer->barrier);
	}
	return NULL;
}

Test(replay, lets_exactly_one_thread_win, .timeout = 60)
{
	struct sp_replay *r = malloc(sizeof(*r));
	pthread_barrier_t barrier;
	struct racer racers[2];
	pthread_t threads[2];
	uint64_t won[2] = {0, 0};

	sp_replay_init(r);
	pthread_barrier_init(&barrier, NULL, 2);
	for (int i = 0; i < 2; i++) {
		racers[i] = (struct racer){r, &barrier, 77 + (uint64_t)i, calloc(1, RACE_COUNTERS)};
		pthread_create(&threads[i], NULL, race, &racers[i]);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (uint64_t c = 0; c < RACE_COUNTERS; c++) {
		cr_assert_eq(racers[0].won[c] + racers[1].won[c], 1, "counter %lu: %d winners",
			     (unsigned long)c, racers[0].won[c] + racers[1].won[c]);
		won[0] += racers[0].won[c];
		won[1] += racers[1].won[c];
	}
	cr_assert(won[0] && won[1]);
	for (int i = 0; i < 2; i++)
		free(racers[i].won);
	pthread_barrier_destroy(&barrier);
	free(r);
}
