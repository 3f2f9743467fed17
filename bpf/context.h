/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the stages know about one packet, and the look-ups that several of them make. XDP only. */
#ifndef SP_BPF_CONTEXT_H
#define SP_BPF_CONTEXT_H

#include "maps.h"
#include "packet.h"

#include "sallyport/core/bucket.h"

struct sp_xdp {
	struct xdp_md *ctx;
	const struct sp_iface *iface; /* NULL: no entry */
	const struct sp_local *local; /* what the destination is to us; NULL: not ours */
	const struct sp_gateway *gateway;
	__u64 now_ns;
	__u32 roles;
	enum sp_reason reason;	/* of SP_V_DROP */
	enum sp_reason unasked; /* why a NAT port refuses it; NONE: not at one */
	enum sp_direction direction;
	__u32 out_slot; /* of SP_V_REDIRECT, in sp_devs */
	__u32 mtu;	/* of SP_R_TOO_BIG: what would have passed */
	bool handshake; /* a tunnel's handshake: the daemon's socket, at its rate */
	bool rejects;	/* of SP_V_DROP: the rule tells the sender */
	__u32 hit_id;	/* of the rule in meta */
	struct sp_packet packet;
	struct sp_meta meta; /* of SP_V_WORKER; of a drop: who and what rule, as far as known */
};

/* What the stack, 512 bytes of all functions together, has no room for. */
struct sp_scratch {
	struct sp_packet inner; /* quoted by an ICMP error */
	struct sp_flow_key key; /* of an answer's flow */
	struct sp_fragment_key which;
	struct sp_fragment fresh;
};

/* No packet meets it half done: XDP runs to its end on a CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sp_scratch);
} sp_scratch SEC(".maps");

SP_INLINE struct sp_scratch *sp_scratch_lookup(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&sp_scratch, &zero);
}

SP_INLINE void *sp_data(const struct sp_xdp *x)
{
	return (void *)(long)x->ctx->data;
}

SP_INLINE void *sp_end(const struct sp_xdp *x)
{
	return (void *)(long)x->ctx->data_end;
}

SP_INLINE enum sp_verdict sp_drop(struct sp_xdp *x, enum sp_reason reason)
{
	x->reason = reason;
	return SP_V_DROP;
}

/* The same for a packet of a flow. */
SP_INLINE enum sp_verdict sp_drop_of(struct sp_xdp *x, const struct sp_flow *flow,
				     enum sp_reason reason)
{
	x->meta.user_id = flow->user_id;
	x->meta.peer_id = flow->peer_id;
	x->meta.rule_id = flow->rule_id;
	x->hit_id = flow->hit_id;
	return sp_drop(x, reason);
}

SP_INLINE bool sp_is_listener(__be16 port_be)
{
	struct sp_listener_key key = {.port_be = port_be};

	return bpf_map_lookup_elem(&sp_listeners, &key) != NULL;
}

SP_INLINE bool sp_is_nat_port(const struct sp_local *local, __be16 port_be)
{
	__u16 port = sp_swap16(port_be);

	return local->port_max && port >= local->port_min && port <= local->port_max;
}

SP_INLINE const struct sp_inner *sp_inner_lookup(const struct sp_addr *addr)
{
	struct sp_lpm_key key = {.prefixlen = 128};

	__builtin_memcpy(key.addr, addr->b, sizeof(key.addr));
	return bpf_map_lookup_elem(&sp_inner, &key);
}

/* A bucket that the map does not hold has no rate that could be kept, so nothing passes it. */
SP_INLINE bool sp_bucket_allows(const struct sp_xdp *x, __u32 id, __u32 bytes)
{
	struct sp_bucket *bucket = bpf_map_lookup_elem(&sp_buckets, &id);

	return bucket && sp_bucket_take(bucket, x->now_ns, bytes);
}

/*
 * One of the two buckets of a user: may so many bytes pass? Nothing of a user that the map
 * does not hold passes.
 */
SP_INLINE bool sp_user_take(const struct sp_xdp *x, __u32 user_id, bool up, __u32 bytes)
{
	const struct sp_user *user = bpf_map_lookup_elem(&sp_users, &user_id);
	__u32 id;

	if (!user)
		return false;
	id = up ? user->bucket_up : user->bucket_down;
	return !id || sp_bucket_allows(x, id, bytes);
}

#endif
