/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer has up to three keypairs. The initiator of a handshake knows that both sides have the
 * keys, so its keypair is current at once. The responder's waits as next until a packet shows
 * that the response arrived. The one before stays as previous for packets still under way.
 */
#include "tunnel/wireguard/peer.h"

#include <stdlib.h>

#include "base/cleanup.h"

struct sp_wg_keypair *sp_wg_keypair_reserve(struct sp_wg_peer *peer)
{
	struct sp_wg_device *device = peer->device;
	struct sp_wg_keypair *keypair = calloc(1, sizeof(*keypair));

	if (!keypair)
		return NULL;
	if (device->up->reserve_index(device->arg, &keypair->local_index) < 0) {
		free(keypair);
		return NULL;
	}
	keypair->peer = peer;
	HASH_ADD(hh, device->keypairs, local_index, sizeof(keypair->local_index), keypair);
	return keypair;
}

static uint32_t forget(struct sp_wg_keypair *keypair)
{
	uint32_t local_index = keypair->local_index;

	HASH_DELETE(hh, keypair->peer->device->keypairs, keypair);
	free(keypair);
	return local_index;
}

void sp_wg_keypair_release(struct sp_wg_keypair *keypair)
{
	struct sp_wg_device *device;

	if (!keypair)
		return;
	device = keypair->peer->device;
	device->up->release_index(device->arg, forget(keypair));
}

struct sp_wg_keypair *sp_wg_keypair_lookup(struct sp_wg_device *device, uint32_t local_index)
{
	struct sp_wg_keypair *keypair;

	HASH_FIND(hh, device->keypairs, &local_index, sizeof(local_index), keypair);
	return keypair;
}

static void remove_installed(struct sp_wg_keypair *keypair)
{
	struct sp_wg_peer *peer;
	struct sp_wg_device *device;

	if (!keypair)
		return;
	peer = keypair->peer;
	device = peer->device;
	device->up->remove(device->arg, peer->arg, forget(keypair));
}

static void rotate_initiator(struct sp_wg_peer *peer, struct sp_wg_keypair *keypair)
{
	remove_installed(TAKE_PTR(peer->previous));
	if (peer->next) {
		/* The peer may already send with what it was offered as next. */
		remove_installed(TAKE_PTR(peer->current));
		peer->previous = TAKE_PTR(peer->next);
	} else {
		peer->previous = TAKE_PTR(peer->current);
	}
	peer->current = keypair;
}

static void rotate_responder(struct sp_wg_peer *peer, struct sp_wg_keypair *keypair)
{
	remove_installed(TAKE_PTR(peer->next));
	remove_installed(TAKE_PTR(peer->previous));
	peer->next = keypair;
}

void sp_wg_keypair_install(struct sp_wg_keypair *keypair, const struct sp_noise_handshake *hs,
			   uint64_t now_ns)
{
	struct sp_wg_peer *peer = keypair->peer;
	struct sp_wg_transport transport = {.local_index = keypair->local_index,
					    .remote_index = keypair->remote_index,
					    .initiator = keypair->initiator,
					    .born_ns = now_ns};

	keypair->born_ns = now_ns;
	if (keypair->initiator)
		sp_noise_split(hs, &transport.send, &transport.receive);
	else
		sp_noise_split(hs, &transport.receive, &transport.send);
	/* New before old: the data path is never without keys in between. */
	peer->device->up->install(peer->device->arg, peer->arg, &transport);
	sp_secret_wipe(&transport, sizeof(transport));
	if (keypair->initiator)
		rotate_initiator(peer, keypair);
	else
		rotate_responder(peer, keypair);
}

bool sp_wg_keypair_confirm(struct sp_wg_peer *peer, uint32_t local_index)
{
	if (!peer->next || peer->next->local_index != local_index)
		return false;
	remove_installed(TAKE_PTR(peer->previous));
	peer->previous = TAKE_PTR(peer->current);
	peer->current = TAKE_PTR(peer->next);
	return true;
}

bool sp_wg_keypair_is_usable(const struct sp_wg_keypair *keypair, uint64_t now_ns)
{
	return keypair && now_ns - keypair->born_ns < SP_WG_REJECT_AFTER_NS;
}

uint64_t sp_wg_keypair_oldest_ns(const struct sp_wg_peer *peer)
{
	const struct sp_wg_keypair *const all[] = {peer->next, peer->current, peer->previous};
	uint64_t oldest_ns = UINT64_MAX;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] && all[i]->born_ns < oldest_ns)
			oldest_ns = all[i]->born_ns;
	return oldest_ns;
}

void sp_wg_keypair_remove_older(struct sp_wg_peer *peer, uint64_t born_ns)
{
	struct sp_wg_keypair **const all[] = {&peer->next, &peer->current, &peer->previous};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (*all[i] && (*all[i])->born_ns <= born_ns)
			remove_installed(TAKE_PTR(*all[i]));
}
