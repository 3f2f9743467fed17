/* SPDX-License-Identifier: Apache-2.0 */
/* The tunnel itself: keys, counters, replay, roaming, and what is said to the daemon. */
#include "tunnel.h"

static const struct shape usual = {"10.9.0.2", "192.0.2.1", 0, 5000, 53, 100};

static struct packet usual_packet(void)
{
	return packet_make(&usual);
}

static void assert_dropped(struct house *h, enum sp_reason reason)
{
	uint64_t before = house_drops(h, SP_DIR_UP, reason);

	cr_assert_eq(house_run(h), 0);
	cr_assert_eq(house_drops(h, SP_DIR_UP, reason), before + 1);
}

Test(engine_tunnel, replayed_counter_passes_once)
{
	struct packet p = usual_packet();
	struct house h;

	house_open(&h);
	/* In one batch both pass the first look; the window decides after the tag. */
	tunnel_send(&h, ALICE, &p, 7);
	tunnel_send(&h, ALICE, &p, 7);
	cr_assert_eq(house_run(&h), 1);
	cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_REPLAYED), 1);
	tunnel_send(&h, ALICE, &p, 7);
	assert_dropped(&h, SP_R_REPLAYED);
	tunnel_send(&h, ALICE, &p, 7);
	h.w->items[0].data[h.w->items[0].bytes - 1] ^= 1;
	assert_dropped(&h, SP_R_REPLAYED); /* not even opened: replays cost no AEAD */
	tunnel_send(&h, ALICE, &p, 6);
	cr_assert_eq(house_run(&h), 1, "late, but not a replay");
	tunnel_send(&h, ALICE, &p, 20000);
	cr_assert_eq(house_run(&h), 1);
	tunnel_send(&h, ALICE, &p, 8);
	assert_dropped(&h, SP_R_REPLAYED);
	house_close(&h);
}

Test(engine_tunnel, forged_packet_moves_nothing)
{
	struct packet p = usual_packet();
	struct sp_endpoint before, after;
	struct house h;

	house_open(&h);
	sp_peer_endpoint_get(h.peers[ALICE].peer, &before);
	h.peers[ALICE].address = "192.0.2.250";
	tunnel_send(&h, ALICE, &p, 9000);
	h.w->items[0].data[h.w->items[0].bytes - 1] ^= 1; /* the tag */
	assert_dropped(&h, SP_R_AUTH_FAILED);
	tunnel_send(&h, ALICE, &p, 9000);
	h.w->items[0].data[14 + 28 + 16] ^= 1; /* the ciphertext */
	assert_dropped(&h, SP_R_AUTH_FAILED);
	sp_peer_endpoint_get(h.peers[ALICE].peer, &after);
	cr_assert_eq(memcmp(&before, &after, sizeof(before)), 0, "the endpoint stays");
	cr_assert_eq(h.peers[ALICE].peer->any_received_ns, 0);
	h.peers[ALICE].address = "192.0.2.201";
	tunnel_send(&h, ALICE, &p, 0);
	cr_assert_eq(house_run(&h), 1, "and the window did not move");
	house_close(&h);
}

Test(engine_tunnel, messages_that_are_none)
{
	struct packet p = usual_packet();
	struct house h;

	house_open(&h);
	tunnel_send(&h, ALICE, &p, 0);
	h.w->items[0].data[14 + 28] = 3; /* a cookie reply is not for workers */
	assert_dropped(&h, SP_R_WG_MALFORMED);
	tunnel_send(&h, ALICE, &p, 0);
	h.w->items[0].data[14 + 28 + 7] ^= 0x80; /* another index in the same slot */
	assert_dropped(&h, SP_R_WG_UNKNOWN_INDEX);
	tunnel_send(&h, ALICE, &p, 0);
	put16(h.w->items[0].data + 14 + 24, 8 + 31); /* UDP: shorter than a keepalive */
	assert_dropped(&h, SP_R_WG_MALFORMED);
	tunnel_send(&h, ALICE, &p, 0);
	put16(h.w->items[0].data + 14 + 24, 2000); /* UDP: longer than the packet */
	assert_dropped(&h, SP_R_WG_MALFORMED);
	for (uint32_t bytes = 0; bytes < 14 + 28 + 32; bytes++) {
		tunnel_send(&h, ALICE, &p, 0);
		h.w->items[0].bytes = bytes;
		assert_dropped(&h, SP_R_WG_MALFORMED);
	}
	tunnel_send(&h, ALICE, &p, 0);
	memset(h.w->items[0].data - 32 + 4, 0xff, 4); /* offsets far outside */
	assert_dropped(&h, SP_R_WG_MALFORMED);
	house_close(&h);
}

