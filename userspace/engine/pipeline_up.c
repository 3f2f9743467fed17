/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"

#include "engine/split.h"
#include "sallyport/core/adjust.h"
#include "sallyport/core/ecn.h"
#include "sallyport/core/parse.h"
#include "sallyport/core/rewrite.h"

/* IPv4 options, as they stand on the wire. */
#define IPV4_END	  0
#define IPV4_NOP	  1
#define IPV4_LOOSE_ROUTE  131
#define IPV4_STRICT_ROUTE 137

static void count_up(struct sp_worker *w, const struct sp_item *item)
{
	atomic_store_explicit(&w->packets_up, w->packets_up + 1, memory_order_relaxed);
	atomic_store_explicit(&w->bytes_up, w->bytes_up + item->ip.l3_bytes, memory_order_relaxed);
}

/*
 * RFC 7126, sections 4.3 and 4.4: a source route leads past the destination that was judged, as an
 * IPv6 routing header would. Options that cannot be read may hide one.
 */
static bool has_source_route(const struct sp_item *item)
{
	uint32_t at = SP_IPV4_BYTES;

	while (item->ip.version == 4 && at < item->ip.l4_off && item->data[at] != IPV4_END) {
		uint32_t left = item->ip.l4_off - at;
		uint32_t bytes = item->data[at] == IPV4_NOP ? 1 : left < 2 ? 0 : item->data[at + 1];

		if (item->data[at] == IPV4_LOOSE_ROUTE || item->data[at] == IPV4_STRICT_ROUTE ||
		    bytes == 0 || bytes > left || (bytes == 1 && item->data[at] != IPV4_NOP))
			return true;
		at += bytes;
	}
	return false;
}

/* The inner packet and its ECN field; the padding behind it is cut (paper, section 5.4.6). */
static enum sp_reason read_inner(struct sp_item *item)
{
	const uint8_t *end = item->data + item->bytes;
	enum sp_reason r = sp_parse_ip(item->data, end, 0, &item->ip);
	uint8_t ecn;

	if (r)
		return r == SP_R_FRAGMENT_TINY ? r : SP_R_INNER_MALFORMED;
	if (has_source_route(item))
		return SP_R_PROTOCOL;
	item->bytes = item->ip.l3_bytes;
	if (!sp_ecn_decapsulate(item->outer_ecn, item->ip.tos & 3, &ecn))
		return SP_R_ECN_INVALID;
	if (ecn != (item->ip.tos & 3)) {
		sp_set_ecn(item->data, end, &item->ip, ecn);
		item->ip.tos = (uint8_t)((item->ip.tos & ~3) | ecn);
	}
	return SP_R_NONE;
}

static uint16_t mss_for(uint32_t mtu, uint8_t version)
{
	uint32_t headers = SP_TCP_BYTES + (version == 4 ? SP_IPV4_BYTES : SP_IPV6_BYTES);

	return (uint16_t)(mtu > headers ? mtu - headers : 1);
}

static enum sp_reason translate(struct sp_worker *w, struct sp_item *item,
				const struct sp_entry *entry)
{
	enum sp_reason r = sp_rewrite(item->data, item->data + item->bytes, &item->ip,
				      SP_REWRITE_SRC, &entry->nat_addr, entry->nat_port_be);

	if (r || item->ip.version != 4)
		return r;
	if (item->ip.fragment)
		sp_adjust_ipv4_word(item->data, 4, (uint16_t)item->ip.fragment_id);
	else if (item->ip.may_split)
		sp_adjust_ipv4_word(item->data, 4, sp_packet_outside_id(w, &item->ip, entry));
	return SP_R_NONE;
}

static enum sp_reason send_outside(struct sp_worker *w, struct sp_item *item,
				   struct sp_entry *entry, const struct sp_nexthop *nexthop)
{
	struct sp_pieces pieces = {1, {{item->data, item->bytes}}};

	if (item->bytes > nexthop->mtu &&
	    sp_split(&w->frames, item->data, &item->ip, nexthop->mtu, &pieces))
		return SP_R_NO_FRAME;
	for (unsigned int i = 0; i < pieces.count; i++) {
		uint8_t *data = pieces.list[i].data - SP_ETH_BYTES;

		sp_path_ethernet(data, nexthop, item->ip.version);
		sp_worker_out(w, &(struct sp_out){.data = data,
						  .bytes = pieces.list[i].bytes + SP_ETH_BYTES,
						  .slot = nexthop->slot,
						  .entry = entry,
						  .direction = SP_DIR_UP});
	}
	return SP_R_NONE;
}

static enum sp_reason go_outside(struct sp_worker *w, struct sp_item *item, struct sp_entry *entry)
{
	struct sp_peer *peer = item->keypair->peer;
	const uint8_t *end = item->data + item->bytes;
	struct sp_nexthop nexthop;
	enum sp_reason r = sp_path_use(w, entry, &nexthop);

