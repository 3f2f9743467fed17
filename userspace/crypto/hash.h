/* SPDX-License-Identifier: Apache-2.0 */
/* BLAKE2s, its MAC, and the HMAC-BLAKE2s key derivation of the Noise framework. Any thread. */
#ifndef SP_CRYPTO_HASH_H
#define SP_CRYPTO_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"

#define SP_HASH_BYTES 32
#define SP_MAC_BYTES  16

struct sp_hash {
	uint8_t b[SP_HASH_BYTES];
};

/* Finds the algorithms in OpenSSL. 0 or -ENOTSUP. After a success the functions below cannot
 * fail except for want of memory, and then they abort: no key may be made of half a hash. */
int sp_hash_probe(void);

/* BLAKE2s-256 of a, then b (RFC 7693). ret may be one of the inputs. */
void sp_hash(const void *a, size_t a_bytes, const void *b, size_t b_bytes, struct sp_hash *ret);

/* Keyed BLAKE2s with 16 bytes of output, of a, then b. The key is 1 to 32 bytes. */
void sp_mac(const void *key, size_t key_bytes, const void *a, size_t a_bytes, const void *b,
	    size_t b_bytes, uint8_t ret_mac[static SP_MAC_BYTES]);

/* WireGuard paper, 5.4: KDF1 to KDF3; ret2 and ret3 may be NULL. ret1 may be chaining. */
void sp_kdf(const struct sp_key *chaining, const void *input, size_t bytes, struct sp_key *ret1,
	    struct sp_key *ret2, struct sp_key *ret3);

#endif
