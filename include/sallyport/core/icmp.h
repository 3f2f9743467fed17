/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* ICMP errors about a packet, as complete IP packets. Pure; user space only. */
#ifndef SALLYPORT_CORE_ICMP_H
#define SALLYPORT_CORE_ICMP_H

#include "sallyport/core/icmp_emit.h"

/* The bytes written, or 0: no error may be sent about it, from is of the other version, no room. */
SP_INLINE __u32 sp_icmp_build(const void *ip, __u32 ip_bytes, const struct sp_addr *from,
			      __u16 type_code, __u32 word, void *buf, __u32 buf_bytes)
{
	const __u8 *in = ip;
	__u8 *out = buf;
	struct sp_packet p;
	__u32 header, quoted;
	__u64 sum;

	if (sp_parse_ip(in, in + ip_bytes, 0, &p) != SP_R_NONE || !sp_icmp_may_answer(&p) ||
	    sp_addr_is_v4(from) != (p.version == 4))
		return 0;
	header = sp_icmp_header_bytes(&p);
	quoted = sp_icmp_quoted_bytes(&p);
	if (buf_bytes < header + quoted)
		return 0;
	sum = sp_icmp_emit(out, &p, from, type_code, word);
	__builtin_memcpy(out + header, in, quoted);
	sum = sp_csum_partial(in, quoted, sum);
	sp_store16(out + header - SP_ICMP_BYTES + 2, (__u16)~sp_csum_fold(sum));
	return header + quoted;
}

/* About the IP packet at ip, to its source; mtu is of the next hop (RFC 1191, RFC 8201). */
SP_INLINE __u32 sp_icmp_build_too_big(const void *ip, __u32 ip_bytes, const struct sp_addr *from,
				      __u32 mtu, void *buf, __u32 buf_bytes)
{
	return sp_icmp_build(ip, ip_bytes, from, sp_icmp_too_big(sp_addr_is_v4(from)), mtu, buf,
			     buf_bytes);
}

SP_INLINE __u32 sp_icmp_build_time_exceeded(const void *ip, __u32 ip_bytes,
					    const struct sp_addr *from, void *buf, __u32 buf_bytes)
{
	return sp_icmp_build(ip, ip_bytes, from, sp_icmp_time_exceeded(sp_addr_is_v4(from)), 0, buf,
			     buf_bytes);
}

SP_INLINE __u32 sp_icmp_build_admin_prohibited(const void *ip, __u32 ip_bytes,
					       const struct sp_addr *from, void *buf,
					       __u32 buf_bytes)
{
	return sp_icmp_build(ip, ip_bytes, from, sp_icmp_prohibited(sp_addr_is_v4(from)), 0, buf,
			     buf_bytes);
}

#endif
