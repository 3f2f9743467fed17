/* SPDX-License-Identifier: Apache-2.0 */
/* What "peer add" makes: keys, addresses, and the three files of a new peer. One thread. */
#ifndef SP_CLI_PEER_H
#define SP_CLI_PEER_H

#include "cli/cli.h"

#define SP_NEW_PEER_ADDRESSES 16
#define SP_NEW_PEER_TEXT      4096

struct sp_new_peer {
	const char *name, *user, *endpoint;
	const struct sp_config_wireguard *wireguard;
	struct sp_key private_key, public_key, gateway_public_key;
	bool has_preshared_key;
	struct sp_key preshared_key;
	struct sp_addr addresses[SP_NEW_PEER_ADDRESSES]; /* one of each prefix of the listener */
	uint32_t address_count;
};
void sp_new_peer_wipe(struct sp_new_peer *peer);

/* Fill in keys and addresses. 0, -ENOSPC, -ENOMEM, -EIO: no randomness. */
int sp_new_peer_make(const struct sp_config *config, struct sp_new_peer *peer);
/* The client's configuration in wg-quick's form, and the gateway's in libconfig's. -E2BIG. */
int sp_new_peer_client_text(const struct sp_new_peer *peer, char buf[static SP_NEW_PEER_TEXT]);
int sp_new_peer_gateway_text(const struct sp_new_peer *peer, char buf[static SP_NEW_PEER_TEXT]);

/* conf.d/50-peer-NAME.conf or .psk, malloc-ed. NULL: no memory. */
char *sp_peer_file_path(const struct sp_config *config, const char *name, const char *suffix);

#endif
