/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* What is known about a packet after its headers were read. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_PACKET_H
#define SALLYPORT_CORE_PACKET_H

#include "sallyport/abi/flow.h"
#include "sallyport/abi/verdict.h"
#include "sallyport/core/wire.h"

#define SP_FRAGMENT_NONE  0 /* whole, an atomic fragment (RFC 6946) too */
#define SP_FRAGMENT_FIRST 1
#define SP_FRAGMENT_LATER 2 /* no transport header: ports are 0 */

/* Offsets count from the data pointer that was parsed; there is no padding to initialise. */
struct sp_packet {
	struct sp_addr src;
	struct sp_addr dst;
	__u16 l3_off;
	__u16 l4_off;
	__u16 l3_bytes;	   /* the whole IP packet, from its header, without Ethernet padding */
	__u16 payload_off; /* after TCP or UDP; l4_off + 8 for ICMP; l4_off for anything else */
	__be16 sport_be;   /* ICMP echo request: identifier */
	__be16 dport_be;   /* ICMP echo reply: identifier */
	__u16 icmp;	   /* type << 8 | code, of ICMP or ICMPv6 */
	__u16 ethertype;   /* host order */
	__u8 proto;	   /* IPPROTO_*, of what follows the extension headers */
	__u8 version;	   /* 4, 6, or 0: not IP */
	__u8 fragment;
	__u8 tos; /* DSCP and ECN, of either version */
	__u8 ttl;
	__u8 tcp_flags;
	__u8 icmp_error;   /* 1: embeds a packet (unreachable, too big, time, parameter problem) */
	__u8 vlan_tags;	   /* those that name a VLAN: priority tags do not count */
	__u32 fragment_id; /* IPv4: of whole packets too. As it lies in the packet */
	__u16 fragment_begin; /* of a fragment: where l4_off lies in the whole's fragmentable part */
	__u8 fragment_more;   /* of a fragment: it is not the last */
	__u8 may_split;	      /* IPv4 without DF */
};
_Static_assert(sizeof(struct sp_packet) == 64, "no hidden padding: BPF reads all of it");

/* The packet as a key, as seen: whose port an echo identifier is stands in the parsed ports. */
SP_INLINE void sp_packet_flow_key(const struct sp_packet *p, struct sp_flow_key *ret_key)
{
	ret_key->src = p->src;
	ret_key->dst = p->dst;
	ret_key->sport_be = p->sport_be;
	ret_key->dport_be = p->dport_be;
	ret_key->proto = p->proto;
	ret_key->pad[0] = 0;
	ret_key->pad[1] = 0;
	ret_key->pad[2] = 0;
}

#endif
