/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/aead.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/cleanup.h"

/* One direction. The key's bytes are kept, not its address: a freed key's may be used again. */
struct direction {
	EVP_CIPHER_CTX *ctx;
	struct sp_key key;
	bool keyed;
};

struct sp_aead {
	EVP_CIPHER *cipher;
	struct direction seal;
	struct direction open;
};

static void openssl_close(struct sp_aead *aead)
{
	if (!aead)
		return;
	EVP_CIPHER_CTX_free(aead->seal.ctx);
	EVP_CIPHER_CTX_free(aead->open.ctx);
	EVP_CIPHER_free(aead->cipher);
	sp_secret_wipe(aead, sizeof(*aead));
	free(aead);
}
SP_DEFINE_CLEANUP(struct sp_aead *, openssl_close)

static int openssl_open(struct sp_aead **ret)
{
	_cleanup_(openssl_close_p) struct sp_aead *aead = calloc(1, sizeof(*aead));

	if (!aead)
		return -ENOMEM;
	aead->cipher = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
	if (!aead->cipher)
		return -ENOTSUP;
	aead->seal.ctx = EVP_CIPHER_CTX_new();
	aead->open.ctx = EVP_CIPHER_CTX_new();
	if (!aead->seal.ctx || !aead->open.ctx)
		return -ENOMEM;
	if (EVP_EncryptInit_ex2(aead->seal.ctx, aead->cipher, NULL, NULL, NULL) != 1 ||
	    EVP_DecryptInit_ex2(aead->open.ctx, aead->cipher, NULL, NULL, NULL) != 1)
		return -ENOTSUP;
	*ret = TAKE_PTR(aead);
	return 0;
}

/* Key schedules only where neighbours differ. Equal addresses mean equal keys within a batch. */
static bool set_key(struct direction *d, const struct sp_aead_job *job,
		    const struct sp_aead_job *before)
{
	bool same = before && before->key == job->key && d->keyed;

	if (same || (d->keyed && sp_secret_equal(&d->key, &job->key->raw, SP_KEY_BYTES)))
		return true;
	d->keyed = job->key->algorithm == SP_AEAD_CHACHA20_POLY1305 &&
		   EVP_CipherInit_ex2(d->ctx, NULL, job->key->raw.b, NULL, -1, NULL) == 1;
	if (d->keyed)
		d->key = job->key->raw;
	return d->keyed;
}

static bool update(EVP_CIPHER_CTX *ctx, uint8_t *out, const uint8_t *in, uint32_t bytes)
{
	int done = 0;

	/* OpenSSL takes an update of nothing as a mistake of the caller in some versions. */
	return bytes == 0 || EVP_CipherUpdate(ctx, out, &done, in, (int)bytes) == 1;
}

static bool seal_one(EVP_CIPHER_CTX *ctx, struct sp_aead_job *job)
{
	uint8_t *tag = job->data + job->bytes;
	int done = 0;

	return EVP_CipherInit_ex2(ctx, NULL, NULL, job->nonce, -1, NULL) == 1 &&
	       update(ctx, NULL, job->aad, job->aad_bytes) &&
	       update(ctx, job->data, job->data, job->bytes) &&
	       EVP_CipherFinal_ex(ctx, tag, &done) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SP_AEAD_TAG_BYTES, tag) == 1;
}

static bool open_one(EVP_CIPHER_CTX *ctx, struct sp_aead_job *job)
{
	uint8_t *tag = job->data + job->bytes;
	uint8_t nothing[SP_AEAD_TAG_BYTES];
	int done = 0;

	return EVP_CipherInit_ex2(ctx, NULL, NULL, job->nonce, -1, NULL) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SP_AEAD_TAG_BYTES, tag) == 1 &&
	       update(ctx, NULL, job->aad, job->aad_bytes) &&
	       update(ctx, job->data, job->data, job->bytes) &&
	       EVP_CipherFinal_ex(ctx, nothing, &done) == 1;
}

static void openssl_seal_batch(struct sp_aead *aead, struct sp_aead_job *jobs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		/* No plaintext leaves even if the library fails: the other side drops zeros. */
		if (!set_key(&aead->seal, &jobs[i], i ? &jobs[i - 1] : NULL) ||
		    !seal_one(aead->seal.ctx, &jobs[i]))
			memset(jobs[i].data, 0, jobs[i].bytes + SP_AEAD_TAG_BYTES);
	}
}

static void openssl_open_batch(struct sp_aead *aead, struct sp_aead_job *jobs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		jobs[i].authentic = set_key(&aead->open, &jobs[i], i ? &jobs[i - 1] : NULL) &&
				    open_one(aead->open.ctx, &jobs[i]);
}

const struct sp_aead_ops sp_aead_openssl = {
	.name = "openssl",
	.open = openssl_open,
	.close = openssl_close,
	.seal_batch = openssl_seal_batch,
	.open_batch = openssl_open_batch,
};
