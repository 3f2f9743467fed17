/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intel's multi-buffer library finishes a ChaCha20-Poly1305 job inside its submission: nothing is
 * ever in flight, nothing has to be flushed. What is left to win is the cache. Job by job with the
 * next packet's bytes on their way, 1420 bytes cost 985 ticks in the cache and 1030 out of it; a
 * burst of the library takes 975 and 1750 (Zen 5; version 1.3). Fetching two or more packets ahead
 * gains nothing.
 */
#include "crypto/aead_select.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <intel-ipsec-mb.h>

#include "base/cleanup.h"

#define FETCH_MAX_BYTES 2048 /* of one: a jumbo frame would push its neighbours out again */
#define LINE_BYTES	64

struct sp_aead {
	IMB_MGR *mgr;
	/* Of the batch that runs. The AVX2 code of 1.3 reads 16 bytes beyond a key: they are here. */
	struct sp_key key;
	uint8_t beyond[16];
};

static void ipsec_mb_close(struct sp_aead *aead)
{
	if (!aead)
		return;
	if (aead->mgr)
		free_mb_mgr(aead->mgr);
	free(aead);
}
SP_DEFINE_CLEANUP(struct sp_aead *, ipsec_mb_close)

static int ipsec_mb_open(struct sp_aead **ret)
{
	_cleanup_(ipsec_mb_close_p) struct sp_aead *aead = calloc(1, sizeof(*aead));

	if (!aead)
		return -ENOMEM;
	aead->mgr = alloc_mb_mgr(0);
	if (!aead->mgr)
		return -ENOMEM;
	init_mb_mgr_auto(aead->mgr, NULL);
	if (imb_get_errno(aead->mgr))
		return -ENOTSUP;
	*ret = TAKE_PTR(aead);
	return 0;
}

static void fetch(const struct sp_aead_job *job)
{
	uint32_t bytes = job->bytes < FETCH_MAX_BYTES ? job->bytes : FETCH_MAX_BYTES;

	for (uint32_t at = 0; at < bytes + SP_AEAD_TAG_BYTES; at += LINE_BYTES)
		__builtin_prefetch(job->data + at, 1);
}

/*
 * The library's own check of a job is left out, so every field it reads for this algorithm is set
 * here, in every job: the ring's slots keep what the job before left in them.
 */
static bool submit(struct sp_aead *aead, const struct sp_aead_job *job,
		   IMB_CIPHER_DIRECTION direction, uint8_t tag[static SP_AEAD_TAG_BYTES])
{
	IMB_JOB *j, *done;

	if (job->key->algorithm != SP_AEAD_CHACHA20_POLY1305)
		return false;
	j = IMB_GET_NEXT_JOB(aead->mgr);
	j->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
	j->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
	j->cipher_direction = direction;
	j->chain_order =
		direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	j->enc_keys = aead->key.b;
	j->dec_keys = aead->key.b;
	j->key_len_in_bytes = SP_KEY_BYTES;
	j->iv = job->nonce;
	j->iv_len_in_bytes = SP_AEAD_NONCE_BYTES;
	j->src = job->data;
	j->dst = job->data;
	j->cipher_start_src_offset_in_bytes = 0;
	j->msg_len_to_cipher_in_bytes = job->bytes;
	j->hash_start_src_offset_in_bytes = 0;
	j->msg_len_to_hash_in_bytes = job->bytes;
	j->u.CHACHA20_POLY1305.aad = job->aad;
	j->u.CHACHA20_POLY1305.aad_len_in_bytes = job->aad_bytes;
	j->u.CHACHA20_POLY1305.ctx = NULL;
	j->auth_tag_output = tag;
	j->auth_tag_output_len_in_bytes = SP_AEAD_TAG_BYTES;
	done = IMB_SUBMIT_JOB_NOCHECK(aead->mgr);
	return done == j && done->status == IMB_STATUS_COMPLETED;
}

static void ipsec_mb_seal_batch(struct sp_aead *aead, struct sp_aead_job *jobs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct sp_aead_job *job = &jobs[i];

		if (i + 1 < n)
			fetch(job + 1);
		/* Equal addresses mean equal keys within a batch. */
		if (!i || job->key != job[-1].key)
			aead->key = job->key->raw;
		/* No plaintext leaves even if the library fails: the other side drops zeros. */
		if (!submit(aead, job, IMB_DIR_ENCRYPT, job->data + job->bytes))
			memset(job->data, 0, job->bytes + SP_AEAD_TAG_BYTES);
	}
	sp_key_wipe(&aead->key);
}

static void ipsec_mb_open_batch(struct sp_aead *aead, struct sp_aead_job *jobs, unsigned int n)
{
	uint8_t tag[SP_AEAD_TAG_BYTES];

	for (unsigned int i = 0; i < n; i++) {
		struct sp_aead_job *job = &jobs[i];

		if (i + 1 < n)
			fetch(job + 1);
		/* Equal addresses mean equal keys within a batch. */
		if (!i || job->key != job[-1].key)
			aead->key = job->key->raw;
		job->authentic = submit(aead, job, IMB_DIR_DECRYPT, tag) &&
				 sp_secret_equal(tag, job->data + job->bytes, sizeof(tag));
	}
	/* The tag that would have been right for a forged packet is not left behind. */
	sp_secret_wipe(tag, sizeof(tag));
	sp_key_wipe(&aead->key);
}

const struct sp_aead_ops sp_aead_ipsec_mb = {
	.name = "ipsec-mb",
	.open = ipsec_mb_open,
	.close = ipsec_mb_close,
	.seal_batch = ipsec_mb_seal_batch,
	.open_batch = ipsec_mb_open_batch,
};
