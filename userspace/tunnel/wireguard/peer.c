/* SPDX-License-Identifier: Apache-2.0 */
#include "tunnel/wireguard/peer.h"

#include <errno.h>
#include <stdlib.h>

#include "crypto/dh.h"

int sp_wg_peer_add(struct sp_wg_device *device, const struct sp_wg_peer_config *config,
		   void *peer_arg, struct sp_wg_peer **ret_peer)
{
	struct sp_wg_peer *peer;
	int rc;

	HASH_FIND(hh, device->peers, &config->public_key, sizeof(config->public_key), peer);
	if (peer || sp_secret_equal(&device->local.public_key, &config->public_key, SP_KEY_BYTES))
		return -EEXIST;
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return -ENOMEM;
	rc = sp_dh(&device->local.private_key, &config->public_key, &peer->remote.static_static);
	if (rc < 0) {
		free(peer);
		return rc;
	}
	peer->device = device;
	peer->arg = peer_arg;
	peer->remote.public_key = config->public_key;
	sp_wg_peer_set(peer, config);
	sp_cookie_jar_init(&peer->jar, &config->public_key);
	HASH_ADD(hh, device->peers, remote.public_key, sizeof(peer->remote.public_key), peer);
	*ret_peer = peer;
	return 0;
}

void sp_wg_peer_remove(struct sp_wg_peer *peer)
{
	if (!peer)
		return;
	sp_wg_handshake_abandon(peer);
	sp_wg_keypair_remove_older(peer, UINT64_MAX);
	HASH_DELETE(hh, peer->device->peers, peer);
	sp_secret_wipe(peer, sizeof(*peer));
	free(peer);
}

void sp_wg_peer_set(struct sp_wg_peer *peer, const struct sp_wg_peer_config *config)
{
	peer->remote.preshared_key = config->preshared_key;
	peer->keepalive_s = config->keepalive_s;
}

uint64_t sp_wg_peer_last_handshake_ns(const struct sp_wg_peer *peer)
{
	return peer->timers.completed_ns;
}

const struct sp_key *sp_wg_peer_public_key(const struct sp_wg_peer *peer)
{
	return &peer->remote.public_key;
}
