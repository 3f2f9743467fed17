/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"

#include <string.h>

#include "engine/group.h"
#include "engine/split.h"
#include "sallyport/core/checksum.h"
#include "sallyport/core/ecn.h"
#include "tunnel/wireguard/wireguard.h"

#define OUTER_TTL      64
#define REKEY_EVERY_NS 1000000000ull
#define HEADERS_BYTES  (SP_ETH_BYTES + SP_IPV6_BYTES + SP_UDP_BYTES + SP_WG_DATA_HEADER)

/* What all packets of a batch to one peer share. */
struct group {
	struct sp_peer *peer;
	struct sp_keypair *keypair;
	struct sp_endpoint to;
	uint64_t counter; /* next */
	uint32_t mtu;	  /* of the interface */
	uint32_t packets;
	uint64_t bytes;
};

static void drop(struct sp_worker *w, const struct sp_seal *seal, enum sp_reason reason)
{
	sp_worker_drop(w, &(struct sp_loss){.data = seal->data,
					    .bytes = seal->bytes,
					    .direction = seal->direction,
					    .reason = reason,
					    .user_id = seal->peer->user_id,
					    .peer_id = seal->peer->id,
					    .entry = seal->entry,
					    .is_ip = true});
}

void sp_seal_push(struct sp_worker *w, const struct sp_seal *seal)
{
	if (w->seal_count == SP_BATCH)
		sp_seal_run(w);
	w->seals[w->seal_count++] = *seal;
}

void sp_seal_split(struct sp_worker *w, const struct sp_seal *seal, const struct sp_packet *ip)
{
	struct sp_seal piece = *seal;
	struct sp_pieces pieces;

	if (seal->bytes <= seal->peer->mtu) {
		sp_seal_push(w, seal);
		return;
	}
	if (sp_split(&w->frames, seal->data, ip, seal->peer->mtu, &pieces)) {
		drop(w, seal, SP_R_NO_FRAME);
		return;
	}
	for (unsigned int i = 0; i < pieces.count; i++) {
		piece.data = pieces.list[i].data;
		piece.bytes = pieces.list[i].bytes;
		sp_seal_push(w, &piece);
	}
}

static void want_handshake(struct sp_worker *w, struct sp_peer *peer)
{
	if (!atomic_exchange_explicit(&peer->wants_handshake, true, memory_order_relaxed) &&
	    !sp_worker_event(w, SP_EVENT_HANDSHAKE, peer, 0))
		atomic_store_explicit(&peer->wants_handshake, false, memory_order_relaxed);
}

/* WireGuard paper, section 6.2: the initiator alone renews, so that both do not at once. */
static void want_rekey(struct sp_worker *w, struct sp_keypair *k, uint64_t counter)
{
	uint64_t said_ns;

	if (!k->initiator ||
	    (w->now_ns < k->born_ns + SP_WG_REKEY_AFTER_NS && counter < SP_WG_REKEY_AFTER_MESSAGES))
		return;
	said_ns = atomic_load_explicit(&k->rekey_ns, memory_order_relaxed);
	if (w->now_ns - said_ns < REKEY_EVERY_NS)
		return;
	if (atomic_compare_exchange_strong(&k->rekey_ns, &said_ns, w->now_ns))
		sp_worker_event(w, SP_EVENT_REKEY, k->peer, k->local_index);
}

/* n counters at once. Looking before adding keeps every worker far from the counter's end. */
static enum sp_reason take_counters(struct sp_worker *w, struct group *g, uint32_t n)
{
	struct sp_keypair *k = atomic_load_explicit(&g->peer->sending, memory_order_acquire);

	if (!k || w->now_ns >= k->reject_ns ||
	    atomic_load_explicit(&k->send_counter, memory_order_relaxed) >=
		    SP_WG_REJECT_AFTER_MESSAGES) {
		want_handshake(w, g->peer);
		return SP_R_NO_SESSION;
	}
	g->keypair = k;
	g->counter = atomic_fetch_add_explicit(&k->send_counter, n, memory_order_relaxed);
	want_rekey(w, k, g->counter);
	return SP_R_NONE;
}

static enum sp_reason find_way(struct sp_worker *w, struct group *g)
{
	if (!sp_peer_endpoint_get(g->peer, &g->to)) {
		want_handshake(w, g->peer);
		return SP_R_NO_ROUTE;
	}
	if (g->to.slot >= SP_IFACE_MAX || !w->ifaces[g->to.slot].ifindex) {
		want_handshake(w, g->peer); /* its answer will tell the link addresses */
		return SP_R_NO_ROUTE;
	}
	g->mtu = w->ifaces[g->to.slot].iface.mtu;
	return SP_R_NONE;
}

