/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* By which key an answer, or an ICMP error, is known. XDP only. */
#ifndef SP_BPF_ANSWER_KEY_H
#define SP_BPF_ANSWER_KEY_H

#include "context.h"
#include "fragment.h"

#include "sallyport/core/flow.h"

SP_INLINE bool sp_is_icmp_type(const struct sp_packet *p, __u8 v4_type, __u8 v6_type)
{
	return p->icmp >> 8 == (p->version == 4 ? v4_type : v6_type);
}

/* The answer's key that an ICMP error is about: the embedded packet left from here, reversed. */
SP_INLINE enum sp_reason sp_error_key(const struct sp_xdp *x, struct sp_packet *ret_inner,
				      struct sp_flow_key *ret_key)
{
	struct sp_flow_key key;
	enum sp_reason reason;

	reason = sp_packet_parse_embedded(x->ctx, &x->packet, ret_inner);
	if (reason != SP_R_NONE)
		return reason;
	if (ret_inner->fragment == SP_FRAGMENT_LATER ||
	    !sp_addr_equal(&ret_inner->src, &x->packet.dst))
		return SP_R_ICMP_UNMATCHED;
	/* Anything but a request would match the flow of identifier 0. */
	if (sp_has_icmp(ret_inner) && !sp_is_icmp_type(ret_inner, SP_ICMP_ECHO, SP_ICMP6_ECHO))
		return SP_R_ICMP_UNMATCHED;
	sp_packet_flow_key(ret_inner, &key);
	sp_flow_key_reverse(&key, ret_key);
	return SP_R_NONE;
}

/* The key by which an answer is known, or why this packet can be none. */
SP_INLINE enum sp_reason sp_answer_key(const struct sp_xdp *x, struct sp_packet *ret_inner,
				       struct sp_flow_key *ret_key)
{
	const struct sp_packet *p = &x->packet;

	sp_packet_flow_key(p, ret_key);
	if (p->fragment == SP_FRAGMENT_LATER)
		return sp_fragment_follow(p, x->now_ns, ret_key);
	if (p->icmp_error && p->fragment == SP_FRAGMENT_FIRST)
		return SP_R_FRAGMENT;
	if (p->icmp_error)
		return sp_error_key(x, ret_inner, ret_key);
	if (p->proto == SP_PROTO_TCP || p->proto == SP_PROTO_UDP)
		return SP_R_NONE;
	if (!sp_has_icmp(p))
		return SP_R_PROTOCOL;
	return sp_is_icmp_type(p, SP_ICMP_ECHO_REPLY, SP_ICMP6_ECHO_REPLY) ? SP_R_NONE
									   : SP_R_NO_FLOW;
}

#endif
