/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum's sum over whole payloads, as wide as the processor goes. Any thread. */
#ifndef SP_BASE_SUM_H
#define SP_BASE_SUM_H

#include <stdint.h>

/* The same as sp_csum_partial (core/checksum.h): fold the answer with sp_csum_fold. */
uint64_t sp_sum(const void *buf, uint32_t bytes, uint64_t sum);

#endif
