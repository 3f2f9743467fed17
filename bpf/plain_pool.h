/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The pool a plain flow leaves by, and those it may turn to. XDP only. */
#ifndef SP_BPF_PLAIN_POOL_H
#define SP_BPF_PLAIN_POOL_H

#include "plain_nat.h"

#define SP_FALLBACKS_MAX 4 /* SP_NAT_FALLBACKS_MAX of nat/nat.h */

/* Only whoever owns the address is refused here: nobody else's port was in reach. */
SP_INLINE void sp_plain_refused(const struct sp_plain *s)
{
	__u32 id = s->egress.use_id;
	struct sp_egress_use *use = id ? bpf_map_lookup_elem(&sp_egress_use, &id) : NULL;

	if (!use)
		return;
	__sync_fetch_and_add(&use->refused, 1);
	*(volatile __u64 *)&use->refused_ns = s->now_ns;
}

/* s->key leaves by pool s->pool_id: what its entries say about the translation. */
__attribute__((noinline)) int sp_plain_nat_by(void)
{
	struct sp_plain *s = sp_plain_here();
	struct sp_egress_key key = {0};
	const struct sp_egress *egress;
	enum sp_reason r;

	if (!s)
		return SP_R_NAT_NO_POOL;
	key.user_id = s->user_id;
	key.pool_id = (__u16)s->pool_id;
	key.version = sp_addr_is_v4(&s->key.src) ? 4 : 6;
	egress = bpf_map_lookup_elem(&sp_egress, &key);
	s->pool_id = egress ? egress->fallback : 0;
	if (!egress || (!egress->port_max && !egress->routed))
		return SP_R_NAT_NO_POOL;
	if (egress->routed)
		return SP_R_NONE;
	s->egress = *egress;
	s->binding_key.src = s->key.src;
	s->binding_key.user_id = s->user_id;
	s->binding_key.sport_be = s->key.sport_be;
	s->binding_key.proto = s->key.proto;
	s->binding_key.pool_id = s->egress.pool_id;
	r = sp_plain_bind();
	if (r != SP_R_NONE) {
		sp_plain_refused(s);
		return r;
	}
	s->flow.translated = 1;
	s->flow.nat_addr = s->binding.addr;
	s->flow.nat_port_be = s->binding.port_be;
	return SP_R_NONE;
}

/* Another pool's address only where the configuration names that pool as a fall-back. */
__attribute__((noinline)) int sp_plain_nat(void)
{
	struct sp_plain *s = sp_plain_here();
	int i, r = SP_R_NAT_NO_POOL;

	if (!s)
		return r;
	for (i = 0; i < SP_FALLBACKS_MAX; i++) {
		r = sp_plain_nat_by();
		if (r == SP_R_NONE || !s->pool_id)
			break;
	}
	return r;
}

#endif
