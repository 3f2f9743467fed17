/* SPDX-License-Identifier: Apache-2.0 */
/* Drops and what passed: the sums over lanes, and XDP's events of drops. Daemon thread; * = any thread. */
#ifndef SP_DATAPLANE_DROPS_H
#define SP_DATAPLANE_DROPS_H

#include "dataplane/dataplane.h"

/* Sum the drop lanes into sp_drops, for readers of bpftool. ret may be NULL. */
struct sp_drop_totals {
	struct sp_drop_cell cell[SP_DIR_COUNT][SP_R_COUNT];
};
int sp_dataplane_drops_collect(struct sp_dataplane *dp, struct sp_drop_totals *ret_totals);

/* Events that were not told, by reason: above the pace, or without a place in a ring. */
struct sp_untold_totals {
	uint64_t left_out[SP_R_COUNT];
	uint64_t lost[SP_R_COUNT];
};
void sp_dataplane_untold_collect(const struct sp_dataplane *dp, struct sp_untold_totals *ret);

/* What was let through: [enum sp_flow_kind][0 up, 1 down]. */
struct sp_forward_totals {
	struct sp_forward_cell cell[SP_FORWARD_STRIDE / 2][2];
};
void sp_dataplane_forward_collect(const struct sp_dataplane *dp, struct sp_forward_totals *ret);

/*
 * XDP's events of drops. Nobody is woken by them: read them by the clock, max at a time; the number
 * read, or -errno. The event is valid during cb.
 */
int sp_dataplane_drop_events_open(struct sp_dataplane *dp,
				  void (*cb)(const struct sp_drop_event *event, void *arg),
				  void *arg);
int sp_dataplane_drop_events(struct sp_dataplane *dp, uint32_t max);

/* * A worker counts a drop into its own lane: no lock, no system call. */
static inline void sp_drop_count(struct sp_drop_cell *lane, enum sp_direction direction,
				 enum sp_reason reason, uint32_t bytes, uint64_t now_ns)
{
	struct sp_drop_cell *cell = &lane[direction * (SP_DROP_STRIDE / 4) + reason];

	cell->packets++;
	cell->bytes += bytes;
	cell->last_ns = now_ns;
}

#endif
