/* SPDX-License-Identifier: Apache-2.0 */
/* Every AEAD back end of this build against OpenSSL's: same bytes, same verdicts. */
#include "crypto/aead_select.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BYTES_MAX   9000
#define AAD_MAX	    80
#define ALIGN_MAX   64
#define GUARD_BYTES 64
#define GUARD	    0xa5
#define SLOT_BYTES  (GUARD_BYTES + ALIGN_MAX + BYTES_MAX + SP_AEAD_TAG_BYTES + GUARD_BYTES)
#define POOL_BYTES  (1 << 16)
#define KEYS	    5
#define PACKETS	    400000 /* SP_TEST_PACKETS=10000000 for the long run */

static uint64_t state = 0x853c49e6748fea9bull;

/* xorshift64* (Vigna, 2014) */
static uint32_t pick(uint32_t below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 2685821657736338717ull) >> 33) % below;
}

static uint8_t pool[POOL_BYTES];

static void pool_fill(void)
{
	for (size_t i = 0; i < sizeof(pool); i++)
		pool[i] = (uint8_t)pick(256);
}

static const uint8_t *pool_bytes(uint32_t bytes)
{
	return pool + pick(POOL_BYTES - bytes + 1);
}

static struct sp_aead *instance(const struct sp_aead_ops *ops)
{
	struct sp_aead *aead = NULL;

	cr_assert_eq(ops->open(&aead), 0, "%s", ops->name);
	return aead;
}

/* A packet as both back ends get it, each in a slot of its own. */
struct packet {
	uint32_t key;
	uint32_t align;
	uint32_t bytes;
	uint32_t aad_bytes;
	uint8_t aad[ALIGN_MAX + AAD_MAX];
	uint8_t nonce[SP_AEAD_NONCE_BYTES];
	const uint8_t *plain;
	bool forged;
};

struct side {
	const struct sp_aead_ops *ops;
	struct sp_aead *aead;
	uint8_t slots[SP_AEAD_BATCH_MAX][SLOT_BYTES];
	struct sp_aead_job jobs[SP_AEAD_BATCH_MAX];
};

enum field {
	FIELD_KEY,
	FIELD_NONCE,
	FIELD_AAD,
	FIELD_DATA,
	FIELD_TAG,
	FIELDS
};

static struct sp_aead_key keys[KEYS], forged_keys[SP_AEAD_BATCH_MAX];
static struct packet packets[SP_AEAD_BATCH_MAX];
static struct side reference, other;
static unsigned long forged[FIELDS], lengths_seen[BYTES_MAX + 1];

/* Every length comes up once in 9001 packets; half of them are short ones besides. */
static uint32_t pick_bytes(unsigned long number)
{
	return number & 1 ? pick(300) : (uint32_t)(number / 2 * 4099 % (BYTES_MAX + 1));
}

static void packet_pick(struct packet *p, unsigned long number)
{
	*p = (struct packet){.key = pick(KEYS),
			     .align = pick(ALIGN_MAX),
			     .bytes = pick_bytes(number),
			     .aad_bytes = pick(3) ? pick(AAD_MAX + 1) : 0};
	p->plain = pool_bytes(p->bytes);
	memcpy(p->aad, pool_bytes(sizeof(p->aad)), sizeof(p->aad));
	memcpy(p->nonce, pool_bytes(sizeof(p->nonce)), sizeof(p->nonce));
	lengths_seen[p->bytes]++;
}

static void side_load(struct side *s, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct packet *p = &packets[i];
		uint8_t *data = s->slots[i] + GUARD_BYTES + p->align;

		memset(data - GUARD_BYTES, GUARD, GUARD_BYTES);
		memcpy(data, p->plain, p->bytes);
		memset(data + p->bytes, GUARD, SP_AEAD_TAG_BYTES + GUARD_BYTES);
		s->jobs[i] = (struct sp_aead_job){.key = &keys[p->key],
						  .data = data,
						  .bytes = p->bytes,
						  .aad = p->aad_bytes ? p->aad + p->align : NULL,
						  .aad_bytes = p->aad_bytes};
		memcpy(s->jobs[i].nonce, p->nonce, sizeof(p->nonce));
	}
}

static void assert_guards(const struct side *s, unsigned int i)
{
	static const uint8_t clean[GUARD_BYTES] = {[0 ... GUARD_BYTES - 1] = GUARD};
	const struct sp_aead_job *job = &s->jobs[i];

	cr_assert_arr_eq(job->data - GUARD_BYTES, clean, GUARD_BYTES, "%s, before %u bytes",
			 s->ops->name, job->bytes);
	cr_assert_arr_eq(job->data + job->bytes + SP_AEAD_TAG_BYTES, clean, GUARD_BYTES,
			 "%s, behind %u bytes", s->ops->name, job->bytes);
}

static void assert_sealed_alike(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct sp_aead_job *a = &reference.jobs[i], *b = &other.jobs[i];

		cr_assert_arr_eq(a->data, b->data, a->bytes + SP_AEAD_TAG_BYTES,
				 "%s: %u bytes, aad %u, alignment %u", other.ops->name, a->bytes,
				 a->aad_bytes, packets[i].align);
		assert_guards(&reference, i);
		assert_guards(&other, i);
	}
}

