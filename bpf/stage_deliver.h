/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stage 9: the rest is the host's own, or nobody's. XDP only. */
#ifndef SP_BPF_STAGE_DELIVER_H
#define SP_BPF_STAGE_DELIVER_H

#include "context.h"
#include "stage_locate.h"

SP_INLINE enum sp_verdict sp_deliver_foreign(struct sp_xdp *x)
{
	/* Never forwarded by anyone; netlink may not have told us of a new one yet. */
	if (sp_is_link_local6(&x->packet.dst) &&
	    !(x->packet.proto == SP_PROTO_UDP && sp_is_listener(x->packet.dport_be)))
		return SP_V_PASS;
	if (!x->iface)
		return sp_drop(x, SP_R_NO_INTERFACE);
	if (sp_inner_lookup(&x->packet.dst)) {
		x->direction = SP_DIR_DOWN;
		return sp_drop(x, SP_R_INNER_FROM_OUTSIDE);
	}
	return sp_drop(x, SP_R_NOT_FOR_US);
}

SP_INLINE enum sp_verdict sp_deliver(struct sp_xdp *x)
{
	if (x->handshake)
		return SP_V_PASS;
	if (!x->local)
		return sp_deliver_foreign(x);
	if (x->local->kind == SP_LOCAL_INNER)
		return sp_drop(x, SP_R_INNER_FROM_OUTSIDE);
	if (x->local->kind == SP_LOCAL_SUBNET && sp_is_to_tunnel_port(&x->packet))
		return sp_drop(x, SP_R_UNSPECIFIED);
	if (x->unasked == SP_R_NONE)
		return SP_V_PASS;
	x->direction = SP_DIR_DOWN;
	return sp_drop(x, x->unasked);
}

#endif
