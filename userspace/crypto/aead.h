/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of AEAD work, in place, with interchangeable back ends. One instance a worker. */
#ifndef SP_CRYPTO_AEAD_H
#define SP_CRYPTO_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"

#define SP_AEAD_TAG_BYTES   16
#define SP_AEAD_NONCE_BYTES 12
#define SP_AEAD_BATCH_MAX   64

enum sp_aead_algorithm {
	SP_AEAD_CHACHA20_POLY1305 = 0, /* RFC 8439 */
};

/* A key, immutable once made: any number of workers may read it. Wiped by sp_aead_key_fini. */
struct sp_aead_key {
	enum sp_aead_algorithm algorithm;
	struct sp_key raw;
};

/*
 * One packet. seal: data[0..bytes) is plaintext, the tag is written at data + bytes.
 * open: data[0..bytes) is ciphertext, the tag is read at data + bytes; authentic is set, and data
 * is plaintext only if it is true (otherwise its content is undefined).
 */
struct sp_aead_job {
	const struct sp_aead_key *key;
	uint8_t *data;
	uint32_t bytes; /* without the tag */
	uint32_t aad_bytes;
	const uint8_t *aad;
	uint8_t nonce[SP_AEAD_NONCE_BYTES];
	bool authentic;
};

struct sp_aead; /* a back end's per-thread state */

struct sp_aead_ops {
	const char *name;		     /* "openssl", "ipsec-mb" */
	int (*open)(struct sp_aead **ret);   /* 0, -ENOTSUP, -ENOMEM */
	void (*close)(struct sp_aead *aead); /* NULL is fine */
	/* All jobs of a batch; order of keys is the caller's: neighbours with one key are cheapest. */
	void (*seal_batch)(struct sp_aead *aead, struct sp_aead_job *jobs, unsigned int n);
	void (*open_batch)(struct sp_aead *aead, struct sp_aead_job *jobs, unsigned int n);
};

extern const struct sp_aead_ops sp_aead_openssl;

/* WireGuard's nonce: 4 zero bytes, then the 64-bit counter, little endian. */
static inline void sp_aead_nonce_counter(uint8_t nonce[static SP_AEAD_NONCE_BYTES],
					 uint64_t counter)
{
	for (int i = 0; i < 4; i++)
		nonce[i] = 0;
	for (int i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(counter >> (8 * i));
}

#endif
