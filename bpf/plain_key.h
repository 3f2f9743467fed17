/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* By which key a packet from inside is known. XDP only. */
#ifndef SP_BPF_PLAIN_KEY_H
#define SP_BPF_PLAIN_KEY_H

#include "fragment.h"
#include "plain_policy.h"

SP_INLINE bool sp_is_link_local4(const struct sp_addr *a)
{
	return sp_addr_is_v4(a) && a->b[12] == 169 && a->b[13] == 254;
}

/* The flow that an ICMP error from inside is about: the quoted packet went there, so reversed. */
SP_INLINE enum sp_reason sp_plain_error_key(const struct sp_xdp *x, struct sp_plain *s)
{
	const struct sp_packet *p = &s->inner;
	struct sp_flow_key key;
	enum sp_reason r;

	r = sp_packet_parse_embedded(x->ctx, &x->packet, &s->inner);
	if (r != SP_R_NONE)
		return r;
	if (p->fragment == SP_FRAGMENT_LATER || !sp_addr_equal(&p->src, &x->packet.dst))
		return SP_R_ICMP_UNMATCHED;
	if (sp_has_icmp(p) && p->icmp_error)
		return SP_R_ICMP_UNMATCHED;
	sp_packet_flow_key(p, &key);
	sp_flow_key_reverse(&key, &s->key);
	return SP_R_NONE;
}

/* A later fragment has the ports of its first one, if it comes from whom that came. */
SP_INLINE enum sp_reason sp_plain_later_key(const struct sp_xdp *x, struct sp_plain *s)
{
	const struct sp_packet *p = &x->packet;
	struct sp_flow_key key;
	enum sp_reason r;

	if (sp_plain_zone(x->iface->slot, &p->src) == SP_USER_NOBODY)
		return SP_R_SPOOFED_SOURCE;
	sp_packet_flow_key(p, &key);
	r = sp_fragment_follow(p, x->now_ns, &key);
	s->key = key;
	return r;
}

/* The key by which a packet from inside is known, or why it can have none. */
SP_INLINE enum sp_reason sp_plain_key(const struct sp_xdp *x, struct sp_plain *s)
{
	const struct sp_packet *p = &x->packet;
	__u8 type = (__u8)(p->icmp >> 8);

	if (sp_is_link_local4(&p->dst))
		return SP_R_UNSPECIFIED;
	if (p->fragment == SP_FRAGMENT_LATER)
		return sp_plain_later_key(x, s);
	if (p->icmp_error && p->fragment == SP_FRAGMENT_FIRST)
		return SP_R_FRAGMENT;
	if (p->icmp_error)
		return sp_plain_error_key(x, s);
	sp_packet_flow_key(p, &s->key);
	if (p->proto == SP_PROTO_TCP || p->proto == SP_PROTO_UDP)
		return SP_R_NONE;
	/* RFC 5508 REQ-1: echoes are all that has a session. */
	if (sp_has_icmp(p) &&
	    (type == (p->version == 4 ? SP_ICMP_ECHO : SP_ICMP6_ECHO) ||
	     type == (p->version == 4 ? SP_ICMP_ECHO_REPLY : SP_ICMP6_ECHO_REPLY)))
		return SP_R_NONE;
	return SP_R_PROTOCOL;
}

#endif
