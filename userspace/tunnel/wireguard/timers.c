/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timers of the WireGuard paper, section 6, told before they are coded.
 *
 * Starting. A handshake starts when data has no keys to go with (want_session), when keys grow
 * old, or when nothing comes back. Two handshake messages of ours to one peer that start
 * something are never closer than 5 s.
 *
 * Trying. An initiation without a response is sent anew, with fresh keys, after 5 s and up to
 * 333 ms of chance, so that two peers that start together come apart. After 90 s it is given up
 * and its keys are wiped. Data that still wants to go sets the 90 s back.
 *
 * Renewing. The keypair's initiator starts anew when it sends with keys of 120 s, and, once for
 * each keypair, when it receives with keys of 165 s: one that only receives would otherwise be
 * surprised at 180 s, when keys are neither used nor accepted (the data path sees to that). The
 * responder leaves it to the initiator, so that both do not start at once. Either side renews
 * after 2^60 messages.
 *
 * Silence. Who received data and sent nothing for 10 s sends an empty packet, so that the other
 * side knows it arrived. Who sent data and heard nothing for 15 s starts a handshake: the other
 * side may have lost its keys. Handshake messages count as sent and heard.
 *
 * Persistent keepalive. If asked for, an empty packet after every interval in which nothing went
 * either way.
 *
 * The end. Keys are wiped 540 s after they were derived, whatever came after them. (The paper
 * waits for 540 s without new keys; as keys of more than 180 s are of no use, this is the same to
 * the other side, and old keys do not outlive a peer whose handshakes fail half-way.) An
 * initiation's keys are wiped when it is answered, sent anew or given up.
 *
 * The data path keeps times, and each timer below is a function of them: when is it due? So
 * nothing is armed or cancelled, and calling advance more often changes nothing. What a timer did
 * counts as an event of its own time (keepalive_ns, renewed_ns, ...), since the data path may
 * show it later or, if the packet could not go, never.
 */
#include "tunnel/wireguard/peer.h"

#include <errno.h>

#include "base/clock.h"

#define NEVER	    UINT64_MAX
#define KEYS_END_NS (3 * SP_WG_REJECT_AFTER_NS)

static uint64_t later_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t sooner_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t earliest_start(const struct sp_wg_peer *peer)
{
	uint64_t sent_ns = peer->timers.handshake_sent_ns;

	return sent_ns ? sent_ns + SP_WG_REKEY_TIMEOUT_NS : 0;
}

static void start(struct sp_wg_peer *peer, uint64_t now_ns)
{
	struct sp_wg_timers *t = &peer->timers;
	int rc = sp_wg_handshake_start(peer, now_ns);

	/* Without an address there is nothing to try; without an index, later there may be one. */
	t->is_wanted = rc < 0 && rc != -EDESTADDRREQ;
	if (t->is_wanted)
		t->handshake_sent_ns = now_ns;
}

static void begin(struct sp_wg_peer *peer, uint64_t now_ns)
{
	peer->timers.attempt_ns = now_ns;
	start(peer, now_ns);
}

void sp_wg_peer_want_session(struct sp_wg_peer *peer, uint64_t now_ns)
{
	struct sp_wg_timers *t = &peer->timers;

	if (peer->pending) {
		t->attempt_ns = now_ns;
		return;
	}
	/* Asked before the keys came, heard after. */
	if (peer->current && now_ns - peer->current->born_ns < SP_WG_REKEY_TIMEOUT_NS)
		return;
	t->is_wanted = true;
	if (now_ns >= earliest_start(peer))
		begin(peer, now_ns);
}

void sp_wg_timers_on_initiated(struct sp_wg_peer *peer, uint64_t now_ns)
{
	struct sp_wg_device *device = peer->device;
	uint32_t random;

	device->up->random(device->arg, &random, sizeof(random));
	peer->timers.handshake_sent_ns = now_ns;
	peer->timers.retry_ns =
		now_ns + SP_WG_REKEY_TIMEOUT_NS + random % (SP_WG_JITTER_MAX_NS + 1);
}

void sp_wg_timers_on_derived(struct sp_wg_peer *peer)
{
	peer->timers.is_last_minute = false;
}

