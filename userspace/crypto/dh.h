/* SPDX-License-Identifier: Apache-2.0 */
/* X25519 (RFC 7748), refusing points that contribute nothing. Any thread. */
#ifndef SP_CRYPTO_DH_H
#define SP_CRYPTO_DH_H

#include "base/secret.h"

/* RFC 7748 5: what scalar multiplication does to a private key anyway; wg(8) stores it so. */
static inline void sp_dh_clamp(struct sp_key *private_key)
{
	private_key->b[0] &= 248;
	private_key->b[31] = (uint8_t)((private_key->b[31] & 127) | 64);
}

/* 0 or -ENOMEM. */
int sp_dh_public(const struct sp_key *private_key, struct sp_key *ret_public);

/* RFC 7748 6.1: -EKEYREJECTED when the result is all zero, i.e. the point is of low order. */
int sp_dh(const struct sp_key *private_key, const struct sp_key *public_key,
	  struct sp_key *ret_shared);

#endif
