/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load generator that speaks WireGuard. Every client does a real handshake; its packets are
 * sealed beforehand into a ring, and live frames of BPF_PROG_RUN carry them into the far end of a
 * veth at several million a second. What comes out of the gateway is counted where it ends.
 *
 *   generator keys FIRST COUNT              public keys of the clients, base64
 *   generator run [options]                 one run, figures as JSON
 *     -k KEY   the gateway's public key      -n N  clients          -c N  packets
 *     -d up|down|plain                       -b N  bytes of an inner packet, or "imix"
 *     -u N     packets in a row of one client (burst)               -p PID  the gateway's process
 * plain: no tunnel, IP packets of the clients' outer addresses into the tunnel side.
 */
#include "bench/generator.h"

#include <net/if.h>
#include <netinet/ip.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define PROBE_TRIES   20
#define PROBE_WAIT_US 100000

static const uint32_t imix[] = {64, 64, 512, 64, 64, 1420, 64, 512, 64, 64, 512, 64};

uint32_t generator_bytes(const struct generator *g, uint32_t i)
{
	return g->bytes ? g->bytes : imix[i % (sizeof(imix) / sizeof(imix[0]))];
}

static uint32_t padded(uint32_t bytes)
{
	uint32_t up = (bytes + 15) & ~15u;

	return up > 1420 && bytes <= 1420 ? 1420 : up;
}

/* The next inner packet of a client, not yet sealed, into a frame towards the gateway. */
static struct sp_aead_job put_tunnel(struct client *c, uint8_t *frame, uint32_t bytes,
				     uint32_t *ret_frame_bytes)
{
	const struct wire_ends inner = {WIRE_INNER + c->number, WIRE_SERVER, WIRE_SPORT,
					WIRE_DPORT};
	const struct wire_ends outer = {WIRE_CLIENTS + c->number, WIRE_GATEWAY, WIRE_CLIENT_PORT,
					WIRE_GW_PORT};
	uint32_t sealed = SP_WG_DATA_HEADER + padded(bytes) + SP_AEAD_TAG_BYTES;
	uint8_t *ip = frame + SP_ETH_BYTES, *wg = ip + SP_IPV4_BYTES + SP_UDP_BYTES;
	struct sp_aead_job job = {.data = wg + SP_WG_DATA_HEADER, .bytes = padded(bytes)};

	wire_ethernet(frame, wire_mac_tun, wire_mac_t0);
	wire_ipv4(ip, &outer, SP_PROTO_UDP, (uint16_t)c->counter,
		  SP_IPV4_BYTES + SP_UDP_BYTES + sealed);
	wire_udp(ip + SP_IPV4_BYTES, &outer, SP_UDP_BYTES + sealed);
	wire_le(wg, SP_WG_DATA, 4);
	wire_le(wg + 4, c->keys.remote_index, 4);
	wire_le(wg + 8, c->counter, 8);
	sp_aead_nonce_counter(job.nonce, c->counter++);
	memset(job.data, 0, job.bytes);
	wire_tcp_packet(job.data, &inner, c->id++, c->seq, bytes);
	c->seq += bytes - WIRE_TCP_BYTES;
	*ret_frame_bytes = SP_ETH_BYTES + SP_IPV4_BYTES + SP_UDP_BYTES + sealed;
	return job;
}

/* One packet through the tunnel by the socket; what leaves tells the connection's outside end. */
static void probe(struct generator *g, struct client *c, int tap)
{
	struct sp_aead_key key = {SP_AEAD_CHACHA20_POLY1305, c->keys.send};
	uint8_t frame[2048], seen[2048];
	uint32_t frame_bytes;

	for (int tries = 0; tries < PROBE_TRIES; tries++) {
		uint32_t seq = c->seq = c->number << 8 | (uint32_t)tries;
		struct sp_aead_job job = put_tunnel(c, frame, 64, &frame_bytes);

		job.key = &key;
		g->ops->seal_batch(g->aead, &job, 1);
		MUST(send(c->fd, job.data - SP_WG_DATA_HEADER,
			  SP_WG_DATA_HEADER + job.bytes + SP_AEAD_TAG_BYTES, 0) > 0);
		for (ssize_t n; (n = recv(tap, seen, sizeof(seen), 0)) > 0;) {
			const uint8_t *ip = seen + SP_ETH_BYTES, *tcp = ip + SP_IPV4_BYTES;

			if (n < SP_ETH_BYTES + WIRE_TCP_BYTES || ip[9] != SP_PROTO_TCP ||
			    sp_swap32(sp_load32(tcp + 4)) != seq)
				continue;
			c->outside = (struct wire_ends){sp_swap32(sp_load32(ip + 12)), WIRE_SERVER,
							sp_swap16(sp_load16(tcp)), WIRE_DPORT};
			return;
		}
	}
	fprintf(stderr, "generator: no packet of client %u came through\n", c->number);
	exit(1);
}

