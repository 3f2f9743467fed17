/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"

#include "engine/split.h"
#include "sallyport/core/adjust.h"
#include "sallyport/core/bucket.h"
#include "sallyport/core/flow.h"
#include "sallyport/core/parse.h"

static bool is_within_limit(struct sp_worker *w, uint32_t user_id, uint32_t bytes)
{
	uint32_t bucket;

	if (user_id >= w->shared->users_max)
		return false;
	bucket = __atomic_load_n(&w->shared->users[user_id].bucket_down, __ATOMIC_RELAXED);
	if (bucket == 0)
		return true;
	return bucket < w->shared->buckets_max &&
	       sp_bucket_take(&w->shared->buckets[bucket], w->now_ns, bytes);
}

enum sp_reason sp_down_enter(struct sp_worker *w, uint8_t *data, const struct sp_packet *ip,
			     const struct sp_enter *enter)
{
	uint32_t headers = SP_TCP_BYTES + (ip->version == 4 ? SP_IPV4_BYTES : SP_IPV6_BYTES);
	const uint8_t *end = data + ip->l3_bytes;

	if (enter->is_routed && ip->ttl <= 1)
		return SP_R_TTL_EXPIRED;
	if (ip->l3_bytes > enter->peer->mtu && !sp_split_may(ip, enter->peer->mtu))
		return SP_R_TOO_BIG;
	if (enter->is_limited && !is_within_limit(w, enter->peer->user_id, ip->l3_bytes))
		return SP_R_LIMIT_DOWN;
	if (enter->is_routed)
		sp_decrement_ttl(data, end, ip);
	sp_clamp_mss(data, end, ip, (uint16_t)(enter->mtu > headers ? enter->mtu - headers : 1));
	return SP_R_NONE;
}

/*
 * The original direction of a reply. An ICMP error quotes a packet of that direction: XDP has
 * written the inner addresses back into the quotation too.
 */
static enum sp_reason original_key(const struct sp_item *item, struct sp_flow_key *ret_key)
{
	struct sp_packet quoted;
	struct sp_flow_key key;
	enum sp_reason r;

	if (!item->ip.icmp_error) {
		sp_packet_flow_key(&item->ip, &key);
		sp_flow_key_reverse(&key, ret_key);
		return SP_R_NONE;
	}
	r = sp_parse_embedded(item->data, item->data + item->bytes, &item->ip, &quoted);
	if (r == SP_R_NONE)
		sp_packet_flow_key(&quoted, ret_key);
	return r;
}

static enum sp_reason read_reply(struct sp_worker *w, struct sp_item *item)
{
	uint32_t l3 = item->meta.l3_off;
	struct sp_flow_key key;
	enum sp_reason r;

	if (l3 < SP_ETH_BYTES || l3 > item->bytes)
		return SP_R_TRUNCATED;
	item->data += l3;
	item->bytes -= l3;
	r = sp_parse_ip(item->data, item->data + item->bytes, 0, &item->ip);
	if (r)
		return r;
	item->bytes = item->ip.l3_bytes;
	if (item->ip.fragment == SP_FRAGMENT_LATER) {
		item->ip.sport_be = item->meta.sport_be;
		item->ip.dport_be = item->meta.dport_be;
	}
	if (!(item->meta.flags & SP_META_STALE))
		return SP_R_NONE;
	r = original_key(item, &key);
	return r ? r : sp_judge_reply(w, &key);
}

static enum sp_reason forward(struct sp_worker *w, struct sp_item *item)
{
	struct sp_enter enter = {.is_routed = true};
	enum sp_reason r = read_reply(w, item);

	if (r)
		return r;
	enter.peer = sp_peer_lookup(w->config.sessions, item->meta.peer_id);
	if (!enter.peer)
		return SP_R_NO_SESSION;
	enter.mtu = enter.peer->mtu;
	r = sp_down_enter(w, item->data, &item->ip, &enter);
	if (r == SP_R_TTL_EXPIRED)
		sp_answer_outside(w, SP_ANSWER_TIME_EXCEEDED, item->data, &item->ip, 0);
	if (r == SP_R_TOO_BIG)
		sp_answer_outside(w, SP_ANSWER_TOO_BIG, item->data, &item->ip, enter.mtu);
	if (r)
		return r;
	atomic_store_explicit(&w->packets_down, w->packets_down + 1, memory_order_relaxed);
	atomic_store_explicit(&w->bytes_down, w->bytes_down + item->bytes, memory_order_relaxed);
	sp_worker_forward(w, SP_FLOW_TUNNEL, false, item->bytes);
	sp_seal_split(w,
		      &(struct sp_seal){.data = item->data,
					.bytes = item->bytes,
					.peer = enter.peer,
					.direction = SP_DIR_DOWN,
					.tos = item->ip.tos},
		      &item->ip);
	return SP_R_NONE;
}

void sp_down_run(struct sp_worker *w)
{
	for (uint32_t i = 0; i < w->down_count; i++)
		sp_peer_fetch_slot(w->config.sessions, w->down[i]->meta.peer_id);
	for (uint32_t i = 0; i < w->down_count; i++)
		sp_peer_fetch(w->config.sessions, w->down[i]->meta.peer_id);
	for (uint32_t i = 0; i < w->down_count; i++) {
		struct sp_item *item = w->down[i];
		enum sp_reason r = forward(w, item);

		if (r)
			sp_worker_drop(w, &(struct sp_loss){.data = item->data,
							    .bytes = item->bytes,
							    .direction = SP_DIR_DOWN,
							    .reason = r,
							    .ifindex = item->meta.ifindex,
							    .user_id = item->meta.user_id,
							    .peer_id = item->meta.peer_id,
							    .rule_id = item->meta.rule_id,
							    .ip = &item->ip});
	}
}
