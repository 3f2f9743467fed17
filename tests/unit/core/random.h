/* SPDX-License-Identifier: Apache-2.0 */
/* Random descriptions of packets, and memory that ends where a packet ends. One thread. */
#ifndef SP_TESTS_CORE_RANDOM_H
#define SP_TESTS_CORE_RANDOM_H

#include <stdlib.h>
#include <sys/mman.h>

#include "unit/core/build.h"

/* A copy whose first byte beyond the end faults, with or without a sanitizer. */
static inline uint8_t *guarded(const uint8_t *b, uint32_t bytes)
{
	static uint8_t *pages;

	if (!pages) {
		pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0);
		if (pages == MAP_FAILED || mprotect(pages + 4096, 4096, PROT_NONE))
			abort();
	}
	memcpy(pages + 4096 - bytes, b, bytes);
	return pages + 4096 - bytes;
}

static inline uint32_t chance(uint64_t *seed, uint32_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (uint32_t)(*seed >> 33) % below;
}

static inline struct sp_addr random_addr(uint64_t *seed, uint8_t version)
{
	struct sp_addr a;

	for (uint32_t i = 0; i < 16; i++)
		a.b[i] = (uint8_t)chance(seed, 256);
	a.b[0] = 0x20;
	if (version == 4) {
		memset(a.b, 0, 10);
		memset(a.b + 10, 0xff, 2);
		a.b[12] = (uint8_t)(1 + a.b[12] % 126); /* a host */
	}
	return a;
}

/* Any valid packet, fragments and every option length included; not an ICMP error. */
static inline struct spec random_spec(uint64_t *seed)
{
	static const uint8_t protos[] = {6, 6, 17, 17, 1, 1, 47};
	static const uint8_t kinds[] = {60, 43, 60, 60, 60};
	struct spec s = {
		.version = chance(seed, 2) ? 4 : 6,
		.vlans = (uint8_t)chance(seed, 3),
		.tos = (uint8_t)chance(seed, 256),
		.ttl = (uint8_t)(2 + chance(seed, 254)),
		.proto = protos[chance(seed, 7)],
		.fragment = chance(seed, 4) ? 0 : (uint8_t)(1 + chance(seed, 2)),
		.sport = (uint16_t)chance(seed, 65536),
		.dport = (uint16_t)chance(seed, 65536),
		.id = (uint16_t)chance(seed, 65536),
		.tcp_flags = (uint8_t)chance(seed, 64),
		.tcp_options_bytes = chance(seed, 11) * 4,
		.payload_bytes = chance(seed, 65),
		.extension_words = chance(seed, 3),
	};

	s.src = random_addr(seed, s.version);
	s.dst = random_addr(seed, s.version);
	memset(s.options, 1, sizeof(s.options));
	memset(s.tcp_options, 1, sizeof(s.tcp_options));
	for (uint32_t i = 0; i < sizeof(s.payload); i++)
		s.payload[i] = (uint8_t)chance(seed, 256);
	s.no_check = s.proto == 17 && chance(seed, 8) == 0;
	if (s.version == 4) {
		s.options_bytes = chance(seed, 11) * 4;
		s.icmp_type = chance(seed, 2) ? 8 : 0;
		return s;
	}
	if (s.proto == 1)
		s.proto = 58;
	s.icmp_type = (uint8_t)(128 + chance(seed, 2));
	if (chance(seed, 2))
		s.extensions[s.extension_count++] = 0;
	for (uint32_t n = chance(seed, 5); n; n--)
		s.extensions[s.extension_count++] = kinds[chance(seed, 5)];
	if (s.fragment || chance(seed, 4) == 0)
		s.extensions[s.extension_count++] = 44;
	return s;
}

#endif