static void connect_all(struct generator *g)
{
	struct timeval wait = {.tv_usec = PROBE_WAIT_US};
	int tap = generator_tap("o0");

	MUST(setsockopt(tap, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0);
	for (uint32_t i = 0; i < g->client_count; i++) {
		g->clients[i].number = i;
		client_connect(&g->clients[i], &g->gateway);
		probe(g, &g->clients[i], tap);
		close(g->clients[i].fd);
		g->clients[i].seq = 1u << 31;
	}
	close(tap);
}

static void fill_up(struct generator *g)
{
	struct sp_aead_key *keys = calloc(g->client_count, sizeof(*keys));
	struct sp_aead_job jobs[SP_AEAD_BATCH_MAX];
	unsigned int waiting = 0;

	MUST(keys);
	for (uint32_t i = 0; i < g->client_count; i++)
		keys[i].raw = g->clients[i].keys.send;
	for (uint32_t i = 0; i < g->packets; i++) {
		struct client *c = &g->clients[i / g->burst % g->client_count];
		struct inject_slot *slot = &g->ring[i];

		jobs[waiting] = put_tunnel(c, slot->frame, generator_bytes(g, i), &slot->bytes);
		jobs[waiting++].key = &keys[c->number];
		if (waiting == SP_AEAD_BATCH_MAX || i + 1 == g->packets) {
			g->ops->seal_batch(g->aead, jobs, waiting);
			for (; waiting; waiting--)
				wire_udp_checksum(g->ring[i + 1 - waiting].frame + SP_ETH_BYTES);
		}
	}
	free(keys);
}

/* Answers to the connections, as the internet sends them to the gateway. */
static void fill_down(struct generator *g)
{
	for (uint32_t i = 0; i < g->packets; i++) {
		struct client *c = &g->clients[i / g->burst % g->client_count];
		const struct wire_ends back = {c->outside.dst, c->outside.src, c->outside.dport,
					       c->outside.sport};
		uint32_t bytes = generator_bytes(g, i);

		wire_ethernet(g->ring[i].frame, wire_mac_out, wire_mac_o0);
		wire_tcp_packet(g->ring[i].frame + SP_ETH_BYTES, &back, c->id++, c->seq, bytes);
		c->seq += bytes - WIRE_TCP_BYTES;
		g->ring[i].bytes = SP_ETH_BYTES + bytes;
	}
}

static void fill_plain(struct generator *g)
{
	for (uint32_t i = 0; i < g->packets; i++) {
		uint32_t number = i / g->burst % g->client_count, bytes = generator_bytes(g, i);
		const struct wire_ends e = {WIRE_CLIENTS + number, WIRE_SERVER, WIRE_SPORT,
					    WIRE_DPORT};

		wire_ethernet(g->ring[i].frame, wire_mac_tun, wire_mac_t0);
		wire_tcp_packet(g->ring[i].frame + SP_ETH_BYTES, &e, (uint16_t)i, i, bytes);
		g->ring[i].bytes = SP_ETH_BYTES + bytes;
	}
}

const struct generator_way generator_ways[] = {
	{"up", .is_tunnel = true, .in = "t0", .out = "o0", .fill = fill_up},
	{"down", .is_tunnel = true, .is_loop = true, .in = "o0", .out = "t0", .fill = fill_down},
	{"plain", .is_loop = true, .in = "t0", .out = "o0", .fill = fill_plain},
};

static void run(struct generator *g)
{
	char text[SP_AEAD_TEXT];

	MUST(g->way && g->client_count && g->packets && g->burst);
	MUST(sp_hash_probe() == 0);
	MUST(sp_aead_select(sp_aead_backends, SP_AEAD_AUTO, &g->ops, text) == 0);
	MUST(g->ops->open(&g->aead) == 0);
	g->clients = calloc(g->client_count, sizeof(*g->clients));
	MUST(g->clients);
	if (g->way->is_tunnel)
		connect_all(g);
	generator_load(g);
	g->way->fill(g);
	generator_inject(g);
	free(g->clients);
	g->ops->close(g->aead);
}

static void print_keys(uint32_t first, uint32_t count)
{
	char text[SP_KEY_TEXT];

	MUST(sp_hash_probe() == 0);
	for (uint32_t i = first; i < first + count; i++) {
		struct sp_key private_key, public_key;

		client_key(i, &private_key);
		MUST(sp_dh_public(&private_key, &public_key) == 0);
		puts(sp_key_format(&public_key, text));
	}
}

static uint32_t number(const char *text)
{
	return (uint32_t)strtoul(text, NULL, 10);
}

static void read_option(struct generator *g, int opt, const char *text)
{
	if (opt == 'k')
		MUST(sp_key_parse(text, &g->gateway) == 0);
	else if (opt == 'n')
		g->client_count = number(text);
	else if (opt == 'c')
		g->count = number(text);
	else if (opt == 'b')
		g->bytes = number(text); /* "imix" is 0 */
	else if (opt == 'u')
		g->burst = number(text);
	else if (opt == 'p')
		g->pid = number(text);
	else if (opt == 'd')
		g->way = generator_way(text);
	else
		MUST(!"a known option");
}

int main(int argc, char **argv)
{
	static struct generator g = {.client_count = 1, .count = 400000, .burst = 1, .bytes = 1420};

	if (argc == 4 && !strcmp(argv[1], "keys")) {
		print_keys(number(argv[2]), number(argv[3]));
		return 0;
	}
	MUST(argc > 1 && !strcmp(argv[1], "run"));
	for (int opt; (opt = getopt(argc - 1, argv + 1, "k:n:c:b:u:p:d:")) != -1;)
		read_option(&g, opt, optarg);
	g.packets = g.count;
	/* What may come again: whole rounds of the clients, and no more memory than caches like. */
	if (g.way && g.way->is_loop)
		g.packets = g.client_count * g.burst < 4096
				    ? 4096 / (g.client_count * g.burst) * g.client_count * g.burst
				    : g.client_count * g.burst;
	run(&g);
	return 0;
}
