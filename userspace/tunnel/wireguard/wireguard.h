/* SPDX-License-Identifier: Apache-2.0 */
/* WireGuard's handshakes, cookies and timers as pure functions: bytes and time in, bytes and events out. One thread. */
#ifndef SP_WIREGUARD_WIREGUARD_H
#define SP_WIREGUARD_WIREGUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/secret.h"

/* The paper's constants (section 6.1), in nanoseconds and messages. */
#define SP_WG_REKEY_AFTER_MESSAGES  (1ull << 60)
#define SP_WG_REJECT_AFTER_MESSAGES (UINT64_MAX - (1ull << 13))
#define SP_WG_REKEY_AFTER_NS	    (120ull * 1000000000)
#define SP_WG_REJECT_AFTER_NS	    (180ull * 1000000000)
#define SP_WG_REKEY_ATTEMPT_NS	    (90ull * 1000000000)
#define SP_WG_REKEY_TIMEOUT_NS	    (5ull * 1000000000)
#define SP_WG_KEEPALIVE_NS	    (10ull * 1000000000)

/* Message types and lengths on the wire. */
#define SP_WG_INITIATION       1
#define SP_WG_RESPONSE	       2
#define SP_WG_COOKIE_REPLY     3
#define SP_WG_DATA	       4
#define SP_WG_INITIATION_BYTES 148
#define SP_WG_RESPONSE_BYTES   92
#define SP_WG_COOKIE_BYTES     64
#define SP_WG_DATA_HEADER      16

struct sp_wg_device; /* one private key, one UDP port */
struct sp_wg_peer;

/* Where a message came from or goes to. */
struct sp_wg_address {
	struct sp_sockaddr remote;
	struct sp_sockaddr local;
};

/* Fresh transport keys for a peer. The callee copies; the device wipes its own copy on return. */
struct sp_wg_transport {
	uint32_t local_index;
	uint32_t remote_index;
	bool initiator;
	uint64_t born_ns;
	struct sp_key receive;
	struct sp_key send;
};

/* All mandatory. arg is what was handed to sp_wg_device_open, peer_arg to sp_wg_peer_add. */
struct sp_wg_upcalls {
	/* Emit a handshake message. to->remote.port_be is 0 when no endpoint is known: drop it. */
	void (*send)(void *arg, const struct sp_wg_address *to, const void *bytes, size_t len);
	/* A local index that nobody else uses, and its return. 0 or -ENOSPC. */
	int (*reserve_index)(void *arg, uint32_t *ret_index);
	void (*release_index)(void *arg, uint32_t index);
	/* Keys became usable. The peer keeps at most three keypairs: next, current, previous. */
	void (*install)(void *arg, void *peer_arg, const struct sp_wg_transport *transport);
	/* Keys ended (replaced twice, too old, wiped); also releases the index. */
	void (*remove)(void *arg, void *peer_arg, uint32_t local_index);
	/* Seal and send an empty packet with the newest usable keys. */
	void (*keepalive)(void *arg, void *peer_arg);
	/* An authentic handshake message came from there: the endpoint moves (paper, 2.1). */
	void (*endpoint)(void *arg, void *peer_arg, const struct sp_wg_address *from);
	/* Where to send a message to this peer now. False: nowhere known. */
	bool (*where)(void *arg, void *peer_arg, struct sp_wg_address *ret_address);
	/* Randomness and TAI64N's wall clock, so that tests can hand in known ones. */
	void (*random)(void *arg, void *bytes, size_t len);
	uint64_t (*realtime_ns)(void *arg); /* since 1970 */
};

int sp_wg_device_open(const struct sp_key *private_key, const struct sp_wg_upcalls *upcalls,
		      void *arg, struct sp_wg_device **ret_device);
void sp_wg_device_close(struct sp_wg_device *device); /* its peers too */
/* Under load: initiations and responses must carry a valid cookie (paper, 5.4.7). */
void sp_wg_device_set_under_load(struct sp_wg_device *device, bool under_load);

struct sp_wg_peer_config {
	struct sp_key public_key;
	struct sp_key preshared_key; /* all zero = none */
	uint16_t keepalive_s;	     /* persistent keepalive; 0 = off */
};
/* -EEXIST: public key already there; -EKEYREJECTED: low-order public key. */
int sp_wg_peer_add(struct sp_wg_device *device, const struct sp_wg_peer_config *config,
		   void *peer_arg, struct sp_wg_peer **ret_peer);
/* Calls remove for each of its keypairs; wipes everything. */
void sp_wg_peer_remove(struct sp_wg_peer *peer);
/* Change PSK or keepalive without touching live keys. */
void sp_wg_peer_set(struct sp_wg_peer *peer, const struct sp_wg_peer_config *config);

/* Why a message was not taken; for counters. Strangers get silence. */
enum sp_wg_result {
	SP_WG_OK = 0,
	SP_WG_E_LENGTH,
	SP_WG_E_TYPE,
	SP_WG_E_MAC1,
	SP_WG_E_COOKIE_SENT, /* under load: a cookie reply went out instead */
	SP_WG_E_UNKNOWN_PEER,
	SP_WG_E_AUTH,
	SP_WG_E_REPLAY, /* TAI64N not greater */
	SP_WG_E_FLOOD,	/* initiations of one peer closer than 50 ms */
	SP_WG_E_INDEX,	/* response or cookie for no handshake of ours */
	SP_WG_E_STATE,
	SP_WG_RESULT_COUNT,
};
const char *sp_wg_result_text(enum sp_wg_result result);

/* A handshake message (types 1-3) arrived. Never reads outside bytes[0..len). */
enum sp_wg_result sp_wg_device_consume(struct sp_wg_device *device, uint64_t now_ns,
				       const struct sp_wg_address *from, const void *bytes,
				       size_t len);

/* What the data path saw, as times (0 = never). Drives every timer; call often, any interval. */
struct sp_wg_traffic {
	uint64_t data_received_ns;
	uint64_t any_received_ns;
	uint64_t data_sent_ns;
	uint64_t any_sent_ns;
	uint64_t first_unanswered_ns; /* first data sent since the last receipt; 0 = none */
	uint64_t first_unacked_ns;    /* first data received since the last send; 0 = none */
	uint64_t send_counter;	      /* of the sending keypair */
};
/* Runs what is due and returns the next time at which something will be (UINT64_MAX: nothing). */
uint64_t sp_wg_peer_advance(struct sp_wg_peer *peer, uint64_t now_ns,
			    const struct sp_wg_traffic *traffic);
/* There is data and no usable key: start a handshake unless one is under way. */
void sp_wg_peer_want_session(struct sp_wg_peer *peer, uint64_t now_ns);
/* The responder's keypair received its first authentic packet: it becomes the current one. */
void sp_wg_peer_on_confirmed(struct sp_wg_peer *peer, uint64_t now_ns, uint32_t local_index);

/* For show: time of the last completed handshake, CLOCK_MONOTONIC ns, 0 = never. */
uint64_t sp_wg_peer_last_handshake_ns(const struct sp_wg_peer *peer);
const struct sp_key *sp_wg_peer_public_key(const struct sp_wg_peer *peer);
void sp_wg_device_public_key(const struct sp_wg_device *device, struct sp_key *ret_key);

#endif
