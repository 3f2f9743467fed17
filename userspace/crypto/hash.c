/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hash.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define BLAKE2S_BLOCK 64

/* Fetched once for the life of the process: a fetch walks every provider. */
static EVP_MD *blake2s;
static EVP_MAC *blake2s_mac;

static void fetch(void)
{
	blake2s = EVP_MD_fetch(NULL, "BLAKE2S-256", NULL);
	blake2s_mac = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
}

int sp_hash_probe(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, fetch);
	return blake2s && blake2s_mac ? 0 : -ENOTSUP;
}

static void need(int ok)
{
	if (ok != 1)
		abort();
}

void sp_hash(const void *a, size_t a_bytes, const void *b, size_t b_bytes, struct sp_hash *ret)
{
	EVP_MD_CTX *ctx;

	need(sp_hash_probe() == 0);
	ctx = EVP_MD_CTX_new();
	need(EVP_DigestInit_ex2(ctx, blake2s, NULL));
	need(EVP_DigestUpdate(ctx, a, a_bytes));
	need(EVP_DigestUpdate(ctx, b, b_bytes));
	need(EVP_DigestFinal_ex(ctx, ret->b, NULL));
	EVP_MD_CTX_free(ctx);
}

void sp_mac(const void *key, size_t key_bytes, const void *a, size_t a_bytes, const void *b,
	    size_t b_bytes, uint8_t ret_mac[static SP_MAC_BYTES])
{
	size_t size = SP_MAC_BYTES, done = 0;
	const OSSL_PARAM params[] = {OSSL_PARAM_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_END};
	EVP_MAC_CTX *ctx;

	need(sp_hash_probe() == 0);
	ctx = EVP_MAC_CTX_new(blake2s_mac);
	need(EVP_MAC_init(ctx, key, key_bytes, params));
	need(EVP_MAC_update(ctx, a, a_bytes));
	need(EVP_MAC_update(ctx, b, b_bytes));
	need(EVP_MAC_final(ctx, ret_mac, &done, SP_MAC_BYTES));
	need(done == SP_MAC_BYTES);
	EVP_MAC_CTX_free(ctx);
}

/* The key, zeros behind it, every byte changed by pad: the first block of one of HMAC's hashes. */
static void begin_padded(EVP_MD_CTX *ctx, const struct sp_key *key, uint8_t pad)
{
	uint8_t block[BLAKE2S_BLOCK];

	memset(block, pad, sizeof(block));
	for (size_t i = 0; i < SP_KEY_BYTES; i++)
		block[i] = key->b[i] ^ pad;
	need(EVP_DigestInit_ex2(ctx, blake2s, NULL));
	need(EVP_DigestUpdate(ctx, block, sizeof(block)));
	sp_secret_wipe(block, sizeof(block));
}

/* RFC 2104, section 2. OpenSSL's own HMAC looks its hash up by name each time, which costs more than both hashes. */
static void hmac_blake2s(const struct sp_key *key, const void *a, size_t a_bytes, uint8_t number,
			 struct sp_key *ret)
{
	_cleanup_key_ struct sp_key inner = {0};
	EVP_MD_CTX *ctx;

	need(sp_hash_probe() == 0);
	ctx = EVP_MD_CTX_new();
	need(ctx != NULL);
	begin_padded(ctx, key, 0x36);
	need(EVP_DigestUpdate(ctx, a, a_bytes));
	need(EVP_DigestUpdate(ctx, &number, number ? 1 : 0));
	need(EVP_DigestFinal_ex(ctx, inner.b, NULL));
	begin_padded(ctx, key, 0x5c);
	need(EVP_DigestUpdate(ctx, inner.b, SP_KEY_BYTES));
	need(EVP_DigestFinal_ex(ctx, ret->b, NULL));
	EVP_MD_CTX_free(ctx);
}

void sp_kdf(const struct sp_key *chaining, const void *input, size_t bytes, struct sp_key *ret1,
	    struct sp_key *ret2, struct sp_key *ret3)
{
	struct sp_key secret, t[3];

	hmac_blake2s(chaining, input, bytes, 0, &secret);
	hmac_blake2s(&secret, NULL, 0, 1, &t[0]);
	if (ret2)
		hmac_blake2s(&secret, t[0].b, SP_KEY_BYTES, 2, &t[1]);
	if (ret2 && ret3)
		hmac_blake2s(&secret, t[1].b, SP_KEY_BYTES, 3, &t[2]);
	*ret1 = t[0];
	if (ret2)
		*ret2 = t[1];
	if (ret2 && ret3)
		*ret3 = t[2];
	sp_secret_wipe(t, sizeof(t));
	sp_key_wipe(&secret);
}