void sp_wg_timers_on_completed(struct sp_wg_peer *peer, uint64_t now_ns)
{
	peer->timers.completed_ns = now_ns;
	peer->timers.is_wanted = false;
	sp_wg_handshake_abandon(peer);
}

void sp_wg_peer_on_confirmed(struct sp_wg_peer *peer, uint64_t now_ns, uint32_t local_index)
{
	if (sp_wg_keypair_confirm(peer, local_index))
		sp_wg_timers_on_completed(peer, now_ns);
}

/*
 * The first event after floor_ns, which the data path does not know: its own first one, or, when
 * that lies before the floor, the last one as we first saw it.
 */
static uint64_t first_after(uint64_t floor_ns, uint64_t first_ns, uint64_t last_ns,
			    uint64_t *seen_ns)
{
	if (first_ns == 0 || (first_ns <= floor_ns && last_ns <= floor_ns))
		return 0;
	if (first_ns > floor_ns)
		return first_ns;
	if (*seen_ns <= floor_ns)
		*seen_ns = last_ns;
	return *seen_ns;
}

static uint64_t due_end(struct sp_wg_peer *peer, const struct sp_wg_traffic *traffic)
{
	uint64_t oldest_ns = sp_wg_keypair_oldest_ns(peer);

	return oldest_ns == NEVER ? NEVER : oldest_ns + KEYS_END_NS;
}

static void on_end(struct sp_wg_peer *peer, uint64_t now_ns, const struct sp_wg_traffic *traffic)
{
	sp_wg_keypair_remove_older(peer, now_ns - KEYS_END_NS);
}

static uint64_t due_retry(struct sp_wg_peer *peer, const struct sp_wg_traffic *traffic)
{
	const struct sp_wg_timers *t = &peer->timers;

	return peer->pending ? sooner_of(t->retry_ns, t->attempt_ns + SP_WG_REKEY_ATTEMPT_NS)
			     : NEVER;
}

static void on_retry(struct sp_wg_peer *peer, uint64_t now_ns, const struct sp_wg_traffic *traffic)
{
	if (now_ns - peer->timers.attempt_ns >= SP_WG_REKEY_ATTEMPT_NS)
		sp_wg_handshake_abandon(peer);
	else
		start(peer, now_ns);
}

static uint64_t due_keepalive(struct sp_wg_peer *peer, const struct sp_wg_traffic *traffic)
{
	struct sp_wg_timers *t = &peer->timers;
	uint64_t first_ns =
		first_after(later_of(t->handshake_sent_ns, t->keepalive_ns),
			    traffic->first_unacked_ns, traffic->data_received_ns, &t->unacked_ns);

	return first_ns ? first_ns + SP_WG_KEEPALIVE_NS : NEVER;
}

static void send_keepalive(struct sp_wg_peer *peer, uint64_t now_ns)
{
	if (sp_wg_keypair_is_usable(peer->current, now_ns))
		peer->device->up->keepalive(peer->device->arg, peer->arg);
	else
		sp_wg_peer_want_session(peer, now_ns);
}

static void on_keepalive(struct sp_wg_peer *peer, uint64_t now_ns,
			 const struct sp_wg_traffic *traffic)
{
	peer->timers.keepalive_ns = now_ns;
	send_keepalive(peer, now_ns);
}

static uint64_t due_renew(struct sp_wg_peer *peer, const struct sp_wg_traffic *traffic)
{
	struct sp_wg_timers *t = &peer->timers;
	uint64_t first_ns =
		first_after(later_of(t->handshake_heard_ns, t->renewed_ns),
			    traffic->first_unanswered_ns, traffic->data_sent_ns, &t->unanswered_ns);

	if (!first_ns || peer->pending)
		return NEVER;
	return later_of(first_ns + SP_WG_KEEPALIVE_NS + SP_WG_REKEY_TIMEOUT_NS,
			earliest_start(peer));
}

static void on_renew(struct sp_wg_peer *peer, uint64_t now_ns, const struct sp_wg_traffic *traffic)
{
	peer->timers.renewed_ns = now_ns;
	begin(peer, now_ns);
}

