/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Flow keys turned round, what TCP has shown, and when a flow is idle. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_FLOW_H
#define SALLYPORT_CORE_FLOW_H

#include "sallyport/abi/flow.h"
#include "sallyport/core/wire.h"

#define SP_FLOW_TCP_ESTABLISHED_S 7440 /* RFC 5382 REQ-5 */
#define SP_FLOW_TCP_TRANSITORY_S  240  /* RFC 5382 REQ-5 */
#define SP_FLOW_UDP_S		  300  /* RFC 4787 REQ-5 */
#define SP_FLOW_ICMP_S		  60   /* RFC 5508 REQ-2 */
#define SP_FLOW_OTHER_S		  60
#define SP_NS_PER_S		  1000000000ull

/* k and ret may not be the same object. */
SP_INLINE void sp_flow_key_reverse(const struct sp_flow_key *k, struct sp_flow_key *ret)
{
	ret->src = k->dst;
	ret->dst = k->src;
	ret->sport_be = k->dport_be;
	ret->dport_be = k->sport_be;
	ret->proto = k->proto;
	ret->pad[0] = 0;
	ret->pad[1] = 0;
	ret->pad[2] = 0;
}

/* TCP header flags -> SP_TCP_SEEN_*. */
SP_INLINE __u8 sp_flow_tcp_seen(__u8 tcp_flags)
{
	__u8 seen = 0;

	if (tcp_flags & SP_TCP_SYN)
		seen |= SP_TCP_SEEN_SYN;
	else if (tcp_flags & SP_TCP_ACK)
		seen |= SP_TCP_SEEN_ACK;
	if (tcp_flags & SP_TCP_FIN)
		seen |= SP_TCP_SEEN_FIN;
	if (tcp_flags & SP_TCP_RST)
		seen |= SP_TCP_SEEN_RST;
	return seen;
}

/*
 * RFC 5382 5: established from the third packet of the handshake (or from data of both sides,
 * for a connection older than this gateway) until a reset or until both sides have sent FIN.
 */
SP_INLINE bool sp_flow_is_established(__u8 tcp_seen_original, __u8 tcp_seen_reply)
{
	if ((tcp_seen_original | tcp_seen_reply) & SP_TCP_SEEN_RST)
		return false;
	if (tcp_seen_original & tcp_seen_reply & SP_TCP_SEEN_FIN)
		return false;
	return (tcp_seen_original & SP_TCP_SEEN_ACK) &&
	       (tcp_seen_reply & (SP_TCP_SEEN_SYN | SP_TCP_SEEN_ACK));
}

SP_INLINE __u32 sp_flow_idle_s(__u8 proto, __u8 tcp_seen_original, __u8 tcp_seen_reply)
{
	if (proto == SP_PROTO_TCP)
		return sp_flow_is_established(tcp_seen_original, tcp_seen_reply)
			       ? SP_FLOW_TCP_ESTABLISHED_S
			       : SP_FLOW_TCP_TRANSITORY_S;
	if (proto == SP_PROTO_UDP)
		return SP_FLOW_UDP_S;
	if (proto == SP_PROTO_ICMP || proto == SP_PROTO_ICMPV6)
		return SP_FLOW_ICMP_S;
	return SP_FLOW_OTHER_S;
}

/* seen_ns may lie ahead of now_ns: another CPU wrote it a moment later. */
SP_INLINE bool sp_flow_is_idle(const struct sp_flow *f, __u64 now_ns)
{
	return now_ns > f->seen_ns && now_ns - f->seen_ns >= f->idle_s * SP_NS_PER_S;
}

#endif
