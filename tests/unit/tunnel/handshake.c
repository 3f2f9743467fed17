/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "data.h"

Test(handshake, gives_both_sides_the_same_keys)
{
	struct pair p;

	pair_open(&p);
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	/* initiator --> responder: handshake initiation { ephemeral, static, timestamp } */
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_OK);
	cr_assert_eq(p.responder.moves, 1);
	cr_assert_null(sending_slot(&p.responder), "a responder must not send unconfirmed");
	/* responder --> initiator: handshake response { ephemeral, nothing } */
	cr_assert_eq(deliver(&p, &p.responder), SP_WG_OK);
	cr_assert_eq(p.initiator.moves, 1);
	cr_assert_eq(p.initiator.keepalives, 1);
	cr_assert_eq(sp_wg_peer_last_handshake_ns(p.initiator.peer), p.now_ns);
	cr_assert_eq(sp_wg_peer_last_handshake_ns(p.responder.peer), 0);
	/* initiator --> responder: data { nothing } */
	cr_assert(data_send(&p.initiator, &p.responder, false, false));
	cr_assert_eq(sp_wg_peer_last_handshake_ns(p.responder.peer), p.now_ns);
	/* responder --> initiator: data { something } */
	cr_assert(data_send(&p.responder, &p.initiator, true, false));
	pair_close(&p);
	cr_assert_eq(p.initiator.removes, 1);
	cr_assert_eq(p.responder.removes, 1);
}

Test(handshake, needs_the_same_preshared_key)
{
	struct sp_wg_peer_config config = {0};
	struct pair p;

	pair_open(&p);
	config.public_key = p.responder.public_key;
	config.preshared_key.b[31] = 1;
	sp_wg_peer_set(p.initiator.peer, &config);
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_OK);
	cr_assert_eq(deliver(&p, &p.responder), SP_WG_E_AUTH);
	cr_assert_eq(p.initiator.installs, 0);
	/* The other side gets the key too: the next attempt succeeds. */
	config.public_key = p.initiator.public_key;
	sp_wg_peer_set(p.responder.peer, &config);
	p.now_ns += 6 * S;
	advance(&p.initiator);
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_OK);
	cr_assert_eq(deliver(&p, &p.responder), SP_WG_OK);
	pair_close(&p);
}

Test(handshake, is_silent_without_the_right_mac1)
{
	struct datagram broken;
	struct pair p;

	pair_open(&p);
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	for (int i = 0; i < SP_MAC_BYTES; i++) {
		broken = *last_sent(&p.initiator);
		broken.bytes[116 + i] ^= 0x40;
		cr_assert_eq(hear(&p.responder, &p.initiator, &broken), SP_WG_E_MAC1);
	}
	cr_assert_eq(p.responder.sent, 0);
	/* Only MAC1 was wrong, and MAC2 does not count without load. */
	broken = *last_sent(&p.initiator);
	broken.bytes[140] ^= 1;
	cr_assert_eq(hear(&p.responder, &p.initiator, &broken), SP_WG_OK);
	/* responder --> initiator, MAC1 broken on the way */
	broken = *last_sent(&p.responder);
	broken.bytes[60] ^= 1;
	cr_assert_eq(hear(&p.initiator, &p.responder, &broken), SP_WG_E_MAC1);
	cr_assert_eq(p.initiator.installs, 0);
	pair_close(&p);
}

Test(handshake, is_silent_to_a_stranger)
{
	struct side stranger;
	struct pair p;

	pair_open(&p);
	side_open(&stranger, &p.now_ns, 3);
	side_meet(&stranger, &p.responder, NULL, 0);
	sp_wg_peer_want_session(stranger.peer, p.now_ns);
	cr_assert_eq(hear(&p.responder, &stranger, last_sent(&stranger)), SP_WG_E_UNKNOWN_PEER);
	/* A message for another gateway: its MAC1 is made with another public key. */
	cr_assert_eq(hear(&p.initiator, &stranger, last_sent(&stranger)), SP_WG_E_MAC1);
	cr_assert_eq(p.responder.sent + p.initiator.sent, 0);
	sp_wg_device_close(stranger.device);
	cr_assert_eq(stranger.reserved, 0);
	pair_close(&p);
}

