/* SPDX-License-Identifier: Apache-2.0 */
#include "limits/limits.h"

#include "sallyport/core/bucket.h"

/* 0 is "no limit" and so never the smaller one. */
static uint64_t smaller(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

void sp_limits_of_user(const struct sp_config *config, uint32_t index,
		       struct sp_config_limit *ret_limit)
{
	const struct sp_config_user *user = &config->users[index];
	struct sp_config_limit groups = {0}, limit = user->limit;

	for (uint32_t i = 0; i < user->group_count; i++) {
		const struct sp_config_limit *g = &config->groups[user->groups[i]].limit;

		groups.up_bps = smaller(groups.up_bps, g->up_bps);
		groups.down_bps = smaller(groups.down_bps, g->down_bps);
		groups.burst_bytes = smaller(groups.burst_bytes, g->burst_bytes);
	}
	if (!limit.up_bps)
		limit.up_bps = groups.up_bps;
	if (!limit.down_bps)
		limit.down_bps = groups.down_bps;
	if (!limit.burst_bytes)
		limit.burst_bytes = groups.burst_bytes;
	*ret_limit = limit;
}

uint64_t sp_limits_burst_bytes(uint64_t rate_bps, uint64_t asked_bytes)
{
	uint64_t bytes = rate_bps / 8000 * SP_LIMITS_BURST_MS;

	if (asked_bytes)
		return asked_bytes;
	return bytes < SP_LIMITS_BURST_BYTES_MIN ? SP_LIMITS_BURST_BYTES_MIN : bytes;
}

void sp_limits_apply(const struct sp_config_limit *limit, struct sp_bucket *up,
		     struct sp_bucket *down)
{
	sp_bucket_set(up, limit->up_bps, sp_limits_burst_bytes(limit->up_bps, limit->burst_bytes));
	sp_bucket_set(down, limit->down_bps,
		      sp_limits_burst_bytes(limit->down_bps, limit->burst_bytes));
}
