/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What AEAD costs a packet: every back end, batches of 64, the median of many batches.
 * warm: the same 64 packets again and again. cold: each batch from elsewhere in 64 MB, which is
 * what a worker meets when the kernel has just filled the frames on another core.
 */
#include "bench/measure.h"
#include "crypto/aead_select.h"

#define FRAME_BYTES 2048
#define FRAMES	    32768
#define HEADROOM    256
#define SAMPLES	    401
#define STRIDE	    7919 /* prime: the hardware finds no pattern in it */
#define RUNS	    5
#define BATCH	    SP_AEAD_BATCH_MAX

struct cost {
	double ns;
	double ticks;
};

struct bench {
	const struct sp_aead_ops *ops;
	struct sp_aead *aead;
	uint8_t *frames;
	uint32_t next;
	struct sp_aead_key key;
	struct sp_aead_job jobs[BATCH];
};

static void load(struct bench *b, uint32_t bytes, bool cold)
{
	for (unsigned int i = 0; i < BATCH; i++) {
		uint32_t frame = cold ? b->next++ * STRIDE % FRAMES : i;

		b->jobs[i] = (struct sp_aead_job){.key = &b->key,
						  .data = b->frames + (size_t)frame * FRAME_BYTES +
							  HEADROOM,
						  .bytes = bytes};
		sp_aead_nonce_counter(b->jobs[i].nonce, frame);
	}
}

static struct cost run(struct bench *b, uint32_t bytes, bool is_open, bool cold)
{
	void (*work)(struct sp_aead *, struct sp_aead_job *, unsigned int) =
		is_open ? b->ops->open_batch : b->ops->seal_batch;
	static double ns[SAMPLES], ticks[SAMPLES];

	for (unsigned int s = 0; s < SAMPLES; s++) {
		uint64_t t0, t1, c0, c1;

		load(b, bytes, cold);
		t0 = sp_clock_now_ns();
		c0 = now_ticks();
		work(b->aead, b->jobs, BATCH);
		c1 = now_ticks();
		t1 = sp_clock_now_ns();
		ns[s] = (double)(t1 - t0) / BATCH;
		ticks[s] = (double)(c1 - c0) / BATCH;
	}
	return (struct cost){median(ns, SAMPLES), median(ticks, SAMPLES)};
}

/* The median of the runs' medians: a neighbour's burst spoils a run, not the figure. */
static struct cost run_often(struct bench *b, uint32_t bytes, bool is_open, bool cold)
{
	double ns[RUNS], ticks[RUNS];

	for (unsigned int r = 0; r < RUNS; r++) {
		struct cost cost = run(b, bytes, is_open, cold);

		ns[r] = cost.ns;
		ticks[r] = cost.ticks;
	}
	return (struct cost){median(ns, RUNS), median(ticks, RUNS)};
}

static int bench_backend(struct bench *b)
{
	static const uint32_t sizes[] = {1420, 512, 64};
	int rc = b->ops->open(&b->aead);

	if (rc) {
		printf("%-9s not here: %s\n", b->ops->name, strerror(-rc));
		return rc;
	}
	for (unsigned int i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t bytes = sizes[i / 2];
		bool is_open = i % 2;
		struct cost warm = run_often(b, bytes, is_open, false);
		struct cost cold = run_often(b, bytes, is_open, true);

		printf("%-9s %-5s %6u %9.1f %9.0f %11.1f %9.0f\n", b->ops->name,
		       is_open ? "open" : "seal", bytes, warm.ns, warm.ticks, cold.ns, cold.ticks);
	}
	b->ops->close(b->aead);
	return 0;
}

int main(void)
{
	static struct bench b = {.key.raw.b = "not a secret"};
	int failed = 0;

	b.frames = aligned_alloc(4096, (size_t)FRAMES * FRAME_BYTES);
	if (!b.frames)
		return 1;
	memset(b.frames, 1, (size_t)FRAMES * FRAME_BYTES);
	pin_to_last();
	printf("ChaCha20-Poly1305, batches of %d, one key, median of %d x %d batches\n", BATCH,
	       RUNS, SAMPLES);
	printf("%-9s %-5s %6s %9s %9s %11s %9s\n", "back end", "", "bytes", "warm ns", "ticks",
	       "cold ns", "ticks");
	for (const struct sp_aead_ops *const *ops = sp_aead_backends; *ops; ops++) {
		b.ops = *ops;
		failed |= bench_backend(&b) != 0;
	}
	free(b.frames);
	return failed;
}
