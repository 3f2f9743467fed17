/* SPDX-License-Identifier: Apache-2.0 */
#include "tunnel/wireguard/noise.h"

#include <errno.h>
#include <string.h>

#include "crypto/dh.h"

static const char construction[] = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
static const char identifier[] = "WireGuard v1 zx2c4 Jason@zx2c4.com";

static void mix_hash(struct sp_noise_handshake *hs, const void *bytes, size_t n)
{
	sp_hash(hs->hash.b, SP_HASH_BYTES, bytes, n, &hs->hash);
}

static void mix_key(struct sp_noise_handshake *hs, const struct sp_key *input, struct sp_key *ret)
{
	sp_kdf(&hs->chaining, input->b, SP_KEY_BYTES, &hs->chaining, ret, NULL);
}

/* ret_key may be NULL where the pattern derives none. */
static int mix_dh(struct sp_noise_handshake *hs, const struct sp_key *private_key,
		  const struct sp_key *public_key, struct sp_key *ret_key)
{
	_cleanup_key_ struct sp_key shared = {0};
	int rc = sp_dh(private_key, public_key, &shared);

	if (rc < 0)
		return rc;
	mix_key(hs, &shared, ret_key);
	return 0;
}

static void mix_ephemeral(struct sp_noise_handshake *hs, const uint8_t *ephemeral)
{
	mix_hash(hs, ephemeral, SP_KEY_BYTES);
	sp_kdf(&hs->chaining, ephemeral, SP_KEY_BYTES, &hs->chaining, NULL, NULL);
}

static void mix_preshared(struct sp_noise_handshake *hs, const struct sp_key *preshared,
			  struct sp_key *ret_key)
{
	_cleanup_key_ struct sp_key tau = {0};

	sp_kdf(&hs->chaining, preshared->b, SP_KEY_BYTES, &hs->chaining, &tau, ret_key);
	mix_hash(hs, tau.b, SP_KEY_BYTES);
}

/* Every key of a handshake seals one thing, so the nonce is 0. sealed holds bytes and a tag. */
static void seal(struct sp_aead *aead, struct sp_noise_handshake *hs, const struct sp_key *key,
		 const void *plain, uint32_t bytes, uint8_t *ret_sealed)
{
	struct sp_aead_key aead_key = {.algorithm = SP_AEAD_CHACHA20_POLY1305, .raw = *key};
	struct sp_aead_job job = {.key = &aead_key,
				  .data = ret_sealed,
				  .bytes = bytes,
				  .aad = hs->hash.b,
				  .aad_bytes = SP_HASH_BYTES};

	if (bytes)
		memcpy(ret_sealed, plain, bytes);
	sp_aead_openssl.seal_batch(aead, &job, 1);
	mix_hash(hs, ret_sealed, bytes + SP_AEAD_TAG_BYTES);
	sp_key_wipe(&aead_key.raw);
}

static int unseal(struct sp_aead *aead, struct sp_noise_handshake *hs, const struct sp_key *key,
		  const uint8_t *sealed, uint32_t bytes, void *ret_plain)
{
	struct sp_aead_key aead_key = {.algorithm = SP_AEAD_CHACHA20_POLY1305, .raw = *key};
	uint8_t buffer[SP_KEY_BYTES + SP_AEAD_TAG_BYTES];
	struct sp_aead_job job = {.key = &aead_key,
				  .data = buffer,
				  .bytes = bytes,
				  .aad = hs->hash.b,
				  .aad_bytes = SP_HASH_BYTES};

	memcpy(buffer, sealed, bytes + SP_AEAD_TAG_BYTES);
	sp_aead_openssl.open_batch(aead, &job, 1);
	if (job.authentic) {
		mix_hash(hs, sealed, bytes + SP_AEAD_TAG_BYTES);
		if (bytes)
			memcpy(ret_plain, buffer, bytes);
	}
	sp_secret_wipe(buffer, sizeof(buffer));
	sp_key_wipe(&aead_key.raw);
	return job.authentic ? 0 : -EBADMSG;
}

static void start(struct sp_noise_handshake *hs, const struct sp_key *responder_public)
{
	struct sp_hash chaining;

	memset(hs, 0, sizeof(*hs));
	sp_hash(construction, sizeof(construction) - 1, NULL, 0, &chaining);
	memcpy(hs->chaining.b, chaining.b, SP_KEY_BYTES);
	sp_hash(chaining.b, SP_HASH_BYTES, identifier, sizeof(identifier) - 1, &hs->hash);
	mix_hash(hs, responder_public->b, SP_KEY_BYTES);
}

int sp_noise_create_initiation(struct sp_aead *aead, const struct sp_noise_local *local,
			       const struct sp_noise_remote *remote,
			       const struct sp_key *ephemeral_private,
			       const uint8_t timestamp[static SP_TAI64N_BYTES],
			       struct sp_wg_initiation *ret_message,
			       struct sp_noise_handshake *ret_hs)
{
	_cleanup_noise_ struct sp_noise_handshake hs;
	_cleanup_key_ struct sp_key key = {0};
	struct sp_key ephemeral;
	int rc;

	start(&hs, &remote->public_key);

	/* e */
	hs.ephemeral_private = *ephemeral_private;
	rc = sp_dh_public(&hs.ephemeral_private, &ephemeral);
	if (rc < 0)
		return rc;
	mix_ephemeral(&hs, ephemeral.b);