Test(engine_tunnel, keepalive_is_noted_and_goes_nowhere)
{
	struct packet none = {.bytes = 0};
	struct house h;

	house_open(&h);
	house_up(&h, ALICE, &none);
	cr_assert_eq(house_run(&h), 0);
	cr_assert_eq(house_all_drops(&h), 0);
	cr_assert_eq(h.peers[ALICE].peer->any_received_ns, h.now_ns);
	cr_assert_eq(h.peers[ALICE].peer->data_received_ns, 0);
	cr_assert_eq(h.peers[ALICE].peer->first_unacked_ns, 0);
	cr_assert_eq(h.peers[ALICE].peer->received_bytes, 32);
	house_close(&h);
}

Test(engine_tunnel, times_for_the_timers)
{
	const struct shape back = {"192.0.2.1", "10.9.0.2", 0, 53, 5000, 10};
	struct packet p = packet_make(&back), none = {.bytes = 0};
	struct sp_peer *peer;
	uint64_t first_ns;
	struct house h;

	house_open(&h);
	peer = h.peers[ALICE].peer;
	first_ns = h.now_ns;
	cr_assert_eq(house_say(&h, ALICE, &usual), 1);
	h.now_ns += S_NS;
	cr_assert_eq(house_say(&h, ALICE, &usual), 1);
	cr_assert_eq(peer->first_unacked_ns, first_ns, "since the first of them");
	cr_assert_eq(peer->data_received_ns, h.now_ns);
	house_down(&h, ALICE, &p, 0);
	house_run(&h);
	cr_assert_eq(peer->first_unacked_ns, 0, "something was sent");
	cr_assert_eq(peer->first_unanswered_ns, h.now_ns);
	cr_assert_eq(peer->data_sent_ns, h.now_ns);
	cr_assert_eq(peer->sent_packets, 1);
	house_up(&h, ALICE, &none);
	house_run(&h);
	cr_assert_eq(peer->first_unanswered_ns, 0, "a keepalive is an answer");
	house_close(&h);
}

Test(engine_tunnel, answers_follow_the_peer)
{
	const struct shape back = {"192.0.2.1", "10.9.0.2", 0, 53, 5000, 10};
	struct packet p = packet_make(&back), in;
	struct house h;

	house_open(&h);
	cr_assert_eq(house_say(&h, ALICE, &usual), 1);
	h.peers[ALICE].address = "192.0.2.77";
	cr_assert_eq(house_say(&h, ALICE, &usual), 1);
	house_down(&h, ALICE, &p, 0);
	cr_assert_eq(house_run(&h), 1);
	house_inside(&h, 0, ALICE, &in);
	cr_assert_eq(h.sent[0].b[5], 2, "to the link address it came from");
	cr_assert_eq(h.sent[0].b[11], 1);
	h.peers[ALICE].address = "2001:db8:cafe::1";
	cr_assert_eq(house_say(&h, ALICE, &usual), 1);
	house_down(&h, ALICE, &p, 0);
	cr_assert_eq(house_run(&h), 1);
	house_inside(&h, 0, ALICE, &in); /* over IPv6 the UDP checksum is there and right */
	house_close(&h);
}

Test(engine_tunnel, responders_key_sends_after_the_first_packet)
{
	const struct shape back = {"192.0.2.1", "10.9.0.2", 0, 53, 5000, 10};
	struct packet p = packet_make(&back), in;
	struct sp_engine_event event;
	struct sp_keypair *old;
	struct house h;

	house_open(&h);
	old = h.peers[ALICE].keypair;
	house_key(&h, ALICE, false, h.now_ns);
	cr_assert_eq(h.peers[ALICE].peer->sending, old);
	cr_assert_eq(house_say(&h, ALICE, &usual), 1);
	cr_assert_eq(h.peers[ALICE].peer->sending, h.peers[ALICE].keypair);
	cr_assert(house_event(&h, &event));
	cr_assert_eq(event.kind, SP_EVENT_CONFIRMED);
	cr_assert_eq(event.peer_id, ALICE);
	cr_assert_eq(event.local_index, h.peers[ALICE].keypair->local_index);
	cr_assert_eq(house_say(&h, ALICE, &usual), 1);
	cr_assert_not(house_event(&h, &event), "said once");
	house_down(&h, ALICE, &p, 0);
	cr_assert_eq(house_run(&h), 1);
	house_inside(&h, 0, ALICE, &in);
	house_close(&h);
}