/* T08 */
Test(handshake, answers_a_recorded_initiation_once)
{
	struct sp_wg_address elsewhere = {.remote.port_be = 99};
	struct datagram recorded;
	struct pair p;

	pair_open(&p);
	shake_hands(&p);
	recorded = p.initiator.out[0];
	for (int i = 0; i < 1000; i++) {
		p.now_ns += 60 * MS;
		cr_assert_eq(sp_wg_device_consume(p.responder.device, p.now_ns, &elsewhere,
						  recorded.bytes, recorded.len),
			     SP_WG_E_REPLAY);
	}
	cr_assert_eq(p.responder.sent, 1);
	cr_assert_eq(p.responder.installs, 1);
	cr_assert_eq(p.responder.moves, 1);
	cr_assert(data_send(&p.initiator, &p.responder, true, false));
	cr_assert(data_send(&p.responder, &p.initiator, true, false));
	pair_close(&p);
}

Test(handshake, refuses_a_timestamp_that_is_not_greater)
{
	static const struct {
		int64_t step_ns;
		enum sp_wg_result result;
	} steps[] = {
		{0, SP_WG_OK},		{-(int64_t)S, SP_WG_E_REPLAY},
		{0, SP_WG_E_REPLAY},	/* a fresh message of the same time */
		{1000, SP_WG_E_REPLAY}, /* shown no finer than 17 ms */
		{17 * MS, SP_WG_OK},
	};
	struct pair p;
	int64_t wall_ns;

	pair_open(&p);
	wall_ns = p.initiator.wall_ns;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		p.now_ns += 10 * S;
		/* The clock of the initiator stands still but for the step. */
		p.initiator.wall_ns = wall_ns - (int64_t)(p.now_ns - BEGIN) + steps[i].step_ns;
		sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
		advance(&p.initiator);
		cr_assert_eq(hear(&p.responder, &p.initiator, last_sent(&p.initiator)),
			     steps[i].result, "step %zu", i);
	}
	pair_close(&p);
}

Test(handshake, takes_no_two_initiations_within_50_ms)
{
	static const struct {
		uint64_t gap_ns;
		enum sp_wg_result result;
	} steps[] = {{0, SP_WG_OK},
		     {50 * MS - 1, SP_WG_E_FLOOD},
		     {1, SP_WG_OK},
		     {49 * MS, SP_WG_E_FLOOD}};
	uint64_t heard_ns = BEGIN;
	struct pair p;

	pair_open(&p);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		/* The sender holds back by itself; let it write ahead of time. */
		p.now_ns = BEGIN + (i + 1) * 10 * S;
		sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
		advance(&p.initiator);
		p.now_ns = heard_ns += steps[i].gap_ns;
		cr_assert_eq(hear(&p.responder, &p.initiator, last_sent(&p.initiator)),
			     steps[i].result, "step %zu", i);
	}
	pair_close(&p);
}

Test(handshake, ignores_responses_it_did_not_ask_for)
{
	struct datagram response;
	struct pair p;

	pair_open(&p);
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	deliver(&p, &p.initiator);
	response = *last_sent(&p.responder);
	/* To an index nobody has, MAC1 made good again: only the index is wrong. */
	struct datagram lost = response;
	struct sp_hash key;

	lost.bytes[8] ^= 0x80;
	sp_hash("mac1----", 8, p.initiator.public_key.b, SP_KEY_BYTES, &key);
	sp_mac(key.b, SP_HASH_BYTES, lost.bytes, 60, NULL, 0, lost.bytes + 60);
	cr_assert_eq(hear(&p.initiator, &p.responder, &lost), SP_WG_E_INDEX);
	/* Its seal broken, MAC1 right. The true one is still taken after it, once. */
	for (size_t i = 12; i < 60; i++) {
		lost = response;
		lost.bytes[i] ^= 1;
		sp_mac(key.b, SP_HASH_BYTES, lost.bytes, 60, NULL, 0, lost.bytes + 60);
		cr_assert_eq(hear(&p.initiator, &p.responder, &lost), SP_WG_E_AUTH, "%zu", i);
	}
	cr_assert_eq(hear(&p.initiator, &p.responder, &response), SP_WG_OK);
	cr_assert_eq(hear(&p.initiator, &p.responder, &response), SP_WG_E_INDEX);
	cr_assert_eq(p.initiator.installs, 1);
	cr_assert_eq(p.initiator.moves, 1);
	pair_close(&p);
}

