/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal text to bytes, for known vectors. One thread. */
#ifndef SP_TESTS_CRYPTO_VECTORS_H
#define SP_TESTS_CRYPTO_VECTORS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

static inline size_t unhex(uint8_t *out, const char *hex)
{
	unsigned int byte;
	size_t n = 0;

	while (sscanf(hex + 2 * n, "%2x", &byte) == 1)
		out[n++] = (uint8_t)byte;
	return n;
}

#endif