	/* es */
	rc = mix_dh(&hs, &hs.ephemeral_private, &remote->public_key, &key);
	if (rc < 0)
		return rc;
	memcpy(ret_message->ephemeral, ephemeral.b, SP_KEY_BYTES);

	/* s */
	seal(aead, &hs, &key, local->public_key.b, SP_KEY_BYTES, ret_message->sealed_static);

	/* ss */
	mix_key(&hs, &remote->static_static, &key);

	/* {t} */
	seal(aead, &hs, &key, timestamp, SP_TAI64N_BYTES, ret_message->sealed_timestamp);

	*ret_hs = hs;
	return 0;
}

int sp_noise_consume_initiation(struct sp_aead *aead, const struct sp_noise_local *local,
				const struct sp_wg_initiation *message,
				struct sp_key *ret_remote_public, struct sp_noise_handshake *ret_hs)
{
	_cleanup_noise_ struct sp_noise_handshake hs;
	_cleanup_key_ struct sp_key key = {0};
	struct sp_key claimed;
	int rc;

	start(&hs, &local->public_key);

	/* e */
	memcpy(hs.remote_ephemeral.b, message->ephemeral, SP_KEY_BYTES);
	mix_ephemeral(&hs, message->ephemeral);

	/* es */
	rc = mix_dh(&hs, &local->private_key, &hs.remote_ephemeral, &key);
	if (rc < 0)
		return rc;

	/* s */
	rc = unseal(aead, &hs, &key, message->sealed_static, SP_KEY_BYTES, claimed.b);
	if (rc < 0)
		return rc;

	*ret_remote_public = claimed;
	*ret_hs = hs;
	return 0;
}

int sp_noise_consume_timestamp(struct sp_aead *aead, const struct sp_noise_remote *remote,
			       const struct sp_wg_initiation *message,
			       struct sp_noise_handshake *hs,
			       uint8_t ret_timestamp[static SP_TAI64N_BYTES])
{
	_cleanup_key_ struct sp_key key = {0};

	/* ss */
	mix_key(hs, &remote->static_static, &key);

	/* {t} */
	return unseal(aead, hs, &key, message->sealed_timestamp, SP_TAI64N_BYTES, ret_timestamp);
}

int sp_noise_create_response(struct sp_aead *aead, const struct sp_noise_remote *remote,
			     const struct sp_key *ephemeral_private,
			     struct sp_wg_response *ret_message, struct sp_noise_handshake *hs)
{
	_cleanup_key_ struct sp_key key = {0};
	struct sp_key ephemeral;
	int rc;

	/* e */
	rc = sp_dh_public(ephemeral_private, &ephemeral);
	if (rc < 0)
		return rc;
	mix_ephemeral(hs, ephemeral.b);

	/* ee */
	rc = mix_dh(hs, ephemeral_private, &hs->remote_ephemeral, NULL);
	if (rc < 0)
		return rc;

	/* se */
	rc = mix_dh(hs, ephemeral_private, &remote->public_key, NULL);
	if (rc < 0)
		return rc;

	/* psk */
	mix_preshared(hs, &remote->preshared_key, &key);

	/* {} */
	memcpy(ret_message->ephemeral, ephemeral.b, SP_KEY_BYTES);
	seal(aead, hs, &key, NULL, 0, ret_message->sealed_nothing);
	return 0;
}

int sp_noise_consume_response(struct sp_aead *aead, const struct sp_noise_local *local,
			      const struct sp_noise_remote *remote,
			      const struct sp_wg_response *message,
			      const struct sp_noise_handshake *initiated,
			      struct sp_noise_handshake *ret_hs)
{
	_cleanup_noise_ struct sp_noise_handshake hs = *initiated;
	_cleanup_key_ struct sp_key key = {0};
	int rc;

	/* e */
	memcpy(hs.remote_ephemeral.b, message->ephemeral, SP_KEY_BYTES);
	mix_ephemeral(&hs, message->ephemeral);

	/* ee */
	rc = mix_dh(&hs, &hs.ephemeral_private, &hs.remote_ephemeral, NULL);
	if (rc < 0)
		return rc;

	/* se */
	rc = mix_dh(&hs, &local->private_key, &hs.remote_ephemeral, NULL);
	if (rc < 0)
		return rc;

	/* psk */
	mix_preshared(&hs, &remote->preshared_key, &key);

	/* {} */
	rc = unseal(aead, &hs, &key, message->sealed_nothing, 0, NULL);
	if (rc < 0)
		return rc;
	*ret_hs = hs;
	return 0;
}

void sp_noise_split(const struct sp_noise_handshake *hs, struct sp_key *ret_first,
		    struct sp_key *ret_second)
{
	sp_kdf(&hs->chaining, NULL, 0, ret_first, ret_second, NULL);
}

void sp_noise_forget(struct sp_aead *aead)
{
	static const struct sp_aead_key zero = {.algorithm = SP_AEAD_CHACHA20_POLY1305};
	uint8_t tag[SP_AEAD_TAG_BYTES] = {0};
	struct sp_aead_job job = {.key = &zero, .data = tag};

	sp_aead_openssl.seal_batch(aead, &job, 1);
	sp_aead_openssl.open_batch(aead, &job, 1);
}
