/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stage 7: handshakes, each source at its rate, before they cost the daemon anything. XDP only. */
#ifndef SP_BPF_STAGE_LIMIT_H
#define SP_BPF_STAGE_LIMIT_H

#include "context.h"

#include "sallyport/core/source.h"

SP_INLINE enum sp_verdict sp_limit(struct sp_xdp *x)
{
	struct sp_addr key;
	struct sp_source fresh = {0};
	struct sp_source *source;

	if (!x->handshake)
		return SP_V_NEXT;
	key = sp_source_key(&x->packet.src);
	source = bpf_map_lookup_elem(&sp_sources, &key);
	if (!source) {
		/* Another CPU may have been first; either way the entry is there now. */
		bpf_map_update_elem(&sp_sources, &key, &fresh, BPF_NOEXIST);
		source = bpf_map_lookup_elem(&sp_sources, &key);
	}
	if (!source || !sp_source_take(source, x->now_ns, x->gateway->handshake_cost_ns,
				       x->gateway->handshake_burst_ns))
		return sp_drop(x, SP_R_HANDSHAKE_RATE);
	return SP_V_NEXT;
}

#endif
