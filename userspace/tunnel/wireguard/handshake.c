/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three exchanges. What a responder computes lives only inside one call, so that it does not
 * disturb an initiation of ours that is on its way: when both sides start at once, both answer,
 * and both pairs of keys work.
 */
#include "tunnel/wireguard/peer.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "crypto/dh.h"

/* TAI64N (cr.yp.to): seconds since 1970 TAI plus 2^62, then nanoseconds, big endian. */
#define TAI64_EPOCH 0x400000000000000aull
/* The clock is not shown finer than 2^24 ns, about a third of the least gap of initiations. */
#define TAI64N_COARSE_NS (1u << 24)

static void make_timestamp(const struct sp_wg_device *device, uint8_t ret[static SP_TAI64N_BYTES])
{
	uint64_t real_ns = device->up->realtime_ns(device->arg);
	uint64_t seconds_be = htobe64(TAI64_EPOCH + real_ns / SP_NS_PER_S);
	uint32_t ns_be = htobe32((uint32_t)(real_ns % SP_NS_PER_S) & ~(TAI64N_COARSE_NS - 1));

	memcpy(ret, &seconds_be, sizeof(seconds_be));
	memcpy(ret + sizeof(seconds_be), &ns_be, sizeof(ns_be));
}

static void make_ephemeral(const struct sp_wg_device *device, struct sp_key *ret_private)
{
	device->up->random(device->arg, ret_private->b, SP_KEY_BYTES);
	sp_dh_clamp(ret_private);
}

void sp_wg_handshake_abandon(struct sp_wg_peer *peer)
{
	sp_wg_keypair_release(TAKE_PTR(peer->pending));
	sp_noise_wipe(&peer->handshake);
}

/* initiator --> responder: handshake initiation { ephemeral, static, timestamp } */
int sp_wg_handshake_start(struct sp_wg_peer *peer, uint64_t now_ns)
{
	struct sp_wg_device *device = peer->device;
	_cleanup_key_ struct sp_key ephemeral_private = {0};
	struct sp_wg_initiation message = {.type_le = htole32(SP_WG_INITIATION)};
	uint8_t timestamp[SP_TAI64N_BYTES];
	struct sp_wg_address to = {0};
	int rc;

	sp_wg_handshake_abandon(peer);
	if (!device->up->where(device->arg, peer->arg, &to))
		return -EDESTADDRREQ;
	peer->pending = sp_wg_keypair_reserve(peer);
	if (!peer->pending)
		return -ENOSPC;
	peer->pending->initiator = true;
	make_ephemeral(device, &ephemeral_private);
	make_timestamp(device, timestamp);
	rc = sp_noise_create_initiation(device->aead, &device->local, &peer->remote,
					&ephemeral_private, timestamp, &message, &peer->handshake);
	sp_noise_forget(device->aead);
	if (rc < 0) {
		sp_wg_handshake_abandon(peer);
		return rc;
	}
	message.sender_le = htole32(peer->pending->local_index);
	sp_cookie_add_macs(&peer->jar, now_ns, &message, sizeof(message));
	sp_wg_timers_on_initiated(peer, now_ns);
	device->up->send(device->arg, &to, &message, sizeof(message));
	return 0;
}

/* 5.1: the greatest timestamp of a peer is kept, so that no old initiation is answered again. */
static enum sp_wg_result admit(struct sp_wg_peer *peer, uint64_t now_ns,
			       const uint8_t timestamp[static SP_TAI64N_BYTES])
{
	if (memcmp(timestamp, peer->greatest_timestamp, SP_TAI64N_BYTES) <= 0)
		return SP_WG_E_REPLAY;
	if (peer->initiation_heard_ns &&
	    now_ns - peer->initiation_heard_ns < SP_WG_INITIATION_GAP_NS)
		return SP_WG_E_FLOOD;
	memcpy(peer->greatest_timestamp, timestamp, SP_TAI64N_BYTES);
	peer->initiation_heard_ns = now_ns;
	return SP_WG_OK;
}

