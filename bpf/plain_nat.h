/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Outside addresses and ports of plain flows: kept where they are, claimed where not. XDP only. */
#ifndef SP_BPF_PLAIN_NAT_H
#define SP_BPF_PLAIN_NAT_H

#include "plain.h"

#define SP_PORT_TRIES 32

SP_INLINE bool sp_port_is_ours(const struct sp_egress *e, __u32 port)
{
	return e->slices && port >= e->port_min && port <= e->port_max && port != 0 &&
	       (port >> 1) % e->slices == e->slice;
}

/* Any port of the slice near a random place of the range; 0 when the edge was hit. */
SP_INLINE __u32 sp_port_any(const struct sp_egress *e, __u32 sport, bool parity)
{
	__u32 random = bpf_get_prandom_u32();
	__u32 span = (__u32)e->port_max - e->port_min + 1;
	__u32 pair, port;

	if (!e->slices || !span)
		return 0;
	pair = (e->port_min + random % span) >> 1;
	pair = pair - pair % e->slices + e->slice;
	port = pair << 1 | (parity ? sport & 1 : random >> 31);
	return sp_port_is_ours(e, port) ? port : 0;
}

SP_INLINE void sp_port_name(struct sp_plain *s, __u32 port)
{
	__builtin_memset(&s->port_key, 0, sizeof(s->port_key));
	s->port_key.addr = s->egress.addr;
	s->port_key.port_be = (__be16)sp_swap16((__u16)port);
	s->port_key.proto = s->binding_key.proto;
}

SP_INLINE bool sp_port_claim(struct sp_plain *s, __u32 port)
{
	sp_port_name(s, port);
	s->port.owner = s->binding_key;
	s->port.claimed_ns = s->now_ns;
	return bpf_map_update_elem(&sp_ports, &s->port_key, &s->port, BPF_NOEXIST) == 0;
}

SP_INLINE void sp_port_release(struct sp_plain *s, __u32 port)
{
	sp_port_name(s, port);
	(void)bpf_map_delete_elem(&sp_ports, &s->port_key);
}

/* RFC 4787 REQ-3: the port it has, else any. RFC 4787 REQ-4: UDP keeps the parity. 0: none. */
__attribute__((noinline)) int sp_plain_claim(void)
{
	struct sp_plain *s = sp_plain_here();
	__u32 wanted, port, i;

	if (!s)
		return 0;
	wanted = sp_swap16(s->binding_key.sport_be);
	if (sp_port_is_ours(&s->egress, wanted) && sp_port_claim(s, wanted))
		return (int)wanted;
	for (i = 0; i < SP_PORT_TRIES; i++) {
		port = sp_port_any(&s->egress, wanted, s->binding_key.proto == SP_PROTO_UDP);
		if (port && sp_port_claim(s, port))
			return (int)port;
	}
	return 0;
}

/* A binding whose address or port is offered no more serves its old flows only. */
SP_INLINE bool sp_plain_bound(struct sp_plain *s)
{
	struct sp_binding *b = bpf_map_lookup_elem(&sp_bindings, &s->binding_key);

	if (!b || !sp_addr_equal(&b->addr, &s->egress.addr) ||
	    !sp_port_is_ours(&s->egress, sp_swap16(b->port_be)))
		return false;
	*(volatile __u64 *)&b->used_ns = s->now_ns;
	s->binding = *b;
	return true;
}

/* s->egress and s->binding_key are set. The outside port into s->binding. */
__attribute__((noinline)) int sp_plain_bind(void)
{
	struct sp_plain *s = sp_plain_here();
	__u32 port;

	if (!s)
		return SP_R_NAT_NO_POOL;
	if (sp_plain_bound(s))
		return SP_R_NONE;
	port = (__u32)sp_plain_claim();
	if (!port)
		return SP_R_NAT_EXHAUSTED;
	s->binding.addr = s->egress.addr;
	s->binding.port_be = (__be16)sp_swap16((__u16)port);
	s->binding.used_ns = s->now_ns;
	__builtin_memset(s->binding.pad, 0, sizeof(s->binding.pad));
	if (bpf_map_update_elem(&sp_bindings, &s->binding_key, &s->binding, BPF_NOEXIST) == 0)
		return SP_R_NONE;
	/* Another CPU was first, or what stands there is of an old pool and gives way. */
	if (sp_plain_bound(s)) {
		sp_port_release(s, port);
		return SP_R_NONE;
	}
	s->binding.addr = s->egress.addr;
	s->binding.port_be = (__be16)sp_swap16((__u16)port);
	if (bpf_map_update_elem(&sp_bindings, &s->binding_key, &s->binding, BPF_ANY) == 0)
		return SP_R_NONE;
	sp_port_release(s, port);
	return SP_R_NAT_EXHAUSTED;
}

#endif
