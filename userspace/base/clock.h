/* SPDX-License-Identifier: Apache-2.0 */
/* The one clock of the data path: CLOCK_MONOTONIC, the same that bpf_ktime_get_ns reads. Any thread. */
#ifndef SP_BASE_CLOCK_H
#define SP_BASE_CLOCK_H

#include <stdint.h>

#define SP_NS_PER_S  1000000000ull
#define SP_NS_PER_MS 1000000ull

uint64_t sp_clock_now_ns(void);	     /* CLOCK_MONOTONIC */
uint64_t sp_clock_realtime_ns(void); /* CLOCK_REALTIME, since 1970 */

#endif
