/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading and rewriting packet bytes, each verified by the kernel on its own. XDP only. */
#ifndef SP_BPF_PACKET_H
#define SP_BPF_PACKET_H

#include "maps.h"

#include "sallyport/core/parse.h"
#include "sallyport/core/rewrite.h"

/*
 * Global functions: the verifier walks each once for any argument, instead of once for each way
 * that led there, which would be beyond its limit. The price is that it sees no NULL ruled out.
 */

__attribute__((noinline)) int sp_packet_parse(struct xdp_md *ctx, struct sp_packet *ret_packet)
{
	if (!ret_packet)
		return SP_R_BAD_HEADER;
	return sp_parse_ethernet((void *)(long)ctx->data, (void *)(long)ctx->data_end, ret_packet);
}

__attribute__((noinline)) int sp_packet_parse_embedded(struct xdp_md *ctx,
						       const struct sp_packet *outer,
						       struct sp_packet *ret_inner)
{
	if (!outer || !ret_inner)
		return SP_R_BAD_HEADER;
	return sp_parse_embedded((void *)(long)ctx->data, (void *)(long)ctx->data_end, outer,
				 ret_inner);
}

/* One function for each end: which bytes are written must be plain to Linux 6.1's verifier. */
#define SP_PACKET_REWRITE(end, END, OTHER_END)                                                    \
	__attribute__((noinline)) int sp_packet_rewrite_##end(struct xdp_md *ctx,                 \
							      const struct sp_packet *p,          \
							      const struct sp_addr *addr,         \
							      __u32 port_be)                      \
	{                                                                                         \
		if (!p || !addr)                                                                  \
			return SP_R_BAD_HEADER;                                                   \
		return sp_rewrite((void *)(long)ctx->data, (void *)(long)ctx->data_end, p,        \
				  SP_REWRITE_##END, addr, (__be16)port_be);                       \
	}                                                                                         \
	/* What an ICMP error that changes at this end quotes: the same at its other end. */      \
	__attribute__((noinline)) int sp_packet_rewrite_##end##_embedded(                         \
		struct xdp_md *ctx, const struct sp_packet *outer, const struct sp_packet *inner, \
		const struct sp_addr *addr, __u32 port_be)                                        \
	{                                                                                         \
		if (!outer || !inner || !addr)                                                    \
			return SP_R_BAD_HEADER;                                                   \
		return sp_rewrite_embedded((void *)(long)ctx->data, (void *)(long)ctx->data_end,  \
					   outer, inner, SP_REWRITE_##OTHER_END, addr,            \
					   (__be16)port_be);                                      \
	}
SP_PACKET_REWRITE(src, SRC, DST)
SP_PACKET_REWRITE(dst, DST, SRC)

/* How a packet leaves: rewritten to, and between which link addresses. */
struct sp_out {
	struct sp_addr addr;
	__be16 port_be;
	__u16 mss_max;
	__u8 which; /* enum sp_rewrite_end */
	__u8 translated;
	__u8 dmac[6];
	__u8 smac[6];
	__u8 pad[6];
};

SP_INLINE enum sp_reason sp_out_translate(struct xdp_md *ctx, const struct sp_packet *p,
					  const struct sp_packet *inner, const struct sp_out *out)
{
	bool src = out->which == SP_REWRITE_SRC;
	__u32 port_be = out->port_be;
	enum sp_reason r = SP_R_NONE;

	if (p->icmp_error)
		r = src ? sp_packet_rewrite_src_embedded(ctx, p, inner, &out->addr, port_be)
			: sp_packet_rewrite_dst_embedded(ctx, p, inner, &out->addr, port_be);
	if (r != SP_R_NONE)
		return r;
	return src ? sp_packet_rewrite_src(ctx, p, &out->addr, port_be)
		   : sp_packet_rewrite_dst(ctx, p, &out->addr, port_be);
}

/* inner counts only with an ICMP error. After a failure the packet is half done: to be dropped. */
__attribute__((noinline)) int sp_packet_forward(struct xdp_md *ctx, const struct sp_packet *p,
						const struct sp_packet *inner,
						const struct sp_out *out)
{
	enum sp_reason r = SP_R_NONE;
	__u8 *eth;

	if (!p || !inner || !out)
		return SP_R_BAD_HEADER;
	if (!sp_decrement_ttl((void *)(long)ctx->data, (void *)(long)ctx->data_end, p))
		return SP_R_TTL_EXPIRED;
	if (out->translated)
		r = sp_out_translate(ctx, p, inner, out);
	if (r != SP_R_NONE)
		return r;
	sp_clamp_mss((void *)(long)ctx->data, (void *)(long)ctx->data_end, p, out->mss_max);
	eth = sp_at((void *)(long)ctx->data, (void *)(long)ctx->data_end, 0, SP_ETH_BYTES);
	if (!eth)
		return SP_R_TRUNCATED;
	__builtin_memcpy(eth, out->dmac, 6);
	__builtin_memcpy(eth + 6, out->smac, 6);
	return SP_R_NONE;
}

#endif
