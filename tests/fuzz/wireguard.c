/* SPDX-License-Identifier: Apache-2.0 */
/* links: base crypto tunnel/wireguard */
/*
 * WireGuard handshake messages from a stranger and from a peer. The first byte chooses the state
 * of the device; the rest is the message. With bit 0 the MACs are made good, since no fuzzer
 * guesses a MAC and everything interesting stands behind it.
 */
#include <stdlib.h>
#include <string.h>

#include "crypto/dh.h"
#include "tunnel/wireguard/cookie.h"

#define NOW_NS 1000000000000ull

#define FIX_MACS   0x01 /* MAC1 right, MAC2 as in the message */
#define UNDER_LOAD 0x02
#define INITIATED  0x04 /* an initiation of ours is on its way, with index 1 */
#define OUR_STATIC 0x08 /* the peer's own initiation, then the message's bytes over it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	uint32_t last_index, held;
	uint8_t sent[256];
	size_t sent_bytes;
};

static void up_send(void *arg, const struct sp_wg_address *to, const void *bytes, size_t len)
{
	struct world *w = arg;

	if (len > sizeof(w->sent))
		abort();
	memcpy(w->sent, bytes, len);
	w->sent_bytes = len;
}

static int up_reserve(void *arg, uint32_t *ret_index)
{
	struct world *w = arg;

	*ret_index = ++w->last_index;
	w->held++;
	return 0;
}

static void up_release(void *arg, uint32_t index)
{
	((struct world *)arg)->held--;
}

static void up_install(void *arg, void *peer_arg, const struct sp_wg_transport *transport)
{
}

static void up_remove(void *arg, void *peer_arg, uint32_t index)
{
	((struct world *)arg)->held--;
}

static void up_keepalive(void *arg, void *peer_arg)
{
}

static void up_endpoint(void *arg, void *peer_arg, const struct sp_wg_address *from)
{
}

static bool up_where(void *arg, void *peer_arg, struct sp_wg_address *ret_address)
{
	memset(ret_address, 1, sizeof(*ret_address));
	return true;
}

static void up_random(void *arg, void *bytes, size_t len)
{
	memset(bytes, 0x5a, len);
}

static uint64_t up_realtime(void *arg)
{
	return 1700000000ull * 1000000000;
}

static const struct sp_wg_upcalls upcalls = {
	.send = up_send,
	.reserve_index = up_reserve,
	.release_index = up_release,
	.install = up_install,
	.remove = up_remove,
	.keepalive = up_keepalive,
	.endpoint = up_endpoint,
	.where = up_where,
	.random = up_random,
	.realtime_ns = up_realtime,
};

static struct sp_wg_device *open_device(struct world *w, uint8_t ours, uint8_t theirs,
					struct sp_wg_peer **ret_peer)
{
	struct sp_wg_peer_config config = {0};
	struct sp_wg_device *device;
	struct sp_key key;

	memset(key.b, theirs, sizeof(key));
	if (sp_dh_public(&key, &config.public_key) < 0)
		abort();
	memset(key.b, ours, sizeof(key));
	if (sp_wg_device_open(&key, &upcalls, w, &device) < 0 ||
	    sp_wg_peer_add(device, &config, w, ret_peer) < 0)
		abort();
	return device;
}

/* What the real peer would send now. */
static size_t peer_initiation(uint8_t *message)
{
	struct world w = {0};
	struct sp_wg_peer *peer;
	struct sp_wg_device *device = open_device(&w, 2, 1, &peer);

	sp_wg_peer_want_session(peer, NOW_NS);
	memcpy(message, w.sent, w.sent_bytes);
	sp_wg_device_close(device);
	return w.sent_bytes;
}

static void fix_macs(const struct sp_wg_device *device, uint8_t *message, size_t bytes)
{
	struct sp_cookie_jar jar;
	struct sp_key public_key;

	if (bytes < sizeof(struct sp_wg_macs))
		return;
	sp_wg_device_public_key(device, &public_key);
	sp_cookie_jar_init(&jar, &public_key);
	sp_cookie_add_macs(&jar, NOW_NS, message, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_wg_address from = {.remote.port_be = 7};
	struct sp_wg_traffic traffic = {0};
	uint8_t message[512] = {0};
	struct sp_wg_device *device;
	struct sp_wg_peer *peer;
	struct world w = {0};
	size_t bytes = 0;
	uint8_t *exact;

	if (size < 1 || size > 256)
		return 0;
	device = open_device(&w, 1, 2, &peer);
	sp_wg_device_set_under_load(device, data[0] & UNDER_LOAD);
	if (data[0] & INITIATED)
		sp_wg_peer_want_session(peer, NOW_NS);
	if (data[0] & OUR_STATIC)
		bytes = peer_initiation(message);
	for (size_t i = 0; i < size - 1; i++)
		message[i] ^= data[1 + i];
	if (bytes < size - 1)
		bytes = size - 1;
	if (data[0] & FIX_MACS)
		fix_macs(device, message, bytes);
	exact = malloc(bytes ? bytes : 1); /* a read beyond the end is seen */
	memcpy(exact, message, bytes);
	(void)sp_wg_device_consume(device, NOW_NS, &from, exact, bytes);
	/* The same again: nothing may be taken twice. */
	if (sp_wg_device_consume(device, NOW_NS + 1000000000, &from, exact, bytes) == SP_WG_OK)
		abort();
	sp_wg_peer_advance(peer, NOW_NS + 6000000000, &traffic);
	free(exact);
	sp_wg_device_close(device);
	if (w.held)
		abort();
	return 0;
}
