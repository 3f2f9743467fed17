/* SPDX-License-Identifier: Apache-2.0 */
/* Rates of users: from the configuration to token buckets. Daemon thread. */
#ifndef SP_LIMITS_LIMITS_H
#define SP_LIMITS_LIMITS_H

#include "config/config.h"
#include "sallyport/abi/bucket.h"

/* Set both buckets. They may be in use: their fill and counters stay, so a reload is no gift. */
void sp_limits_apply(const struct sp_config_limit *limit, struct sp_bucket *up,
		     struct sp_bucket *down);

#endif
