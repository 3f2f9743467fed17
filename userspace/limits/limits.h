/* SPDX-License-Identifier: Apache-2.0 */
/* Rates of users: from the configuration to token buckets. Daemon thread. */
#ifndef SP_LIMITS_LIMITS_H
#define SP_LIMITS_LIMITS_H

#include <stdint.h>

#include "config/config.h"
#include "sallyport/abi/bucket.h"

#define SP_LIMITS_BURST_MS	  50u	 /* default burst: so much time of the rate ... */
#define SP_LIMITS_BURST_BYTES_MIN 65536u /* ... and never less: one full segmentation offload */

/*
 * The limit that holds for users[index], for each direction by itself: the user's own, else the
 * smallest of its groups', else none. ret_limit->burst_bytes is 0 or what was asked for: the
 * user's, else the smallest of its groups'.
 */
void sp_limits_of_user(const struct sp_config *config, uint32_t index,
		       struct sp_config_limit *ret_limit);

/* What one direction may burst. */
uint64_t sp_limits_burst_bytes(uint64_t rate_bps, uint64_t asked_bytes);

/* Set both buckets. They may be in use: their fill and counters stay, so a reload is no gift. */
void sp_limits_apply(const struct sp_config_limit *limit, struct sp_bucket *up,
		     struct sp_bucket *down);

#endif
