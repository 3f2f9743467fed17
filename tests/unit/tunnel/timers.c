/* SPDX-License-Identifier: Apache-2.0 */
#include "data.h"

/* Lets the clock run to every time at which one side has something to do, up to `until`. */
static void run_until(struct pair *p, struct side *s, uint64_t until_ns)
{
	uint64_t next_ns;

	for (;;) {
		next_ns = advance(s);
		cr_assert_gt(next_ns, p->now_ns, "a timer that is due was not run");
		if (next_ns > until_ns)
			break;
		p->now_ns = next_ns;
	}
	p->now_ns = until_ns;
	advance(s);
}

/* Nothing a nanosecond before, one more message at the time. */
#define ASSERT_SENDS_AT(p, s, when_ns)                                                     \
	do {                                                                               \
		unsigned int before_ = (s)->sent;                                          \
		run_until(p, s, (when_ns)-1);                                              \
		cr_assert_eq((s)->sent, before_, "%u sent too soon", (s)->sent - before_); \
		run_until(p, s, when_ns);                                                  \
		cr_assert_eq((s)->sent, before_ + 1, "not sent in time");                  \
	} while (0)

Test(timers, sleep_when_there_is_nothing_to_do)
{
	struct pair p;

	pair_open(&p);
	cr_assert_eq(advance(&p.initiator), UINT64_MAX);
	p.now_ns += 1000 * S;
	cr_assert_eq(advance(&p.initiator), UINT64_MAX);
	cr_assert_eq(p.initiator.sent, 0);
	pair_close(&p);
}

Test(timers, retry_after_five_seconds_and_a_little)
{
	uint64_t last_ns, shortest_ns = UINT64_MAX, longest_ns = 0;
	struct pair p;

	pair_open(&p);
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	last_ns = p.now_ns;
	for (unsigned int i = 2; i < 200; i++) {
		uint64_t next_ns = advance(&p.initiator);

		p.now_ns = next_ns;
		sp_wg_peer_want_session(p.initiator.peer, p.now_ns); /* data keeps coming */
		advance(&p.initiator);
		cr_assert_eq(p.initiator.sent, i);
		cr_assert_eq(p.initiator.reserved, 1, "each attempt gives the last index back");
		if (next_ns - last_ns < shortest_ns)
			shortest_ns = next_ns - last_ns;
		if (next_ns - last_ns > longest_ns)
			longest_ns = next_ns - last_ns;
		last_ns = next_ns;
	}
	cr_assert_geq(shortest_ns, 5 * S);
	cr_assert_leq(longest_ns, 5 * S + 333 * MS);
	cr_assert_gt(longest_ns - shortest_ns, 250 * MS, "chance keeps two peers apart");
	pair_close(&p);
}

/* T09 */
Test(timers, give_up_after_ninety_seconds)
{
	struct pair p;

	pair_open(&p);
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	run_until(&p, &p.initiator, BEGIN + 90 * S - 1);
	cr_assert_eq(p.initiator.reserved, 1);
	cr_assert_geq(p.initiator.sent, 17);
	cr_assert_leq(p.initiator.sent, 18);
	run_until(&p, &p.initiator, BEGIN + 90 * S);
	cr_assert_eq(p.initiator.reserved, 0);
	cr_assert_eq(advance(&p.initiator), UINT64_MAX);
	/* A late answer finds nothing; new data starts anew. */
	cr_assert_eq(hear(&p.responder, &p.initiator, last_sent(&p.initiator)), SP_WG_OK);
	cr_assert_eq(deliver(&p, &p.responder), SP_WG_E_INDEX);
	p.now_ns += 60 * S;
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	cr_assert_eq(p.initiator.reserved, 1);
	pair_close(&p);
}

Test(timers, hold_starts_five_seconds_apart)
{
	struct pair p;

	pair_open(&p);
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_OK);
	lose_all(&p.responder);
	/* The responder has data, but its keys wait for a packet that never comes. */
	p.now_ns += S;
	sp_wg_peer_want_session(p.responder.peer, p.now_ns);
	sp_wg_peer_want_session(p.responder.peer, p.now_ns);
	ASSERT_SENDS_AT(&p, &p.responder, BEGIN + 5 * S);
	pair_close(&p);
}

