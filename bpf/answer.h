/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who hears why a packet was dropped, from whom, and how often. XDP only. */
#ifndef SP_BPF_ANSWER_H
#define SP_BPF_ANSWER_H

#include "answer_build.h"

/* As a worker's (RFC 1812 4.3.2.8, RFC 4443 2.4 (f)): of each kind 1000 a second, 64 at once. */
#define SP_ANSWER_COST_NS  1000000ull
#define SP_ANSWER_BURST_NS (64 * SP_ANSWER_COST_NS)

/* What the sender of a dropped packet is owed; only plain egress has these reasons in XDP. */
SP_INLINE enum sp_notice sp_notice_of(const struct sp_xdp *x)
{
	if (x->reason == SP_R_TTL_EXPIRED)
		return SP_NOTICE_TIME;
	if (x->reason == SP_R_TOO_BIG)
		return SP_NOTICE_TOO_BIG;
	return x->reason == SP_R_POLICY_DENY && x->rejects ? SP_NOTICE_REJECT : SP_NOTICE_NONE;
}

/* False: this CPU has said enough of this kind. */
SP_INLINE bool sp_answer_is_due(const struct sp_xdp *x, enum sp_notice notice)
{
	__u32 zero = 0, kind = notice & (SP_NOTICE_KINDS - 1);
	struct sp_pace *pace = bpf_map_lookup_elem(&sp_plain_pace, &zero);
	__u64 tat_ns;

	if (!pace)
		return false;
	tat_ns = pace->answer_tat_ns[kind] > x->now_ns ? pace->answer_tat_ns[kind] : x->now_ns;
	if (tat_ns - x->now_ns > SP_ANSWER_BURST_NS) {
		pace->answers_lost[kind]++;
		return false;
	}
	pace->answer_tat_ns[kind] = tat_ns + SP_ANSWER_COST_NS;
	pace->answers[kind]++;
	return true;
}

SP_INLINE bool sp_is_nowhere(const struct sp_addr *a)
{
	const union sp_addr_words *u = (const union sp_addr_words *)a;

	return (u->w64[0] | u->w64[1]) == 0;
}

/*
 * Outside knows a translated flow's address only, which is the packet's destination. RFC 7600 4.8:
 * 192.0.0.8 where no IPv4 address of ours fits.
 */
SP_INLINE struct sp_addr sp_answer_source(const struct sp_xdp *x)
{
	const struct sp_addr dummy = {.b = {[10] = 0xff, 0xff, 192, 0, 0, 8}};
	struct sp_addr from = {0};

	if (x->direction == SP_DIR_DOWN && x->local)
		return x->packet.dst;
	if (x->iface)
		from = x->packet.version == 4 ? x->iface->addr4 : x->iface->addr6;
	if (sp_is_nowhere(&from))
		from = x->packet.version == 4 ? dummy : x->packet.dst;
	return from;
}

/*
 * x is dropped: what becomes of the frame. Where its sender is to be told it is turned round, and
 * leaves by redirect: a veth does not wake its far end for XDP_TX when no program stands there.
 */
SP_INLINE int sp_answer(struct sp_xdp *x)
{
	struct sp_answer_plan plan = {0};

	plan.kind = sp_notice_of(x);
	if (plan.kind == SP_NOTICE_NONE || !x->iface || !sp_icmp_may_answer(&x->packet) ||
	    !sp_answer_is_due(x, plan.kind))
		return XDP_DROP;
	plan.from = sp_answer_source(x);
	plan.mtu = plan.kind == SP_NOTICE_TOO_BIG ? x->mtu : 0;
	if (!sp_answer_build(x->ctx, &x->packet, &plan))
		return XDP_DROP;
	return bpf_redirect_map(&sp_devs, x->iface->slot, XDP_DROP);
}

#endif
