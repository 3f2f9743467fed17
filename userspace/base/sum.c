/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sum.h"

#include "sallyport/core/checksum.h"

#if defined(__x86_64__)

#include <immintrin.h>

/* 32 bytes a step, as sums of 32-bit words in 64-bit lanes: no carry to care about. */
__attribute__((target("avx2"))) static uint64_t sum_wide(const uint8_t *p, uint32_t steps)
{
	const __m256i low = _mm256_set1_epi64x(0xffffffff);
	__m256i a = _mm256_setzero_si256(), b = a;

	for (; steps; steps--, p += 32) {
		__m256i v = _mm256_loadu_si256((const __m256i *)p);

		a = _mm256_add_epi64(a, _mm256_and_si256(v, low));
		b = _mm256_add_epi64(b, _mm256_srli_epi64(v, 32));
	}
	a = _mm256_add_epi64(a, b);
	return (uint64_t)_mm256_extract_epi64(a, 0) + (uint64_t)_mm256_extract_epi64(a, 1) +
	       (uint64_t)_mm256_extract_epi64(a, 2) + (uint64_t)_mm256_extract_epi64(a, 3);
}

uint64_t sp_sum(const void *buf, uint32_t bytes, uint64_t sum)
{
	uint32_t wide = __builtin_cpu_supports("avx2") ? bytes / 32 : 0;

	if (wide)
		sum += sum_wide(buf, wide);
	return sp_csum_partial((const uint8_t *)buf + 32 * wide, bytes - 32 * wide, sum);
}

#else

uint64_t sp_sum(const void *buf, uint32_t bytes, uint64_t sum)
{
	return sp_csum_partial(buf, bytes, sum);
}

#endif
