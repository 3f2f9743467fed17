/* SPDX-License-Identifier: Apache-2.0 */
/* Against a stock peer over real sockets and the real clock: the one test that is not in memory. */
#include "stock.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "crypto/aead.h"
#include "upcalls.h"

struct world {
	struct side side;
	struct stock stock;
	struct sp_aead *aead;
	uint64_t now_ns, counter;
	int fd;
	unsigned int opened, replies;
	enum sp_wg_result last;
};

static void udp_send(struct world *w, const void *bytes, size_t len)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(STOCK_PORT),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	(void)sendto(w->fd, bytes, len, 0, (struct sockaddr *)&to, sizeof(to));
}

static struct slot *newest_confirmed(struct side *s)
{
	struct slot *best = NULL;

	for (int i = 0; i < SLOTS; i++)
		if (s->slots[i].installed && s->slots[i].confirmed &&
		    (!best || s->slots[i].index > best->index))
			best = &s->slots[i];
	return best;
}

/* 5.4.6 */
static void data_seal(struct world *w, const void *inner, uint32_t bytes)
{
	struct slot *slot = newest_confirmed(&w->side);
	uint8_t packet[16 + 128 + 16] = {SP_WG_DATA};
	struct sp_aead_key key = {.raw = slot->keys.send};
	struct sp_aead_job job = {.key = &key, .data = packet + 16, .bytes = bytes};

	memcpy(packet + 4, &slot->keys.remote_index, 4);
	memcpy(packet + 8, &w->counter, 8);
	if (bytes)
		memcpy(packet + 16, inner, bytes);
	sp_aead_nonce_counter(job.nonce, w->counter++);
	sp_aead_openssl.seal_batch(w->aead, &job, 1);
	udp_send(w, packet, 16 + bytes + 16);
}

static void seal_keepalive(struct side *s)
{
	struct world *w = (struct world *)(void *)s; /* side is the first member */

	w->counter = 0;
	data_seal(w, NULL, 0);
}

static void data_open(struct world *w, uint8_t *packet, size_t len)
{
	struct sp_aead_job job = {.data = packet + 16, .bytes = (uint32_t)len - 32};
	struct sp_aead_key key = {0};
	struct slot *slot;
	uint64_t counter;
	uint32_t index;

	cr_assert_geq(len, 32);
	memcpy(&index, packet + 4, 4);
	memcpy(&counter, packet + 8, 8);
	slot = slot_find(&w->side, index);
	cr_assert(slot && slot->installed, "data for index %u", index);
	key.raw = slot->keys.receive;
	job.key = &key;
	sp_aead_nonce_counter(job.nonce, counter);
	sp_aead_openssl.open_batch(w->aead, &job, 1);
	cr_assert(job.authentic);
	w->opened++;
	if (!slot->confirmed) {
		slot->confirmed = true;
		sp_wg_peer_on_confirmed(w->side.peer, w->now_ns, index);
	}
	/* An ICMP echo reply of the stock peer's kernel. */
	if (job.bytes >= 28 && job.data[0] == 0x45 && job.data[9] == 1 && job.data[20] == 0)
		w->replies++;
}

