/* SPDX-License-Identifier: Apache-2.0 */
/* The wide sum is the narrow one, whatever length and alignment. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/sum.h"
#include "sallyport/core/checksum.h"

Test(base_sum, agrees_with_the_narrow_one)
{
	static uint8_t b[70000];

	srand(3);
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)rand();
	for (uint32_t bytes = 0; bytes < 3000; bytes++) {
		const uint8_t *p = b + rand() % 64;

		cr_assert_eq(sp_csum_fold(sp_sum(p, bytes, 77)),
			     sp_csum_fold(sp_csum_partial(p, bytes, 77)), "%u bytes", bytes);
	}
	memset(b, 0xff, sizeof(b));
	cr_assert_eq(sp_csum_fold(sp_sum(b, 65535, 0)), sp_csum_fold(sp_csum_partial(b, 65535, 0)));
}
