/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load generator that speaks WireGuard. Every client does a real handshake; its packets are
 * sealed beforehand into a ring, and live frames of BPF_PROG_RUN carry them into the far end of a
 * veth at several million a second. What comes out of the gateway is counted where it ends.
 *
 *   generator keys FIRST COUNT              public keys of the clients, base64
 *   generator private N                     the private key of client N: made up, and no secret
 *   generator run [options]                 one run, figures as JSON
 *     -k KEY   the gateway's public key      -n N  clients          -c N  packets
 *     -d up|down|plain|flows|flood           -b N  bytes of an inner packet, or "imix"
 *     -u N     packets in a row of one client (burst)               -p PID  the gateway's process
 *     -f N     flows, -o N  the first of them, -t N  their port     -x  the sink is an XDP program
 *     -r N     packets a second             -F  up: every packet begins a flow, from -o on
 *     -m       flood: with a valid MAC1     -N N  the first client's number
 *     -l       up: instead of a load, packets of 128 bytes at the rate, and how long they take
 * plain: no tunnel, IP packets of the clients' outer addresses into the tunnel side. flows: UDP
 * datagrams of workloads behind it, INJECT_SOURCES sources with as many destinations as flows need.
 * flood: bogus initiations to the WireGuard port, each from a source of its own.
 */
#include "bench/generator_latency.h"
#include "tunnel/wireguard/cookie.h"

#include <net/if.h>
#include <netinet/ip.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define FLOOD_SOURCES 16384

static const uint32_t imix[] = {64, 64, 512, 64, 64, 1420, 64, 512, 64, 64, 512, 64};

uint32_t generator_bytes(const struct generator *g, uint32_t i)
{
	return g->bytes ? g->bytes : imix[i % (sizeof(imix) / sizeof(imix[0]))];
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

		if (g->is_each_new)
			c->flow = g->first_flow + i / g->client_count;
		jobs[waiting] = put_tunnel(c, slot->frame, generator_bytes(g, i), &slot->bytes);
		jobs[waiting++].key = &keys[c - g->clients];
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

/* The kernel adds the addresses to the packet and to its checksums. */
static void fill_template(struct generator *g)
{
	const struct wire_ends none = {0, 0, WIRE_SPORT, g->dport};
	uint8_t *ip = g->ring[0].frame + SP_ETH_BYTES;

	MUST(g->bytes >= SP_IPV4_BYTES + SP_UDP_BYTES &&
	     g->bytes + SP_ETH_BYTES <= INJECT_FRAME_MAX);
	wire_ethernet(g->ring[0].frame, wire_mac_tun, wire_mac_t0);
	wire_ipv4(ip, &none, SP_PROTO_UDP, 1, g->bytes);
	wire_udp(ip + SP_IPV4_BYTES, &none, g->bytes - SP_IPV4_BYTES);
	wire_udp_checksum(ip);
	g->ring[0].bytes = SP_ETH_BYTES + g->bytes;
}

/* What the gateway has to look at before it can say no: all of it random, but MAC1 when asked for. */
static void put_initiation(const struct generator *g, struct inject_slot *slot, uint32_t number)
{
	const struct wire_ends e = {WIRE_STRANGERS + number, WIRE_GATEWAY, WIRE_CLIENT_PORT,
				    WIRE_GW_PORT};
	uint8_t *ip = slot->frame + SP_ETH_BYTES, *wg = ip + SP_IPV4_BYTES + SP_UDP_BYTES;
	struct sp_cookie_jar jar;

	wire_ethernet(slot->frame, wire_mac_tun, wire_mac_t0);
	wire_ipv4(ip, &e, SP_PROTO_UDP, 1, SP_IPV4_BYTES + SP_UDP_BYTES + SP_WG_INITIATION_BYTES);
	wire_udp(ip + SP_IPV4_BYTES, &e, SP_UDP_BYTES + SP_WG_INITIATION_BYTES);
	MUST(getrandom(wg, SP_WG_INITIATION_BYTES, 0) == SP_WG_INITIATION_BYTES);
	wire_le(wg, SP_WG_INITIATION, 4);
	if (g->has_mac1) {
		sp_cookie_jar_init(&jar, &g->gateway);
		sp_cookie_add_macs(&jar, 1, wg, SP_WG_INITIATION_BYTES);
	}
	wire_udp_checksum(ip);
	slot->bytes = SP_ETH_BYTES + SP_IPV4_BYTES + SP_UDP_BYTES + SP_WG_INITIATION_BYTES;
}

static void fill_flood(struct generator *g)
{
	for (uint32_t i = 0; i < g->packets; i++)
		put_initiation(g, &g->ring[i], i);
}

const struct generator_way generator_ways[] = {
	{"up", .is_tunnel = true, .in = "t0", .out = "o0", .fill = fill_up},
	{"down", .is_tunnel = true, .is_loop = true, .in = "o0", .out = "t0", .fill = fill_down},
	{"plain", .is_loop = true, .in = "t0", .out = "o0", .fill = fill_plain},
	{"flood", .is_loop = true, .in = "t0", .fill = fill_flood},
	{"flows", .is_template = true, .in = "t0", .out = "o0", .fill = fill_template},
};

static void run(struct generator *g)
{
	char text[SP_AEAD_TEXT];

	MUST(g->way && g->client_count && g->packets && g->burst && g->flows);
	MUST(sp_hash_probe() == 0);
	MUST(sp_aead_select(sp_aead_backends, SP_AEAD_AUTO, &g->ops, text) == 0);
	MUST(g->ops->open(&g->aead) == 0);
	g->clients = calloc(g->client_count, sizeof(*g->clients));
	MUST(g->clients);
	if (g->way->is_tunnel)
		connect_all(g);
	generator_load(g);
	if (g->is_latency) {
		latency_run(g);
	} else {
		g->way->fill(g);
		generator_inject(g);
	}
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

static void print_private(uint32_t i)
{
	char text[SP_KEY_TEXT];
	struct sp_key key;

	MUST(sp_hash_probe() == 0);
	client_key(i, &key);
	puts(sp_key_format(&key, text));
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
	else if (opt == 'f')
		g->flows = number(text);
	else if (opt == 'o')
		g->first_flow = number(text);
	else if (opt == 't')
		g->dport = (uint16_t)number(text);
	else if (opt == 'x')
		g->is_xdp_sink = true;
	else if (opt == 'r')
		g->rate = number(text);
	else if (opt == 'F')
		g->is_each_new = true;
	else if (opt == 'l')
		g->is_latency = true;
	else if (opt == 'm')
		g->has_mac1 = true;
	else if (opt == 'N')
		g->first_client = number(text);
	else if (opt == 'd')
		g->way = generator_way(text);
	else
		MUST(!"a known option");
}

int main(int argc, char **argv)
{
	static struct generator g = {.client_count = 1,
				     .count = 400000,
				     .burst = 1,
				     .bytes = 1420,
				     .flows = 1,
				     .dport = WIRE_DPORT};

	if (argc == 4 && !strcmp(argv[1], "keys")) {
		print_keys(number(argv[2]), number(argv[3]));
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "private")) {
		print_private(number(argv[2]));
		return 0;
	}
	MUST(argc > 1 && !strcmp(argv[1], "run"));
	for (int opt; (opt = getopt(argc - 1, argv + 1, "k:n:N:c:b:u:p:d:f:o:t:r:xFml")) != -1;)
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