/* One bit anywhere in one field, the same on both sides. */
static void forge(unsigned int i, enum field field)
{
	struct packet *p = &packets[i];
	struct sp_aead_job *jobs[] = {&reference.jobs[i], &other.jobs[i]};
	uint8_t bit = (uint8_t)(1 << pick(8));
	uint32_t at = pick(BYTES_MAX);

	if (field == FIELD_AAD && !p->aad_bytes)
		field = FIELD_NONCE;
	if (field == FIELD_DATA && !p->bytes)
		field = FIELD_TAG;
	p->forged = true;
	forged[field]++;
	forged_keys[i] = keys[p->key];
	forged_keys[i].raw.b[at % SP_KEY_BYTES] ^= bit;
	if (field == FIELD_AAD)
		p->aad[p->align + at % p->aad_bytes] ^= bit;
	for (unsigned int k = 0; k < 2; k++) {
		struct sp_aead_job *job = jobs[k];

		if (field == FIELD_KEY)
			job->key = &forged_keys[i];
		else if (field == FIELD_NONCE)
			job->nonce[at % SP_AEAD_NONCE_BYTES] ^= bit;
		else if (field == FIELD_DATA)
			job->data[at % job->bytes] ^= bit;
		else if (field == FIELD_TAG)
			job->data[job->bytes + at % SP_AEAD_TAG_BYTES] ^= bit;
	}
}

static void assert_opened(const struct side *s, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		cr_assert_eq(s->jobs[i].authentic, !packets[i].forged, "%s: %u bytes", s->ops->name,
			     packets[i].bytes);
		if (!packets[i].forged)
			cr_assert_arr_eq(s->jobs[i].data, packets[i].plain, packets[i].bytes,
					 "%s: %u bytes", s->ops->name, packets[i].bytes);
		assert_guards(s, i);
	}
}

static void compare_batch(unsigned long number, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		packet_pick(&packets[i], number + i);
	side_load(&reference, n);
	side_load(&other, n);
	reference.ops->seal_batch(reference.aead, reference.jobs, n);
	other.ops->seal_batch(other.aead, other.jobs, n);
	assert_sealed_alike(n);
	for (unsigned int i = 0; i < n; i++) {
		/* What was there before must not decide. */
		reference.jobs[i].authentic = other.jobs[i].authentic = pick(2);
		if (!pick(4))
			forge(i, (enum field)pick(FIELDS));
	}
	reference.ops->open_batch(reference.aead, reference.jobs, n);
	other.ops->open_batch(other.aead, other.jobs, n);
	assert_opened(&reference, n);
	assert_opened(&other, n);
}

static unsigned long packets_wanted(void)
{
	const char *text = getenv("SP_TEST_PACKETS");
	unsigned long wanted = text ? strtoul(text, NULL, 10) : 0;

	return wanted ? wanted : PACKETS;
}

static void compare(const struct sp_aead_ops *ops)
{
	unsigned long wanted = packets_wanted(), done = 0;

	reference.ops = &sp_aead_openssl;
	reference.aead = instance(reference.ops);
	other.ops = ops;
	other.aead = instance(ops);
	while (done < wanted) {
		unsigned int n = pick(8) ? SP_AEAD_BATCH_MAX : 1 + pick(SP_AEAD_BATCH_MAX);

		compare_batch(done, n);
		done += n;
	}
	reference.ops->close(reference.aead);
	other.ops->close(other.aead);
}

Test(backends, agree_on_random_packets_of_all_lengths)
{
	if (!sp_aead_backends[1])
		cr_skip_test("only one back end in this build: IPsec-MB is not installed");
	pool_fill();
	for (unsigned int i = 0; i < KEYS; i++)
		memcpy(keys[i].raw.b, pool_bytes(SP_KEY_BYTES), SP_KEY_BYTES);
	for (const struct sp_aead_ops *const *ops = sp_aead_backends + 1; *ops; ops++)
		compare(*ops);
	for (unsigned int f = 0; f < FIELDS; f++)
		cr_assert_gt(forged[f], packets_wanted() / 50, "field %u", f);
	for (unsigned int bytes = 0; bytes <= BYTES_MAX && packets_wanted() >= PACKETS; bytes++)
		cr_assert_gt(lengths_seen[bytes], 0, "%u bytes", bytes);
}

/* Memory that ends, and begins, where the packet does: one byte too far is a fault. */
struct fence {
	uint8_t *memory;
	size_t page;
};

static struct fence fence_open(void)
{
	struct fence f = {.page = (size_t)sysconf(_SC_PAGESIZE)};

