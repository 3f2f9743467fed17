/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a packet costs in the engine alone: no device, frames in memory, batches of 64, warm. The
 * same packets through the bare AEAD loop, with the same keys in the best order, stand beside it;
 * both are measured in turns (A-B-B-A), the median of many batches counts.
 * Arguments: [-q] [-j file] [-c clients] [-b bytes]. -q: fewer batches, and no more than 1,000
 * clients. -c, -b: only that row, ten times as long, for a profiler to look at.
 */
#include "bench/house_open.h"
#include "sallyport/core/checksum.h"
#include "tunnel/wireguard/wireguard.h"

#define L4_OFF	(SP_ETH_BYTES + SP_IPV4_BYTES + SP_UDP_BYTES)
#define STRIDE	7919 /* prime: clients come in an order that no allocator had in mind */
#define SAMPLES 2001

struct bench {
	struct house h;
	bool is_down;
	uint32_t bytes; /* of the inner IP packet */
	uint32_t next;	/* client */
	uint32_t clients[SP_BATCH];
	struct sp_aead_job jobs[SP_BATCH];
};

struct figures {
	double engine, bare; /* ticks a packet */
};

static void put_le(uint8_t *p, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

static void put_ip(uint8_t *ip, struct sp_addr src, struct sp_addr dst, uint32_t bytes)
{
	memset(ip, 0, SP_IPV4_BYTES);
	ip[0] = 0x45;
	sp_store16(ip + 2, sp_swap16((uint16_t)bytes));
	sp_store16(ip + 6, sp_swap16(0x4000)); /* DF, as nearly every packet has it */
	ip[8] = 64;
	ip[9] = SP_PROTO_UDP;
	sp_store32(ip + 12, (uint32_t)sp_addr_v4(&src));
	sp_store32(ip + 16, (uint32_t)sp_addr_v4(&dst));
	sp_store16(ip + 10, (uint16_t)~sp_csum_fold(sp_csum_partial(ip, SP_IPV4_BYTES, 0)));
}

static void put_udp(uint8_t *udp, uint16_t sport, uint16_t dport, uint32_t bytes)
{
	sp_store16(udp, sp_swap16(sport));
	sp_store16(udp + 2, sp_swap16(dport));
	sp_store16(udp + 4, sp_swap16((uint16_t)bytes));
	sp_store16(udp + 6, 0);
}

/* The packet inside, its checksums right; the payload is what the frame held before. */
static void put_inner(const struct bench *b, uint8_t *ip, uint32_t client)
{
	struct sp_addr user = house_inner(client), host = house_addr("198.51.100.1");
	uint32_t udp_bytes = b->bytes - SP_IPV4_BYTES;
	const struct sp_addr *src = b->is_down ? &host : &user, *dst = b->is_down ? &user : &host;
	uint8_t *udp = ip + SP_IPV4_BYTES;
	uint64_t sum = sp_csum_pseudo(src, dst, SP_PROTO_UDP, udp_bytes);
	uint16_t check;

	put_ip(ip, *src, *dst, b->bytes);
	put_udp(udp, b->is_down ? 443 : 5000, b->is_down ? 5000 : 443, udp_bytes);
	check = (uint16_t)~sp_csum_fold(sp_csum_partial(udp, udp_bytes, sum));
	sp_store16(udp + 6, check ? check : 0xffff);
}

static uint32_t padded_bytes(const struct bench *b)
{
	uint32_t padded = (b->bytes + 15) & ~15u;

	return padded > HOUSE_MTU ? HOUSE_MTU : padded;
}

static struct sp_item *put_frame(struct bench *b, unsigned int i, const struct sp_meta *meta)
{
	struct sp_item *item = &b->h.w->items[i];

	item->data = sp_frame_get(&b->h.w->frames) + SP_FRAME_HEADROOM;
	item->slot = 0;
	memcpy(item->data - sizeof(*meta), meta, sizeof(*meta));
	memcpy(item->data, (uint8_t[SP_ETH_BYTES]){2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 9, 9, 8}, 14);
	return item;
}

/* As the client sends it: sealed, with the next counter. */
static void put_up(struct bench *b, unsigned int i)
{
	const struct sp_meta meta = {.magic = SP_META_MAGIC,
				     .kind = SP_META_TUNNEL,
				     .l3_off = SP_ETH_BYTES,
				     .l4_off = L4_OFF};
	struct sp_item *item = put_frame(b, i, &meta);
	uint32_t client = b->clients[i], padded = padded_bytes(b);
	const struct sp_endpoint at = house_endpoint(client);
	const struct sp_keypair *k = b->h.keypairs[client];
	uint8_t *wg = item->data + L4_OFF;
	struct sp_aead_job job = {
		.key = &k->receive, .data = wg + SP_WG_DATA_HEADER, .bytes = padded};

	put_inner(b, job.data, client);
	put_ip(item->data + SP_ETH_BYTES, at.remote, at.local,
	       L4_OFF - SP_ETH_BYTES + SP_WG_DATA_HEADER + padded + SP_AEAD_TAG_BYTES);
	put_udp(wg - SP_UDP_BYTES, 4000, 51820,
		SP_UDP_BYTES + SP_WG_DATA_HEADER + padded + SP_AEAD_TAG_BYTES);
	put_le(wg, SP_WG_DATA, 4);
	put_le(wg + 4, k->local_index, 4);
	put_le(wg + 8, b->h.counters[client], 8);
	sp_aead_nonce_counter(job.nonce, b->h.counters[client]++);
	b->jobs[i] = job;
	b->h.w->config.aead->seal_batch(b->h.aead, &job, 1);
	item->bytes = L4_OFF + SP_WG_DATA_HEADER + padded + SP_AEAD_TAG_BYTES;
}

/* As XDP hands it over: un-NATed. */
static void put_down(struct bench *b, unsigned int i)
{
	uint32_t client = b->clients[i];
	const struct sp_meta meta = {.magic = SP_META_MAGIC,
				     .kind = SP_META_REPLY,
				     .l3_off = SP_ETH_BYTES,
				     .peer_id = client + 1};
	struct sp_item *item = put_frame(b, i, &meta);

	put_inner(b, item->data + SP_ETH_BYTES, client);
	item->bytes = SP_ETH_BYTES + b->bytes;
	b->jobs[i] = (struct sp_aead_job){.key = &b->h.keypairs[client]->send,
					  .data = item->data + SP_ETH_BYTES,
					  .bytes = padded_bytes(b)};
	sp_aead_nonce_counter(b->jobs[i].nonce, b->h.counters[client]++);
}

static void load(struct bench *b)
{
	for (unsigned int i = 0; i < SP_BATCH; i++) {
		b->clients[i] = (uint32_t)((uint64_t)b->next++ * STRIDE % b->h.peers);
		if (b->is_down)
			put_down(b, i);
		else
			put_up(b, i);
	}
}

static double run_engine(struct bench *b)
{
	uint64_t now_ns, t0, t1, left = b->h.left;

	load(b);
	now_ns = sp_clock_now_ns();
	t0 = now_ticks();
	sp_worker_batch(b->h.w, now_ns, SP_BATCH);
	t1 = now_ticks();
	MUST(b->h.left - left == SP_BATCH);
	return (double)(t1 - t0) / SP_BATCH;
}

static int by_key(const void *a, const void *b)
{
	const struct sp_aead_job *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

static double run_bare(struct bench *b)
{
	const struct sp_aead_ops *ops = b->h.w->config.aead;
	uint64_t t0, t1;

	load(b);
	qsort(b->jobs, SP_BATCH, sizeof(b->jobs[0]), by_key);
	t0 = now_ticks();
	if (b->is_down)
		ops->seal_batch(b->h.aead, b->jobs, SP_BATCH);
	else
		ops->open_batch(b->h.aead, b->jobs, SP_BATCH);
	t1 = now_ticks();
	for (unsigned int i = 0; i < SP_BATCH; i++) {
		MUST(b->is_down || b->jobs[i].authentic);
		sp_frame_put(&b->h.w->frames, b->h.w->items[i].data);
	}
	return (double)(t1 - t0) / SP_BATCH;
}

static struct figures run(struct bench *b, unsigned int samples)
{
	static double engine[SAMPLES], bare[SAMPLES];
	uint32_t warm_up = b->h.peers / SP_BATCH + 32;

	for (uint32_t i = 0; i < warm_up; i++) {
		run_engine(b);
		sp_epoch_quiescent(b->h.sessions, 0);
	}
	for (unsigned int i = 0; i < samples; i++) {
		bool first = i % 2;

		if (first)
			bare[i] = run_bare(b);
		engine[i] = run_engine(b);
		if (!first)
			bare[i] = run_bare(b);
	}
	return (struct figures){median(engine, samples), median(bare, samples)};
}

static void row(FILE *json, const struct bench *b, struct figures f)
{
	static bool is_next;

	printf("%-5s %6u %8u %9.0f %9.0f %9.0f %7.2f\n", b->is_down ? "seal" : "open", b->bytes,
	       b->h.peers, f.engine, f.bare, f.engine - f.bare, f.engine / f.bare);
	fflush(stdout);
	if (!json)
		return;
	fprintf(json,
		"%s\n {\"way\": \"%s\", \"bytes\": %u, \"clients\": %u, "
		"\"engine_ticks\": %.1f, \"aead_ticks\": %.1f}",
		is_next ? "," : "[", b->is_down ? "seal" : "open", b->bytes, b->h.peers, f.engine,
		f.bare);
	is_next = true;
}

struct options {
	const char *json;
	bool is_quick;
	uint32_t clients, bytes; /* 0 = every row */
};

static struct options read_options(int argc, char **argv)
{
	struct options o = {0};

	for (int opt; (opt = getopt(argc, argv, "qj:c:b:")) != -1;) {
		MUST(opt != '?');
		if (opt == 'q')
			o.is_quick = true;
		else if (opt == 'j')
			o.json = optarg;
		else if (opt == 'c')
			o.clients = (uint32_t)strtoul(optarg, NULL, 10);
		else
			o.bytes = (uint32_t)strtoul(optarg, NULL, 10);
	}
	return o;
}

static void run_clients(struct bench *b, const struct options *o, FILE *json)
{
	static const uint32_t sizes[] = {1420, 512, 64};
	unsigned int samples = o->is_quick ? SAMPLES / 10 : SAMPLES;

	for (unsigned int i = 0; i < 6; i++) {
		b->is_down = i / 3;
		b->bytes = sizes[i % 3];
		if (o->bytes && o->bytes != b->bytes)
			continue;
		for (unsigned int n = 0; n < (o->bytes ? 10 : 1); n++)
			row(json, b, run(b, samples));
	}
}

int main(int argc, char **argv)
{
	static const uint32_t clients[] = {1, 100, 1000, 10000, 100000};
	const struct options o = read_options(argc, argv);
	static struct bench b;
	const struct sp_aead_ops *aead;
	char text[SP_AEAD_TEXT];
	FILE *json = o.json ? fopen(o.json, "w") : NULL;

	MUST(!o.json || json);
	pin_to_last();
	MUST(sp_aead_select(sp_aead_backends, SP_AEAD_AUTO, &aead, text) == 0);
	printf("engine alone, batches of %d, warm, %s; ticks a packet\n", SP_BATCH, aead->name);
	printf("%-5s %6s %8s %9s %9s %9s %7s\n", "", "bytes", "clients", "engine", "AEAD", "more",
	       "ratio");
	for (unsigned int c = 0; c < (o.is_quick ? 3 : 5); c++) {
		if (o.clients && o.clients != clients[c])
			continue;
		house_open(&b.h, clients[c], aead);
		run_clients(&b, &o, json);
		house_close(&b.h);
	}
	if (json)
		MUST(fprintf(json, "\n]\n") > 0 && fclose(json) == 0);
	return 0;
}
