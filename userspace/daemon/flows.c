/* SPDX-License-Identifier: Apache-2.0 */
/* Sweeps over sp_flows: what has lost its right. */
#include <string.h>

#include "daemon/daemon.h"

#define SWEEP_BATCH 64

struct flow_sweep {
	bool (*is_doomed)(const struct sp_flow *flow, const void *arg);
	const void *arg;
	struct sp_flow_key keys[SWEEP_BATCH];
	unsigned int count;
};

static int collect_flow(const struct sp_flow_key *key, const struct sp_flow *flow, void *arg)
{
	struct flow_sweep *sweep = arg;

	if (!sweep->is_doomed(flow, sweep->arg))
		return 0;
	sweep->keys[sweep->count++] = *key;
	return sweep->count == SWEEP_BATCH;
}

static void sweep_flows(struct sp_dataplane *dp,
			bool (*is_doomed)(const struct sp_flow *, const void *), const void *arg)
{
	struct flow_sweep sweep = {.is_doomed = is_doomed, .arg = arg};

	do {
		sweep.count = 0;
		sp_dataplane_flow_each(dp, collect_flow, &sweep);
		if (sweep.count)
			sp_dataplane_flow_remove(dp, sweep.keys, sweep.count);
	} while (sweep.count == SWEEP_BATCH);
}

static bool is_of_peer(const struct sp_flow *flow, const void *arg)
{
	return flow->peer_id == *(const uint32_t *)arg;
}

void sp_flows_remove_peer(struct sp_dataplane *dp, uint32_t peer_id)
{
	sweep_flows(dp, is_of_peer, &peer_id);
}

static bool is_plain(const struct sp_flow *flow, const void *arg)
{
	return flow->kind == SP_FLOW_PLAIN;
}

void sp_flows_remove_plain(struct sp_dataplane *dp)
{
	sweep_flows(dp, is_plain, NULL);
}