Test(engine_tunnel, key_ends_by_age_and_by_count)
{
	const struct shape back = {"192.0.2.1", "10.9.0.2", 0, 53, 5000, 10};
	struct packet p = packet_make(&back), up = usual_packet();
	struct sp_engine_event event;
	struct sp_keypair *key;
	struct house h;

	house_open(&h);
	key = h.peers[ALICE].keypair;
	tunnel_send(&h, ALICE, &up, UINT64_MAX - (1 << 13));
	assert_dropped(&h, SP_R_KEY_EXHAUSTED);
	key->send_counter = UINT64_MAX - (1 << 13);
	house_down(&h, ALICE, &p, 0);
	cr_assert_eq(house_run(&h), 0);
	cr_assert_eq(house_drops(&h, SP_DIR_DOWN, SP_R_NO_SESSION), 1);
	cr_assert_eq(key->send_counter, UINT64_MAX - (1 << 13), "it does not go on");
	cr_assert(house_event(&h, &event));
	cr_assert_eq(event.kind, SP_EVENT_HANDSHAKE);
	house_down(&h, ALICE, &p, 0);
	house_run(&h);
	cr_assert_not(house_event(&h, &event), "asked for once, until the daemon has taken it");
	key->send_counter = 0;
	h.now_ns = key->reject_ns - 1;
	house_down(&h, ALICE, &p, 0);
	cr_assert_eq(house_run(&h), 1);
	cr_assert(house_event(&h, &event));
	cr_assert_eq(event.kind, SP_EVENT_REKEY, "this side began, and it is old");
	house_down(&h, ALICE, &p, 0);
	cr_assert_eq(house_run(&h), 1);
	cr_assert_not(house_event(&h, &event), "once a second");
	h.now_ns++;
	house_down(&h, ALICE, &p, 0);
	cr_assert_eq(house_run(&h), 0);
	house_up(&h, ALICE, &up);
	assert_dropped(&h, SP_R_KEY_EXHAUSTED);
	house_close(&h);
}

Test(engine_tunnel, peer_that_was_never_heard_has_no_address)
{
	const struct shape back = {"192.0.2.1", "10.9.0.2", 0, 53, 5000, 10};
	struct packet p = packet_make(&back);
	struct sp_endpoint nowhere = {.slot = SP_ENDPOINT_NO_LINK};
	struct sp_engine_event event;
	uint64_t told = 0;
	struct house h;

	house_open(&h);
	sp_peer_endpoint_set(h.peers[ALICE].peer, &nowhere);
	house_down(&h, ALICE, &p, 0);
	cr_assert_eq(house_run(&h), 0);
	cr_assert_eq(house_drops(&h, SP_DIR_DOWN, SP_R_NO_ROUTE), 1);
	cr_assert_eq(read(h.w->config.event_fd, &told, sizeof(told)), sizeof(told),
		     "the daemon is woken");
	cr_assert(house_event(&h, &event));
	cr_assert_eq(event.kind, SP_EVENT_HANDSHAKE);
	sp_peer_remove(h.sessions, ALICE);
	house_down(&h, ALICE, &p, 0);
	cr_assert_eq(house_run(&h), 0);
	cr_assert_eq(house_drops(&h, SP_DIR_DOWN, SP_R_NO_SESSION), 1);
	house_close(&h);
}

Test(engine_tunnel, counters_of_a_batch_are_all_different)
{
	const struct shape back = {"192.0.2.1", "10.9.0.2", 0, 53, 5000, 10};
	struct packet p = packet_make(&back), in;
	bool seen[SP_BATCH] = {false};
	struct house h;

	house_open(&h);
	for (int i = 0; i < SP_BATCH; i++)
		house_down(&h, ALICE, &p, 0);
	cr_assert_eq(house_run(&h), SP_BATCH);
	for (unsigned int i = 0; i < SP_BATCH; i++) {
		uint64_t counter = load_le(h.sent[i].b + 14 + 28 + 8, 8);

		cr_assert_lt(counter, SP_BATCH);
		cr_assert_not(seen[counter], "a nonce is used once");
		seen[counter] = true;
		house_inside(&h, i, ALICE, &in);
	}
	house_close(&h);
}