Test(handshake, takes_messages_of_exactly_their_length)
{
	static const size_t right[] = {0, 148, 92, 64};
	uint8_t bytes[400];
	struct pair p;

	pair_open(&p);
	for (uint8_t type = 0; type < 8; type++) {
		for (size_t len = 0; len <= sizeof(bytes); len++) {
			uint8_t *exact = malloc(len ? len : 1); /* reads beyond are seen by ASan */
			enum sp_wg_result result;

			memset(exact, 0, len ? len : 1);
			if (len)
				exact[0] = type;
			result = sp_wg_device_consume(p.responder.device, p.now_ns,
						      &p.initiator.address, exact, len);
			free(exact);
			if (type >= 1 && type <= 3 && len == right[type])
				cr_assert_eq(result, type == 3 ? SP_WG_E_INDEX : SP_WG_E_MAC1);
			else
				cr_assert(result == SP_WG_E_LENGTH || result == SP_WG_E_TYPE,
					  "type %u, %zu bytes: %s", type, len,
					  sp_wg_result_text(result));
		}
	}
	cr_assert_eq(p.responder.sent, 0);
	pair_close(&p);
}

Test(handshake, refuses_real_messages_cut_or_extended)
{
	struct datagram whole;
	struct pair p;

	pair_open(&p);
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	whole = *last_sent(&p.initiator);
	for (size_t len = 0; len < sizeof(whole.bytes); len++) {
		if (len == SP_WG_INITIATION_BYTES)
			continue;
		cr_assert_eq(sp_wg_device_consume(p.responder.device, p.now_ns,
						  &p.initiator.address, whole.bytes, len),
			     SP_WG_E_LENGTH, "%zu bytes", len);
	}
	whole.bytes[1] = 1; /* the three reserved bytes are zero */
	cr_assert_eq(hear(&p.responder, &p.initiator, &whole), SP_WG_E_TYPE);
	whole.bytes[1] = 0;
	cr_assert_eq(hear(&p.responder, &p.initiator, &whole), SP_WG_OK);
	pair_close(&p);
}

/* T06 */
Test(handshake, refuses_peers_of_low_order)
{
	static const uint8_t points[7][SP_KEY_BYTES] = {
		{0},
		{1},
		{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
		 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
		 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
		{0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
		 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
		 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
		{0xec, [1 ... 30] = 0xff, 0x7f},
		{0xed, [1 ... 30] = 0xff, 0x7f},
		{0xee, [1 ... 30] = 0xff, 0x7f},
	};
	struct datagram message;
	struct sp_hash key;
	struct pair p;

	pair_open(&p);
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	sp_hash("mac1----", 8, p.responder.public_key.b, SP_KEY_BYTES, &key);
	for (int i = 0; i < 7; i++) {
		struct sp_wg_peer_config config = {0};
		struct sp_wg_peer *peer = NULL;

		memcpy(config.public_key.b, points[i], SP_KEY_BYTES);
		cr_assert_eq(sp_wg_peer_add(p.initiator.device, &config, NULL, &peer),
			     -EKEYREJECTED, "point %d as a static key", i);
		cr_assert_null(peer);
		/* ... as an ephemeral key: no answer either. */
		message = *last_sent(&p.initiator);
		memcpy(message.bytes + 8, points[i], SP_KEY_BYTES);
		sp_mac(key.b, SP_HASH_BYTES, message.bytes, 116, NULL, 0, message.bytes + 116);
		cr_assert_eq(hear(&p.responder, &p.initiator, &message), SP_WG_E_AUTH);
	}
	cr_assert_eq(p.responder.sent, 0);
	pair_close(&p);
}

Test(handshake, refuses_a_peer_twice_and_itself)
{
	struct sp_wg_peer_config config = {0};
	struct sp_wg_peer *peer = NULL;
	struct pair p;

	pair_open(&p);
	config.public_key = p.responder.public_key;
	cr_assert_eq(sp_wg_peer_add(p.initiator.device, &config, NULL, &peer), -EEXIST);
	config.public_key = p.initiator.public_key;
	cr_assert_eq(sp_wg_peer_add(p.initiator.device, &config, NULL, &peer), -EEXIST);
	cr_assert_null(peer);
	pair_close(&p);
}

Test(handshake, works_when_both_start_at_once)
{
	struct pair p;

	pair_open(&p);
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	sp_wg_peer_want_session(p.responder.peer, p.now_ns);
	/* The initiations cross ... */
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_OK);
	cr_assert_eq(deliver(&p, &p.responder), SP_WG_OK);
	/* ... and so do the responses. */
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_OK);
	cr_assert_eq(deliver(&p, &p.responder), SP_WG_OK);
	cr_assert(data_send(&p.initiator, &p.responder, true, false));
	cr_assert(data_send(&p.responder, &p.initiator, true, false));
	cr_assert(data_send(&p.initiator, &p.responder, true, false));
	/* Nothing is left that would start anew. */
	p.now_ns += 9 * S;
	advance(&p.initiator);
	advance(&p.responder);
	cr_assert_eq(p.initiator.sent, 2);
	cr_assert_eq(p.responder.sent, 2);
	pair_close(&p);
}

