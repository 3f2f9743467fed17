// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "dataplane/state.h"

static void add_lane(const struct sp_drop_cell *lane, struct sp_drop_totals *totals)
{
	for (int d = 0; d < SP_DIR_COUNT; d++) {
		for (int reason = 0; reason < SP_R_COUNT; reason++) {
			const struct sp_drop_cell *cell = &lane[d * (SP_DROP_STRIDE / 4) + reason];
			struct sp_drop_cell *total = &totals->cell[d][reason];
			uint64_t last_ns = __atomic_load_n(&cell->last_ns, __ATOMIC_RELAXED);

			total->packets += __atomic_load_n(&cell->packets, __ATOMIC_RELAXED);
			total->bytes += __atomic_load_n(&cell->bytes, __ATOMIC_RELAXED);
			if (total->last_ns < last_ns)
				total->last_ns = last_ns;
		}
	}
}

/* Only rows that moved since the last second cost a system call. */
static int publish(struct sp_dataplane *dp, const struct sp_drop_totals *totals)
{
	for (int d = 0; d < SP_DIR_COUNT; d++) {
		for (int reason = 0; reason < SP_R_COUNT; reason++) {
			const struct sp_drop_cell *cell = &totals->cell[d][reason];
			struct sp_drop_cell *published = &dp->drops_published.cell[d][reason];
			struct sp_drop_key key = {.reason = (enum sp_reason)reason,
						  .direction = (enum sp_direction)d};
			int r;

			if (cell->packets == published->packets && cell->bytes == published->bytes)
				continue;
			r = bpf_map_update_elem(dp->map_fds[SP_MAP_DROPS], &key, cell, BPF_ANY);
			if (r < 0)
				return r;
			*published = *cell;
		}
	}
	return 0;
}

int sp_dataplane_drops_collect(struct sp_dataplane *dp, struct sp_drop_totals *ret_totals)
{
	struct sp_drop_totals totals = {};
	int r;

	for (uint32_t i = 0; i < dp->shared.drop_lanes; i++)
		add_lane(dp->shared.drops + (size_t)i * SP_DROP_STRIDE, &totals);
	r = publish(dp, &totals);
	if (r < 0)
		return r;
	if (ret_totals)
		*ret_totals = totals;
	return 0;
}
