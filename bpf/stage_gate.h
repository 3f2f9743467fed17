/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stage 3: as long as no policy is loaded only the host's own traffic passes. XDP only. */
#ifndef SP_BPF_STAGE_GATE_H
#define SP_BPF_STAGE_GATE_H

#include "context.h"

/* To an address of the kernel's, and to no port of the gateway's. */
SP_INLINE bool sp_is_host_only(const struct sp_xdp *x)
{
	const struct sp_packet *p = &x->packet;
	bool ports = p->proto == SP_PROTO_UDP || p->proto == SP_PROTO_TCP;

	if (!x->local)
		return false;
	if (p->proto == SP_PROTO_UDP && sp_is_listener(p->dport_be))
		return false;
	if (x->local->kind == SP_LOCAL_SHARED)
		return !ports || !sp_is_nat_port(x->local, p->dport_be);
	return x->local->kind == SP_LOCAL_HOST || x->local->kind == SP_LOCAL_SUBNET;
}

SP_INLINE enum sp_verdict sp_gate(struct sp_xdp *x)
{
	__u32 zero = 0;

	x->gateway = bpf_map_lookup_elem(&sp_gateway, &zero);
	if (!x->gateway)
		return sp_drop(x, SP_R_CLOSED);
	if (x->gateway->open && x->gateway->abi == SP_ABI_VERSION)
		return SP_V_NEXT;
	return sp_is_host_only(x) ? SP_V_PASS : sp_drop(x, SP_R_CLOSED);
}

#endif