static bool is_receiving_late(const struct sp_wg_peer *peer, const struct sp_wg_traffic *traffic)
{
	return peer->current->initiator && !peer->timers.is_last_minute &&
	       traffic->any_received_ns >= peer->current->born_ns + SP_WG_REJECT_AFTER_NS -
						   SP_WG_KEEPALIVE_NS - SP_WG_REKEY_TIMEOUT_NS;
}

static bool is_sending_late(const struct sp_wg_peer *peer, const struct sp_wg_traffic *traffic)
{
	const struct sp_wg_keypair *current = peer->current;

	if (traffic->any_sent_ns <= peer->timers.rekeyed_ns)
		return false; /* asked already, and nothing was sent since */
	return traffic->send_counter > SP_WG_REKEY_AFTER_MESSAGES ||
	       (current->initiator &&
		traffic->any_sent_ns >= current->born_ns + SP_WG_REKEY_AFTER_NS);
}

static uint64_t due_rekey(struct sp_wg_peer *peer, const struct sp_wg_traffic *traffic)
{
	uint64_t when_ns = NEVER;

	if (!peer->current || peer->pending)
		return NEVER;
	if (is_sending_late(peer, traffic))
		when_ns = traffic->any_sent_ns;
	else if (is_receiving_late(peer, traffic))
		when_ns = traffic->any_received_ns;
	return when_ns == NEVER ? NEVER : later_of(when_ns, earliest_start(peer));
}

static void on_rekey(struct sp_wg_peer *peer, uint64_t now_ns, const struct sp_wg_traffic *traffic)
{
	if (is_receiving_late(peer, traffic))
		peer->timers.is_last_minute = true;
	peer->timers.rekeyed_ns = now_ns;
	begin(peer, now_ns);
}

static uint64_t due_persistent(struct sp_wg_peer *peer, const struct sp_wg_traffic *traffic)
{
	const struct sp_wg_timers *t = &peer->timers;
	uint64_t last_ns = later_of(t->handshake_sent_ns, t->handshake_heard_ns);

	if (!peer->keepalive_s)
		return NEVER;
	last_ns = later_of(last_ns, later_of(traffic->any_sent_ns, traffic->any_received_ns));
	last_ns = later_of(last_ns, t->persistent_ns);
	return last_ns ? last_ns + peer->keepalive_s * SP_NS_PER_S : 0;
}

static void on_persistent(struct sp_wg_peer *peer, uint64_t now_ns,
			  const struct sp_wg_traffic *traffic)
{
	peer->timers.persistent_ns = now_ns;
	send_keepalive(peer, now_ns);
}

static uint64_t due_wanted(struct sp_wg_peer *peer, const struct sp_wg_traffic *traffic)
{
	return peer->timers.is_wanted && !peer->pending ? earliest_start(peer) : NEVER;
}

static void on_wanted(struct sp_wg_peer *peer, uint64_t now_ns, const struct sp_wg_traffic *traffic)
{
	begin(peer, now_ns);
}

/* In this order within one call: what ended first, so that nothing is sent with its keys. */
static const struct timer {
	uint64_t (*due)(struct sp_wg_peer *peer, const struct sp_wg_traffic *traffic);
	void (*on_due)(struct sp_wg_peer *peer, uint64_t now_ns,
		       const struct sp_wg_traffic *traffic);
} timers[] = {
	{due_end, on_end},	 {due_retry, on_retry},		{due_rekey, on_rekey},
	{due_renew, on_renew},	 {due_keepalive, on_keepalive}, {due_persistent, on_persistent},
	{due_wanted, on_wanted},
};
#define TIMERS (sizeof(timers) / sizeof(timers[0]))

uint64_t sp_wg_peer_advance(struct sp_wg_peer *peer, uint64_t now_ns,
			    const struct sp_wg_traffic *traffic)
{
	uint64_t next_ns = NEVER;

	for (size_t i = 0; i < TIMERS; i++)
		if (timers[i].due(peer, traffic) <= now_ns)
			timers[i].on_due(peer, now_ns, traffic);
	for (size_t i = 0; i < TIMERS; i++)
		next_ns = sooner_of(next_ns, timers[i].due(peer, traffic));
	return next_ns;
}