	f.memory =
		mmap(NULL, 4 * f.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(f.memory, MAP_FAILED);
	cr_assert_eq(mprotect(f.memory, f.page, PROT_NONE), 0);
	cr_assert_eq(mprotect(f.memory + 3 * f.page, f.page, PROT_NONE), 0);
	return f;
}

static uint8_t *fence_place(const struct fence *f, uint32_t bytes, bool at_end)
{
	return at_end ? f->memory + 3 * f->page - bytes : f->memory + f->page;
}

Test(backends, touch_no_byte_beyond_the_packet)
{
	struct fence data = fence_open(), aad = fence_open(), key = fence_open();

	for (const struct sp_aead_ops *const *ops = sp_aead_backends; *ops; ops++) {
		struct sp_aead *aead = instance(*ops);

		for (uint32_t k = 0; k < 2 * 2200; k++) {
			uint32_t bytes = k / 2, aad_bytes = bytes % (AAD_MAX + 1);
			bool at_end = k % 2;
			struct sp_aead_job job = {
				.key = (void *)fence_place(&key, sizeof(*job.key), at_end),
				.data = fence_place(&data, bytes + SP_AEAD_TAG_BYTES, at_end),
				.bytes = bytes,
				.aad = fence_place(&aad, aad_bytes, at_end),
				.aad_bytes = aad_bytes};

			memset(job.data, (int)k, bytes);
			(*ops)->seal_batch(aead, &job, 1);
			(*ops)->open_batch(aead, &job, 1);
			cr_assert(job.authentic, "%s: %u bytes", (*ops)->name, bytes);
		}
		(*ops)->close(aead);
	}
}

/* A keypair is freed and another one lands on its address: the old key must not be used. */
Test(backends, notice_another_key_at_the_same_address)
{
	for (const struct sp_aead_ops *const *ops = sp_aead_backends; *ops; ops++) {
		struct sp_aead *aead = instance(*ops);
		struct sp_aead_key key = {.raw.b[3] = 9};
		uint8_t data[48] = {1, 2, 3};
		struct sp_aead_job job = {.key = &key, .data = data, .bytes = 32};

		(*ops)->seal_batch(aead, &job, 1);
		key.raw.b[3] = 8;
		(*ops)->open_batch(aead, &job, 1);
		cr_assert(!job.authentic, "%s", (*ops)->name);
		(*ops)->close(aead);
	}
}

Test(backends, never_let_plaintext_out_when_they_cannot_seal)
{
	static const uint8_t zeros[48];

	for (const struct sp_aead_ops *const *ops = sp_aead_backends; *ops; ops++) {
		struct sp_aead *aead = instance(*ops);
		struct sp_aead_key key = {.algorithm = (enum sp_aead_algorithm)99};
		uint8_t data[48];
		struct sp_aead_job job = {.key = &key, .data = data, .bytes = 32};

		memset(data, 7, sizeof(data));
		(*ops)->seal_batch(aead, &job, 1);
		cr_assert_arr_eq(data, zeros, sizeof(data), "%s", (*ops)->name);
		job.authentic = true;
		(*ops)->open_batch(aead, &job, 1);
		cr_assert(!job.authentic, "%s", (*ops)->name);
		(*ops)->close(aead);
	}
}

/* One packet that cannot be done leaves nothing behind for the others of its batch. */
Test(backends, go_on_after_a_packet_that_cannot_be_done)
{
	for (const struct sp_aead_ops *const *ops = sp_aead_backends; *ops; ops++) {
		struct sp_aead *aead = instance(*ops);
		struct sp_aead_key good = {.raw.b[0] = 4},
				   bad = {.algorithm = (enum sp_aead_algorithm)99};
		uint8_t data[SP_AEAD_BATCH_MAX][48] = {0};
		struct sp_aead_job jobs[SP_AEAD_BATCH_MAX];

		for (unsigned int i = 0; i < SP_AEAD_BATCH_MAX; i++)
			jobs[i] = (struct sp_aead_job){
				.key = i % 3 ? &good : &bad, .data = data[i], .bytes = 32};
		(*ops)->seal_batch(aead, jobs, SP_AEAD_BATCH_MAX);
		(*ops)->open_batch(aead, jobs, SP_AEAD_BATCH_MAX);
		for (unsigned int i = 0; i < SP_AEAD_BATCH_MAX; i++)
			cr_assert_eq(jobs[i].authentic, i % 3 != 0, "%s: packet %u", (*ops)->name,
				     i);
		(*ops)->close(aead);
	}
}

/* None of them keeps a job in flight: a batch of none changes nothing, the next one is whole. */
Test(backends, take_a_batch_of_none)
{
	for (const struct sp_aead_ops *const *ops = sp_aead_backends; *ops; ops++) {
		struct sp_aead *aead = instance(*ops);
		struct sp_aead_key key = {.raw.b[0] = 4};
		uint8_t data[16] = {0};
		struct sp_aead_job job = {.key = &key, .data = data, .authentic = true};

		(*ops)->open_batch(aead, &job, 0);
		cr_assert(job.authentic, "%s", (*ops)->name);
		(*ops)->seal_batch(aead, &job, 0);
		cr_assert_eq(data[0], 0, "%s", (*ops)->name);
		(*ops)->close(aead);
		(*ops)->close(NULL);
	}
}
