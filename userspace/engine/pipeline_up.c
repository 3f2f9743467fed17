/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"

#include "sallyport/core/adjust.h"
#include "sallyport/core/ecn.h"
#include "sallyport/core/parse.h"
#include "sallyport/core/rewrite.h"

static void count_up(struct sp_worker *w, const struct sp_item *item)
{
	atomic_store_explicit(&w->packets_up, w->packets_up + 1, memory_order_relaxed);
	atomic_store_explicit(&w->bytes_up, w->bytes_up + item->ip.l3_bytes, memory_order_relaxed);
}

/* The inner packet and its ECN field; the padding behind it is cut (paper, section 5.4.6). */
static enum sp_reason read_inner(struct sp_item *item)
{
	const uint8_t *end = item->data + item->bytes;
	uint8_t ecn;

	if (sp_parse_ip(item->data, end, 0, &item->ip))
		return SP_R_INNER_MALFORMED;
	item->bytes = item->ip.l3_bytes;
	if (!sp_ecn_decapsulate(item->outer_ecn, item->ip.tos & 3, &ecn))
		return SP_R_ECN_INVALID;
	if (ecn != (item->ip.tos & 3)) {
		sp_set_ecn(item->data, end, &item->ip, ecn);
		item->ip.tos = (uint8_t)((item->ip.tos & ~3) | ecn);
	}
	return item->ip.fragment == SP_FRAGMENT_NONE ? SP_R_NONE : SP_R_FRAGMENT;
}

static uint16_t mss_for(uint32_t mtu, uint8_t version)
{
	uint32_t headers = SP_TCP_BYTES + (version == 4 ? SP_IPV4_BYTES : SP_IPV6_BYTES);

	return (uint16_t)(mtu > headers ? mtu - headers : 1);
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
	if (item->ip.l3_bytes > nexthop.mtu) {
		sp_answer_user(w, SP_ANSWER_TOO_BIG, item->data, &item->ip, peer, nexthop.mtu);
		return SP_R_TOO_BIG;
	}
	sp_decrement_ttl(item->data, end, &item->ip);
	sp_clamp_mss(item->data, end, &item->ip,
		     mss_for(nexthop.mtu < peer->mtu ? nexthop.mtu : peer->mtu, item->ip.version));
	if (entry->translated) {
		r = sp_rewrite(item->data, end, &item->ip, SP_REWRITE_SRC, &entry->nat_addr,
			       entry->nat_port_be);
		if (r)
			return r;
	}
	sp_path_ethernet(item->data - SP_ETH_BYTES, &nexthop, item->ip.version);
	sp_worker_out(w, &(struct sp_out){.data = item->data - SP_ETH_BYTES,
					  .bytes = item->bytes + SP_ETH_BYTES,
					  .slot = nexthop.slot,
					  .entry = entry,
					  .direction = SP_DIR_UP});
	return SP_R_NONE;
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
	sp_seal_push(w, &(struct sp_seal){.data = item->data,
					  .bytes = item->bytes,
					  .peer = enter.peer,
					  .entry = entry,
					  .direction = SP_DIR_DOWN,
					  .tos = item->ip.tos});
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

void sp_up_forward(struct sp_worker *w, struct sp_item *item)
{
	struct sp_peer *peer = item->keypair->peer;
	uint32_t bytes = item->bytes;
	struct sp_entry *entry = NULL;
	enum sp_reason r = read_inner(item);

	w->rejects = false;
	if (!r && item->ip.icmp_error)
		r = sp_icmp_error_match(w, item->data, &item->ip, peer, &entry);
	else if (!r)
		r = sp_flow_admit(w, &item->ip, peer, &entry);
	if (!r)
		r = sp_judge_limit(w, entry, item->ip.l3_bytes);
	if (r == SP_R_POLICY_DENY && w->rejects)
		sp_answer_reject(w, item->data, &item->ip, peer);
	if (!r) {
		sp_flow_touch(w, entry, &item->ip);
		count_up(w, item);
		r = go_on(w, item, entry);
	}
	if (r)
		sp_worker_drop(w, item->data, bytes, SP_DIR_UP, r);
}
