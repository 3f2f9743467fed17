// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "dataplane/drops.h"
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

void sp_dataplane_untold_collect(const struct sp_dataplane *dp, struct sp_untold_totals *ret)
{
	*ret = (struct sp_untold_totals){};
	for (uint32_t lane = 0; lane < dp->shared.drop_lanes; lane++) {
		const struct sp_drop_pace *cells = dp->shared.paces + (size_t)lane * SP_PACE_STRIDE;

		for (int i = 0; i < SP_R_COUNT * SP_PACE_WAYS; i++) {
			int reason = i / SP_PACE_WAYS;

			ret->left_out[reason] +=
				__atomic_load_n(&cells[i].left_out, __ATOMIC_RELAXED);
			ret->lost[reason] += __atomic_load_n(&cells[i].lost, __ATOMIC_RELAXED);
		}
	}
}

void sp_dataplane_forward_collect(const struct sp_dataplane *dp, struct sp_forward_totals *ret)
{
	*ret = (struct sp_forward_totals){};
	for (uint32_t lane = 0; lane < dp->shared.drop_lanes; lane++) {
		const struct sp_forward_cell *cells =
			dp->shared.forward + (size_t)lane * SP_FORWARD_STRIDE;

		for (int i = 0; i < SP_FORWARD_STRIDE; i++) {
			struct sp_forward_cell *sum = &ret->cell[i / 2][i % 2];

			sum->packets += __atomic_load_n(&cells[i].packets, __ATOMIC_RELAXED);
			sum->bytes += __atomic_load_n(&cells[i].bytes, __ATOMIC_RELAXED);
		}
	}
}

/* What libbpf stops at; the sample before counts as read. */
static int on_sample(void *ctx, void *data, size_t bytes)
{
	struct sp_drop_reader *reader = ctx;

	if (bytes >= sizeof(struct sp_drop_event))
		reader->cb(data, reader->arg);
	return --reader->left ? 0 : -EAGAIN;
}

int sp_dataplane_drop_events_open(struct sp_dataplane *dp,
				  void (*cb)(const struct sp_drop_event *event, void *arg),
				  void *arg)
{
	if (dp->drop_events)
		return -EALREADY;
	dp->drop_reader = (struct sp_drop_reader){.cb = cb, .arg = arg};
	dp->drop_events = ring_buffer__new(dp->map_fds[SP_MAP_DROP_EVENTS], on_sample,
					   &dp->drop_reader, NULL);
	return dp->drop_events ? 0 : -errno;
}

int sp_dataplane_drop_events(struct sp_dataplane *dp, uint32_t max)
{
	int r;

	if (!dp->drop_events || !max)
		return 0;
	dp->drop_reader.left = max;
	r = ring_buffer__consume(dp->drop_events);
	return r < 0 && r != -EAGAIN ? r : (int)(max - dp->drop_reader.left);
}
