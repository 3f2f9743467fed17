/* SPDX-License-Identifier: Apache-2.0 */
/* What engine and session do beside the state machine: keys used, times written down. One thread. */
#ifndef SP_TESTS_TUNNEL_DATA_H
#define SP_TESTS_TUNNEL_DATA_H

#include "pair.h"

/* What a worker would seal with: the newest confirmed keys of less than 180 s. */
static inline struct slot *sending_slot(struct side *s)
{
	struct slot *best = NULL;

	for (int i = 0; i < SLOTS; i++) {
		struct slot *slot = &s->slots[i];

		if (slot->index && slot->installed && slot->confirmed &&
		    *s->now_ns - slot->keys.born_ns < SP_WG_REJECT_AFTER_NS &&
		    (!best || slot->index > best->index))
			best = slot;
	}
	return best;
}

/* As engine and session do it. False: the keys are unknown to the receiver, or too old. */
static inline bool data_receive(struct side *to, const struct sp_wg_transport *keys, bool payload)
{
	struct slot *slot = slot_find(to, keys->remote_index);

	if (!slot || !slot->installed || *to->now_ns - slot->keys.born_ns >= SP_WG_REJECT_AFTER_NS)
		return false;
	cr_assert_arr_eq(slot->keys.receive.b, keys->send.b, SP_KEY_BYTES);
	cr_assert_arr_eq(slot->keys.send.b, keys->receive.b, SP_KEY_BYTES);
	to->traffic.any_received_ns = *to->now_ns;
	to->traffic.first_unanswered_ns = 0;
	if (payload) {
		to->traffic.data_received_ns = *to->now_ns;
		if (!to->traffic.first_unacked_ns)
			to->traffic.first_unacked_ns = *to->now_ns;
	}
	if (!slot->confirmed) {
		slot->confirmed = true;
		sp_wg_peer_on_confirmed(to->peer, *to->now_ns, slot->index);
	}
	return true;
}

/* False: no keys, or it did not arrive. */
static inline bool data_send(struct side *from, struct side *to, bool payload, bool lost)
{
	struct slot *slot = sending_slot(from);

	if (!slot) {
		sp_wg_peer_want_session(from->peer, *from->now_ns);
		return false;
	}
	from->traffic.any_sent_ns = *from->now_ns;
	from->traffic.first_unacked_ns = 0;
	if (payload) {
		from->traffic.data_sent_ns = *from->now_ns;
		if (!from->traffic.first_unanswered_ns)
			from->traffic.first_unanswered_ns = *from->now_ns;
	}
	return !lost && data_receive(to, &slot->keys, payload);
}

/* A handshake between the two, confirmed by the initiator's keepalive. */
static inline void shake_hands(struct pair *p)
{
	sp_wg_peer_want_session(p->initiator.peer, p->now_ns);
	cr_assert_eq(deliver(p, &p->initiator), SP_WG_OK);
	cr_assert_eq(deliver(p, &p->responder), SP_WG_OK);
	cr_assert(data_send(&p->initiator, &p->responder, false, false));
}

#endif
