/* SPDX-License-Identifier: Apache-2.0 */
#include "nat/table.h"

#include <errno.h>
#include <string.h>

int sp_nat_ports_search(const uint64_t *used, const uint64_t *allowed, uint64_t parity,
			uint16_t start)
{
	unsigned int first = start / 64;

	/* One word more than there are: the first one's low part comes last. */
	for (unsigned int i = 0; i <= SP_NAT_PORT_WORDS; i++) {
		unsigned int w = (first + i) % SP_NAT_PORT_WORDS;
		uint64_t free_bits = allowed[w] & ~used[w] & parity;

		if (!i)
			free_bits &= UINT64_MAX << start % 64;
		if (free_bits)
			return (int)(w * 64) + __builtin_ctzll(free_bits);
	}
	return -ENOSPC;
}

/* The finalizer of splitmix64 (Steele, Lea, Flood 2014). */
uint64_t sp_nat_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

uint64_t sp_nat_addr_key(const struct sp_addr *addr)
{
	uint64_t words[2];

	memcpy(words, addr->b, sizeof(words));
	return sp_nat_mix(words[0] + sp_nat_mix(words[1] + 1));
}