	if (r)
		return r;
	if (item->ip.ttl <= 1) {
		sp_answer_user(w, SP_ANSWER_TIME_EXCEEDED, item->data, &item->ip, peer, 0);
		return SP_R_TTL_EXPIRED;
	}
	if (item->ip.l3_bytes > nexthop.mtu && !sp_split_may(&item->ip, nexthop.mtu)) {
		sp_answer_user(w, SP_ANSWER_TOO_BIG, item->data, &item->ip, peer, nexthop.mtu);
		return SP_R_TOO_BIG;
	}
	sp_decrement_ttl(item->data, end, &item->ip);
	sp_clamp_mss(item->data, end, &item->ip,
		     mss_for(nexthop.mtu < peer->mtu ? nexthop.mtu : peer->mtu, item->ip.version));
	if (entry->translated) {
		r = translate(w, item, entry);
		if (r)
			return r;
	}
	return send_outside(w, item, entry, &nexthop);
}

/* From one tunnel into another. */
static enum sp_reason go_across(struct sp_worker *w, struct sp_item *item, struct sp_entry *entry)
{
	struct sp_peer *from = item->keypair->peer;
	struct sp_enter enter = {.peer = sp_peer_lookup(w->config.sessions, entry->to_peer),
				 .is_routed = true,
				 .is_limited = true};
	enum sp_reason r;

	if (!enter.peer)
		return SP_R_NO_SESSION;
	enter.mtu = from->mtu < enter.peer->mtu ? from->mtu : enter.peer->mtu;
	r = sp_down_enter(w, item->data, &item->ip, &enter);
	if (r == SP_R_TTL_EXPIRED)
		sp_answer_user(w, SP_ANSWER_TIME_EXCEEDED, item->data, &item->ip, from, 0);
	if (r == SP_R_TOO_BIG)
		sp_answer_user(w, SP_ANSWER_TOO_BIG, item->data, &item->ip, from, enter.peer->mtu);
	if (r)
		return r;
	sp_seal_split(w,
		      &(struct sp_seal){.data = item->data,
					.bytes = item->bytes,
					.peer = enter.peer,
					.entry = entry,
					.direction = SP_DIR_DOWN,
					.tos = item->ip.tos},
		      &item->ip);
	return SP_R_NONE;
}

static enum sp_reason go_on(struct sp_worker *w, struct sp_item *item, struct sp_entry *entry)
{
	if (entry->kind == SP_FLOW_TUNNEL)
		return go_outside(w, item, entry);
	if (entry->to_peer != SP_PEER_NONE)
		return go_across(w, item, entry);
	sp_worker_out(w, &(struct sp_out){.data = item->data,
					  .bytes = item->bytes,
					  .slot = SP_SLOT_HOST,
					  .entry = entry,
					  .direction = SP_DIR_UP});
	return SP_R_NONE;
}

/* entry: NULL when it was given none. */
static void drop(struct sp_worker *w, struct sp_item *item, const struct sp_entry *entry,
		 uint32_t bytes, enum sp_reason r)
{
	sp_worker_drop(w, &(struct sp_loss){.data = item->data,
					    .bytes = bytes,
					    .direction = SP_DIR_UP,
					    .reason = r,
					    .ifindex = item->meta.ifindex,
					    .user_id = item->keypair->peer->user_id,
					    .peer_id = item->keypair->peer->id,
					    .rule_id = w->decided_rule,
					    .hit_id = w->decided_hit,
					    .ip = &item->ip,
					    .entry = entry});
}

static void forward(struct sp_worker *w, struct sp_item *item)
{
	struct sp_peer *peer = item->keypair->peer;
	uint32_t bytes = item->bytes;
	struct sp_entry *entry = NULL;
	enum sp_reason r;

	w->rejects = false;
	w->decided_rule = w->decided_hit = 0;
	r = sp_packet_admit(w, item->data, &item->ip, &item->name, peer, &entry);
	if (!r)
		r = sp_judge_limit(w, entry, item->ip.l3_bytes);
	if (r == SP_R_POLICY_DENY && w->rejects)
		sp_answer_reject(w, item->data, &item->ip, peer);
	if (!r) {
		sp_flow_touch(w, entry, &item->ip);
		count_up(w, item);
		sp_worker_forward(w, entry->kind, true, item->ip.l3_bytes);
		r = go_on(w, item, entry);
	}
	if (r)
		drop(w, item, entry, bytes, r);
}

/* Step by step through the batch: with many flows the next step's memory is on its way by then. */
void sp_up_run(struct sp_worker *w)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->up_count; i++) {
		struct sp_item *item = w->up[i];
		uint32_t bytes = item->bytes;
		enum sp_reason r = read_inner(item);

		if (r) {
			w->decided_rule = w->decided_hit = 0;
			drop(w, item, NULL, bytes, r);
			continue;
		}
		sp_flow_name(w, &item->ip, &item->name);
		sp_flow_table_fetch_slot(&w->table, &item->name);
		w->up[n++] = item;
	}
	w->up_count = n;
	for (uint32_t i = 0; i < n; i++)
		sp_flow_table_fetch(&w->table, &w->up[i]->name);
	for (uint32_t i = 0; i < n; i++)
		forward(w, w->up[i]);
}
