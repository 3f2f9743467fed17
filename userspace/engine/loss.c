/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/drops.h"
#include "engine/pipeline.h"
#include "sallyport/core/pace.h"
#include "sallyport/core/parse.h"

/* Whose packet: of its flow, as far as it has one. */
static void describe_owner(const struct sp_loss *loss, struct sp_drop_event *event)
{
	const struct sp_entry *entry = loss->entry;

	event->user_id = loss->user_id;
	event->peer_id = loss->peer_id;
	event->rule_id = loss->rule_id;
	event->hit_id = loss->hit_id;
	if (!entry)
		return;
	event->user_id = entry->user_id;
	event->peer_id = entry->side == SP_FLOW_ORIGINAL ? entry->from_peer : entry->to_peer;
	event->rule_id = entry->rule_id;
	event->hit_id = entry->hit_id;
}

static void describe_ip(const struct sp_packet *ip, struct sp_drop_event *event)
{
	event->src = ip->src;
	event->dst = ip->dst;
	event->sport_be = ip->sport_be;
	event->dport_be = ip->dport_be;
	event->icmp = ip->icmp;
	event->proto = ip->proto;
	event->tcp_flags = ip->tcp_flags;
	event->tunnelled = 1;
}

static void describe_packet(const struct sp_loss *loss, struct sp_drop_event *event)
{
	struct sp_packet ip;

	if (loss->ip) {
		describe_ip(loss->ip, event);
	} else if (loss->is_ip) {
		if (!sp_parse_ip(loss->data, loss->data + loss->bytes, 0, &ip))
			describe_ip(&ip, event);
	} else if (loss->outer) {
		event->src = loss->outer->remote;
		event->dst = loss->outer->local;
		event->sport_be = loss->outer->remote_port_be;
		event->dport_be = loss->outer->local_port_be;
		event->proto = SP_PROTO_UDP;
	} else if (loss->entry) {
		event->src = loss->entry->key.src;
		event->dst = loss->entry->key.dst;
		event->sport_be = loss->entry->key.sport_be;
		event->dport_be = loss->entry->key.dport_be;
		event->proto = loss->entry->key.proto;
		event->tunnelled = 1;
	}
}

static void tell(struct sp_worker *w, const struct sp_loss *loss)
{
	uint32_t cost_ns = __atomic_load_n(&w->shared->gateway->event_cost_ns, __ATOMIC_RELAXED);
	struct sp_drop_event event = {.at_ns = w->now_ns,
				      .generation = w->generation,
				      .reason = (uint8_t)loss->reason,
				      .direction = (uint8_t)loss->direction,
				      .ifindex = loss->ifindex,
				      .bytes = loss->bytes};
	const struct sp_addr *src = loss->ip ? &loss->ip->src : &event.src;
	struct sp_drop_pace *pace;

	if (!cost_ns)
		return;
	describe_owner(loss, &event);
	pace = &w->paces[sp_pace_cell(loss->reason, event.user_id, src)];
	if (!sp_pace_take(pace, w->now_ns, cost_ns))
		return;
	describe_packet(loss, &event);
	event.waited = pace->waiting;
	if (sp_ring_push(&w->drops, &event))
		pace->waiting = 0;
	else
		sp_pace_lose(pace);
}

void sp_worker_drop(struct sp_worker *w, const struct sp_loss *loss)
{
	sp_drop_count(w->lane, loss->direction, loss->reason, loss->bytes, w->now_ns);
	tell(w, loss);
	sp_frame_put(&w->frames, loss->data);
}

void sp_worker_forward(struct sp_worker *w, enum sp_flow_kind kind, bool up, uint32_t bytes)
{
	struct sp_forward_cell *cell = &w->forward[kind * 2 + !up];

	cell->packets++;
	cell->bytes += bytes;
}
