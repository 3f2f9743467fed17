/* SPDX-License-Identifier: Apache-2.0 */
#include "pair.h"
#include "reference.h"

/* One handshake as the paper computes it (5.4.2, 5.4.3): all inputs are known to the test. */
struct transcript {
	bytes32 c, h, k;
};

static void mix_hash(struct transcript *t, const void *in, size_t n)
{
	bytes32 out;

	ref_hash(out, t->h, 32, in, n);
	memcpy(t->h, out, 32);
}

static void mix(struct transcript *t, const void *in, size_t n, int outputs)
{
	bytes32 out[3];

	ref_kdf(out, outputs, t->c, in, n);
	memcpy(t->c, out[0], 32);
	if (outputs == 2)
		memcpy(t->k, out[1], 32);
	if (outputs == 3) {
		mix_hash(t, out[1], 32);
		memcpy(t->k, out[2], 32);
	}
}

static void mix_dh(struct transcript *t, const bytes32 private_key, const bytes32 public_key)
{
	bytes32 shared;

	ref_dh(shared, private_key, public_key);
	mix(t, shared, 32, 2);
}

static void seal(struct transcript *t, uint8_t *out, const void *in, int n)
{
	ref_seal(out, t->k, in, n, t->h);
	mix_hash(t, out, (size_t)n + 16);
}

struct inputs {
	bytes32 si, sr, ei, er; /* private: static, ephemeral; initiator, responder */
	bytes32 psk;
	uint32_t sender, receiver;
	uint8_t stamp[12];
};

static void mac1(uint8_t *message, size_t at, const bytes32 responder_public)
{
	bytes32 key;

	ref_hash(key, "mac1----", 8, responder_public, 32);
	ref_mac(message + at, key, 32, message, at);
	memset(message + at + 16, 0, 16);
}

static void initiation(struct transcript *t, const struct inputs *in, uint8_t message[148])
{
	bytes32 public_i, public_r, e;

	ref_public(public_i, in->si);
	ref_public(public_r, in->sr);
	ref_public(e, in->ei);
	memset(message, 0, 148);
	message[0] = 1;
	memcpy(message + 4, &in->sender, 4);
	ref_hash(t->c, "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s", 37, "", 0);
	ref_hash(t->h, t->c, 32, "WireGuard v1 zx2c4 Jason@zx2c4.com", 34);
	mix_hash(t, public_r, 32);
	mix(t, e, 32, 1);
	memcpy(message + 8, e, 32);
	mix_hash(t, e, 32);
	mix_dh(t, in->ei, public_r);
	seal(t, message + 40, public_i, 32);
	mix_dh(t, in->si, public_r);
	seal(t, message + 88, in->stamp, 12);
	mac1(message, 116, public_r);
}

static void response(struct transcript *t, const struct inputs *in, uint8_t message[92])
{
	bytes32 public_i, e, e_i;

	ref_public(public_i, in->si);
	ref_public(e, in->er);
	ref_public(e_i, in->ei);
	memset(message, 0, 92);
	message[0] = 2;
	memcpy(message + 4, &in->receiver, 4);
	memcpy(message + 8, &in->sender, 4);
	mix(t, e, 32, 1);
	memcpy(message + 12, e, 32);
	mix_hash(t, e, 32);
	mix_dh(t, in->er, e_i);
	mix_dh(t, in->er, public_i);
	mix(t, in->psk, 32, 3);
	seal(t, message + 44, "", 0);
	mac1(message, 60, public_i);
}

/* What a device with this random state will draw as its next ephemeral key. */
static void foresee_ephemeral(const struct side *s, bytes32 out)
{
	struct side copy = *s;

	up_random(&copy, out, 32);
	out[0] &= 248;
	out[31] = (uint8_t)((out[31] & 127) | 64);
}

static void pair_with_psk(struct pair *p, struct inputs *in)
{
	struct sp_key psk;

	memset(psk.b, 0x77, sizeof(psk));
	memcpy(in->psk, psk.b, 32);
	p->now_ns = BEGIN;
	side_open(&p->initiator, &p->now_ns, 1);
	side_open(&p->responder, &p->now_ns, 2);
	side_meet(&p->initiator, &p->responder, &psk, 0);
	side_meet(&p->responder, &p->initiator, &psk, 0);
	memcpy(in->si, p->initiator.private_key.b, 32);
	memcpy(in->sr, p->responder.private_key.b, 32);
}

