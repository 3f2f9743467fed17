/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* The rate of handshakes by source (sp_sources): whom one counts as, and may it? Pure; XDP. */
#ifndef SALLYPORT_CORE_SOURCE_H
#define SALLYPORT_CORE_SOURCE_H

#include "sallyport/abi/gateway.h"
#include "sallyport/core/addr.h"

#define SP_SOURCE_TRIES 4

/* Whoever has one IPv6 address has the /64 around it. */
SP_INLINE struct sp_addr sp_source_key(const struct sp_addr *src)
{
	union sp_addr_words u = {.addr = *src};

	if (!sp_addr_is_v4(src))
		u.w64[1] = 0;
	return u.addr;
}

/* One handshake of cost_ns, GCRA as in core/bucket.h. Losing every race refuses: it is a flood. */
SP_INLINE bool sp_source_take(struct sp_source *s, __u64 now_ns, __u64 cost_ns, __u64 burst_ns)
{
	__u64 tat_ns = *(volatile __u64 *)&s->tat_ns;
	__u64 next_ns, was_ns;
	__u32 i;

	for (i = 0; i < SP_SOURCE_TRIES; i++) {
		next_ns = (tat_ns > now_ns ? tat_ns : now_ns) + cost_ns;
		if (next_ns > now_ns + burst_ns)
			return false;
		was_ns = __sync_val_compare_and_swap(&s->tat_ns, tat_ns, next_ns);
		if (was_ns == tat_ns)
			return true;
		tat_ns = was_ns;
	}
	return false;
}

#endif
