/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/aead_select.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define STRIDE_BYTES  1536
#define MEASURE_BYTES 1420
#define MEASURE_RUNS  8
#define MEASURE_NS    (4 * SP_NS_PER_MS) /* a back end's share of the 20 ms */
#define MEASURE_LEAST 4 /* whatever they take: one alone may have been interrupted */

const struct sp_aead_ops *const sp_aead_backends[] = {
	&sp_aead_openssl,
#ifdef SP_HAVE_IPSEC_MB
	&sp_aead_ipsec_mb,
#endif
	NULL,
};

/* RFC 8439, 2.8.2. */
static const char rfc_text[] =
	"Ladies and Gentlemen of the class of '99: If I could offer you only one "
	"tip for the future, sunscreen would be it.";
#define RFC_BYTES (sizeof(rfc_text) - 1)
static const uint8_t rfc_sealed[RFC_BYTES + SP_AEAD_TAG_BYTES] = {
	0xd3, 0x1a, 0x8d, 0x34, 0x64, 0x8e, 0x60, 0xdb, 0x7b, 0x86, 0xaf, 0xbc, 0x53, 0xef, 0x7e,
	0xc2, 0xa4, 0xad, 0xed, 0x51, 0x29, 0x6e, 0x08, 0xfe, 0xa9, 0xe2, 0xb5, 0xa7, 0x36, 0xee,
	0x62, 0xd6, 0x3d, 0xbe, 0xa4, 0x5e, 0x8c, 0xa9, 0x67, 0x12, 0x82, 0xfa, 0xfb, 0x69, 0xda,
	0x92, 0x72, 0x8b, 0x1a, 0x71, 0xde, 0x0a, 0x9e, 0x06, 0x0b, 0x29, 0x05, 0xd6, 0xa5, 0xb6,
	0x7e, 0xcd, 0x3b, 0x36, 0x92, 0xdd, 0xbd, 0x7f, 0x2d, 0x77, 0x8b, 0x8c, 0x98, 0x03, 0xae,
	0xe3, 0x28, 0x09, 0x1b, 0x58, 0xfa, 0xb3, 0x24, 0xe4, 0xfa, 0xd6, 0x75, 0x94, 0x55, 0x85,
	0x80, 0x8b, 0x48, 0x31, 0xd7, 0xbc, 0x3f, 0xf4, 0xde, 0xf0, 0x8e, 0x4b, 0x7a, 0x9d, 0xe5,
	0x76, 0xd2, 0x65, 0x86, 0xce, 0xc6, 0x4b, 0x61, 0x16, 0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09,
	0xe2, 0x6a, 0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91};
static const uint8_t rfc_nonce[] = {7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47};
static const uint8_t rfc_aad[] = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1,
				  0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7};

/* The tag over a whole sealed batch of test_lengths, as OpenSSL 3.0 and IPsec-MB 1.3 give it. */
static const uint8_t batch_tag[SP_AEAD_TAG_BYTES] = {0x4a, 0x4b, 0xd8, 0x57, 0xac, 0x7c,
						     0x32, 0x80, 0x22, 0xea, 0x46, 0xc8,
						     0x67, 0xce, 0xb2, 0x80};

struct known {
	struct sp_aead_key key;
	uint8_t aad[sizeof(rfc_aad)];
	uint8_t data[RFC_BYTES + SP_AEAD_TAG_BYTES];
	struct sp_aead_job job;
};

static void known_init(struct known *k)
{
	*k = (struct known){.key.algorithm = SP_AEAD_CHACHA20_POLY1305};
	for (unsigned int i = 0; i < SP_KEY_BYTES; i++)
		k->key.raw.b[i] = (uint8_t)(0x80 + i);
	memcpy(k->aad, rfc_aad, sizeof(rfc_aad));
	memcpy(k->data, rfc_sealed, sizeof(rfc_sealed));
	k->job = (struct sp_aead_job){.key = &k->key,
				      .data = k->data,
				      .bytes = RFC_BYTES,
				      .aad = k->aad,
				      .aad_bytes = sizeof(rfc_aad)};
	memcpy(k->job.nonce, rfc_nonce, sizeof(rfc_nonce));
}

