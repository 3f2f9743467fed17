/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"

#include <string.h>

#include "engine/group.h"
#include "sallyport/core/wire.h"
#include "tunnel/wireguard/wireguard.h"

#define ETH_BYTES  SP_ETH_BYTES
#define DATA_BYTES (SP_WG_DATA_HEADER + SP_AEAD_TAG_BYTES) /* of a keepalive */

static uint32_t load_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t load_le64(const uint8_t *p)
{
	return (uint64_t)load_le32(p + 4) << 32 | load_le32(p);
}

/* Outer addresses and ECN. XDP parsed this header; only its bounds are looked at again. */
static bool read_outer_ip(struct sp_item *item, const uint8_t *ip, uint32_t ip_bytes)
{
	if (ip[0] >> 4 == 4 && ip_bytes >= SP_IPV4_BYTES) {
		item->from.remote = sp_addr_from_v4((__be32)sp_load32(ip + 12));
		item->from.local = sp_addr_from_v4((__be32)sp_load32(ip + 16));
		item->outer_ecn = ip[1] & 3;
		return true;
	}
	if (ip[0] >> 4 == 6 && ip_bytes >= SP_IPV6_BYTES) {
		item->from.remote = sp_load_addr6(ip + 8);
		item->from.local = sp_load_addr6(ip + 24);
		item->outer_ecn = ip[1] >> 4 & 3;
		return true;
	}
	return false;
}

/* data and bytes become the ciphertext. */
static enum sp_reason read_outer(struct sp_item *item)
{
	uint32_t l3 = item->meta.l3_off, l4 = item->meta.l4_off;
	const uint8_t *udp, *wg;
	uint32_t udp_bytes;

	if (l3 < ETH_BYTES || l4 < l3 + SP_IPV4_BYTES + SP_UDP_BYTES ||
	    l4 + DATA_BYTES > item->bytes)
		return SP_R_WG_MALFORMED;
	udp = item->data + l4 - SP_UDP_BYTES;
	wg = item->data + l4;
	udp_bytes = sp_swap16(sp_load16(udp + 4));
	if (udp_bytes < SP_UDP_BYTES + DATA_BYTES || l4 - SP_UDP_BYTES + udp_bytes > item->bytes ||
	    load_le32(wg) != SP_WG_DATA ||
	    !read_outer_ip(item, item->data + l3, l4 - SP_UDP_BYTES - l3))
		return SP_R_WG_MALFORMED;
	item->from.remote_port_be = (__be16)sp_load16(udp);
	item->from.local_port_be = (__be16)sp_load16(udp + 2);
	item->from.slot = item->slot;
	memcpy(item->from.smac, item->data, 6);
	memcpy(item->from.dmac, item->data + 6, 6);
	item->receiver = load_le32(wg + 4);
	item->counter = load_le64(wg + 8);
	item->data += l4 + SP_WG_DATA_HEADER;
	item->bytes = udp_bytes - SP_UDP_BYTES - DATA_BYTES;
	return SP_R_NONE;
}

static enum sp_reason accept_outer(struct sp_worker *w, struct sp_item *item)
{
	item->keypair = sp_keypair_lookup(w->config.sessions, item->receiver);
	if (!item->keypair)
		return SP_R_WG_UNKNOWN_INDEX;
	if (w->now_ns >= item->keypair->reject_ns || item->counter >= SP_REPLAY_REJECT_AFTER)
		return SP_R_KEY_EXHAUSTED;
	if (!sp_replay_check(&item->keypair->replay, item->counter))
		return SP_R_REPLAYED;
	__builtin_prefetch(item->keypair->peer);
	__builtin_prefetch(&item->keypair->peer->data_received_ns, 1);
	return SP_R_NONE;
}

/* Neighbours with one key are cheapest to open; within a key the order of arrival stays. */
static void group_by_key(struct sp_worker *w)
{
	struct sp_item *items[SP_BATCH];
	const void *keys[SP_BATCH];
	uint8_t order[SP_BATCH];

	for (uint32_t i = 0; i < w->up_count; i++) {
		items[i] = w->up[i];
		keys[i] = items[i]->keypair;
	}
	sp_group_order(keys, w->up_count, order);
	for (uint32_t i = 0; i < w->up_count; i++)
		w->up[i] = items[order[i]];
}

static void open_all(struct sp_worker *w)
{
	for (uint32_t i = 0; i < w->up_count; i++) {
		struct sp_item *item = w->up[i];

		w->jobs[i] = (struct sp_aead_job){
			.key = &item->keypair->receive, .data = item->data, .bytes = item->bytes};
		sp_aead_nonce_counter(w->jobs[i].nonce, item->counter);
	}
	w->config.aead->open_batch(w->aead, w->jobs, w->up_count);
}

/* Not yet opened: the peer is whom XDP took it for. */
static void drop(struct sp_worker *w, const struct sp_item *item, enum sp_reason r)
{
	sp_worker_drop(w, &(struct sp_loss){.data = item->data,
					    .bytes = item->bytes,
					    .direction = SP_DIR_UP,
					    .reason = r,
					    .ifindex = item->meta.ifindex,
					    .user_id = item->meta.user_id,
					    .peer_id = item->meta.peer_id,
					    .outer = &item->from});
}

