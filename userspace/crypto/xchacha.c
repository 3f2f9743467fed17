/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/xchacha.h"

#include <string.h>

static uint32_t load_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store_le32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t rotl(uint32_t v, int bits)
{
	return v << bits | v >> (32 - bits);
}

static void quarter_round(uint32_t *x, int a, int b, int c, int d)
{
	x[a] += x[b], x[d] = rotl(x[d] ^ x[a], 16);
	x[c] += x[d], x[b] = rotl(x[b] ^ x[c], 12);
	x[a] += x[b], x[d] = rotl(x[d] ^ x[a], 8);
	x[c] += x[d], x[b] = rotl(x[b] ^ x[c], 7);
}

void sp_hchacha20(const struct sp_key *key, const uint8_t nonce[static 16], struct sp_key *ret_key)
{
	uint32_t x[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

	for (int i = 0; i < 8; i++)
		x[4 + i] = load_le32(key->b + 4 * i);
	for (int i = 0; i < 4; i++)
		x[12 + i] = load_le32(nonce + 4 * i);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 4; i++)
			quarter_round(x, i, 4 + i, 8 + i, 12 + i);
		for (int i = 0; i < 4; i++)
			quarter_round(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
	}
	for (int i = 0; i < 4; i++) {
		store_le32(ret_key->b + 4 * i, x[i]);
		store_le32(ret_key->b + 16 + 4 * i, x[12 + i]);
	}
	sp_secret_wipe(x, sizeof(x));
}

static struct sp_aead_job job_of(struct sp_aead_key *subkey, const struct sp_key *key,
				 const uint8_t *nonce, const void *aad, uint32_t aad_bytes,
				 uint8_t *data, uint32_t bytes)
{
	struct sp_aead_job job = {
		.key = subkey, .data = data, .bytes = bytes, .aad = aad, .aad_bytes = aad_bytes};

	subkey->algorithm = SP_AEAD_CHACHA20_POLY1305;
	sp_hchacha20(key, nonce, &subkey->raw);
	memcpy(job.nonce + 4, nonce + 16, 8);
	return job;
}

void sp_xchacha_seal(struct sp_aead *aead, const struct sp_key *key,
		     const uint8_t nonce[static SP_XCHACHA_NONCE_BYTES], const void *aad,
		     uint32_t aad_bytes, uint8_t *data, uint32_t bytes)
{
	struct sp_aead_key subkey;
	struct sp_aead_job job = job_of(&subkey, key, nonce, aad, aad_bytes, data, bytes);

	sp_aead_openssl.seal_batch(aead, &job, 1);
	sp_key_wipe(&subkey.raw);
}

bool sp_xchacha_open(struct sp_aead *aead, const struct sp_key *key,
		     const uint8_t nonce[static SP_XCHACHA_NONCE_BYTES], const void *aad,
		     uint32_t aad_bytes, uint8_t *data, uint32_t bytes)
{
	struct sp_aead_key subkey;
	struct sp_aead_job job = job_of(&subkey, key, nonce, aad, aad_bytes, data, bytes);

	sp_aead_openssl.open_batch(aead, &job, 1);
	sp_key_wipe(&subkey.raw);
	return job.authentic;
}
