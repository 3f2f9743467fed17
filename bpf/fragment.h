/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records of datagrams in fragments: made by a first one that passed, asked by the others. XDP only. */
#ifndef SP_BPF_FRAGMENT_H
#define SP_BPF_FRAGMENT_H

#include "context.h"

#include "sallyport/core/fragment.h"

/*
 * The key of a later fragment's flow: addresses as they are, the rest as its first one had it. It
 * has not passed yet: sp_fragment_note tells the record.
 */
__attribute__((noinline)) int sp_fragment_follow(const struct sp_packet *p, __u64 now_ns,
						 struct sp_flow_key *key)
{
	struct sp_scratch *s = sp_scratch_lookup();
	struct sp_fragment *f;

	if (!p || !key || !s)
		return SP_R_FRAGMENT;
	sp_fragment_key_of(p, &s->which);
	f = bpf_map_lookup_elem(&sp_fragments, &s->which);
	if (!f)
		return SP_R_FRAGMENT;
	key->sport_be = f->sport_be;
	key->dport_be = f->dport_be;
	key->proto = f->proto;
	return sp_fragment_check(f, p, now_ns);
}

/* A later one has passed; with the last of a datagram its record ends. */
__attribute__((noinline)) int sp_fragment_pass(const struct sp_packet *p)
{
	struct sp_scratch *s = sp_scratch_lookup();
	struct sp_fragment *f;

	if (!p || !s)
		return 0;
	sp_fragment_key_of(p, &s->which);
	f = bpf_map_lookup_elem(&sp_fragments, &s->which);
	if (f && sp_fragment_take(f, p))
		bpf_map_delete_elem(&sp_fragments, &s->which);
	return 0;
}

/* FRAGMENT: another datagram under this identification has not come to its end; both are lost. */
__attribute__((noinline)) int sp_fragment_begin(const struct sp_packet *p, __u64 now_ns,
						const struct sp_flow_key *key)
{
	struct sp_scratch *s = sp_scratch_lookup();
	const struct sp_fragment *there;

	if (!p || !key || !s)
		return SP_R_FRAGMENT;
	sp_fragment_key_of(p, &s->which);
	sp_fragment_first(p, key->sport_be, key->dport_be, now_ns, &s->fresh);
	there = bpf_map_lookup_elem(&sp_fragments, &s->which);
	if (there && !sp_fragment_is_old(there, now_ns) && !sp_fragment_is_same(there, &s->fresh)) {
		bpf_map_delete_elem(&sp_fragments, &s->which);
		return SP_R_FRAGMENT;
	}
	/* A map that has no place for it leaves the later ones without their first. */
	bpf_map_update_elem(&sp_fragments, &s->which, &s->fresh, BPF_ANY);
	return SP_R_NONE;
}

/* What passed by its flow, known by key. */
SP_INLINE enum sp_verdict sp_fragment_note(struct sp_xdp *x, const struct sp_flow_key *key,
					   enum sp_verdict v)
{
	enum sp_reason reason;

	if (v == SP_V_DROP || x->packet.fragment == SP_FRAGMENT_NONE)
		return v;
	if (x->packet.fragment == SP_FRAGMENT_LATER) {
		sp_fragment_pass(&x->packet);
		return v;
	}
	reason = sp_fragment_begin(&x->packet, x->now_ns, key);
	return reason == SP_R_NONE ? v : sp_drop(x, reason);
}

#endif
