/* SPDX-License-Identifier: Apache-2.0 */
/* XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), which OpenSSL lacks: cookie replies. Any thread. */
#ifndef SP_CRYPTO_XCHACHA_H
#define SP_CRYPTO_XCHACHA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/aead.h"

#define SP_XCHACHA_NONCE_BYTES 24

/* In place, with the tag at data + bytes. The instance is the caller's. */
void sp_xchacha_seal(struct sp_aead *aead, const struct sp_key *key,
		     const uint8_t nonce[static SP_XCHACHA_NONCE_BYTES], const void *aad,
		     uint32_t aad_bytes, uint8_t *data, uint32_t bytes);
/* False: not authentic, and data is undefined. */
bool sp_xchacha_open(struct sp_aead *aead, const struct sp_key *key,
		     const uint8_t nonce[static SP_XCHACHA_NONCE_BYTES], const void *aad,
		     uint32_t aad_bytes, uint8_t *data, uint32_t bytes);

/* Section 2.2 of the draft: a key out of a key and 16 bytes of nonce. */
void sp_hchacha20(const struct sp_key *key, const uint8_t nonce[static 16], struct sp_key *ret_key);

#endif
