/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stage 8: what the kernel would answer must come from where it says. XDP only. */
#ifndef SP_BPF_STAGE_VERIFY_H
#define SP_BPF_STAGE_VERIFY_H

#include "context.h"
#include "stage_locate.h"

/*
 * Tunnel data and answers to flows have been settled: those are authenticated, these were asked
 * for. An inner address outside a tunnel is how CVE-2019-14899 probes a user's connections.
 */
SP_INLINE enum sp_verdict sp_verify(struct sp_xdp *x)
{
	const struct sp_addr *src = &x->packet.src;

	if (sp_is_group(src) || sp_is_unspecified(src))
		return sp_drop(x, SP_R_UNSPECIFIED);
	if (sp_is_loopback(src) || bpf_map_lookup_elem(&sp_locals, src))
		return sp_drop(x, SP_R_SPOOFED_SOURCE);
	if (sp_inner_lookup(src))
		return sp_drop(x, x->local ? SP_R_SPOOFED_SOURCE : SP_R_INNER_FROM_OUTSIDE);
	return SP_V_NEXT;
}

#endif
