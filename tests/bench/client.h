/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that speak WireGuard: a real handshake each, by the gateway's own protocol code. One thread. */
#ifndef SP_TESTS_BENCH_CLIENT_H
#define SP_TESTS_BENCH_CLIENT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/wire.h"
#include "crypto/aead_select.h"
#include "crypto/dh.h"
#include "crypto/hash.h"
#include "tunnel/wireguard/wireguard.h"

#define CLIENT_TRIES   10
#define CLIENT_REST_US 150000
#define CLIENT_HEADS   (SP_IPV4_BYTES + SP_UDP_BYTES + SP_WG_DATA_HEADER)

struct client {
	uint32_t number;
	uint32_t flow; /* of the next packet */
	int fd;	       /* while it shakes hands */
	bool has_keys;
	struct sp_wg_transport keys;
	uint64_t counter;
	uint32_t seq;
	uint16_t id;
	struct wire_ends outside; /* what the gateway made of its inner connection */
};

/* Client i has always the same key, so that a configuration can name it before. */
static inline void client_key(uint32_t number, struct sp_key *ret_private)
{
	struct sp_hash h;

	sp_hash("sallyport bench", 15, &number, sizeof(number), &h);
	memcpy(ret_private->b, h.b, sizeof(ret_private->b));
	sp_dh_clamp(ret_private);
}
static inline void client_send(void *arg, const struct sp_wg_address *to, const void *bytes,
			       size_t len)
{
	MUST(send(((struct client *)arg)->fd, bytes, len, 0) == (ssize_t)len);
}

static inline int client_reserve(void *arg, uint32_t *ret_index)
{
	*ret_index = 0x10000000u + ((struct client *)arg)->number;
	return 0;
}

static inline void client_release(void *arg, uint32_t index)
{
}

static inline void client_install(void *arg, void *peer_arg, const struct sp_wg_transport *keys)
{
	struct client *c = arg;

	c->keys = *keys;
	c->has_keys = true;
}

static inline void client_remove(void *arg, void *peer_arg, uint32_t index)
{
}

static inline void client_keepalive(void *arg, void *peer_arg)
{
}

static inline void client_moved(void *arg, void *peer_arg, const struct sp_wg_address *from)
{
}

static inline bool client_where(void *arg, void *peer_arg, struct sp_wg_address *ret)
{
	*ret = (struct sp_wg_address){.remote.port_be = (__be16)htons(WIRE_GW_PORT)};
	return true;
}

static inline void client_random(void *arg, void *bytes, size_t len)
{
	MUST(getrandom(bytes, len, 0) == (ssize_t)len);
}

static inline uint64_t client_realtime(void *arg)
{
	return sp_clock_realtime_ns();
}

static const struct sp_wg_upcalls client_upcalls = {.send = client_send,
						    .reserve_index = client_reserve,
						    .release_index = client_release,
						    .install = client_install,
						    .remove = client_remove,
						    .keepalive = client_keepalive,
						    .endpoint = client_moved,
						    .where = client_where,
						    .random = client_random,
						    .realtime_ns = client_realtime};

static inline void client_socket(struct client *c)
{
	struct sockaddr_in from = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(WIRE_CLIENTS + c->number),
				   .sin_port = htons(WIRE_CLIENT_PORT)};
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(WIRE_GATEWAY),
				 .sin_port = htons(WIRE_GW_PORT)};
	struct timeval wait = {.tv_usec = 300000};

	c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	MUST(c->fd >= 0 && bind(c->fd, (struct sockaddr *)&from, sizeof(from)) == 0);
	MUST(connect(c->fd, (struct sockaddr *)&to, sizeof(to)) == 0);
	MUST(setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0);
}

/* A device that lives for one handshake; the keys it made stay. */
static inline void client_connect(struct client *c, const struct sp_key *gateway)
{
	const struct sp_wg_peer_config config = {.public_key = *gateway};
	const struct sp_wg_address from = {.remote.port_be = (__be16)htons(WIRE_GW_PORT)};
	struct sp_wg_device *device;
	struct sp_wg_peer *peer;
	struct sp_key key;
	uint8_t answer[256];

	client_socket(c);
	client_key(c->number, &key);
	for (int tries = 0; !c->has_keys && tries < CLIENT_TRIES; tries++) {
		ssize_t n;

		MUST(sp_wg_device_open(&key, &client_upcalls, c, &device) == 0);
		MUST(sp_wg_peer_add(device, &config, c, &peer) == 0);
		sp_wg_peer_want_session(peer, sp_clock_now_ns());
		n = recv(c->fd, answer, sizeof(answer), 0);
		if (n > 0)
			sp_wg_device_consume(device, sp_clock_now_ns(), &from, answer, (size_t)n);
		sp_wg_device_close(device);
		if (!c->has_keys)
			usleep(CLIENT_REST_US); /* a cookie: not before the load is over */
	}
	MUST(c->has_keys);
}

#endif
