/* SPDX-License-Identifier: Apache-2.0 */
/* Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s, step by step (WireGuard paper, 5.4.1 to 5.4.5). Any thread. */
#ifndef SP_WIREGUARD_NOISE_H
#define SP_WIREGUARD_NOISE_H

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "tunnel/wireguard/message.h"

/* This side: what a device has. */
struct sp_noise_local {
	struct sp_key private_key;
	struct sp_key public_key;
};

/* The other side: what is known of a peer before any message. */
struct sp_noise_remote {
	struct sp_key public_key;
	struct sp_key preshared_key;
	struct sp_key static_static; /* DH of both static keys, made once */
};

/* One handshake in progress. All of it is secret; whoever holds it wipes it. */
struct sp_noise_handshake {
	struct sp_hash hash;
	struct sp_key chaining;
	struct sp_key ephemeral_private;
	struct sp_key remote_ephemeral;
};
static inline void sp_noise_wipe(struct sp_noise_handshake *hs)
{
	sp_secret_wipe(hs, sizeof(*hs));
}
#define _cleanup_noise_ __attribute__((cleanup(sp_noise_wipe)))

/*
 * create: fills everything between the indices and the MACs. consume: ret_hs is written only on
 * success. Every function: 0, -EKEYREJECTED (a low-order point) or -EBADMSG (not authentic).
 * The ephemeral private key is fresh and the caller's to wipe.
 */
int sp_noise_create_initiation(struct sp_aead *aead, const struct sp_noise_local *local,
			       const struct sp_noise_remote *remote,
			       const struct sp_key *ephemeral_private,
			       const uint8_t timestamp[static SP_TAI64N_BYTES],
			       struct sp_wg_initiation *ret_message,
			       struct sp_noise_handshake *ret_hs);

/* First half: who is it? The name is only claimed until the second half succeeds. */
int sp_noise_consume_initiation(struct sp_aead *aead, const struct sp_noise_local *local,
				const struct sp_wg_initiation *message,
				struct sp_key *ret_remote_public,
				struct sp_noise_handshake *ret_hs);
int sp_noise_consume_timestamp(struct sp_aead *aead, const struct sp_noise_remote *remote,
			       const struct sp_wg_initiation *message,
			       struct sp_noise_handshake *hs,
			       uint8_t ret_timestamp[static SP_TAI64N_BYTES]);

int sp_noise_create_response(struct sp_aead *aead, const struct sp_noise_remote *remote,
			     const struct sp_key *ephemeral_private,
			     struct sp_wg_response *ret_message, struct sp_noise_handshake *hs);
/* initiated stays as it is: a forged answer must not spoil the wait for the real one. */
int sp_noise_consume_response(struct sp_aead *aead, const struct sp_noise_local *local,
			      const struct sp_noise_remote *remote,
			      const struct sp_wg_response *message,
			      const struct sp_noise_handshake *initiated,
			      struct sp_noise_handshake *ret_hs);

/* 5.4.5: the initiator sends with the first and receives with the second key. */
void sp_noise_split(const struct sp_noise_handshake *hs, struct sp_key *ret_first,
		    struct sp_key *ret_second);

/* The back end remembers its last key: make it one that everybody knows. After each exchange. */
void sp_noise_forget(struct sp_aead *aead);

#endif
