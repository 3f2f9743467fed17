/* SPDX-License-Identifier: Apache-2.0 */
/* MAC1, MAC2 and cookies (WireGuard paper, 5.4.4 and 5.4.7). One thread. */
#ifndef SP_WIREGUARD_COOKIE_H
#define SP_WIREGUARD_COOKIE_H

#include "crypto/aead.h"
#include "tunnel/wireguard/message.h"

#define SP_COOKIE_SECRET_NS  (120ull * 1000000000)
#define SP_COOKIE_LATENCY_NS (5ull * 1000000000) /* a cookie this near its end is not used */

/* Randomness, as the device has it. */
struct sp_cookie_random {
	void (*fill)(void *arg, void *bytes, size_t len);
	void *arg;
};

/* What a device checks incoming messages with. */
struct sp_cookie_checker {
	struct sp_hash mac1_key;
	struct sp_key cookie_key;
	struct sp_key secret;
	uint64_t secret_born_ns;
	bool has_secret;
};

/* What a peer's outgoing messages are marked with: its keys, and the cookie it gave us last. */
struct sp_cookie_jar {
	struct sp_hash mac1_key;
	struct sp_key cookie_key;
	uint8_t cookie[SP_MAC_BYTES];
	uint64_t cookie_born_ns;
	bool has_cookie;
	uint8_t last_mac1[SP_MAC_BYTES];
	bool awaits_reply; /* one reply is taken for each message sent */
};

void sp_cookie_checker_init(struct sp_cookie_checker *checker, const struct sp_key *public_key);
void sp_cookie_jar_init(struct sp_cookie_jar *jar, const struct sp_key *public_key);

/* message: initiation or response of bytes length, its MACs at the end. */
bool sp_cookie_mac1_is_valid(const struct sp_cookie_checker *checker, const void *message,
			     size_t bytes);
/* A new secret is made when the old one is 120 s old; no cookie of before is valid then. */
bool sp_cookie_mac2_is_valid(struct sp_cookie_checker *checker, uint64_t now_ns,
			     const struct sp_sockaddr *from, const struct sp_cookie_random *random,
			     const void *message, size_t bytes);
/* For a message whose MAC1 is valid. */
void sp_cookie_create_reply(struct sp_cookie_checker *checker, struct sp_aead *aead,
			    uint64_t now_ns, const struct sp_sockaddr *from,
			    const struct sp_cookie_random *random, const void *message,
			    size_t bytes, struct sp_wg_cookie_reply *ret_reply);

/* Writes MAC1 and, with a fresh cookie, MAC2. */
void sp_cookie_add_macs(struct sp_cookie_jar *jar, uint64_t now_ns, void *message, size_t bytes);
/* 0, -ENOENT (nothing was sent that it could answer) or -EBADMSG. */
int sp_cookie_consume_reply(struct sp_cookie_jar *jar, struct sp_aead *aead, uint64_t now_ns,
			    const struct sp_wg_cookie_reply *reply);

#endif