static uint32_t outer_bytes(const struct group *g, uint32_t padded)
{
	return (sp_addr_is_v4(&g->to.remote) ? SP_IPV4_BYTES : SP_IPV6_BYTES) + SP_UDP_BYTES +
	       SP_WG_DATA_HEADER + padded + SP_AEAD_TAG_BYTES;
}

/* Linux pads to 16 bytes but never beyond the tunnel's MTU. */
static uint32_t padded_bytes(const struct sp_seal *s)
{
	uint32_t padded = (s->bytes + 15) & ~15u;

	if (padded > s->peer->mtu)
		padded = s->bytes > s->peer->mtu ? s->bytes : s->peer->mtu;
	return padded;
}

static enum sp_reason check_room(struct sp_worker *w, const struct group *g,
				 const struct sp_seal *s, uint32_t padded)
{
	if (sp_frame_headroom(&w->frames, s->data) < HEADERS_BYTES ||
	    sp_frame_room(&w->frames, s->data) < padded + SP_AEAD_TAG_BYTES)
		return SP_R_TOO_LONG;
	return outer_bytes(g, padded) > g->mtu ? SP_R_TOO_BIG : SP_R_NONE;
}

static void store_le(uint8_t *p, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

/* The WireGuard header in front (paper, section 5.4.6) and the job that seals what follows. */
static void prepare(struct group *g, struct sp_seal *s, uint32_t padded,
		    struct sp_aead_job *ret_job)
{
	uint8_t *header = s->data - SP_WG_DATA_HEADER;

	memset(s->data + s->bytes, 0, padded - s->bytes);
	store_le(header, SP_WG_DATA, 4);
	store_le(header + 4, g->keypair->remote_index, 4);
	store_le(header + 8, g->counter, 8);
	*ret_job = (struct sp_aead_job){.key = &g->keypair->send, .data = s->data, .bytes = padded};
	sp_aead_nonce_counter(ret_job->nonce, g->counter++);
	g->packets++;
	g->bytes += SP_WG_DATA_HEADER + padded + SP_AEAD_TAG_BYTES;
}

static void note_sent(struct sp_worker *w, const struct group *g)
{
	struct sp_peer *peer = g->peer;
	uint64_t none = 0;

	atomic_fetch_add_explicit(&peer->sent_packets, g->packets, memory_order_relaxed);
	atomic_fetch_add_explicit(&peer->sent_bytes, g->bytes, memory_order_relaxed);
	atomic_store_explicit(&peer->any_sent_ns, w->now_ns, memory_order_relaxed);
	atomic_store_explicit(&peer->data_sent_ns, w->now_ns, memory_order_relaxed);
	atomic_store_explicit(&peer->first_unacked_ns, 0, memory_order_relaxed);
	if (!atomic_load_explicit(&peer->first_unanswered_ns, memory_order_relaxed))
		atomic_compare_exchange_strong_explicit(&peer->first_unanswered_ns, &none,
							w->now_ns, memory_order_relaxed,
							memory_order_relaxed);
}

static void put_ipv4(struct sp_worker *w, uint8_t *ip, const struct group *g, uint8_t tos,
		     uint32_t ip_bytes)
{
	ip[0] = 0x45;
	ip[1] = tos;
	sp_store16(ip + 2, sp_swap16((uint16_t)ip_bytes));
	sp_store16(ip + 4, sp_swap16(w->ip_id++)); /* may be fragmented further on: DF is 0 */
	sp_store16(ip + 6, 0);
	ip[8] = OUTER_TTL;
	ip[9] = SP_PROTO_UDP;
	sp_store16(ip + 10, 0);
	sp_store32(ip + 12, (uint32_t)sp_addr_v4(&g->to.local));
	sp_store32(ip + 16, (uint32_t)sp_addr_v4(&g->to.remote));
	sp_store16(ip + 10, (uint16_t)~sp_csum_fold(sp_csum_partial(ip, SP_IPV4_BYTES, 0)));
}

static void put_ipv6(uint8_t *ip, const struct group *g, uint8_t tos, uint32_t udp_bytes)
{
	sp_store32(ip, sp_swap32(6u << 28 | (uint32_t)tos << 20));
	sp_store16(ip + 4, sp_swap16((uint16_t)udp_bytes));
	ip[6] = SP_PROTO_UDP;
	ip[7] = OUTER_TTL;
	memcpy(ip + 8, g->to.local.b, 16);
	memcpy(ip + 24, g->to.remote.b, 16);
}

/*
 * Everything in front of the WireGuard header; the sealed packet is there already. The UDP checksum
 * is left to whoever transmits: a device may make it for nothing.
 */
static void send_off(struct sp_worker *w, const struct group *g, const struct sp_seal *s,
		     uint32_t padded)
{
	uint32_t udp_bytes = SP_UDP_BYTES + SP_WG_DATA_HEADER + padded + SP_AEAD_TAG_BYTES;
	uint8_t *udp = s->data - SP_WG_DATA_HEADER - SP_UDP_BYTES;
	bool is_v4 = sp_addr_is_v4(&g->to.remote);
	uint8_t *ip = udp - (is_v4 ? SP_IPV4_BYTES : SP_IPV6_BYTES);
	uint8_t *eth = ip - SP_ETH_BYTES;
	uint8_t tos = sp_ecn_encapsulate(s->tos);

	sp_store16(udp, (uint16_t)g->to.local_port_be);
	sp_store16(udp + 2, (uint16_t)g->to.remote_port_be);
	sp_store16(udp + 4, sp_swap16((uint16_t)udp_bytes));
	sp_store16(udp + 6, 0);
	if (is_v4)
		put_ipv4(w, ip, g, tos, SP_IPV4_BYTES + udp_bytes);
	else
		put_ipv6(ip, g, tos, udp_bytes);
	memcpy(eth, g->to.dmac, 6);
	memcpy(eth + 6, g->to.smac, 6);
	sp_store16(eth + 12, sp_swap16(is_v4 ? SP_ETHERTYPE_IPV4 : SP_ETHERTYPE_IPV6));
	sp_worker_out(w, &(struct sp_out){.data = eth,
					  .bytes = SP_ETH_BYTES + outer_bytes(g, padded),
					  .slot = g->to.slot,
					  .udp_off = (uint32_t)(udp - eth),
					  .entry = s->entry,
					  .direction = s->direction});
}

/* All packets of seals[0 .. n) go to one peer. Those that go on stay, jobs beside them. */
static uint32_t prepare_group(struct sp_worker *w, struct group *g, struct sp_seal **seals,
			      uint32_t n, uint32_t at)
{
	enum sp_reason r = find_way(w, g);
	uint32_t kept = at;

	if (!r)
		r = take_counters(w, g, n);
	for (uint32_t i = 0; i < n; i++) {
		struct sp_seal *s = seals[i];
		uint32_t padded = padded_bytes(s);
		enum sp_reason why = r ? r : check_room(w, g, s, padded);

		if (why) {
			drop(w, s, why);
			continue;
		}
		prepare(g, s, padded, &w->jobs[kept]);
		w->sealing[kept++] = s;
	}
	return kept - at;
}

/* With many peers the keypair is cold. */
static void fetch_keypair(struct sp_peer *peer)
{
	struct sp_keypair *k = atomic_load_explicit(&peer->sending, memory_order_acquire);

	if (!k)
		return;
	__builtin_prefetch(k);
	__builtin_prefetch(&k->send);
	__builtin_prefetch(&k->send_counter, 1);
}

/* Neighbours with one key are cheapest to seal; within a peer the order of arrival stays. */
static void group_by_peer(struct sp_worker *w, struct sp_seal **ret_seals)
{
	const void *keys[SP_BATCH];
	uint8_t order[SP_BATCH];

	for (uint32_t i = 0; i < w->seal_count; i++)
		keys[i] = w->seals[i].peer;
	sp_group_order(keys, w->seal_count, order);
	for (uint32_t i = 0; i < w->seal_count; i++) {
		ret_seals[i] = &w->seals[order[i]];
		fetch_keypair(ret_seals[i]->peer);
	}
}

void sp_seal_run(struct sp_worker *w)
{
	struct group groups[SP_BATCH];
	struct sp_seal *seals[SP_BATCH];
	uint32_t group_count = 0, jobs = 0, at = 0;

	if (!w->seal_count)
		return;
	group_by_peer(w, seals);
	for (uint32_t first = 0, last; first < w->seal_count; first = last) {
		struct group *g = &groups[group_count];
		uint32_t kept;

		for (last = first + 1;
		     last < w->seal_count && seals[last]->peer == seals[first]->peer;)
			last++;
		*g = (struct group){.peer = seals[first]->peer};
		kept = prepare_group(w, g, seals + first, last - first, jobs);
		jobs += kept;
		group_count += kept > 0;
	}
	w->config.aead->seal_batch(w->aead, w->jobs, jobs);
	for (uint32_t i = 0; i < group_count; i++) {
		for (uint32_t k = 0; k < groups[i].packets; k++, at++)
			send_off(w, &groups[i], w->sealing[at], w->jobs[at].bytes);
		note_sent(w, &groups[i]);
	}
	w->seal_count = 0;
}
