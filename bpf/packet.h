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

__attribute__((noinline)) int sp_packet_rewrite(struct xdp_md *ctx, const struct sp_packet *p,
						const struct sp_addr *addr, __u32 port_be)
{
	if (!p || !addr)
		return SP_R_BAD_HEADER;
	return sp_rewrite((void *)(long)ctx->data, (void *)(long)ctx->data_end, p, SP_REWRITE_DST,
			  addr, (__be16)port_be);
}

__attribute__((noinline)) int sp_packet_rewrite_embedded(struct xdp_md *ctx,
							 const struct sp_packet *outer,
							 const struct sp_packet *inner,
							 const struct sp_addr *addr, __u32 port_be)
{
	if (!outer || !inner || !addr)
		return SP_R_BAD_HEADER;
	return sp_rewrite_embedded((void *)(long)ctx->data, (void *)(long)ctx->data_end, outer,
				   inner, SP_REWRITE_SRC, addr, (__be16)port_be);
}

#endif