Test(timers, rekey_when_sending_at_120_s)
{
	unsigned int sent;
	struct pair p;

	pair_open(&p);
	shake_hands(&p);
	sent = p.initiator.sent;
	p.now_ns = BEGIN + 120 * S - 1;
	cr_assert(data_send(&p.initiator, &p.responder, true, false));
	cr_assert(data_send(&p.responder, &p.initiator, true, false));
	advance(&p.initiator);
	cr_assert_eq(p.initiator.sent, sent);
	p.now_ns = BEGIN + 120 * S;
	cr_assert(data_send(&p.responder, &p.initiator, true, false));
	advance(&p.responder);
	advance(&p.initiator);
	cr_assert_eq(p.initiator.sent, sent, "receiving alone does not do it yet");
	cr_assert(data_send(&p.initiator, &p.responder, true, false));
	advance(&p.initiator);
	cr_assert_eq(p.initiator.sent, sent + 1);
	/* The responder leaves it to the initiator. */
	cr_assert(data_send(&p.responder, &p.initiator, true, false));
	advance(&p.responder);
	cr_assert_eq(p.responder.sent, 1);
	/* initiator --> responder: handshake initiation { ephemeral, static, timestamp } */
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_OK);
	cr_assert_eq(deliver(&p, &p.responder), SP_WG_OK);
	cr_assert_eq(sending_slot(&p.initiator)->keys.born_ns, p.now_ns);
	pair_close(&p);
}

Test(timers, ask_once_for_each_packet_that_is_sent_late)
{
	unsigned int sent;
	struct pair p;

	pair_open(&p);
	shake_hands(&p);
	p.now_ns = BEGIN + 130 * S;
	data_send(&p.initiator, &p.responder, false, true);
	run_until(&p, &p.initiator, BEGIN + 230 * S); /* nobody answers: given up at 220 s */
	cr_assert_eq(p.initiator.reserved, 1, "only the old keys are left");
	sent = p.initiator.sent;
	run_until(&p, &p.initiator, BEGIN + 500 * S);
	cr_assert_eq(p.initiator.sent, sent);
	pair_close(&p);
}

Test(timers, rekey_when_receiving_at_165_s)
{
	uint64_t born_ns = BEGIN;
	struct pair p;

	pair_open(&p);
	shake_hands(&p);
	for (int i = 0; i < 2; i++) { /* new keys, and it holds for them again */
		unsigned int sent = p.initiator.sent;

		p.now_ns = born_ns + 165 * S - 1;
		cr_assert(data_send(&p.responder, &p.initiator, false, false));
		advance(&p.initiator);
		cr_assert_eq(p.initiator.sent, sent);
		p.now_ns = born_ns + 165 * S;
		cr_assert(data_send(&p.responder, &p.initiator, false, false));
		advance(&p.initiator);
		cr_assert_eq(p.initiator.sent, sent + 1);
		cr_assert_eq(deliver(&p, &p.initiator), SP_WG_OK);
		cr_assert_eq(deliver(&p, &p.responder), SP_WG_OK);
		cr_assert(data_send(&p.initiator, &p.responder, false, false));
		born_ns = p.now_ns;
	}
	pair_close(&p);
}

Test(timers, leave_late_receipts_to_the_initiator_and_ask_once)
{
	struct slot *slot;
	unsigned int sent;
	struct pair p;

	pair_open(&p);
	shake_hands(&p);
	slot = sending_slot(&p.initiator);
	p.now_ns = BEGIN + 170 * S;
	cr_assert(data_receive(&p.responder, &slot->keys, false));
	advance(&p.responder);
	cr_assert_eq(p.responder.sent, 1);
	/* The initiator asks; nobody answers; it has heard late, but asked for these keys. */
	cr_assert(data_send(&p.responder, &p.initiator, false, false));
	run_until(&p, &p.initiator, BEGIN + 261 * S);
	sent = p.initiator.sent;
	cr_assert_geq(sent, 17);
	run_until(&p, &p.initiator, BEGIN + 500 * S);
	cr_assert_eq(p.initiator.sent, sent);
	pair_close(&p);
}

Test(timers, do_not_start_for_a_wish_of_before_the_keys)
{
	unsigned int sent;
	struct pair p;

	pair_open(&p);
	shake_hands(&p);
	sent = p.initiator.sent;
	p.now_ns += 5 * S - 1;
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	run_until(&p, &p.initiator, BEGIN + 20 * S);
	cr_assert_eq(p.initiator.sent, sent);
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	cr_assert_eq(p.initiator.sent, sent + 1);
	pair_close(&p);
}

