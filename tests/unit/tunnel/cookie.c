/* SPDX-License-Identifier: Apache-2.0 */
#include "tunnel/wireguard/cookie.h"

#include "data.h"

/* Both ask for a handshake; the responder is under load and answers with a cookie first. */
static void get_cookie(struct pair *p)
{
	sp_wg_device_set_under_load(p->responder.device, true);
	sp_wg_peer_want_session(p->initiator.peer, p->now_ns);
	/* initiator --> responder: handshake initiation { ephemeral, static, timestamp } */
	cr_assert_eq(deliver(p, &p->initiator), SP_WG_E_COOKIE_SENT);
	/* responder --> initiator: cookie reply { nonce, cookie } */
	cr_assert_eq(last_sent(&p->responder)->len, SP_WG_COOKIE_BYTES);
	cr_assert_eq(deliver(p, &p->responder), SP_WG_OK);
	cr_assert_eq(p->responder.installs, 0);
	cr_assert_eq(p->responder.moves, 0);
}

static void next_attempt(struct pair *p, uint64_t after_ns)
{
	p->now_ns += after_ns;
	sp_wg_peer_want_session(p->initiator.peer, p->now_ns);
	advance(&p->initiator);
}

Test(cookie, is_asked_for_under_load_and_taken)
{
	struct pair p;

	pair_open(&p);
	get_cookie(&p);
	next_attempt(&p, 6 * S);
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_OK);
	cr_assert_eq(deliver(&p, &p.responder), SP_WG_OK);
	pair_close(&p);
}

Test(cookie, is_not_asked_for_without_load_or_mac1)
{
	struct datagram broken;
	struct pair p;

	pair_open(&p);
	sp_wg_device_set_under_load(p.responder.device, true);
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	broken = *last_sent(&p.initiator);
	broken.bytes[116] ^= 1;
	cr_assert_eq(hear(&p.responder, &p.initiator, &broken), SP_WG_E_MAC1);
	cr_assert_eq(p.responder.sent, 0);
	sp_wg_device_set_under_load(p.responder.device, false);
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_OK);
	pair_close(&p);
}

Test(cookie, must_be_right_to_the_bit)
{
	struct datagram broken;
	struct pair p;

	pair_open(&p);
	get_cookie(&p);
	next_attempt(&p, 6 * S);
	for (size_t i = 132; i < 148; i++) {
		broken = *last_sent(&p.initiator);
		broken.bytes[i] ^= 2;
		cr_assert_eq(hear(&p.responder, &p.initiator, &broken), SP_WG_E_COOKIE_SENT);
	}
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_OK);
	pair_close(&p);
}

Test(cookie, is_bound_to_address_and_port)
{
	struct sp_wg_address from;
	struct datagram *d;
	struct pair p;

	pair_open(&p);
	get_cookie(&p);
	next_attempt(&p, 6 * S);
	d = last_sent(&p.initiator);
	from = p.initiator.address;
	from.remote.port_be ^= 1;
	cr_assert_eq(sp_wg_device_consume(p.responder.device, p.now_ns, &from, d->bytes, d->len),
		     SP_WG_E_COOKIE_SENT);
	from = p.initiator.address;
	from.remote.addr.b[0] ^= 1;
	cr_assert_eq(sp_wg_device_consume(p.responder.device, p.now_ns, &from, d->bytes, d->len),
		     SP_WG_E_COOKIE_SENT);
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_OK);
	pair_close(&p);
}

/* The secret lives 120 s; the holder of a cookie lets go of it 5 s before. */
Test(cookie, ends_with_its_secret)
{
	struct datagram early;
	struct pair p;

	pair_open(&p);
	get_cookie(&p);
	next_attempt(&p, 115 * S - 1);
	early = *last_sent(&p.initiator);
	p.now_ns = BEGIN + 120 * S - 1;
	cr_assert_eq(hear(&p.responder, &p.initiator, &early), SP_WG_OK);
	pair_close(&p);

	pair_open(&p);
	get_cookie(&p);
	next_attempt(&p, 115 * S);
	for (size_t i = 132; i < 148; i++)
		cr_assert_eq(last_sent(&p.initiator)->bytes[i], 0, "an old cookie is not used");
	pair_close(&p);

	pair_open(&p);
	get_cookie(&p);
	next_attempt(&p, 115 * S - 1);
	early = *last_sent(&p.initiator);
	p.now_ns = BEGIN + 120 * S;
	cr_assert_eq(hear(&p.responder, &p.initiator, &early), SP_WG_E_COOKIE_SENT);
	pair_close(&p);
}

Test(cookie, reply_must_answer_the_last_message)
{
	struct datagram reply, broken;
	struct pair p;

	pair_open(&p);
	sp_wg_device_set_under_load(p.responder.device, true);
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_E_COOKIE_SENT);
	reply = *last_sent(&p.responder);
	for (size_t i = 4; i < SP_WG_COOKIE_BYTES; i++) {
		broken = reply;
		broken.bytes[i] ^= 1;
		cr_assert_eq(hear(&p.initiator, &p.responder, &broken),
			     i < 8 ? SP_WG_E_INDEX : SP_WG_E_AUTH, "byte %zu", i);
	}
	cr_assert_eq(hear(&p.initiator, &p.responder, &reply), SP_WG_OK);
	cr_assert_eq(hear(&p.initiator, &p.responder, &reply), SP_WG_E_STATE, "once a message");
	/* A new message is out: the reply to the one before has a wrong MAC1 and a dead index. */
	next_attempt(&p, 6 * S);
	cr_assert_eq(hear(&p.initiator, &p.responder, &reply), SP_WG_E_INDEX);
	pair_close(&p);
}

/* A responder's peer may be under load as well: the cookie answers the response. */
Test(cookie, is_taken_for_a_response)
{
	struct pair p;

	pair_open(&p);
	sp_wg_device_set_under_load(p.initiator.device, true);
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_OK);
	/* responder --> initiator: handshake response { ephemeral, nothing } */
	cr_assert_eq(deliver(&p, &p.responder), SP_WG_E_COOKIE_SENT);
	/* initiator --> responder: cookie reply { nonce, cookie } */
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_OK);
	next_attempt(&p, 6 * S);
	cr_assert_eq(deliver(&p, &p.initiator), SP_WG_OK);
	cr_assert_eq(deliver(&p, &p.responder), SP_WG_OK);
	cr_assert_eq(p.initiator.installs, 1);
	pair_close(&p);
}
