/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A frame becomes its own answer: a TCP reset, or an ICMP error. XDP only. */
#ifndef SP_BPF_ANSWER_BUILD_H
#define SP_BPF_ANSWER_BUILD_H

#include "context.h"

#include "sallyport/core/icmp_emit.h"
#include "sallyport/core/reset.h"

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
	/* Linux 6.1 learns no lower bound from a comparison with zero. */
	quoted--;
	SP_OPAQUE(quoted);
	if (quoted >= SP_QUOTED_MAX || header > SP_IPV6_BYTES + SP_ICMP_BYTES ||
	    sp_addr_is_v4(&plan->from) != (p->version == 4))
		return 0;
	quoted++;
	SP_OPAQUE(quoted);
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

#endif