static uint16_t checksum(const uint8_t *p, int n)
{
	uint32_t sum = 0;

	for (int i = 0; i < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* 10.77.0.2 > 10.77.0.1: ICMP echo request */
static void send_echo(struct world *w)
{
	uint8_t p[36] = {0x45, 0, 0, 36, 0, 1, 0x40, 0, 64, 1, 0, 0, 10, 77, 0, 2, 10, 77, 0, 1, 8};
	uint16_t sum = htons(checksum(p, 20));

	memcpy(p + 10, &sum, 2);
	sum = htons(checksum(p + 20, 16));
	memcpy(p + 22, &sum, 2);
	data_seal(w, p, sizeof(p));
}

/* Turns the loop until done is true of the world; at most so long. */
static bool loop_until(struct world *w, bool (*done)(struct world *), unsigned int seconds)
{
	uint64_t end_ns = sp_clock_now_ns() + seconds * S;
	static const struct sp_wg_traffic none;
	uint8_t packet[2048];

	while (!done(w)) {
		struct pollfd pfd = {.fd = w->fd, .events = POLLIN};

		w->now_ns = sp_clock_now_ns();
		if (w->now_ns > end_ns)
			return false;
		sp_wg_peer_advance(w->side.peer, w->now_ns, &none);
		while (w->side.delivered < w->side.sent) {
			struct datagram *d = &w->side.out[w->side.delivered++ % 64];

			udp_send(w, d->bytes, d->len);
		}
		if (poll(&pfd, 1, 50) <= 0)
			continue;
		ssize_t n = recv(w->fd, packet, sizeof(packet), 0);

		if (n >= 4 && packet[0] == SP_WG_DATA)
			data_open(w, packet, (size_t)n);
		else if (n > 0)
			w->last = sp_wg_device_consume(w->side.device, w->now_ns, &w->side.endpoint,
						       packet, (size_t)n);
	}
	return true;
}

static bool has_session(struct world *w)
{
	return newest_confirmed(&w->side) != NULL;
}

static bool has_reply(struct world *w)
{
	return w->replies > 0;
}

static bool has_sent_cookie(struct world *w)
{
	return w->last == SP_WG_E_COOKIE_SENT && w->side.delivered == w->side.sent;
}

static void world_open(struct world *w, const char *peer_options, bool with_psk)
{
	struct sockaddr_in us = {.sin_family = AF_INET,
				 .sin_port = htons(OUR_PORT),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sp_wg_peer_config config = {0};
	struct sp_key public_key;
	const char *missing = stock_missing();

	if (missing) {
		fprintf(stderr, "SKIPPED interop: no stock peer: %s\n", missing);
		cr_skip_test("no stock peer: %s", missing);
	}
	memset(w, 0, sizeof(*w));
	w->side.now_ns = &w->now_ns;
	w->side.random = sp_clock_realtime_ns();
	w->side.on_keepalive = seal_keepalive;
	w->now_ns = sp_clock_now_ns();
	w->side.wall_ns = (int64_t)(sp_clock_realtime_ns() - w->now_ns);
	memset(w->side.private_key.b, 0x24, SP_KEY_BYTES);
	cr_assert_eq(sp_aead_openssl.open(&w->aead), 0);
	cr_assert_eq(sp_wg_device_open(&w->side.private_key, &upcalls, &w->side, &w->side.device),
		     0);
	sp_wg_device_public_key(w->side.device, &public_key);
	w->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(w->fd, (struct sockaddr *)&us, sizeof(us)), 0);
	if (with_psk)
		memset(config.preshared_key.b, 0x66, SP_KEY_BYTES);
	stock_start(&w->stock, &public_key, &config.preshared_key, peer_options);
	config.public_key = w->stock.public_key;
	cr_assert_eq(sp_wg_peer_add(w->side.device, &config, &w->side, &w->side.peer), 0);
	w->side.endpoint.remote.port_be = htons(STOCK_PORT);
	w->side.has_endpoint = true;
}

static void world_close(struct world *w)
{
	stock_stop(&w->stock);
	sp_wg_device_close(w->side.device);
	sp_aead_openssl.close(w->aead);
	close(w->fd);
	cr_assert_eq(w->side.reserved, 0);
}

static void talk(struct world *w)
{
	cr_assert(loop_until(w, has_session, 20), "no session: %s", sp_wg_result_text(w->last));
	send_echo(w);
	cr_assert(loop_until(w, has_reply, 5), "no echo reply through the session");
	cr_assert_gt(stock_handshake_s(&w->stock), 0);
}

Test(interop, initiates_to_a_stock_peer, .timeout = 60)
{
	struct world w;

	world_open(&w, "", true);
	sp_wg_peer_want_session(w.side.peer, w.now_ns);
	talk(&w);
	cr_assert(newest_confirmed(&w.side)->keys.initiator);
	world_close(&w);
}

Test(interop, responds_to_a_stock_peer, .timeout = 60)
{
	struct world w;

	world_open(&w, " endpoint 127.0.0.1:51002 persistent-keepalive 1", false);
	talk(&w);
	cr_assert(!newest_confirmed(&w.side)->keys.initiator);
	world_close(&w);
}

/* The stock peer understands our cookie, and its next initiation carries a MAC2 that we accept. */
Test(interop, makes_a_stock_peer_return_with_a_cookie, .timeout = 60)
{
	struct world w;

	world_open(&w, " endpoint 127.0.0.1:51002 persistent-keepalive 1", false);
	sp_wg_device_set_under_load(w.side.device, true);
	cr_assert(loop_until(&w, has_sent_cookie, 10));
	cr_assert_eq(w.side.installs, 0);
	talk(&w);
	world_close(&w);
}
