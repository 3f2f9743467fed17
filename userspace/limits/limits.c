/* SPDX-License-Identifier: Apache-2.0 */
#include "limits/limits.h"

#include "sallyport/core/bucket.h"

void sp_limits_apply(const struct sp_config_limit *limit, struct sp_bucket *up,
		     struct sp_bucket *down)
{
	sp_bucket_set(up, limit->up_bps, limit->burst_bytes);
	sp_bucket_set(down, limit->down_bps, limit->burst_bytes);
}
