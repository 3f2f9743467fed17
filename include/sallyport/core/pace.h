/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* How many drops are told: a rate for each reason and way of a lane. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_PACE_H
#define SALLYPORT_CORE_PACE_H

#include "sallyport/abi/event.h"
#include "sallyport/abi/verdict.h"
#include "sallyport/core/addr.h"

#define SP_PACE_BURST 32 /* at once */

_Static_assert(SP_DROP_STRIDE / 4 * SP_PACE_WAYS <= SP_PACE_STRIDE, "a lane holds reason x way");

SP_INLINE __u32 sp_pace_cell(enum sp_reason reason, __u32 user_id, const struct sp_addr *src)
{
	return reason * SP_PACE_WAYS + ((user_id ^ src->b[15]) & (SP_PACE_WAYS - 1));
}

/* One drop: may it be told? If not it counts as left out. One writer. cost_ns: between two. */
SP_INLINE bool sp_pace_take(struct sp_drop_pace *p, __u64 now_ns, __u32 cost_ns)
{
	__u64 tat_ns = p->tat_ns > now_ns ? p->tat_ns : now_ns;

	if (tat_ns - now_ns >= (__u64)cost_ns * SP_PACE_BURST) {
		p->left_out++;
		p->waiting++;
		return false;
	}
	p->tat_ns = tat_ns + cost_ns;
	return true;
}

/* The event had no place. */
SP_INLINE void sp_pace_lose(struct sp_drop_pace *p)
{
	p->lost++;
	p->waiting++;
}

#endif
