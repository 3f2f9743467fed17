/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/dh.h"

#include <errno.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/cleanup.h"

SP_DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
SP_DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free)

int sp_dh_public(const struct sp_key *private_key, struct sp_key *ret_public)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *pkey =
		EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key->b, SP_KEY_BYTES);
	size_t bytes = SP_KEY_BYTES;
	struct sp_key public_key;

	if (!pkey || EVP_PKEY_get_raw_public_key(pkey, public_key.b, &bytes) != 1 ||
	    bytes != SP_KEY_BYTES)
		return -ENOMEM;
	*ret_public = public_key;
	return 0;
}

/*
 * For a derivation alone, which never reads its public half. Left out, OpenSSL would compute it, at
 * the price of the derivation itself; so it gets the base point.
 */
static EVP_PKEY *private_half(const struct sp_key *private_key)
{
	static const uint8_t base[SP_KEY_BYTES] = {9};
	const OSSL_PARAM params[] = {
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)base, SP_KEY_BYTES),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, (void *)private_key->b,
					SP_KEY_BYTES),
		OSSL_PARAM_END,
	};
	_cleanup_(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *ctx =
		EVP_PKEY_CTX_new_from_name(NULL, "X25519", NULL);
	EVP_PKEY *pkey = NULL;

	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, (OSSL_PARAM *)params) != 1)
		return NULL;
	return pkey;
}

int sp_dh(const struct sp_key *private_key, const struct sp_key *public_key,
	  struct sp_key *ret_shared)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *ours = private_half(private_key);
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *theirs =
		EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public_key->b, SP_KEY_BYTES);
	_cleanup_(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *ctx = NULL;
	_cleanup_key_ struct sp_key shared = {0};
	size_t bytes = SP_KEY_BYTES;

	if (!ours || !theirs)
		return -ENOMEM;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, ours, NULL);
	if (!ctx || EVP_PKEY_derive_init(ctx) != 1)
		return -ENOMEM;
	/* OpenSSL refuses an all-zero result itself; the second look does not rely on it. */
	if (EVP_PKEY_derive_set_peer(ctx, theirs) != 1 ||
	    EVP_PKEY_derive(ctx, shared.b, &bytes) != 1 || bytes != SP_KEY_BYTES ||
	    sp_key_is_zero(&shared))
		return -EKEYREJECTED;
	*ret_shared = shared;
	return 0;
}