static int test_known(const struct sp_aead_ops *ops, struct sp_aead *aead)
{
	struct known k;

	known_init(&k);
	ops->open_batch(aead, &k.job, 1);
	if (!k.job.authentic || memcmp(k.data, rfc_text, RFC_BYTES) != 0)
		return -EBADMSG;
	ops->seal_batch(aead, &k.job, 1);
	return memcmp(k.data, rfc_sealed, sizeof(rfc_sealed)) ? -EBADMSG : 0;
}

/* One bit of each byte of each field: nothing of a packet may be left out of its tag. */
static int test_forged(const struct sp_aead_ops *ops, struct sp_aead *aead)
{
	struct known k;
	const struct {
		uint8_t *at;
		size_t bytes;
	} fields[] = {{k.key.raw.b, SP_KEY_BYTES},
		      {k.job.nonce, SP_AEAD_NONCE_BYTES},
		      {k.aad, sizeof(k.aad)},
		      {k.data, sizeof(k.data)}};

	for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
		for (size_t i = 0; i < fields[f].bytes; i++) {
			known_init(&k);
			fields[f].at[i] ^= (uint8_t)(1 << i % 8);
			k.job.authentic = true;
			ops->open_batch(aead, &k.job, 1);
			if (k.job.authentic)
				return -EBADMSG;
		}
	}
	return 0;
}

/* A batch of packets in one buffer, for the self-test and for measuring. */
struct batch {
	struct sp_aead_key keys[2];
	struct sp_aead_job jobs[SP_AEAD_BATCH_MAX];
	uint8_t data[SP_AEAD_BATCH_MAX][STRIDE_BYTES];
};

static uint8_t pattern(unsigned int i, unsigned int at)
{
	return (uint8_t)(i * 31 + at * 7);
}

/* Packet i has base + i * step bytes, and the key of its half of the batch. */
static void batch_init(struct batch *b, uint32_t base, uint32_t step)
{
	*b = (struct batch){.keys[0].raw.b[0] = 1, .keys[1].raw.b[31] = 0x80};
	for (unsigned int i = 0; i < SP_AEAD_BATCH_MAX; i++) {
		b->jobs[i] = (struct sp_aead_job){.key = &b->keys[i >= SP_AEAD_BATCH_MAX / 2],
						  .data = b->data[i],
						  .bytes = base + i * step};
		sp_aead_nonce_counter(b->jobs[i].nonce, i);
		for (unsigned int at = 0; at < b->jobs[i].bytes; at++)
			b->data[i][at] = pattern(i, at);
	}
}

static bool is_opened(const struct batch *b, unsigned int i)
{
	for (unsigned int at = 0; at < b->jobs[i].bytes; at++) {
		if (b->data[i][at] != pattern(i, at))
			return false;
	}
	return b->jobs[i].authentic;
}

/* RFC 8439 has only short vectors; the wide code paths begin later. The tag of it all is known. */
static int test_lengths(const struct sp_aead_ops *ops, struct sp_aead *aead, struct batch *b)
{
	uint8_t tag[SP_AEAD_TAG_BYTES] = {0};
	struct sp_aead_job all = {
		.key = &b->keys[0], .data = tag, .aad = b->data[0], .aad_bytes = sizeof(b->data)};

	batch_init(b, 0, 23);
	ops->seal_batch(aead, b->jobs, SP_AEAD_BATCH_MAX);
	ops->seal_batch(aead, &all, 1);
	if (memcmp(tag, batch_tag, sizeof(tag)) != 0)
		return -EBADMSG;
	ops->open_batch(aead, b->jobs, SP_AEAD_BATCH_MAX);
	for (unsigned int i = 0; i < SP_AEAD_BATCH_MAX; i++) {
		if (!is_opened(b, i))
			return -EBADMSG;
	}
	return 0;
}

static int test_opened(const struct sp_aead_ops *ops, struct sp_aead *aead, struct batch *b)
{
	int rc = test_known(ops, aead);

	if (!rc)
		rc = test_forged(ops, aead);
	return rc ? rc : test_lengths(ops, aead, b);
}

