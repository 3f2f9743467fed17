/* SPDX-License-Identifier: Apache-2.0 */
/* Peers and keypairs as the workers see them; the daemon writes, workers read. Freed after an epoch. */
#ifndef SP_SESSION_SESSION_H
#define SP_SESSION_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "crypto/aead.h"
#include "sallyport/abi/addr.h"
#include "sallyport/core/replay.h"

/* Where a peer was last heard, learned from authenticated packets (WireGuard paper, 2.1). */
struct sp_endpoint {
	struct sp_addr remote;
	struct sp_addr local;
	__be16 remote_port_be;
	__be16 local_port_be;
	uint32_t slot;	 /* interface; SP_ENDPOINT_NO_LINK: link addresses not yet known */
	uint8_t dmac[6]; /* towards the peer */
	uint8_t smac[6];
};
#define SP_ENDPOINT_NO_LINK UINT32_MAX

/* WireGuard paper, section 6.1: REJECT_AFTER_TIME. */
#define SP_SESSION_REJECT_AFTER_NS (180ull * 1000000000)

/* One set of transport keys (WireGuard paper, 5.4.5). Immutable but for the atomics. */
struct sp_peer;
struct sp_keypair {
	uint32_t local_index;  /* receiver index in what we receive; its low bits are the slot */
	uint32_t remote_index; /* receiver index in what we send, host order */
	uint64_t serial;       /* grows with each keypair of a peer */
	struct sp_peer *peer;
	bool initiator;
	uint64_t born_ns;
	uint64_t reject_ns; /* born + REJECT_AFTER_TIME: neither sealed nor opened at or after */
	struct sp_aead_key receive;
	struct sp_aead_key send;
	_Atomic uint64_t send_counter; /* next nonce; taken in blocks by fetch-add */
	_Atomic bool confirmed;	       /* responder: first authentic packet seen */
	_Atomic uint64_t rekey_ns;     /* when a worker last said that it is due */
	struct sp_replay replay;
};

/*
 * A peer. The workers write the times (CLOCK_MONOTONIC, relaxed) and the daemon's sweep reads
 * them, four times a second, to drive WireGuard's timers: no queue, no wake-up per packet.
 */
struct sp_peer {
	uint32_t id; /* 1 .. */
	uint32_t user_id;
	uint32_t listener_id;
	uint32_t mtu;
	_Atomic(struct sp_keypair *) sending; /* newest confirmed keypair, or NULL */
	_Atomic uint32_t endpoint_seq;	      /* odd while a writer is inside */
	struct sp_endpoint endpoint;
	_Atomic uint64_t data_received_ns;    /* last authentic packet with a payload */
	_Atomic uint64_t any_received_ns;     /* last authentic packet, keepalives too */
	_Atomic uint64_t data_sent_ns;	      /* last sealed packet with a payload */
	_Atomic uint64_t any_sent_ns;	      /* last sealed packet */
	_Atomic uint64_t first_unanswered_ns; /* first data sent since any_received; 0 = none */
	_Atomic uint64_t first_unacked_ns;    /* first data received since any_sent; 0 = none */
	_Atomic bool wants_handshake;	      /* a packet found no live key */
	_Atomic uint64_t received_bytes, received_packets;
	_Atomic uint64_t sent_bytes, sent_packets;
};

struct sp_sessions;
/* peers_max and keypairs_max bound memory; workers is the number of readers. */
int sp_sessions_open(uint32_t peers_max, uint32_t keypairs_max, uint32_t workers,
		     struct sp_sessions **ret_sessions);
void sp_sessions_close(struct sp_sessions *sessions);

/*
 * Daemon. The peer object lives until sp_peer_remove and one epoch. id is 1 .. peers_max;
 * -ENOSPC beyond, -EEXIST while the id is in use.
 */
int sp_peer_add(struct sp_sessions *s, uint32_t id, uint32_t user_id, uint32_t listener_id,
		uint32_t mtu, struct sp_peer **ret_peer);
void sp_peer_remove(struct sp_sessions *s, uint32_t id); /* its keypairs too */

/* Daemon. A fresh local index (random high bits over a free slot). -ENOSPC at the limit. */
int sp_keypair_reserve_index(struct sp_sessions *s, uint32_t *ret_local_index);
/* Gives back an index that was reserved and not installed; sp_keypair_remove gives back others. */
void sp_keypair_release_index(struct sp_sessions *s, uint32_t local_index);

struct sp_keypair_material {
	uint32_t local_index; /* reserved before */
	uint32_t remote_index;
	bool initiator; /* an initiator's keypair may send at once, a responder's once confirmed */
	uint64_t born_ns;
	struct sp_key receive;
	struct sp_key send;
};
/* -EINVAL: the index was not reserved, or carries a keypair already. -ENOMEM. */
int sp_keypair_install(struct sp_sessions *s, struct sp_peer *peer,
		       const struct sp_keypair_material *material, struct sp_keypair **ret_keypair);
/* Out of sight at once; wiped and freed after an epoch. Unknown index: nothing happens. */
void sp_keypair_remove(struct sp_sessions *s, uint32_t local_index);

/* * Any thread inside an epoch. NULL when unknown. */
struct sp_keypair *sp_keypair_lookup(struct sp_sessions *s, uint32_t local_index);
struct sp_peer *sp_peer_lookup(struct sp_sessions *s, uint32_t id);
/* * What a lookup will read is on its way into the cache: first the slot, later what it holds. */
void sp_peer_fetch_slot(const struct sp_sessions *s, uint32_t id);
void sp_peer_fetch(const struct sp_sessions *s, uint32_t id);
void sp_keypair_fetch_slot(const struct sp_sessions *s, uint32_t local_index);
void sp_keypair_fetch(const struct sp_sessions *s, uint32_t local_index, uint64_t counter);

/*
 * * A worker that received the first authentic packet makes the keypair the sending one, unless a
 * newer one is. Any number of workers at once; true for exactly one of them, false ever after.
 */
bool sp_keypair_confirm(struct sp_keypair *keypair);
/*
 * * Endpoint: writers never wait (a lost race is mended by the next packet), readers retry. False:
 * none is known yet, or a writer was stopped in the middle of it.
 */
void sp_peer_endpoint_set(struct sp_peer *peer, const struct sp_endpoint *endpoint);
bool sp_peer_endpoint_get(struct sp_peer *peer, struct sp_endpoint *ret_endpoint);

/* Epochs: a worker says it holds nothing (quiescent), once a batch; offline while it sleeps. */
void sp_epoch_quiescent(struct sp_sessions *s, uint32_t worker);
void sp_epoch_offline(struct sp_sessions *s, uint32_t worker);
void sp_epoch_online(struct sp_sessions *s, uint32_t worker);
/* Daemon: frees what every worker has let go of; call a few times a second. */
void sp_epoch_reclaim(struct sp_sessions *s);

#endif
