/* SPDX-License-Identifier: Apache-2.0 */
#include "tunnel/wireguard/cookie.h"

#include <errno.h>
#include <string.h>

static const char label_mac1[] = "mac1----";
static const char label_cookie[] = "cookie--";

static void derive_keys(const struct sp_key *public_key, struct sp_hash *ret_mac1_key,
			struct sp_key *ret_cookie_key)
{
	struct sp_hash hash;

	sp_hash(label_mac1, sizeof(label_mac1) - 1, public_key->b, SP_KEY_BYTES, ret_mac1_key);
	sp_hash(label_cookie, sizeof(label_cookie) - 1, public_key->b, SP_KEY_BYTES, &hash);
	memcpy(ret_cookie_key->b, hash.b, SP_KEY_BYTES);
}

void sp_cookie_checker_init(struct sp_cookie_checker *checker, const struct sp_key *public_key)
{
	memset(checker, 0, sizeof(*checker));
	derive_keys(public_key, &checker->mac1_key, &checker->cookie_key);
}

void sp_cookie_jar_init(struct sp_cookie_jar *jar, const struct sp_key *public_key)
{
	memset(jar, 0, sizeof(*jar));
	derive_keys(public_key, &jar->mac1_key, &jar->cookie_key);
}

static size_t mac1_offset(size_t bytes)
{
	return bytes - sizeof(struct sp_wg_macs);
}

static size_t mac2_offset(size_t bytes)
{
	return bytes - SP_MAC_BYTES;
}

bool sp_cookie_mac1_is_valid(const struct sp_cookie_checker *checker, const void *message,
			     size_t bytes)
{
	const uint8_t *at = message;
	uint8_t mac1[SP_MAC_BYTES];

	sp_mac(checker->mac1_key.b, SP_HASH_BYTES, at, mac1_offset(bytes), NULL, 0, mac1);
	return sp_secret_equal(mac1, at + mac1_offset(bytes), SP_MAC_BYTES);
}

/* 5.4.7: a cookie is bound to the address and port that the message came from. */
static void make_cookie(struct sp_cookie_checker *checker, uint64_t now_ns,
			const struct sp_sockaddr *from, const struct sp_cookie_random *random,
			uint8_t ret_cookie[static SP_MAC_BYTES])
{
	if (!checker->has_secret || now_ns - checker->secret_born_ns >= SP_COOKIE_SECRET_NS) {
		random->fill(random->arg, checker->secret.b, SP_KEY_BYTES);
		checker->secret_born_ns = now_ns;
		checker->has_secret = true;
	}
	sp_mac(checker->secret.b, SP_KEY_BYTES, &from->addr, sizeof(from->addr), &from->port_be,
	       sizeof(from->port_be), ret_cookie);
}

bool sp_cookie_mac2_is_valid(struct sp_cookie_checker *checker, uint64_t now_ns,
			     const struct sp_sockaddr *from, const struct sp_cookie_random *random,
			     const void *message, size_t bytes)
{
	uint8_t cookie[SP_MAC_BYTES], mac2[SP_MAC_BYTES];
	const uint8_t *at = message;

	make_cookie(checker, now_ns, from, random, cookie);
	sp_mac(cookie, SP_MAC_BYTES, at, mac2_offset(bytes), NULL, 0, mac2);
	sp_secret_wipe(cookie, sizeof(cookie));
	return sp_secret_equal(mac2, at + mac2_offset(bytes), SP_MAC_BYTES);
}

void sp_cookie_create_reply(struct sp_cookie_checker *checker, struct sp_aead *aead,
			    uint64_t now_ns, const struct sp_sockaddr *from,
			    const struct sp_cookie_random *random, const void *message,
			    size_t bytes, struct sp_wg_cookie_reply *ret_reply)
{
	const uint8_t *at = message;

	ret_reply->type_le = htole32(SP_WG_COOKIE_REPLY);
	/* The sender's index stands after the type in both messages that can be answered. */
	memcpy(&ret_reply->receiver_le, at + offsetof(struct sp_wg_initiation, sender_le),
	       sizeof(ret_reply->receiver_le));
	random->fill(random->arg, ret_reply->nonce, SP_XCHACHA_NONCE_BYTES);
	make_cookie(checker, now_ns, from, random, ret_reply->sealed_cookie);
	sp_xchacha_seal(aead, &checker->cookie_key, ret_reply->nonce, at + mac1_offset(bytes),
			SP_MAC_BYTES, ret_reply->sealed_cookie, SP_MAC_BYTES);
}

void sp_cookie_add_macs(struct sp_cookie_jar *jar, uint64_t now_ns, void *message, size_t bytes)
{
	uint8_t *at = message;

	sp_mac(jar->mac1_key.b, SP_HASH_BYTES, at, mac1_offset(bytes), NULL, 0,
	       at + mac1_offset(bytes));
	memcpy(jar->last_mac1, at + mac1_offset(bytes), SP_MAC_BYTES);
	jar->awaits_reply = true;
	if (jar->has_cookie &&
	    now_ns - jar->cookie_born_ns >= SP_COOKIE_SECRET_NS - SP_COOKIE_LATENCY_NS) {
		sp_secret_wipe(jar->cookie, sizeof(jar->cookie));
		jar->has_cookie = false;
	}
	if (jar->has_cookie)
		sp_mac(jar->cookie, SP_MAC_BYTES, at, mac2_offset(bytes), NULL, 0,
		       at + mac2_offset(bytes));
	else
		memset(at + mac2_offset(bytes), 0, SP_MAC_BYTES);
}

int sp_cookie_consume_reply(struct sp_cookie_jar *jar, struct sp_aead *aead, uint64_t now_ns,
			    const struct sp_wg_cookie_reply *reply)
{
	uint8_t sealed[sizeof(reply->sealed_cookie)];
	int rc = -EBADMSG;

	if (!jar->awaits_reply)
		return -ENOENT;
	memcpy(sealed, reply->sealed_cookie, sizeof(sealed));
	if (sp_xchacha_open(aead, &jar->cookie_key, reply->nonce, jar->last_mac1, SP_MAC_BYTES,
			    sealed, SP_MAC_BYTES)) {
		memcpy(jar->cookie, sealed, SP_MAC_BYTES);
		jar->cookie_born_ns = now_ns;
		jar->has_cookie = true;
		jar->awaits_reply = false;
		rc = 0;
	}
	sp_secret_wipe(sealed, sizeof(sealed));
	return rc;
}
