/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Telling the sender of a dropped packet why: the packet becomes its answer. XDP only. */
#ifndef SP_BPF_ANSWER_H
#define SP_BPF_ANSWER_H

#include "context.h"

#include "sallyport/core/icmp.h"
#include "sallyport/core/reset.h"

/* As a worker's (RFC 1812 4.3.2.8, RFC 4443 2.4 (f)): of each kind 1000 a second, 64 at once. */
#define SP_ANSWER_COST_NS  1000000ull
#define SP_ANSWER_BURST_NS (64 * SP_ANSWER_COST_NS)

#define SP_QUOTED_MAX	(SP_ICMP6_ERROR_MAX - SP_IPV6_BYTES - SP_ICMP_BYTES)
#define SP_CSUM_AT_ONCE 512 /* bytes that bpf_csum_diff takes */
#define SP_CSUM_STEPS	((SP_QUOTED_MAX + SP_CSUM_AT_ONCE - 1) / SP_CSUM_AT_ONCE)

/* The answer as a frame, but for two bytes in front; behind it room for the checksum's last step. */
struct sp_answer {
	__u8 pad[2];
	__u8 eth[SP_ETH_BYTES];
	__u8 ip[SP_IPV6_BYTES + SP_ICMP_BYTES + SP_CSUM_STEPS * SP_CSUM_AT_ONCE];
};

/* What is asked for, since a function takes five arguments. */
struct sp_answer_plan {
	struct sp_addr from;
	enum sp_notice kind;
	__u32 mtu;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sp_answer);
} sp_answer_now SEC(".maps");

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

/* Sum of the quotation, which is zero behind its end. Bounded by the caller. */
SP_INLINE __u64 sp_answer_sum(const __u8 *quoted, __u32 bytes)
{
	__s64 sum = 0;
	__u32 i, n;

	for (i = 0; i < SP_CSUM_STEPS; i++) {
		if (bytes <= i * SP_CSUM_AT_ONCE)
			break;
		n = bytes - i * SP_CSUM_AT_ONCE;
		n = n < SP_CSUM_AT_ONCE ? (n + 3) & ~3u : SP_CSUM_AT_ONCE;
		SP_OPAQUE(n);
		if (n > SP_CSUM_AT_ONCE)
			break;
		sum = bpf_csum_diff(NULL, 0, (__be32 *)(quoted + i * SP_CSUM_AT_ONCE), n,
				    (__wsum)sum);
	}
	return (__u32)sum;
}

/* The ICMP error into a->ip: its length, 0 when it cannot be. */
SP_INLINE __u32 sp_answer_error(struct xdp_md *ctx, const struct sp_packet *p,
				const struct sp_answer_plan *plan, struct sp_answer *a)
{
	__u32 quoted = sp_icmp_quoted_bytes(p), header = sp_icmp_header_bytes(p);
	__u16 type_code = sp_icmp_prohibited(p->version == 4);
	__u64 sum;

	if (plan->kind == SP_NOTICE_TIME)
		type_code = sp_icmp_time_exceeded(p->version == 4);
	else if (plan->kind == SP_NOTICE_TOO_BIG)
		type_code = sp_icmp_too_big(p->version == 4);
	SP_OPAQUE(quoted);
	if (quoted == 0 || quoted > SP_QUOTED_MAX || header > SP_IPV6_BYTES + SP_ICMP_BYTES ||
	    sp_addr_is_v4(&plan->from) != (p->version == 4))
		return 0;
	if (bpf_xdp_load_bytes(ctx, p->l3_off, a->ip + header, quoted))
		return 0;
	__builtin_memset(a->ip + header + quoted, 0, 4);
	sum = sp_icmp_emit(a->ip, p, &plan->from, type_code, plan->mtu);
	sum += sp_answer_sum(a->ip + header, quoted);
	sp_store16(a->ip + header - SP_ICMP_BYTES + 2, (__u16)~sp_csum_fold(sum));
	return header + quoted;
}

SP_INLINE __u32 sp_answer_reset(struct xdp_md *ctx, const struct sp_packet *p, struct sp_answer *a)
{
	__u32 numbers[2];

	if (!sp_reset_may_answer(p) ||
	    bpf_xdp_load_bytes(ctx, p->l4_off + 4u, numbers, sizeof(numbers)))
		return 0;
	sp_reset_emit(a->ip, p, numbers[0], numbers[1]);
	return sp_reset_bytes(p);
}

/* Back between the link addresses that it came by; never about what was sent to many at once. */
SP_INLINE bool sp_answer_link(struct xdp_md *ctx, const struct sp_packet *p, struct sp_answer *a)
{
	const __u8 *eth =
		sp_at((void *)(long)ctx->data, (void *)(long)ctx->data_end, 0, SP_ETH_BYTES);

	if (!eth || (eth[0] & 1) || (eth[6] & 1))
		return false;
	__builtin_memcpy(a->eth, eth + 6, 6);
	__builtin_memcpy(a->eth + 6, eth, 6);
	sp_store16(a->eth + 12, sp_swap16(p->version == 4 ? SP_ETHERTYPE_IPV4 : SP_ETHERTYPE_IPV6));
	return true;
}

/* The frame becomes bytes long: it grows into its headroom, and shrinks at its end. */
SP_INLINE bool sp_answer_resize(struct xdp_md *ctx, __u32 bytes)
{
	__u32 was = (__u32)(ctx->data_end - ctx->data);
	int by = (int)(bytes - was);

	if (by > 0)
		return bpf_xdp_adjust_head(ctx, -by) == 0;
	return by == 0 || bpf_xdp_adjust_tail(ctx, by) == 0;
}

/* True: the frame is now its own answer. False: none is due, and the frame is to be dropped. */
__attribute__((noinline)) int sp_answer_build(struct xdp_md *ctx, const struct sp_packet *p,
					      const struct sp_answer_plan *plan)
{
	__u32 zero = 0, bytes;
	struct sp_answer *a = bpf_map_lookup_elem(&sp_answer_now, &zero);

	if (!p || !plan || !a || !sp_answer_link(ctx, p, a))
		return false;
	if (plan->kind == SP_NOTICE_REJECT && p->proto == SP_PROTO_TCP)
		bytes = sp_answer_reset(ctx, p, a);
	else
		bytes = sp_answer_error(ctx, p, plan, a);
	if (bytes == 0 || bytes > SP_ICMP6_ERROR_MAX)
		return false;
	bytes += SP_ETH_BYTES;
	if (!sp_answer_resize(ctx, bytes))
		return false;
	return bpf_xdp_store_bytes(ctx, 0, a->eth, bytes) == 0;
}

/* x is dropped: is its sender to be told, and has the frame become what tells him? */
SP_INLINE bool sp_answer(struct sp_xdp *x)
{
	struct sp_answer_plan plan = {0};

	plan.kind = sp_notice_of(x);
	if (plan.kind == SP_NOTICE_NONE || !sp_icmp_may_answer(&x->packet) ||
	    !sp_answer_is_due(x, plan.kind))
		return false;
	plan.from = sp_answer_source(x);
	plan.mtu = plan.kind == SP_NOTICE_TOO_BIG ? x->mtu : 0;
	return sp_answer_build(x->ctx, &x->packet, &plan);
}

#endif