Test(handshake, keeps_old_keys_for_packets_on_their_way)
{
	struct sp_wg_transport old;
	struct pair p;

	pair_open(&p);
	shake_hands(&p);
	old = sending_slot(&p.responder)->keys;
	p.now_ns += 10 * S;
	shake_hands(&p);
	cr_assert(data_receive(&p.initiator, &old, true), "previous keys still open");
	p.now_ns += 10 * S;
	shake_hands(&p);
	cr_assert(!data_receive(&p.initiator, &old, true), "replaced twice");
	cr_assert_eq(p.initiator.removes, 1);
	pair_close(&p);
}

Test(handshake, sends_with_old_keys_until_new_ones_are_confirmed)
{
	uint32_t before;
	struct pair p;

	pair_open(&p);
	shake_hands(&p);
	before = sending_slot(&p.responder)->index;
	p.now_ns += 10 * S;
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_OK);
	lose_all(&p.responder); /* the response is lost: the initiator never has the keys */
	cr_assert_eq(sending_slot(&p.responder)->index, before);
	cr_assert(data_send(&p.responder, &p.initiator, true, false));
	cr_assert(data_send(&p.initiator, &p.responder, true, false));
	/* A confirmation of anything but the newest offer changes nothing. */
	sp_wg_peer_on_confirmed(p.responder.peer, p.now_ns, before);
	cr_assert_eq(sending_slot(&p.responder)->index, before);
	cr_assert_eq(sp_wg_peer_last_handshake_ns(p.responder.peer), BEGIN);
	pair_close(&p);
}

Test(handshake, forgets_a_removed_peer_at_once)
{
	struct pair p;

	pair_open(&p);
	shake_hands(&p);
	p.now_ns += 10 * S;
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	sp_wg_peer_remove(p.responder.peer);
	cr_assert_eq(p.responder.reserved, 0);
	cr_assert_eq(p.responder.removes, 1);
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_E_UNKNOWN_PEER);
	cr_assert(!data_send(&p.initiator, &p.responder, true, false));
	/* The one with a handshake on its way gives its index back, too. */
	sp_wg_peer_remove(p.initiator.peer);
	cr_assert_eq(p.initiator.reserved, 0);
	pair_close(&p);
}

Test(handshake, survives_a_want_of_indices)
{
	struct pair p;

	pair_open(&p);
	p.responder.no_indices = true;
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_E_STATE);
	cr_assert_eq(p.responder.sent, 0);
	sp_wg_peer_want_session(p.responder.peer, p.now_ns);
	cr_assert_eq(p.responder.sent, 0);
	p.responder.no_indices = false;
	cr_assert_eq(advance(&p.responder), p.now_ns + 5 * S);
	p.now_ns += 5 * S;
	advance(&p.responder);
	cr_assert_eq(deliver(&p, &p.responder), SP_WG_OK);
	pair_close(&p);
}

Test(handshake, goes_nowhere_without_an_address)
{
	struct pair p;

	pair_open(&p);
	p.initiator.has_endpoint = false;
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	cr_assert_eq(p.initiator.sent, 0);
	cr_assert_eq(p.initiator.reserved, 0);
	cr_assert_eq(advance(&p.initiator), UINT64_MAX);
	/* The other side knocks: now there is one. */
	sp_wg_peer_want_session(p.responder.peer, p.now_ns);
	cr_assert_eq(deliver(&p, &p.responder), SP_WG_OK);
	cr_assert(p.initiator.has_endpoint);
	pair_close(&p);
}
