/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: device, peer, keypairs, timers. One thread. */
#ifndef SP_WIREGUARD_PEER_H
#define SP_WIREGUARD_PEER_H

#include <uthash.h>

#include "tunnel/wireguard/cookie.h"
#include "tunnel/wireguard/noise.h"
#include "tunnel/wireguard/wireguard.h"

#define SP_WG_INITIATION_GAP_NS (50ull * 1000000)
#define SP_WG_JITTER_MAX_NS	(333ull * 1000000)

/*
 * A local index and what it stands for: a handshake that waits for its response (pending), or
 * keys that were handed to install. In the device's table from reservation to release.
 */
struct sp_wg_keypair {
	uint32_t local_index;
	uint32_t remote_index;
	bool initiator;
	uint64_t born_ns;
	struct sp_wg_peer *peer;
	UT_hash_handle hh;
};

/* Times of things done, CLOCK_MONOTONIC; 0 = never. The story is told in timers.c. */
struct sp_wg_timers {
	uint64_t handshake_sent_ns;  /* initiation or response */
	uint64_t handshake_heard_ns; /* authentic initiation or response */
	uint64_t attempt_ns;	     /* since when the pending handshake is tried */
	uint64_t retry_ns;	     /* when to send the pending initiation anew */
	uint64_t completed_ns;	     /* newest keys known to work both ways */
	uint64_t keepalive_ns;
	uint64_t persistent_ns;
	uint64_t renewed_ns; /* a handshake because nothing came back */
	uint64_t rekeyed_ns; /* a handshake because of the keys' age */
	uint64_t unacked_ns, unanswered_ns;
	bool is_last_minute; /* these keys' receiver asked for new ones already */
	bool is_wanted;	     /* a handshake shall start as soon as it may */
};

struct sp_wg_peer {
	struct sp_wg_device *device;
	void *arg;
	UT_hash_handle hh; /* by remote.public_key */
	struct sp_noise_remote remote;
	struct sp_cookie_jar jar;
	uint16_t keepalive_s;

	struct sp_wg_keypair *pending; /* our initiation on its way; handshake belongs to it */
	struct sp_noise_handshake handshake;
	struct sp_wg_keypair *next, *current, *previous;

	uint8_t greatest_timestamp[SP_TAI64N_BYTES];
	uint64_t initiation_heard_ns;
	struct sp_wg_timers timers;
};

struct sp_wg_device {
	const struct sp_wg_upcalls *up;
	void *arg;
	struct sp_aead *aead;
	struct sp_noise_local local;
	struct sp_cookie_checker checker;
	bool under_load;
	struct sp_wg_peer *peers;
	struct sp_wg_keypair *keypairs;
};

/* keypair.c. NULL: no index or no memory. */
struct sp_wg_keypair *sp_wg_keypair_reserve(struct sp_wg_peer *peer);
void sp_wg_keypair_release(struct sp_wg_keypair *keypair); /* never installed; NULL is fine */
struct sp_wg_keypair *sp_wg_keypair_lookup(struct sp_wg_device *device, uint32_t local_index);
/* Derive, hand to the data path, rotate. keypair: reserved, remote_index and initiator set. */
void sp_wg_keypair_install(struct sp_wg_keypair *keypair, const struct sp_noise_handshake *hs,
			   uint64_t now_ns);
/* Next becomes current. False: it is not next. */
bool sp_wg_keypair_confirm(struct sp_wg_peer *peer, uint32_t local_index);
bool sp_wg_keypair_is_usable(const struct sp_wg_keypair *keypair, uint64_t now_ns);
/* Of the installed ones; UINT64_MAX: there is none. */
uint64_t sp_wg_keypair_oldest_ns(const struct sp_wg_peer *peer);
/* Removes what was born then or before; UINT64_MAX: all. */
void sp_wg_keypair_remove_older(struct sp_wg_peer *peer, uint64_t born_ns);

/* handshake.c. start: a fresh initiation instead of the pending one; 0 or -errno. */
int sp_wg_handshake_start(struct sp_wg_peer *peer, uint64_t now_ns);
void sp_wg_handshake_abandon(struct sp_wg_peer *peer);
enum sp_wg_result sp_wg_handshake_on_initiation(struct sp_wg_device *device, uint64_t now_ns,
						const struct sp_wg_address *from,
						const struct sp_wg_initiation *message);
enum sp_wg_result sp_wg_handshake_on_response(struct sp_wg_device *device, uint64_t now_ns,
					      const struct sp_wg_address *from,
					      const struct sp_wg_response *message);
enum sp_wg_result sp_wg_handshake_on_cookie_reply(struct sp_wg_device *device, uint64_t now_ns,
						  const struct sp_wg_cookie_reply *message);

/* timers.c: what happened. */
void sp_wg_timers_on_initiated(struct sp_wg_peer *peer, uint64_t now_ns);
void sp_wg_timers_on_derived(struct sp_wg_peer *peer);
void sp_wg_timers_on_completed(struct sp_wg_peer *peer, uint64_t now_ns);

#endif
