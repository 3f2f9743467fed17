/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps that only tell: drop events, their pace, what passed; included by maps.h. XDP only. */
#ifndef SP_BPF_MAPS_OBSERVE_H
#define SP_BPF_MAPS_OBSERVE_H

#include "maps_array.h"

#include "sallyport/abi/event.h"

/* To the daemon, which reads it by the clock: nobody is woken. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SP_DROP_EVENT_BYTES);
} sp_drop_events SEC(".maps");

/* [lane * SP_PACE_STRIDE + reason * SP_PACE_WAYS + way]; lanes as in sp_drop_lanes */
SP_SHARED_ARRAY(sp_drop_paces, SP_PACE_STRIDE, struct sp_drop_pace);

/* [lane * SP_FORWARD_STRIDE + kind * 2 + direction]; lanes as in sp_drop_lanes */
SP_SHARED_ARRAY(sp_forward_lanes, SP_FORWARD_STRIDE, struct sp_forward_cell);

#endif