Test(timers, rekey_after_two_to_the_sixty_messages)
{
	struct pair p;

	pair_open(&p);
	shake_hands(&p);
	p.now_ns += 10 * S;
	cr_assert(data_send(&p.responder, &p.initiator, false, false));
	p.responder.traffic.send_counter = SP_WG_REKEY_AFTER_MESSAGES;
	advance(&p.responder);
	cr_assert_eq(p.responder.sent, 1);
	p.responder.traffic.send_counter++;
	advance(&p.responder);
	cr_assert_eq(p.responder.sent, 2);
	pair_close(&p);
}

Test(timers, reject_keys_at_180_s)
{
	struct sp_wg_transport keys;
	struct pair p;

	pair_open(&p);
	shake_hands(&p);
	keys = sending_slot(&p.initiator)->keys;
	p.now_ns = BEGIN + 180 * S - 1;
	cr_assert(data_receive(&p.responder, &keys, false));
	cr_assert_not_null(sending_slot(&p.initiator));
	p.now_ns = BEGIN + 180 * S;
	cr_assert_null(sending_slot(&p.initiator));
	/* A keepalive is due, but there is nothing to seal it with: a handshake goes instead. */
	p.responder.traffic.data_received_ns = p.responder.traffic.first_unacked_ns =
		BEGIN + 170 * S;
	advance(&p.responder);
	cr_assert_eq(p.responder.keepalives, 0);
	cr_assert_eq(last_sent(&p.responder)->len, SP_WG_INITIATION_BYTES);
	pair_close(&p);
}

/* T09 */
Test(timers, wipe_all_keys_at_540_s)
{
	struct pair p;

	pair_open(&p);
	shake_hands(&p);
	p.now_ns = BEGIN + 100 * S;
	shake_hands(&p);
	cr_assert_eq(p.initiator.reserved, 2);
	run_until(&p, &p.initiator, BEGIN + 540 * S - 1);
	cr_assert_eq(p.initiator.removes, 0);
	run_until(&p, &p.initiator, BEGIN + 540 * S);
	cr_assert_eq(p.initiator.removes, 1);
	run_until(&p, &p.initiator, BEGIN + 640 * S - 1);
	cr_assert_eq(p.initiator.removes, 1);
	run_until(&p, &p.initiator, BEGIN + 640 * S);
	cr_assert_eq(p.initiator.removes, 2);
	cr_assert_eq(p.initiator.reserved, 0);
	cr_assert_eq(p.initiator.removed_ns, BEGIN + 640 * S);
	run_until(&p, &p.responder, BEGIN + 640 * S);
	cr_assert_eq(p.responder.reserved, 0);
	cr_assert_eq(advance(&p.initiator), UINT64_MAX);
	pair_close(&p);
}

Test(timers, wipe_keys_that_were_never_confirmed)
{
	struct pair p;

	pair_open(&p);
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_OK);
	run_until(&p, &p.responder, BEGIN + 540 * S - 1);
	cr_assert_eq(p.responder.reserved, 1);
	run_until(&p, &p.responder, BEGIN + 540 * S);
	cr_assert_eq(p.responder.reserved, 0);
	pair_close(&p);
}

Test(timers, answer_data_with_a_keepalive_after_10_s)
{
	struct side *r;
	struct pair p;

	pair_open(&p);
	shake_hands(&p);
	r = &p.responder;
	p.now_ns = BEGIN + 20 * S;
	cr_assert(data_send(&p.initiator, r, true, false));
	p.now_ns = BEGIN + 25 * S;
	cr_assert(data_send(&p.initiator, r, true, false)); /* does not move it */
	run_until(&p, r, BEGIN + 30 * S - 1);
	cr_assert_eq(r->keepalives, 0);
	run_until(&p, r, BEGIN + 30 * S);
	cr_assert_eq(r->keepalives, 1);
	/* The data path has not shown it yet, and no second one goes. */
	run_until(&p, r, BEGIN + 60 * S);
	cr_assert_eq(r->keepalives, 1);
	/* More data, still unacknowledged as far as the data path knows. */
	cr_assert(data_send(&p.initiator, r, true, false));
	run_until(&p, r, BEGIN + 70 * S);
	cr_assert_eq(r->keepalives, 2);
	/* Anything sent in time makes it needless; a keepalive asks for none. */
	cr_assert(data_send(r, &p.initiator, false, false));
	cr_assert(data_send(&p.initiator, r, true, false));
	cr_assert(data_send(r, &p.initiator, true, false));
	run_until(&p, r, BEGIN + 85 * S - 1);
	cr_assert_eq(r->keepalives, 2);
	pair_close(&p);
}