/* responder --> initiator: handshake response { ephemeral, nothing } */
static enum sp_wg_result respond(struct sp_wg_peer *peer, uint64_t now_ns,
				 const struct sp_wg_address *to, uint32_t remote_index,
				 struct sp_noise_handshake *hs)
{
	struct sp_wg_device *device = peer->device;
	_cleanup_key_ struct sp_key ephemeral_private = {0};
	struct sp_wg_response message = {.type_le = htole32(SP_WG_RESPONSE),
					 .receiver_le = htole32(remote_index)};
	struct sp_wg_keypair *keypair = sp_wg_keypair_reserve(peer);

	if (!keypair)
		return SP_WG_E_STATE;
	make_ephemeral(device, &ephemeral_private);
	if (sp_noise_create_response(device->aead, &peer->remote, &ephemeral_private, &message,
				     hs) < 0) {
		sp_wg_keypair_release(keypair);
		return SP_WG_E_AUTH;
	}
	keypair->remote_index = remote_index;
	message.sender_le = htole32(keypair->local_index);
	sp_cookie_add_macs(&peer->jar, now_ns, &message, sizeof(message));
	sp_wg_keypair_install(keypair, hs, now_ns);
	sp_wg_timers_on_derived(peer);
	peer->timers.handshake_sent_ns = now_ns;
	device->up->send(device->arg, to, &message, sizeof(message));
	return SP_WG_OK;
}

enum sp_wg_result sp_wg_handshake_on_initiation(struct sp_wg_device *device, uint64_t now_ns,
						const struct sp_wg_address *from,
						const struct sp_wg_initiation *message)
{
	_cleanup_noise_ struct sp_noise_handshake hs = {0};
	uint8_t timestamp[SP_TAI64N_BYTES];
	struct sp_key claimed;
	struct sp_wg_peer *peer;
	enum sp_wg_result result;

	if (sp_noise_consume_initiation(device->aead, &device->local, message, &claimed, &hs) < 0)
		return SP_WG_E_AUTH;
	HASH_FIND(hh, device->peers, &claimed, sizeof(claimed), peer);
	if (!peer)
		return SP_WG_E_UNKNOWN_PEER;
	if (sp_noise_consume_timestamp(device->aead, &peer->remote, message, &hs, timestamp) < 0)
		return SP_WG_E_AUTH;
	result = admit(peer, now_ns, timestamp);
	if (result != SP_WG_OK)
		return result;
	peer->timers.handshake_heard_ns = now_ns;
	device->up->endpoint(device->arg, peer->arg, from);
	return respond(peer, now_ns, from, le32toh(message->sender_le), &hs);
}

enum sp_wg_result sp_wg_handshake_on_response(struct sp_wg_device *device, uint64_t now_ns,
					      const struct sp_wg_address *from,
					      const struct sp_wg_response *message)
{
	struct sp_wg_keypair *keypair = sp_wg_keypair_lookup(device, le32toh(message->receiver_le));
	_cleanup_noise_ struct sp_noise_handshake hs = {0};
	struct sp_wg_peer *peer;

	if (!keypair || keypair != keypair->peer->pending)
		return SP_WG_E_INDEX;
	peer = keypair->peer;
	if (sp_noise_consume_response(device->aead, &device->local, &peer->remote, message,
				      &peer->handshake, &hs) < 0)
		return SP_WG_E_AUTH;
	keypair->remote_index = le32toh(message->sender_le);
	peer->pending = NULL;
	sp_noise_wipe(&peer->handshake);
	peer->timers.handshake_heard_ns = now_ns;
	device->up->endpoint(device->arg, peer->arg, from);
	sp_wg_keypair_install(keypair, &hs, now_ns);
	sp_wg_timers_on_derived(peer);
	sp_wg_timers_on_completed(peer, now_ns);
	/* The responder may send only after it heard the keys used. */
	device->up->keepalive(device->arg, peer->arg);
	return SP_WG_OK;
}

enum sp_wg_result sp_wg_handshake_on_cookie_reply(struct sp_wg_device *device, uint64_t now_ns,
						  const struct sp_wg_cookie_reply *message)
{
	struct sp_wg_keypair *keypair = sp_wg_keypair_lookup(device, le32toh(message->receiver_le));

	if (!keypair)
		return SP_WG_E_INDEX;
	switch (sp_cookie_consume_reply(&keypair->peer->jar, device->aead, now_ns, message)) {
	case 0:
		return SP_WG_OK;
	case -ENOENT:
		return SP_WG_E_STATE;
	default:
		return SP_WG_E_AUTH;
	}
}
