/* SPDX-License-Identifier: Apache-2.0 */
/* Random addresses, prefixes, ports and lists, from a narrow space. Tests only, one thread. */
#ifndef SP_TESTS_POLICY_RANDOM_PARTS_H
#define SP_TESTS_POLICY_RANDOM_PARTS_H

#include "unit/policy/moments.h"

static const uint8_t protos[] = {6, 17, 1, 58, 47, 132};
static const uint16_t edges[] = {0, 1, 22, 53, 80, 443, 1023, 1024, 8080, 65534, 65535};

/* Addresses from a narrow space, so that prefixes overlap and queries hit them. */
static inline struct sp_addr random_addr(void)
{
	struct sp_addr a = {.b = {[10] = 0xff, [11] = 0xff}};

	if (rnd(2)) {
		a.b[12] = rnd(4) ? 10 : (uint8_t)rnd(256);
		a.b[13] = (uint8_t)(8 + rnd(3));
		a.b[14] = (uint8_t)(rnd(3) * 127);
		a.b[15] = (uint8_t)rnd(rnd(2) ? 4 : 256);
		return a;
	}
	memset(&a, 0, sizeof(a));
	a.b[0] = rnd(4) ? 0xfd : (uint8_t)rnd(256);
	a.b[7] = (uint8_t)rnd(2);
	a.b[8] = (uint8_t)(rnd(2) * 0x80);
	a.b[15] = (uint8_t)rnd(rnd(2) ? 4 : 256);
	return a;
}

static inline struct sp_prefix random_prefix(void)
{
	struct sp_prefix p = {.addr = random_addr()};
	bool v4 = sp_addr_is_v4(&p.addr);
	static const uint8_t lens[] = {0, 1, 7, 8, 16, 23, 24, 25, 30, 31, 32};

	p.len = v4 ? (uint8_t)(96 + lens[rnd(sizeof(lens))]) : (uint8_t)(rnd(129));
	for (unsigned int i = p.len; i < 128; i++)
		p.addr.b[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	return p;
}

static inline struct sp_prefix random_peer_prefix(void)
{
	struct sp_prefix p = random_prefix();

	while (p.len < 64 || (sp_addr_is_v4(&p.addr) && p.len < 116))
		p = random_prefix();
	return p;
}

static inline uint16_t random_port(void)
{
	return rnd(2) ? edges[rnd(sizeof(edges) / sizeof(edges[0]))] : (uint16_t)rnd(65536);
}

static inline uint32_t random_list(uint32_t list[4], uint32_t of, uint32_t most)
{
	uint32_t n = of ? rnd(most + 1) : 0;

	for (uint32_t i = 0; i < n; i++)
		list[i] = rnd(of);
	return n;
}

/* The first users become zones, each with two prefixes. */
static inline void random_zones(struct world *w)
{
	struct sp_config *c = &w->config;

	c->zone_count = rnd(ZONES + 1);
	if (c->zone_count > c->user_count)
		c->zone_count = c->user_count;
	for (uint32_t i = 0; i < c->zone_count; i++) {
		w->zones[i].user = i;
		w->zones[i].prefixes = w->zone_prefixes[i];
		w->zones[i].prefix_count = 2;
		w->users[i].is_zone = true;
		for (uint32_t k = 0; k < 2; k++)
			w->zone_prefixes[i][k] = random_peer_prefix();
	}
}

#endif
