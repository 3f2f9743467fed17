/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stage 1: read the headers once. What is not IP is the kernel's: ARP, LLDP. XDP only. */
#ifndef SP_BPF_STAGE_PARSE_H
#define SP_BPF_STAGE_PARSE_H

#include "context.h"

SP_INLINE enum sp_verdict sp_parse(struct sp_xdp *x)
{
	enum sp_reason reason = sp_packet_parse(x->ctx, &x->packet);

	if (reason != SP_R_NONE)
		return sp_drop(x, reason);
	return x->packet.version ? SP_V_NEXT : SP_V_PASS;
}

#endif
