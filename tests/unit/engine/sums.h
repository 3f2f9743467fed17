/* SPDX-License-Identifier: Apache-2.0 */
/* Internet checksums by full computation, unlike the increments under test. */
#ifndef SP_TESTS_ENGINE_SUMS_H
#define SP_TESTS_ENGINE_SUMS_H

#include "sallyport/core/wire.h"

static inline void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

/* RFC 1071, byte by byte. */
static inline uint32_t sum_bytes(const uint8_t *p, uint32_t n, uint32_t sum)
{
	for (uint32_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline uint32_t sum_transport(const uint8_t *ip, uint32_t bytes, uint8_t proto)
{
	bool v4 = ip[0] >> 4 == 4;
	uint32_t header = v4 ? (ip[0] & 15) * 4u : 40, sum = 0;

	if (proto != SP_PROTO_ICMP) {
		sum = v4 ? sum_bytes(ip + 12, 8, 0) : sum_bytes(ip + 8, 32, 0);
		sum += proto + bytes - header;
	}
	return sum_bytes(ip + header, bytes - header, sum);
}

#endif
