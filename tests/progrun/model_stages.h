/* SPDX-License-Identifier: Apache-2.0 */
/* What must become of a frame, stage by stage as docs/datapath.md tells it. Tests only. */
#ifndef SP_TESTS_PROGRUN_MODEL_STAGES_H
#define SP_TESTS_PROGRUN_MODEL_STAGES_H

#include "progrun/model_flows.h"

static inline struct fate pass(void)
{
	return (struct fate){.action = XDP_PASS};
}

/* The kernel's own affairs, and addresses that are no host's. */
static inline bool locate(const struct seen *s, struct fate *ret)
{
	bool to_listener = s->proto == 17 && s->piece != LATER && s->dport == PORT;
	bool discovery = s->version == 6 && s->proto == 58 && s->ttl == 255 && s->type >= 133 &&
			 s->type <= 137;

	if (is_multicast(s->dst) && to_listener)
		*ret = refuse(SP_DIR_HOST, SP_R_UNSPECIFIED);
	else if (is_multicast(s->dst) || discovery)
		*ret = pass();
	else if (is_empty(s->dst))
		*ret = refuse(SP_DIR_HOST, SP_R_UNSPECIFIED);
	else if (is_own(s->dst))
		*ret = refuse(SP_DIR_HOST, SP_R_NOT_FOR_US);
	else if (whose(s->dst) == NOBODYS && s->version == 4 && s->proto == 17 && s->sport == 67 &&
		 s->dport == 68)
		*ret = pass();
	else
		return false;
	return true;
}

/* As long as nothing is loaded: only what is the kernel's in any case. */
static inline struct fate closed(const struct seen *s)
{
	bool ports = s->proto == 6 || s->proto == 17, listener = s->proto == 17 && s->dport == PORT;
	enum whose w = whose(s->dst);

	if (!listener && (w == HOSTS || w == SUBNET ||
			  (w == SHARED && !(ports && is_nat_port(s->dst, s->dport)))))
		return pass();
	return refuse(SP_DIR_HOST, SP_R_CLOSED);
}

/* Packets of tunnels. False: a handshake. */
static inline bool admit(const uint8_t *b, uint32_t n, const struct seen *s, uint32_t roles,
			 struct fate *ret)
{
	const uint8_t *h = b + s->l4;
	uint32_t bytes = s->end - s->l4, type;

	*ret = refuse(SP_DIR_UP, SP_R_WG_MALFORMED);
	if (!(roles & SP_ROLE_TUNNEL)) {
		ret->reason = SP_R_NO_INTERFACE;
		return true;
	}
	if (s->piece != WHOLE) {
		ret->reason = SP_R_OUTER_FRAGMENT;
		return true;
	}
	if (s->l4 + 16 > n || bytes < 8 + 32 || be16(h + 4) != bytes)
		return true;
	type = h[8] | h[9] << 8 | h[10] << 16 | (uint32_t)h[11] << 24;
	if (type == 4) {
		uint32_t to = h[12] | h[13] << 8 | h[14] << 16 | (uint32_t)h[15] << 24;

		ret->reason = to == RECEIVER + 1   ? SP_R_SESSION_BLOCKED
			      : to == RECEIVER + 2 ? SP_R_SESSION_EXPIRED
						   : SP_R_WG_UNKNOWN_INDEX;
		if (to == RECEIVER)
			*ret = (struct fate){.action = XDP_REDIRECT, .how = TO_WORKER};
		return true;
	}
	return !((type == 1 && bytes == 8 + 148) || (type == 2 && bytes == 8 + 92) ||
		 (type == 3 && bytes == 8 + 64));
}

/* Sources that nobody outside can have. */
static inline enum sp_reason verify(const struct seen *s)
{
	if (is_multicast(s->src) || is_empty(s->src))
		return SP_R_UNSPECIFIED;
	if (is_own(s->src) || whose(s->src) != NOBODYS)
		return SP_R_SPOOFED_SOURCE;
	if (is_inner_of_tunnels(s->src))
		return whose(s->dst) != NOBODYS ? SP_R_SPOOFED_SOURCE : SP_R_INNER_FROM_OUTSIDE;
	return SP_R_NONE;
}

/* unasked: why the NAT, whose port it is at, refuses it. */
static inline struct fate deliver(const struct seen *s, bool has_iface, enum sp_reason unasked)
{
	enum whose w = whose(s->dst);
	bool to_listener = s->proto == 17 && s->piece != LATER && s->dport == PORT;

	if (w == NOBODYS) {
		if (is_fe80(s->dst) && !(s->proto == 17 && s->dport == PORT))
			return pass();
		if (!has_iface)
			return refuse(SP_DIR_HOST, SP_R_NO_INTERFACE);
		if (is_inner_of_tunnels(s->dst))
			return refuse(SP_DIR_DOWN, SP_R_INNER_FROM_OUTSIDE);
		return refuse(SP_DIR_HOST, SP_R_NOT_FOR_US);
	}
	if (w == INNER)
		return refuse(SP_DIR_HOST, SP_R_INNER_FROM_OUTSIDE);
	if (w == SUBNET && to_listener)
		return refuse(SP_DIR_HOST, SP_R_UNSPECIFIED);
	return unasked ? refuse(SP_DIR_DOWN, unasked) : pass();
}

/* What must become of it. */
static inline struct fate model_frame(const uint8_t *b, uint32_t n)
{
	struct seen s = read_frame(b, n);
	uint32_t roles = s.tags ? 0 : lab.roles;
	enum sp_reason unasked = SP_R_NONE, wrong;
	struct fate fate;

	if (s.wrong || !s.version)
		return s.wrong ? refuse(SP_DIR_HOST, s.wrong) : pass();
	if (locate(&s, &fate))
		return fate;
	if (!lab.open)
		return closed(&s);
	if (s.proto == 17 && s.piece != LATER && s.dport == PORT &&
	    (whose(s.dst) == HOSTS || whose(s.dst) == SHARED)) {
		if (admit(b, n, &s, roles, &fate))
			return fate;
		wrong = verify(&s);
		return wrong ? refuse(SP_DIR_UP, wrong) : pass();
	}
	if (answer(b, &s, roles, &unasked, &fate))
		return fate;
	if (!s.tags && roles & SP_ROLE_INSIDE && whose(s.dst) == NOBODYS && !is_fe80(s.dst))
		return depart(b, &s);
	wrong = verify(&s);
	return wrong ? refuse(SP_DIR_HOST, wrong) : deliver(&s, !s.tags, unasked);
}

#endif
