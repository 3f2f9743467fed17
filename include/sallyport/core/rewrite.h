/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* NAT's pen: addresses, ports and echo identifiers, checksums kept right. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_REWRITE_H
#define SALLYPORT_CORE_REWRITE_H

#include "sallyport/core/adjust.h"
#include "sallyport/core/transport.h"

enum sp_rewrite_end {
	SP_REWRITE_SRC,
	SP_REWRITE_DST,
};

/* An identifier belongs to the side that asked: a request's source, a reply's destination. */
SP_INLINE bool sp_rewrite_has_id(const struct sp_packet *p, enum sp_rewrite_end which)
{
	__u8 type = (__u8)(p->icmp >> 8);

	if (which == SP_REWRITE_SRC)
		return type == (p->version == 4 ? SP_ICMP_ECHO : SP_ICMP6_ECHO);
	return type == (p->version == 4 ? SP_ICMP_ECHO_REPLY : SP_ICMP6_ECHO_REPLY);
}

/* What the address change adds to a sum; *sum_all grows by what every written byte adds. */
SP_INLINE __u64 sp_rewrite_addr(__u8 *ip, bool v4, enum sp_rewrite_end which,
				const struct sp_addr *addr, __u64 *sum_all)
{
	const union sp_addr_words *to = (const union sp_addr_words *)addr;
	__u64 diff;

	if (v4) {
		__u8 *at = ip + (which == SP_REWRITE_SRC ? 12 : 16);
		__u16 check = sp_load16(ip + 10);
		__u16 fresh;

		diff = sp_csum_diff32((__be32)sp_load32(at), (__be32)to->w32[3]);
		fresh = sp_csum_apply(check, diff);
		sp_store32(at, to->w32[3]);
		sp_store16(ip + 10, fresh);
		*sum_all += diff + sp_csum_diff16((__be16)check, (__be16)fresh);
	} else {
		__u8 *at = ip + (which == SP_REWRITE_SRC ? 8 : 24);
		struct sp_addr from = sp_load_addr6(at);

		diff = sp_csum_diff_addr(&from, addr);
		sp_store32(at, to->w32[0]);
		sp_store32(at + 4, to->w32[1]);
		sp_store32(at + 8, to->w32[2]);
		sp_store32(at + 12, to->w32[3]);
		*sum_all += diff;
	}
	return diff;
}

SP_INLINE __u64 sp_rewrite_port(__u8 *at, __be16 port_be, __u64 *sum_all)
{
	__u64 diff = sp_csum_diff16((__be16)sp_load16(at), port_be);

	sp_store16(at, (__u16)port_be);
	*sum_all += diff;
	return diff;
}

/* RFC 768: a UDP checksum of 0 means none, so a computed 0 goes out as all ones. */
SP_INLINE void sp_rewrite_check(__u8 *at, __u64 diff, bool udp, __u64 *sum_all)
{
	__u16 check = sp_load16(at);
	__u16 fresh = sp_csum_apply(check, diff);

	if (udp && check == 0)
		return;
	if (udp && fresh == 0)
		fresh = 0xffff;
	sp_store16(at, fresh);
	*sum_all += sp_csum_diff16((__be16)check, (__be16)fresh);
}

/*
 * All bounds first, then all writes. quoted_stop: 0, or the offset where the quotation in an
 * ICMP error ends, which may cut a TCP header before its checksum.
 */
SP_INLINE enum sp_reason sp_rewrite_parts(void *data, const void *end, const struct sp_packet *p,
					  enum sp_rewrite_end which, const struct sp_addr *addr,
					  __be16 port_be, __u32 quoted_stop, __u64 *sum_all)
{
	__u64 v4 = p->version == 4;
	bool icmp = sp_has_icmp(p), tcp = p->proto == SP_PROTO_TCP;
	bool has_l4 = (icmp || tcp || p->proto == SP_PROTO_UDP) && p->fragment != SP_FRAGMENT_LATER;
	__u32 check_off = (__u32)p->l4_off + (tcp ? 16 : icmp ? 2 : 6);
	bool has_check = has_l4 && (!quoted_stop || check_off + 2 <= quoted_stop);
	__u8 *ip, *l4, *check;
	__u64 diff;

	/* One register decides both how much is bounded and how much is written. */
	SP_OPAQUE(v4);
	if (sp_addr_is_v4(addr) != (v4 != 0))
		return SP_R_PROTOCOL;
	ip = sp_at(data, end, p->l3_off, v4 ? SP_IPV4_BYTES : SP_IPV6_BYTES);
	l4 = has_l4 ? sp_at(data, end, p->l4_off, 8) : ip;
	check = has_check ? sp_at(data, end, check_off, 2) : ip;
	if (!ip || !l4 || !check)
		return SP_R_TRUNCATED;
	diff = sp_rewrite_addr(ip, v4 != 0, which, addr, sum_all);
	if (icmp && v4) /* no pseudo-header */
		diff = 0;
	if (has_l4 && !icmp)
		diff += sp_rewrite_port(l4 + (which == SP_REWRITE_SRC ? 0 : 2), port_be, sum_all);
	else if (has_l4 && sp_rewrite_has_id(p, which))
		diff += sp_rewrite_port(l4 + 4, port_be, sum_all);
	if (has_check)
		sp_rewrite_check(check, diff, !icmp && !tcp, sum_all);
	return SP_R_NONE;
}

/*
 * Address and port (echo: the identifier, if it belongs to that side) of one side of p. A later
 * fragment has no port to change. PROTOCOL: addr is of the other IP version; TRUNCATED: p is not
 * of this packet. Nothing is changed then. p itself is as parsed: its addresses are now old.
 */
SP_INLINE enum sp_reason sp_rewrite(void *data, const void *end, const struct sp_packet *p,
				    enum sp_rewrite_end which, const struct sp_addr *addr,
				    __be16 port_be)
{
	__u64 sum_all = 0;

	return sp_rewrite_parts(data, end, p, which, addr, port_be, 0, &sum_all);
}

/* The same for the packet inner that the ICMP error outer quotes, and outer's checksum over it. */
SP_INLINE enum sp_reason sp_rewrite_embedded(void *data, const void *end,
					     const struct sp_packet *outer,
					     const struct sp_packet *inner,
					     enum sp_rewrite_end which, const struct sp_addr *addr,
					     __be16 port_be)
{
	__u8 *icmp = sp_at(data, end, outer->l4_off, SP_ICMP_BYTES);
	__u64 sum_all = 0;
	enum sp_reason r;

	if (!icmp)
		return SP_R_TRUNCATED;
	r = sp_rewrite_parts(data, end, inner, which, addr, port_be,
			     (__u32)outer->l3_off + outer->l3_bytes, &sum_all);
	if (r == SP_R_NONE)
		sp_store16(icmp + 2, sp_csum_apply(sp_load16(icmp + 2), sum_all));
	return r;
}

#endif