/* The replay window moves only after the tag was found right (RFC 6479, section 2). */
static bool is_genuine(struct sp_worker *w, uint32_t i)
{
	struct sp_item *item = w->up[i];
	enum sp_reason r = SP_R_NONE;

	if (!w->jobs[i].authentic)
		r = SP_R_AUTH_FAILED;
	else if (!sp_replay_commit(&item->keypair->replay, item->counter))
		r = SP_R_REPLAYED;
	if (r) {
		drop(w, item, r);
		w->up[i] = NULL;
	}
	return r == SP_R_NONE;
}

/* The peer is where its last authentic packet came from (WireGuard paper, section 2.1). */
static void follow(struct sp_peer *peer, const struct sp_endpoint *from)
{
	struct sp_endpoint known;

	if (!sp_peer_endpoint_get(peer, &known) || memcmp(&known, from, sizeof(known)) != 0)
		sp_peer_endpoint_set(peer, from);
}

/* Only workers count what was received: one alone needs no locked addition. */
static void count_received(const struct sp_worker *w, _Atomic uint64_t *sum, uint64_t n)
{
	if (w->config.workers == 1)
		atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + n,
				      memory_order_relaxed);
	else
		atomic_fetch_add_explicit(sum, n, memory_order_relaxed);
}

static void note_received(struct sp_worker *w, struct sp_peer *peer, uint32_t packets,
			  uint64_t bytes, bool has_data)
{
	uint64_t none = 0;

	count_received(w, &peer->received_packets, packets);
	count_received(w, &peer->received_bytes, bytes);
	atomic_store_explicit(&peer->any_received_ns, w->now_ns, memory_order_relaxed);
	atomic_store_explicit(&peer->first_unanswered_ns, 0, memory_order_relaxed);
	if (!has_data)
		return;
	atomic_store_explicit(&peer->data_received_ns, w->now_ns, memory_order_relaxed);
	if (!atomic_load_explicit(&peer->first_unacked_ns, memory_order_relaxed))
		atomic_compare_exchange_strong_explicit(&peer->first_unacked_ns, &none, w->now_ns,
							memory_order_relaxed, memory_order_relaxed);
}

/* One step to the newest authentic counter, instead of one for each packet. */
static void raise_window(struct sp_worker *w, uint32_t first, uint32_t last)
{
	uint64_t newest = 0;

	for (uint32_t i = first; i < last; i++) {
		if (w->jobs[i].authentic && w->up[i]->counter > newest)
			newest = w->up[i]->counter;
	}
	if (newest < SP_REPLAY_REJECT_AFTER)
		sp_replay_raise(&w->up[first]->keypair->replay, newest);
}

/* w->up[first .. last): all with one keypair. */
static void receive_group(struct sp_worker *w, uint32_t first, uint32_t last)
{
	struct sp_keypair *keypair = w->up[first]->keypair;
	const struct sp_item *newest = NULL;
	uint64_t bytes = 0;
	uint32_t packets = 0;
	bool has_data = false;

	raise_window(w, first, last);
	for (uint32_t i = first; i < last; i++) {
		if (!is_genuine(w, i))
			continue;
		newest = w->up[i];
		packets++;
		bytes += newest->bytes + DATA_BYTES;
		has_data |= newest->bytes > 0;
	}
	if (!newest)
		return;
	if (!atomic_load_explicit(&keypair->confirmed, memory_order_relaxed) &&
	    sp_keypair_confirm(keypair))
		sp_worker_event(w, SP_EVENT_CONFIRMED, keypair->peer, keypair->local_index);
	follow(keypair->peer, &newest->from);
	note_received(w, keypair->peer, packets, bytes, has_data);
}

/* w->up without those that step refuses. */
static void filter(struct sp_worker *w,
		   enum sp_reason (*step)(struct sp_worker *w, struct sp_item *item))
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->up_count; i++) {
		struct sp_item *item = w->up[i];
		enum sp_reason r = step(w, item);

		if (r)
			drop(w, item, r);
		else
			w->up[n++] = item;
	}
	w->up_count = n;
}

static enum sp_reason parse_outer(struct sp_worker *w, struct sp_item *item)
{
	enum sp_reason r;

	memset(&item->from, 0, sizeof(item->from));
	r = read_outer(item);
	if (!r)
		sp_keypair_fetch_slot(w->config.sessions, item->receiver);
	return r;
}

/* Packet by packet in steps: with many peers each step's memory is cold, and on its way by then. */
static void accept_all(struct sp_worker *w)
{
	filter(w, parse_outer);
	for (uint32_t i = 0; i < w->up_count; i++)
		sp_keypair_fetch(w->config.sessions, w->up[i]->receiver, w->up[i]->counter);
	filter(w, accept_outer);
}

/* w->up without what was not genuine, and without keepalives, which have said all they can. */
static void keep_packets(struct sp_worker *w)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->up_count; i++) {
		struct sp_item *item = w->up[i];

		if (item && item->bytes)
			w->up[n++] = item;
		else if (item)
			sp_frame_put(&w->frames, item->data);
	}
	w->up_count = n;
}

void sp_open_run(struct sp_worker *w)
{
	accept_all(w);
	if (!w->up_count)
		return;
	group_by_key(w);
	open_all(w);
	for (uint32_t first = 0, last; first < w->up_count; first = last) {
		const struct sp_keypair *keypair = w->up[first]->keypair;

		for (last = first + 1; last < w->up_count && w->up[last]->keypair == keypair;)
			last++;
		receive_group(w, first, last);
	}
	keep_packets(w);
	sp_up_run(w);
}
