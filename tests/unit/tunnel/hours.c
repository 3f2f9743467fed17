/* SPDX-License-Identifier: Apache-2.0 */
#include "data.h"

#define SWEEP_NS (250 * MS) /* how often the daemon calls advance */
#define HOUR	 (3600 * S)

static uint64_t chance = 88172645463325252ull;

static uint64_t draw(uint64_t below)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return chance % below;
}

static void on_keepalive(struct side *s)
{
	struct pair *p = (struct pair *)(void *)s->now_ns; /* now_ns is the first member */

	data_send(s, other_of(p, s), false, false);
}

static bool losing;

static void on_keepalive_or_not(struct side *s)
{
	struct pair *p = (struct pair *)(void *)s->now_ns;

	data_send(s, other_of(p, s), false, losing && draw(100) < 30);
}

/* Every message that waits is lost with `loss` percent, late, or delivered. */
static void exchange(struct pair *p, unsigned int loss)
{
	struct side *sides[] = {&p->initiator, &p->responder};

	for (int i = 0; i < 2; i++) {
		while (sides[i]->delivered < sides[i]->sent) {
			if (draw(100) < loss)
				sides[i]->delivered++;
			else if (loss && draw(100) < 30)
				break; /* the next sweep will see it */
			else
				deliver(p, sides[i]);
		}
	}
}

static void sweep(struct pair *p)
{
	p->now_ns += SWEEP_NS;
	advance(&p->initiator);
	advance(&p->responder);
	cr_assert_leq(p->initiator.reserved, 5);
	cr_assert_leq(p->responder.reserved, 5);
}

static void check_no_key_is_too_old(const struct side *s)
{
	for (int i = 0; i < SLOTS; i++)
		if (s->slots[i].installed)
			cr_assert_leq(*s->now_ns - s->slots[i].keys.born_ns,
				      3 * 180 * S + SWEEP_NS);
}

/* Steady data in both directions: rekeyed some 300 times, and never a packet without keys. */
Test(hours, rekey_without_losing_a_packet)
{
	uint64_t packets = 0;
	struct pair p;

	pair_open(&p);
	p.initiator.on_keepalive = p.responder.on_keepalive = on_keepalive;
	shake_hands(&p);
	while (p.now_ns < BEGIN + 10 * HOUR) {
		sweep(&p);
		exchange(&p, 0);
		cr_assert(data_send(&p.initiator, &p.responder, true, false), "at %lu ms",
			  (unsigned long)(p.now_ns / MS));
		cr_assert(data_send(&p.responder, &p.initiator, true, false));
		packets += 2;
	}
	cr_assert_gt(p.initiator.installs, 295);
	cr_assert_leq(p.initiator.installs, 301);
	cr_assert_eq(p.responder.installs, p.initiator.installs);
	cr_assert_leq(p.initiator.reserved, 2);
	cr_assert_gt(packets, 280000);
	pair_close(&p);
}

/* One direction only: the receiver's keepalives and rekeys carry it. */
Test(hours, last_when_only_one_side_talks)
{
	for (int turn = 0; turn < 2; turn++) {
		struct side *talker, *listener;
		uint64_t gaps = 0;
		struct pair p;

		pair_open(&p);
		p.initiator.on_keepalive = p.responder.on_keepalive = on_keepalive;
		talker = turn ? &p.responder : &p.initiator;
		listener = other_of(&p, talker);
		shake_hands(&p);
		while (p.now_ns < BEGIN + HOUR) {
			sweep(&p);
			exchange(&p, 0);
			gaps += !data_send(talker, listener, true, false);
		}
		cr_assert_eq(gaps, 0, "%s talks", turn ? "responder" : "initiator");
		cr_assert_geq(listener->keepalives, 300);
		pair_close(&p);
	}
}

/*
 * Ten hours of bursts and pauses, thirty percent of everything lost, handshakes late: keys that
 * both sides hold under the same indices are the same (data_receive checks), nothing leaks.
 */
Test(hours, survive_loss_and_silence)
{
	uint64_t phase_ends_ns = BEGIN, tried = 0, arrived = 0, wiped = 0;
	unsigned int kind = 0;
	struct pair p;

	losing = true;
	pair_open(&p);
	p.initiator.on_keepalive = p.responder.on_keepalive = on_keepalive_or_not;
	while (p.now_ns < BEGIN + 10 * HOUR) {
		if (p.now_ns >= phase_ends_ns) {
			kind = (unsigned int)draw(4); /* 0: silence, bits: who talks */
			phase_ends_ns = p.now_ns + draw(kind ? 400 * S : 800 * S);
		}
		sweep(&p);
		exchange(&p, 30);
		for (unsigned int i = 0; i < 2; i++) {
			struct side *from = i ? &p.responder : &p.initiator;
			struct side *to = other_of(&p, from);

			if (!(kind & (1u << i)))
				continue;
			tried++;
			arrived += data_send(from, to, true, draw(100) < 30);
		}
		check_no_key_is_too_old(&p.initiator);
		check_no_key_is_too_old(&p.responder);
		wiped += !p.initiator.reserved && !p.responder.reserved;
	}
	cr_assert_gt(tried, 50000);
	/* Of what could arrive, most did: handshakes came through in spite of the loss. */
	cr_assert_gt(arrived * 100, tried * 70 * 85 / 100, "%lu of %lu", (unsigned long)arrived,
		     (unsigned long)tried);
	cr_assert_gt(wiped, 0, "no silence was long enough to wipe keys");
	cr_assert_gt(p.initiator.installs, 100);
	/* Quiet in the end: every key that was installed is removed. */
	for (int i = 0; i < 4 * 700; i++)
		sweep(&p);
	cr_assert_eq(p.initiator.installs, p.initiator.removes);
	cr_assert_eq(p.responder.installs, p.responder.removes);
	cr_assert_eq(p.initiator.reserved + p.responder.reserved, 0);
	pair_close(&p);
}