int sp_aead_self_test(const struct sp_aead_ops *ops)
{
	_cleanup_free_ struct batch *b = malloc(sizeof(*b));
	struct sp_aead *aead = NULL;
	int rc = b ? ops->open(&aead) : -ENOMEM;

	if (rc)
		return rc;
	rc = test_opened(ops, aead, b);
	ops->close(aead);
	return rc;
}

/* What one packet costs. The least of some runs: whatever else the machine does only adds. */
struct cost {
	uint64_t seal_ns;
	uint64_t open_ns;
};

static uint64_t least(uint64_t known_ns, uint64_t begun_ns, uint64_t ended_ns)
{
	uint64_t ns = (ended_ns - begun_ns) / SP_AEAD_BATCH_MAX;

	return ns < known_ns ? ns : known_ns;
}

static int measure(const struct sp_aead_ops *ops, struct cost *ret_cost)
{
	_cleanup_free_ struct batch *b = malloc(sizeof(*b));
	struct cost cost = {UINT64_MAX, UINT64_MAX};
	uint64_t begun_ns = sp_clock_now_ns();
	struct sp_aead *aead = NULL;
	int rc = b ? ops->open(&aead) : -ENOMEM;

	if (rc)
		return rc;
	batch_init(b, MEASURE_BYTES, 0);
	for (unsigned int run = 0; run < MEASURE_RUNS; run++) {
		uint64_t t0 = sp_clock_now_ns(), t1, t2;

		if (run >= MEASURE_LEAST && t0 - begun_ns > MEASURE_NS)
			break;
		ops->seal_batch(aead, b->jobs, SP_AEAD_BATCH_MAX);
		t1 = sp_clock_now_ns();
		ops->open_batch(aead, b->jobs, SP_AEAD_BATCH_MAX);
		t2 = sp_clock_now_ns();
		cost.seal_ns = least(cost.seal_ns, t0, t1);
		cost.open_ns = least(cost.open_ns, t1, t2);
	}
	ops->close(aead);
	*ret_cost = cost;
	return 0;
}

__attribute__((format(printf, 2, 3))) static void say(char text[static SP_AEAD_TEXT],
						      const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, SP_AEAD_TEXT - used, format, args);
	va_end(args);
}

/* Writes its sentence about ops into text. */
static int try_backend(const struct sp_aead_ops *ops, char text[static SP_AEAD_TEXT],
		       uint64_t *ret_ns)
{
	const char *separator = *text ? "; " : "";
	struct cost cost;
	int rc = sp_aead_self_test(ops);

	if (!rc)
		rc = measure(ops, &cost);
	if (rc) {
		say(text, "%s%s %s", separator, ops->name,
		    rc == -EBADMSG ? "failed its self-test" : strerror(-rc));
		return rc;
	}
	say(text, "%s%s seals in %llu ns, opens in %llu ns", separator, ops->name,
	    (unsigned long long)cost.seal_ns, (unsigned long long)cost.open_ns);
	*ret_ns = cost.seal_ns + cost.open_ns;
	return 0;
}

int sp_aead_select(const struct sp_aead_ops *const *backends, const char *name,
		   const struct sp_aead_ops **ret_ops, char ret_text[static SP_AEAD_TEXT])
{
	const struct sp_aead_ops *best = NULL;
	char text[SP_AEAD_TEXT] = "";
	uint64_t best_ns = UINT64_MAX;
	int rc = -ENOENT;

	for (; *backends; backends++) {
		uint64_t ns = 0;
		int tried;

		if (strcmp(name, SP_AEAD_AUTO) != 0 && strcmp(name, (*backends)->name) != 0)
			continue;
		tried = try_backend(*backends, text, &ns);
		if (tried) {
			rc = tried;
		} else if (ns < best_ns) {
			best = *backends;
			best_ns = ns;
		}
	}
	if (!best)
		return rc;
	say(text, " (%u bytes, batches of %u)", MEASURE_BYTES, SP_AEAD_BATCH_MAX);
	*ret_ops = best;
	memcpy(ret_text, text, SP_AEAD_TEXT);
	return 0;
}