Test(timers, start_anew_when_nothing_comes_back_for_15_s)
{
	struct side *i;
	struct pair p;

	pair_open(&p);
	shake_hands(&p);
	i = &p.initiator;
	p.now_ns = BEGIN + 20 * S;
	cr_assert(data_send(i, &p.responder, true, false));
	p.now_ns = BEGIN + 30 * S;
	cr_assert(data_send(i, &p.responder, true, false));
	ASSERT_SENDS_AT(&p, i, BEGIN + 35 * S);
	/* An answer in time, be it only a keepalive, makes it needless. */
	cr_assert_eq(deliver(&p, i), SP_WG_OK);
	cr_assert_eq(deliver(&p, &p.responder), SP_WG_OK);
	p.now_ns = BEGIN + 40 * S;
	cr_assert(data_send(i, &p.responder, true, false));
	p.now_ns = BEGIN + 50 * S;
	cr_assert(data_send(&p.responder, i, false, false));
	unsigned int sent = i->sent;

	run_until(&p, i, BEGIN + 80 * S);
	cr_assert_eq(i->sent, sent);
	pair_close(&p);
}

Test(timers, take_a_handshake_as_an_answer)
{
	struct side *i;
	struct pair p;

	pair_open(&p);
	shake_hands(&p);
	i = &p.initiator;
	p.now_ns = BEGIN + 20 * S;
	data_send(i, &p.responder, true, true);
	p.now_ns = BEGIN + 30 * S;
	sp_wg_peer_want_session(p.responder.peer, p.now_ns);
	lose_all(&p.responder);
	cr_assert_eq(hear(i, &p.responder, last_sent(&p.responder)), SP_WG_OK);
	lose_all(i);
	unsigned int sent = i->sent;

	run_until(&p, i, BEGIN + 36 * S);
	cr_assert_eq(i->sent, sent);
	/* Data after it is unanswered again, though the data path still shows the first time. */
	data_send(i, &p.responder, true, true);
	cr_assert_eq(i->traffic.first_unanswered_ns, BEGIN + 20 * S);
	ASSERT_SENDS_AT(&p, i, BEGIN + 51 * S);
	pair_close(&p);
}

Test(timers, keep_alive_persistently)
{
	struct sp_wg_peer_config config = {.keepalive_s = 25};
	struct side *i;
	struct pair p;

	pair_open(&p);
	i = &p.initiator;
	config.public_key = p.responder.public_key;
	sp_wg_peer_set(i->peer, &config);
	/* No keys yet: the first thing is a handshake. */
	advance(i);
	cr_assert_eq(deliver(&p, i), SP_WG_OK);
	cr_assert_eq(deliver(&p, &p.responder), SP_WG_OK);
	i->keepalives = 0;
	cr_assert(data_send(i, &p.responder, false, false));
	run_until(&p, i, BEGIN + 25 * S - 1);
	cr_assert_eq(i->keepalives, 0);
	run_until(&p, i, BEGIN + 25 * S);
	cr_assert_eq(i->keepalives, 1);
	/* Whatever goes either way counts. */
	p.now_ns = BEGIN + 40 * S;
	cr_assert(data_send(&p.responder, i, false, false));
	run_until(&p, i, BEGIN + 65 * S - 1);
	cr_assert_eq(i->keepalives, 1);
	run_until(&p, i, BEGIN + 65 * S);
	cr_assert_eq(i->keepalives, 2);
	config.keepalive_s = 0;
	sp_wg_peer_set(i->peer, &config);
	run_until(&p, i, BEGIN + 400 * S);
	cr_assert_eq(i->keepalives, 2);
	pair_close(&p);
}

/* Nobody at the other end: an attempt of 90 s, a pause of one interval, and so on. */
Test(timers, keep_trying_for_a_persistent_peer)
{
	struct sp_wg_peer_config config = {.keepalive_s = 25};
	unsigned int sent;
	struct pair p;

	pair_open(&p);
	config.public_key = p.responder.public_key;
	sp_wg_peer_set(p.initiator.peer, &config);
	run_until(&p, &p.initiator, BEGIN + 90 * S);
	cr_assert_eq(p.initiator.reserved, 0);
	sent = p.initiator.sent;
	run_until(&p, &p.initiator, BEGIN + 120 * S);
	cr_assert_gt(p.initiator.sent, sent);
	pair_close(&p);
}
