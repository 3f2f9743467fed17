/* SPDX-License-Identifier: Apache-2.0 */
/* Answers back, and plain packets out, by the flows there are. Tests only. */
#ifndef SP_TESTS_PROGRUN_MODEL_FLOWS_H
#define SP_TESTS_PROGRUN_MODEL_FLOWS_H

#include "progrun/model_answer.h"

#define MODEL_INSIDE_MTU 1500

static inline struct fate refuse(enum sp_direction direction, enum sp_reason reason)
{
	return (struct fate){.action = XDP_DROP, .direction = direction, .reason = reason};
}

/* Its sender may be told: at a rate, so it need not be. */
static inline struct fate refuse_aloud(const struct seen *s, enum sp_direction direction,
				       enum sp_reason reason)
{
	return (struct fate){.action = XDP_DROP,
			     .direction = direction,
			     .reason = reason,
			     .how = ANSWERED_BACK,
			     .seen = *s};
}

/* An answer is carried to its worker, or forwarded to the workload. */
static inline struct fate carry(const struct seen *s, const struct seen *quoted,
				const struct sp_flow_key *k, const struct model_flow *f)
{
	struct fate fate = {.action = XDP_REDIRECT,
			    .how = f->plain ? BACK : CARRIED,
			    .flow = f,
			    .seen = *s,
			    .quoted = *quoted};
	enum sp_reason wrong;

	if (f->plain && s->end - s->l3 > MODEL_INSIDE_MTU)
		return refuse_aloud(s, SP_DIR_DOWN, SP_R_TOO_BIG);
	if (f->plain && s->ttl < 2)
		return refuse_aloud(s, SP_DIR_DOWN, SP_R_TTL_EXPIRED);
	wrong = note(s, k);
	return wrong ? refuse(SP_DIR_DOWN, wrong) : fate;
}

/* Is it for the NAT at all? On an address shared with the kernel most is not. */
static inline bool is_nats(const struct seen *s, const struct sp_flow_key *k, enum sp_reason wrong)
{
	uint16_t port = ntohs(k->dport_be);

	if (whose(s->dst) != SHARED)
		return whose(s->dst) == POOLS || whose(s->dst) == NOBODYS;
	if (wrong && wrong != SP_R_FRAGMENT && wrong != SP_R_FRAGMENT_TINY)
		return false;
	return is_nat_port(s->dst, port) && !(k->proto == 17 && port == PORT);
}

static inline bool answer(const uint8_t *b, const struct seen *s, uint32_t roles,
			  enum sp_reason *ret_unasked, struct fate *ret)
{
	struct seen quoted = {0};
	const struct model_flow *f;
	struct sp_flow_key k;
	enum sp_reason wrong;

	if (whose(s->dst) == HOSTS || whose(s->dst) == SUBNET || whose(s->dst) == INNER)
		return false;
	wrong = answer_key(b, s, &quoted, &k);
	if (!is_nats(s, &k, wrong))
		return false;
	f = wrong ? NULL : answered(s, &k, roles);
	if (f) {
		*ret = carry(s, &quoted, &k, f);
		return true;
	}
	if (!wrong)
		wrong = s->error ? SP_R_ICMP_UNMATCHED : SP_R_NO_FLOW;
	/* The host pings from a shared address too. */
	if (whose(s->dst) != SHARED || wrong == SP_R_FRAGMENT_TINY ||
	    (k.proto != 1 && k.proto != 58))
		*ret_unasked = wrong;
	return false;
}

static inline enum sp_reason depart_key(const uint8_t *b, const struct seen *s,
					struct seen *ret_quoted, struct sp_flow_key *k)
{
	if (is_v4(s->dst) && s->dst[12] == 169 && s->dst[13] == 254)
		return SP_R_UNSPECIFIED;
	*k = key_of(s, false);
	if (s->piece == LATER)
		return is_zone(s->src) ? follow(s, k) : SP_R_SPOOFED_SOURCE;
	if (s->error && s->piece == FIRST)
		return SP_R_FRAGMENT;
	if (!s->error)
		return s->proto == 6 || s->proto == 17 || is_request(s) || is_reply(s)
			       ? SP_R_NONE
			       : SP_R_PROTOCOL;
	*ret_quoted = read_quoted(b, s);
	if (ret_quoted->wrong)
		return ret_quoted->wrong;
	if (ret_quoted->piece == LATER || memcmp(ret_quoted->src, s->dst, 16) || ret_quoted->error)
		return SP_R_ICMP_UNMATCHED;
	*k = key_of(ret_quoted, true);
	return SP_R_NONE;
}

/* Why a packet of no flow gets none: the policy of this lab denies whoever is of the zone. */
static inline enum sp_reason stranger(const struct seen *s, const struct sp_flow_key *k)
{
	if (s->error)
		return SP_R_ICMP_UNMATCHED;
	if (s->piece == LATER)
		return SP_R_FRAGMENT;
	if (has_icmp(s) && k->dport_be)
		return SP_R_NO_FLOW;
	if (!is_zone(s->src))
		return SP_R_SPOOFED_SOURCE;
	if (is_inner_of_tunnels(s->dst))
		return SP_R_INNER_FROM_OUTSIDE;
	return SP_R_POLICY_DENY;
}

static inline struct fate depart(const uint8_t *b, const struct seen *s)
{
	struct fate fate = {.action = XDP_REDIRECT, .how = FORTH, .seen = *s};
	struct sp_flow_key k;
	enum sp_reason wrong = depart_key(b, s, &fate.quoted, &k);

	if (wrong)
		return refuse(SP_DIR_UP, wrong);
	fate.flow = model_flow(&k, false);
	if (!fate.flow || !fate.flow->plain)
		return refuse(SP_DIR_UP, stranger(s, &k));
	if (s->error && !is_zone(s->src))
		return refuse(SP_DIR_UP, SP_R_SPOOFED_SOURCE);
	if (s->end - s->l3 > EGRESS_MTU)
		return refuse_aloud(s, SP_DIR_UP, SP_R_TOO_BIG);
	if (s->ttl < 2)
		return refuse_aloud(s, SP_DIR_UP, SP_R_TTL_EXPIRED);
	wrong = note(s, &k);
	return wrong ? refuse(SP_DIR_UP, wrong) : fate;
}

#endif
