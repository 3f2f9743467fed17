/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses lie in a prefix, and which are inner, bit by bit. Tests only, any thread. */
#ifndef SP_TESTS_POLICY_INNER_H
#define SP_TESTS_POLICY_INNER_H

#include "unit/policy/world.h"

static inline bool in_prefix(const struct sp_prefix *p, const struct sp_addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool prefix_v4 = p->len >= 96 && !memcmp(p->addr.b, mapped, 12);

	if (prefix_v4 != !memcmp(a->b, mapped, 12))
		return false;
	for (unsigned int i = 0; i < p->len; i++)
		if ((p->addr.b[i / 8] ^ a->b[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static inline bool is_gateway(const struct sp_config *c, const struct sp_addr *a)
{
	for (uint32_t i = 0; i < c->wireguard_count; i++)
		for (uint32_t k = 0; k < c->wireguards[i].address_count; k++)
			if (!memcmp(c->wireguards[i].addresses[k].addr.b, a->b, 16))
				return true;
	return false;
}

static inline bool is_inner(const struct sp_config *c, const struct sp_addr *a)
{
	for (uint32_t i = 0; i < c->peer_count; i++)
		for (uint32_t k = 0; k < c->peers[i].address_count; k++)
			if (in_prefix(&c->peers[i].addresses[k], a))
				return true;
	for (uint32_t i = 0; i < c->zone_count; i++)
		for (uint32_t k = 0; k < c->zones[i].prefix_count; k++)
			if (in_prefix(&c->zones[i].prefixes[k], a))
				return true;
	return is_gateway(c, a);
}

#endif
