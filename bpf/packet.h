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

/* port_be_which: the new port, and enum sp_rewrite_end above it; five arguments are all there is. */
#define SP_PORT_WHICH(port_be, which) ((__u32)(port_be) | (__u32)(which) << 16)

__attribute__((noinline)) int sp_packet_rewrite(struct xdp_md *ctx, const struct sp_packet *p,
						const struct sp_addr *addr, __u32 port_be_which)
{
	if (!p || !addr)
		return SP_R_BAD_HEADER;
	return sp_rewrite((void *)(long)ctx->data, (void *)(long)ctx->data_end, p,
			  (enum sp_rewrite_end)(port_be_which >> 16 & 1), addr,
			  (__be16)port_be_which);
}

__attribute__((noinline)) int sp_packet_rewrite_embedded(struct xdp_md *ctx,
							 const struct sp_packet *outer,
							 const struct sp_packet *inner,
							 const struct sp_addr *addr,
							 __u32 port_be_which)
{
	if (!outer || !inner || !addr)
		return SP_R_BAD_HEADER;
	return sp_rewrite_embedded((void *)(long)ctx->data, (void *)(long)ctx->data_end, outer,
				   inner, (enum sp_rewrite_end)(port_be_which >> 16 & 1), addr,
				   (__be16)port_be_which);
}

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
	__u32 other = out->which == SP_REWRITE_SRC ? SP_REWRITE_DST : SP_REWRITE_SRC;
	enum sp_reason r;

	if (p->icmp_error) {
		r = sp_packet_rewrite_embedded(ctx, p, inner, &out->addr,
					       SP_PORT_WHICH(out->port_be, other));
		if (r != SP_R_NONE)
			return r;
	}
	return sp_packet_rewrite(ctx, p, &out->addr, SP_PORT_WHICH(out->port_be, out->which));
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
