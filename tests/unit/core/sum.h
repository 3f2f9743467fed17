/* SPDX-License-Identifier: Apache-2.0 */
/* Big-endian bytes and the Internet checksum, naively: independent of core. Any thread. */
#ifndef SP_TESTS_CORE_SUM_H
#define SP_TESTS_CORE_SUM_H

#include <stdint.h>

static inline void put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static inline uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

/* RFC 1071 4.1, as it stands there: 16-bit words, big-endian. */
static inline uint32_t naive_sum(const uint8_t *b, uint32_t bytes, uint32_t sum)
{
	for (uint32_t i = 0; i < bytes; i++)
		sum += i & 1 ? b[i] : (uint32_t)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

#endif
