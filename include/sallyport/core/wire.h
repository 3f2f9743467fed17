/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Numbers of the wire, and the one bounded way to packet bytes. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_WIRE_H
#define SALLYPORT_CORE_WIRE_H

#include "sallyport/core/addr.h"

#define SP_ETH_BYTES	       14
#define SP_VLAN_BYTES	       4
#define SP_ETHERTYPE_IPV4      0x0800
#define SP_ETHERTYPE_ARP       0x0806
#define SP_ETHERTYPE_VLAN      0x8100
#define SP_ETHERTYPE_IPV6      0x86dd
#define SP_ETHERTYPE_QINQ      0x88a8
#define SP_IPV4_BYTES	       20
#define SP_IPV6_BYTES	       40
#define SP_TCP_BYTES	       20
#define SP_UDP_BYTES	       8
#define SP_ICMP_BYTES	       8
#define SP_PROTO_HOP_BY_HOP    0
#define SP_PROTO_ICMP	       1
#define SP_PROTO_TCP	       6
#define SP_PROTO_UDP	       17
#define SP_PROTO_ROUTING       43
#define SP_PROTO_FRAGMENT      44
#define SP_PROTO_ICMPV6	       58
#define SP_PROTO_NONE	       59
#define SP_PROTO_DESTINATION   60
#define SP_TCP_FIN	       0x01
#define SP_TCP_SYN	       0x02
#define SP_TCP_RST	       0x04
#define SP_TCP_ACK	       0x10
#define SP_ICMP_ECHO_REPLY     0
#define SP_ICMP_UNREACHABLE    3
#define SP_ICMP_QUENCH	       4
#define SP_ICMP_REDIRECT       5
#define SP_ICMP_ECHO	       8
#define SP_ICMP_TIME_EXCEEDED  11
#define SP_ICMP_PARAMETER      12
#define SP_ICMP6_UNREACHABLE   1
#define SP_ICMP6_TOO_BIG       2
#define SP_ICMP6_TIME_EXCEEDED 3
#define SP_ICMP6_PARAMETER     4
#define SP_ICMP6_ECHO	       128
#define SP_ICMP6_ECHO_REPLY    129

/* No header stands further in than this: above every jumbo frame, below the verifier's 65535. */
#define SP_OFF_MAX 0x3fff

/* Hide where a value comes from, so that clang keeps the checked register as the used one. */
#ifdef __bpf__
#define SP_OPAQUE(v) asm volatile("" : "+r"(v))
#else
#define SP_OPAQUE(v)
#endif

/* The bytes [off, off + bytes) of the packet, or NULL when they are not all there. */
SP_INLINE __u8 *sp_at(const void *data, const void *end, __u32 off, __u32 bytes)
{
	__u8 *p = (__u8 *)data;
#ifdef __bpf__
	__u64 at = off;

	SP_OPAQUE(at);
	if (at > SP_OFF_MAX)
		return 0;
	p += at;
	SP_OPAQUE(p);
	if (p + bytes > (__u8 *)end)
		return 0;
	return p;
#else
	if (off > SP_OFF_MAX || (__u64)((const __u8 *)end - p) < (__u64)off + bytes)
		return 0;
	return p + off;
#endif
}

/* Packet words lie at any address in a worker's frame; BPF loads are safe at any. */
SP_INLINE __u16 sp_load16(const void *p)
{
#ifdef __bpf__
	return *(const __u16 *)p;
#else
	__u16 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
#endif
}

SP_INLINE __u32 sp_load32(const void *p)
{
#ifdef __bpf__
	return *(const __u32 *)p;
#else
	__u32 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
#endif
}

SP_INLINE void sp_store16(void *p, __u16 v)
{
#ifdef __bpf__
	*(__u16 *)p = v;
#else
	__builtin_memcpy(p, &v, sizeof(v));
#endif
}

SP_INLINE void sp_store32(void *p, __u32 v)
{
#ifdef __bpf__
	*(__u32 *)p = v;
#else
	__builtin_memcpy(p, &v, sizeof(v));
#endif
}

/* Network to host order and back. */
SP_INLINE __u16 sp_swap16(__u16 v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap16(v);
#else
	return v;
#endif
}

SP_INLINE __u32 sp_swap32(__u32 v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap32(v);
#else
	return v;
#endif
}

SP_INLINE struct sp_addr sp_load_addr6(const void *p)
{
	const __u8 *b = p;
	union sp_addr_words u = {
		.w32 = {sp_load32(b), sp_load32(b + 4), sp_load32(b + 8), sp_load32(b + 12)}};

	return u.addr;
}

#endif
