/* SPDX-License-Identifier: Apache-2.0 */
/* The handshake written down a second time, from the paper alone and with OpenSSL alone. One thread. */
#ifndef SP_TESTS_TUNNEL_REFERENCE_H
#define SP_TESTS_TUNNEL_REFERENCE_H

#include <criterion/criterion.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

typedef uint8_t bytes32[32];

static void ref_hash(bytes32 out, const void *a, size_t an, const void *b, size_t bn)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	cr_assert(EVP_DigestInit_ex(ctx, EVP_blake2s256(), NULL) && EVP_DigestUpdate(ctx, a, an) &&
		  EVP_DigestUpdate(ctx, b, bn) && EVP_DigestFinal_ex(ctx, out, NULL));
	EVP_MD_CTX_free(ctx);
}

/* RFC 2104 by hand: the block of BLAKE2s is 64 bytes. */
static void ref_hmac(bytes32 out, const bytes32 key, const void *in, size_t n)
{
	uint8_t pad[64 + 256], outer[64 + 32];

	memset(pad, 0x36, 64);
	memset(outer, 0x5c, 64);
	for (int i = 0; i < 32; i++) {
		pad[i] ^= key[i];
		outer[i] ^= key[i];
	}
	memcpy(pad + 64, in, n);
	ref_hash(outer + 64, pad, 64 + n, "", 0);
	ref_hash(out, outer, sizeof(outer), "", 0);
}

static void ref_kdf(bytes32 *out, int count, const bytes32 key, const void *in, size_t n)
{
	uint8_t block[33];
	bytes32 secret;

	ref_hmac(secret, key, in, n);
	for (int i = 0; i < count; i++) {
		if (i)
			memcpy(block, out[i - 1], 32);
		block[i ? 32 : 0] = (uint8_t)(i + 1);
		ref_hmac(out[i], secret, block, i ? 33 : 1);
	}
}

static void ref_public(bytes32 out, const bytes32 private_key)
{
	EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, 32);
	size_t n = 32;

	cr_assert(EVP_PKEY_get_raw_public_key(k, out, &n));
	EVP_PKEY_free(k);
}

static void ref_dh(bytes32 out, const bytes32 private_key, const bytes32 public_key)
{
	EVP_PKEY *a = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, 32);
	EVP_PKEY *b = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public_key, 32);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(a, NULL);
	size_t n = 32;

	cr_assert(EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, b) == 1 &&
		  EVP_PKEY_derive(ctx, out, &n) == 1);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(a);
	EVP_PKEY_free(b);
}

/* AEAD(key, 0, in, aad): in and its tag to out. */
static void ref_seal(uint8_t *out, const bytes32 key, const void *in, int n, const bytes32 aad)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t nonce[12] = {0};
	int done;

	cr_assert(EVP_EncryptInit_ex(ctx, EVP_chacha20_poly1305(), NULL, key, nonce));
	cr_assert(EVP_EncryptUpdate(ctx, NULL, &done, aad, 32));
	if (n)
		cr_assert(EVP_EncryptUpdate(ctx, out, &done, in, n));
	cr_assert(EVP_EncryptFinal_ex(ctx, out + n, &done));
	cr_assert(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, out + n));
	EVP_CIPHER_CTX_free(ctx);
}

static void ref_mac(uint8_t *out, const void *key, size_t key_n, const void *in, size_t n)
{
	size_t size = 16, done;
	OSSL_PARAM params[] = {OSSL_PARAM_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_END};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);

	cr_assert(EVP_MAC_init(ctx, key, key_n, params) && EVP_MAC_update(ctx, in, n) &&
		  EVP_MAC_final(ctx, out, &done, 16));
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

#endif