Test(noise, responds_as_the_paper_says_to_the_byte)
{
	uint8_t first[148], second[92];
	struct inputs in = {.sender = 0xd00df00d, .stamp = "\x40\0\0\0\x65\x53\xf1\x0a\1"};
	struct transcript t;
	struct pair p;
	bytes32 keys[2];

	pair_with_psk(&p, &in);
	initiation(&t, &in, first);
	foresee_ephemeral(&p.responder, in.er);
	in.receiver = p.responder.last_index + 1;
	response(&t, &in, second);
	ref_kdf(keys, 2, t.c, "", 0);

	/* initiator --> responder: handshake initiation { ephemeral, static, timestamp } */
	cr_assert_eq(sp_wg_device_consume(p.responder.device, p.now_ns, &p.initiator.address, first,
					  sizeof(first)),
		     SP_WG_OK);
	/* responder --> initiator: handshake response { ephemeral, nothing } */
	cr_assert_eq(last_sent(&p.responder)->len, sizeof(second));
	cr_assert_arr_eq(last_sent(&p.responder)->bytes, second, sizeof(second));
	cr_assert_eq(p.responder.installs, 1);
	struct slot *slot = slot_find(&p.responder, in.receiver);

	cr_assert_arr_eq(slot->keys.receive.b, keys[0], 32);
	cr_assert_arr_eq(slot->keys.send.b, keys[1], 32);
	cr_assert_eq(slot->keys.remote_index, in.sender);
	cr_assert(!slot->keys.initiator);
	pair_close(&p);
}

Test(noise, initiates_as_the_paper_says_to_the_byte)
{
	uint8_t first[148], second[92];
	struct inputs in = {.receiver = 0xbeefcafe};
	struct transcript t;
	struct pair p;
	bytes32 keys[2];

	pair_with_psk(&p, &in);
	foresee_ephemeral(&p.initiator, in.ei);
	in.sender = p.initiator.last_index + 1;
	/* TAI64N of the fake clock: 1700001000 s + 10 s + 2^62; its nanoseconds are cut to 2^24. */
	p.initiator.wall_ns += 50331647; /* 3 * 2^24 - 1 */
	memcpy(in.stamp, "\x40\0\0\0\x65\x53\xf4\xf2\x02\0\0\0", 12);
	initiation(&t, &in, first);

	/* initiator --> responder: handshake initiation { ephemeral, static, timestamp } */
	sp_wg_peer_want_session(p.initiator.peer, p.now_ns);
	cr_assert_eq(last_sent(&p.initiator)->len, sizeof(first));
	cr_assert_arr_eq(last_sent(&p.initiator)->bytes, first, sizeof(first));

	/* responder --> initiator: handshake response { ephemeral, nothing } */
	memset(in.er, 0x33, 32);
	response(&t, &in, second);
	ref_kdf(keys, 2, t.c, "", 0);
	cr_assert_eq(sp_wg_device_consume(p.initiator.device, p.now_ns, &p.responder.address,
					  second, sizeof(second)),
		     SP_WG_OK);
	struct slot *slot = slot_find(&p.initiator, in.sender);

	cr_assert_arr_eq(slot->keys.send.b, keys[0], 32);
	cr_assert_arr_eq(slot->keys.receive.b, keys[1], 32);
	cr_assert_eq(slot->keys.remote_index, in.receiver);
	cr_assert(slot->keys.initiator);
	pair_close(&p);
}

/* The inner checks one by one: everything else of the message is right, MAC1 too. */
Test(noise, refuses_each_field_that_is_not_authentic)
{
	static const struct {
		const char *name;
		size_t from, to;
		enum sp_wg_result result;
	} fields[] = {
		{"ephemeral", 8, 40, SP_WG_E_AUTH},
		{"static", 40, 88, SP_WG_E_AUTH},
		{"timestamp", 88, 116, SP_WG_E_AUTH},
	};
	struct inputs in = {.sender = 7, .stamp = "\x40\0\0\0\x65\x53\xf1\x0a\1"};
	bytes32 public_r;
	struct pair p;

	pair_with_psk(&p, &in);
	ref_public(public_r, in.sr);
	for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
		for (size_t i = fields[f].from; i < fields[f].to; i++) {
			struct transcript t;
			uint8_t first[148];

			initiation(&t, &in, first);
			first[i] ^= 1;
			mac1(first, 116, public_r);
			cr_assert_eq(sp_wg_device_consume(p.responder.device, p.now_ns,
							  &p.initiator.address, first, 148),
				     fields[f].result, "%s, byte %zu", fields[f].name, i);
		}
	}
	cr_assert_eq(p.responder.sent, 0);
	cr_assert_eq(p.responder.installs, 0);
	cr_assert_eq(p.responder.moves, 0);
	pair_close(&p);
}
