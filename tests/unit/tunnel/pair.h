/* SPDX-License-Identifier: Apache-2.0 */
/* Two devices on one fake clock, and handing messages across: none moves by itself. One thread. */
#ifndef SP_TESTS_TUNNEL_PAIR_H
#define SP_TESTS_TUNNEL_PAIR_H

#include "upcalls.h"

static inline void side_open(struct side *s, uint64_t *now_ns, uint8_t number)
{
	memset(s, 0, sizeof(*s));
	s->now_ns = now_ns;
	s->random = number;
	s->wall_ns = 1700000000ll * (int64_t)S;
	s->last_index = number * 0x01000000u;
	s->address.remote.addr.b[15] = number;
	s->address.remote.port_be = (__be16)(number * 257);
	memset(s->private_key.b, number, SP_KEY_BYTES);
	cr_assert_eq(sp_wg_device_open(&s->private_key, &upcalls, s, &s->device), 0);
	sp_wg_device_public_key(s->device, &s->public_key);
}

static inline void side_meet(struct side *s, const struct side *other, const struct sp_key *psk,
			     uint16_t keepalive_s)
{
	struct sp_wg_peer_config config = {.public_key = other->public_key,
					   .keepalive_s = keepalive_s};

	if (psk)
		config.preshared_key = *psk;
	cr_assert_eq(sp_wg_peer_add(s->device, &config, s, &s->peer), 0);
	s->endpoint = other->address;
	s->has_endpoint = true;
}

static inline struct side *other_of(struct pair *p, struct side *s)
{
	return s == &p->initiator ? &p->responder : &p->initiator;
}

static inline void pair_open(struct pair *p)
{
	p->now_ns = BEGIN;
	side_open(&p->initiator, &p->now_ns, 1);
	side_open(&p->responder, &p->now_ns, 2);
	side_meet(&p->initiator, &p->responder, NULL, 0);
	side_meet(&p->responder, &p->initiator, NULL, 0);
}

static inline void pair_close(struct pair *p)
{
	sp_wg_device_close(p->initiator.device);
	sp_wg_device_close(p->responder.device);
	cr_assert_eq(p->initiator.reserved, 0, "indices left: %u", p->initiator.reserved);
	cr_assert_eq(p->responder.reserved, 0, "indices left: %u", p->responder.reserved);
}

static inline struct datagram *last_sent(struct side *s)
{
	cr_assert_gt(s->sent, 0);
	return &s->out[(s->sent - 1) % 64];
}

static inline enum sp_wg_result hear(struct side *to, const struct side *from,
				     const struct datagram *d)
{
	return sp_wg_device_consume(to->device, *to->now_ns, &from->address, d->bytes, d->len);
}

/* Delivers the oldest message that still waits. */
static inline enum sp_wg_result deliver(struct pair *p, struct side *from)
{
	cr_assert_lt(from->delivered, from->sent, "nothing to deliver");
	return hear(other_of(p, from), from, &from->out[from->delivered++ % 64]);
}

static inline void lose_all(struct side *from)
{
	from->delivered = from->sent;
}

static inline uint64_t advance(struct side *s)
{
	return sp_wg_peer_advance(s->peer, *s->now_ns, &s->traffic);
}

#endif
