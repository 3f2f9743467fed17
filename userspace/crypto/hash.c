/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hash.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

/* Fetched once for the life of the process: a fetch walks every provider. */
static EVP_MD *blake2s;
static EVP_MAC *blake2s_mac;
static EVP_MAC *hmac;

static void fetch(void)
{
	blake2s = EVP_MD_fetch(NULL, "BLAKE2S-256", NULL);
	blake2s_mac = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
	hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
}

int sp_hash_probe(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, fetch);
	return blake2s && blake2s_mac && hmac ? 0 : -ENOTSUP;
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

static void authenticate(EVP_MAC *mac, const OSSL_PARAM *params, const void *key, size_t key_bytes,
			 const void *a, size_t a_bytes, const void *b, size_t b_bytes, uint8_t *ret,
			 size_t ret_bytes)
{
	EVP_MAC_CTX *ctx;
	size_t done = 0;

	need(sp_hash_probe() == 0);
	ctx = EVP_MAC_CTX_new(mac);
	need(EVP_MAC_init(ctx, key, key_bytes, params));
	need(EVP_MAC_update(ctx, a, a_bytes));
	need(EVP_MAC_update(ctx, b, b_bytes));
	need(EVP_MAC_final(ctx, ret, &done, ret_bytes));
	need(done == ret_bytes);
	EVP_MAC_CTX_free(ctx);
}

void sp_mac(const void *key, size_t key_bytes, const void *a, size_t a_bytes, const void *b,
	    size_t b_bytes, uint8_t ret_mac[static SP_MAC_BYTES])
{
	size_t size = SP_MAC_BYTES;
	const OSSL_PARAM params[] = {OSSL_PARAM_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_END};

	need(sp_hash_probe() == 0);
	authenticate(blake2s_mac, params, key, key_bytes, a, a_bytes, b, b_bytes, ret_mac,
		     SP_MAC_BYTES);
}

static void hmac_blake2s(const struct sp_key *key, const void *a, size_t a_bytes, uint8_t number,
			 struct sp_key *ret)
{
	char digest[] = "BLAKE2S-256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, sizeof(digest) - 1),
		OSSL_PARAM_END,
	};

	need(sp_hash_probe() == 0);
	authenticate(hmac, params, key->b, SP_KEY_BYTES, a, a_bytes, &number, number ? 1 : 0,
		     ret->b, SP_KEY_BYTES);
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
