/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/peer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "cli/pick.h"
#include "crypto/dh.h"
#include "sallyport/core/addr.h"

void sp_new_peer_wipe(struct sp_new_peer *peer)
{
	sp_key_wipe(&peer->private_key);
	sp_key_wipe(&peer->preshared_key);
}

char *sp_peer_file_path(const struct sp_config *config, const char *name, const char *suffix)
{
	const char *dir = config->gateway.conf_dir;
	const char *slash = *dir && dir[strlen(dir) - 1] == '/' ? "" : "/";
	char *path;

	return asprintf(&path, "%s%s50-peer-%s%s", dir, slash, name, suffix) < 0 ? NULL : path;
}

static int make_random(struct sp_key *key)
{
	return getrandom(key->b, sizeof(key->b), 0) == sizeof(key->b) ? 0 : -EIO;
}

/* Two addresses of a listener may stand in one subnet: a client needs one of it. */
static bool is_picked(const struct sp_new_peer *peer, const struct sp_addr *addr)
{
	for (uint32_t i = 0; i < peer->address_count; i++) {
		if (sp_addr_equal(&peer->addresses[i], addr))
			return true;
	}
	return false;
}

int sp_new_peer_make(const struct sp_config *config, struct sp_new_peer *peer)
{
	const struct sp_config_wireguard *wg = peer->wireguard;
	int rc;

	for (uint32_t i = 0; i < wg->address_count; i++) {
		struct sp_addr *addr = &peer->addresses[peer->address_count];

		rc = sp_pick_address(config, &wg->addresses[i], addr);
		if (rc)
			return rc;
		peer->address_count += !is_picked(peer, addr);
	}
	rc = make_random(&peer->private_key);
	if (!rc && peer->has_preshared_key)
		rc = make_random(&peer->preshared_key);
	sp_dh_clamp(&peer->private_key);
	if (!rc)
		rc = sp_dh_public(&peer->private_key, &peer->public_key);
	if (!rc)
		rc = sp_dh_public(&wg->private_key, &peer->gateway_public_key);
	return rc;
}

struct text {
	char *buf;
	size_t used;
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *text, const char *format, ...)
{
	size_t room = text->used < SP_NEW_PEER_TEXT ? SP_NEW_PEER_TEXT - text->used : 0;
	va_list args;

	va_start(args, format);
	text->used += (size_t)vsnprintf(text->buf + (room ? text->used : 0), room, format, args);
	va_end(args);
}

static void put_key(struct text *text, const char *name, const struct sp_key *key)
{
	char base64[SP_KEY_TEXT];

	put(text, "%s = %s\n", name, sp_key_format(key, base64));
	sp_secret_wipe(base64, sizeof(base64));
}

static bool has_family(const struct sp_new_peer *peer, bool v4)
{
	for (uint32_t i = 0; i < peer->address_count; i++) {
		if (sp_addr_is_v4(&peer->addresses[i]) == v4)
			return true;
	}
	return false;
}

int sp_new_peer_client_text(const struct sp_new_peer *peer, char buf[static SP_NEW_PEER_TEXT])
{
	const struct sp_config_wireguard *wg = peer->wireguard;
	bool v4 = has_family(peer, true), v6 = has_family(peer, false);
	struct text text = {.buf = buf};
	char addr[SP_ADDR_TEXT];

	put(&text, "# %s of %s\n[Interface]\n", peer->name, peer->user);
	put_key(&text, "PrivateKey", &peer->private_key);
	for (uint32_t i = 0; i < peer->address_count; i++)
		put(&text, "%s%s/%d",
		    i ? ", " : "Address = ", sp_addr_format(&peer->addresses[i], addr),
		    sp_addr_is_v4(&peer->addresses[i]) ? 32 : 128);
	put(&text, "\n");
	for (uint32_t i = 0; i < wg->dns_count; i++)
		put(&text, "%s%s%s", i ? ", " : "DNS = ", sp_addr_format(&wg->dns[i], addr),
		    i + 1 == wg->dns_count ? "\n" : "");
	put(&text, "MTU = %u\n\n[Peer]\n", wg->mtu);
	put_key(&text, "PublicKey", &peer->gateway_public_key);
	if (peer->has_preshared_key)
		put_key(&text, "PresharedKey", &peer->preshared_key);
	put(&text, "AllowedIPs = %s%s%s\n", v4 ? "0.0.0.0/0" : "", v4 && v6 ? ", " : "",
	    v6 ? "::/0" : "");
	put(&text, "Endpoint = %s\nPersistentKeepalive = 25\n", peer->endpoint);
	return text.used < SP_NEW_PEER_TEXT ? 0 : -E2BIG;
}

int sp_new_peer_gateway_text(const struct sp_new_peer *peer, char buf[static SP_NEW_PEER_TEXT])
{
	char key[SP_KEY_TEXT], addr[SP_ADDR_TEXT];
	struct text text = {.buf = buf};

	put(&text,
	    "# Made by: sallyport peer add. Take it away with: sallyport peer remove %s\n"
	    "peers = ( {\n"
	    "\tname = \"%s\";\n"
	    "\tuser = \"%s\";\n"
	    "\twireguard = \"%s\";\n"
	    "\tpublic_key = \"%s\";\n",
	    peer->name, peer->name, peer->user, peer->wireguard->name,
	    sp_key_format(&peer->public_key, key));
	if (peer->has_preshared_key)
		put(&text, "\tpreshared_key_file = \"50-peer-%s.psk\";\n", peer->name);
	put(&text, "\taddresses = [");
	for (uint32_t i = 0; i < peer->address_count; i++)
		put(&text, "%s\"%s\"", i ? ", " : "", sp_addr_format(&peer->addresses[i], addr));
	put(&text, "];\n} );\n");
	return text.used < SP_NEW_PEER_TEXT ? 0 : -E2BIG;
}
