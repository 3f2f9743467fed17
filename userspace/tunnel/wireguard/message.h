/* SPDX-License-Identifier: Apache-2.0 */
/* Handshake messages as they stand on the wire (WireGuard paper, 5.4). Any thread. */
#ifndef SP_WIREGUARD_MESSAGE_H
#define SP_WIREGUARD_MESSAGE_H

#include <endian.h>
#include <stdint.h>

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/xchacha.h"
#include "tunnel/wireguard/wireguard.h"

#define SP_TAI64N_BYTES 12

/* 5.4.4: both stand at the end of initiation and response. */
struct sp_wg_macs {
	uint8_t mac1[SP_MAC_BYTES];
	uint8_t mac2[SP_MAC_BYTES];
};

/* The type is one byte and three zero bytes, so it reads as a little-endian word. */
struct sp_wg_initiation {
	uint32_t type_le;
	uint32_t sender_le;
	uint8_t ephemeral[SP_KEY_BYTES];
	uint8_t sealed_static[SP_KEY_BYTES + SP_AEAD_TAG_BYTES];
	uint8_t sealed_timestamp[SP_TAI64N_BYTES + SP_AEAD_TAG_BYTES];
	struct sp_wg_macs macs;
};

struct sp_wg_response {
	uint32_t type_le;
	uint32_t sender_le;
	uint32_t receiver_le;
	uint8_t ephemeral[SP_KEY_BYTES];
	uint8_t sealed_nothing[SP_AEAD_TAG_BYTES];
	struct sp_wg_macs macs;
};

struct sp_wg_cookie_reply {
	uint32_t type_le;
	uint32_t receiver_le;
	uint8_t nonce[SP_XCHACHA_NONCE_BYTES];
	uint8_t sealed_cookie[SP_MAC_BYTES + SP_AEAD_TAG_BYTES];
};

_Static_assert(sizeof(struct sp_wg_initiation) == SP_WG_INITIATION_BYTES, "paper, 5.4.2");
_Static_assert(sizeof(struct sp_wg_response) == SP_WG_RESPONSE_BYTES, "paper, 5.4.3");
_Static_assert(sizeof(struct sp_wg_cookie_reply) == SP_WG_COOKIE_BYTES, "paper, 5.4.7");

#endif
