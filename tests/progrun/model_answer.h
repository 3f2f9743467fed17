/* SPDX-License-Identifier: Apache-2.0 */
/* Flows: answers to them, what leaves by them, and the fragments of both. Tests only. */
#ifndef SP_TESTS_PROGRUN_MODEL_ANSWER_H
#define SP_TESTS_PROGRUN_MODEL_ANSWER_H

#include "progrun/model_world.h"

enum how {
	UNTOUCHED,
	TO_WORKER,
	CARRIED,
	FORTH,
	BACK,
	ANSWERED_BACK /* dropped, and its sender may be told */
};

struct fate {
	int action;
	enum sp_direction direction;
	enum sp_reason reason;
	enum how how;
	const struct model_flow *flow; /* of CARRIED, FORTH, BACK */
	struct seen seen, quoted;
};

static inline bool is_nat_port(const uint8_t *addr, uint16_t port)
{
	return whose(addr) == SHARED ? port >= NAT_MIN && port <= NAT_MAX
				     : whose(addr) == POOLS && port >= 1024;
}

static inline struct sp_flow_key key_of(const struct seen *s, bool turned)
{
	struct sp_flow_key k = {.proto = (uint8_t)s->proto};

	memcpy(k.src.b, turned ? s->dst : s->src, 16);
	memcpy(k.dst.b, turned ? s->src : s->dst, 16);
	k.sport_be = htons(turned ? s->dport : s->sport);
	k.dport_be = htons(turned ? s->sport : s->dport);
	return k;
}

static inline uint32_t ends(const struct seen *s)
{
	return s->begins + s->end - s->l4;
}

static inline void forget_record(struct model_record *r)
{
	*r = lab.records[--lab.record_count];
}

/* A later fragment: by whose ports it goes, or why by none. */
static inline enum sp_reason follow(const struct seen *s, struct sp_flow_key *k)
{
	struct model_record *r = model_record(s);

	if (!r)
		return SP_R_FRAGMENT;
	k->sport_be = htons(r->sport);
	k->dport_be = htons(r->dport);
	k->proto = (uint8_t)r->proto;
	return s->begins < r->first ? SP_R_FRAGMENT_TINY : SP_R_NONE;
}

/* It has: with the last of a datagram its record ends. */
static inline void follow_passed(const struct seen *s)
{
	struct model_record *r = model_record(s);

	if (!s->more)
		r->total = ends(s);
	r->passed += ends(s) - s->begins;
	if (r->total && r->passed >= r->total)
		forget_record(r);
}

/* A first fragment has passed: the later ones may. Another datagram's of that name: neither. */
static inline enum sp_reason remember(const struct seen *s, const struct sp_flow_key *k)
{
	struct model_record *r = model_record(s);
	struct model_record fresh = {.id = s->id,
				     .first = ends(s),
				     .passed = ends(s),
				     .proto = s->proto,
				     .of = s->version == 4 ? s->proto : 0,
				     .sport = ntohs(k->sport_be),
				     .dport = ntohs(k->dport_be)};

	memcpy(fresh.src, s->src, 16);
	memcpy(fresh.dst, s->dst, 16);
	if (r && (r->sport != fresh.sport || r->dport != fresh.dport || r->proto != fresh.proto ||
		  r->first != fresh.first)) {
		forget_record(r);
		return SP_R_FRAGMENT;
	}
	if (!r)
		r = &lab.records[lab.record_count++];
	*r = fresh;
	return SP_R_NONE;
}

/* What passed by its flow, known by k; or why it does not pass after all. */
static inline enum sp_reason note(const struct seen *s, const struct sp_flow_key *k)
{
	if (s->piece == LATER)
		follow_passed(s);
	return s->piece == FIRST ? remember(s, k) : SP_R_NONE;
}

/* By which key an answer's flow is known. */
static inline enum sp_reason answer_key(const uint8_t *b, const struct seen *s,
					struct seen *ret_quoted, struct sp_flow_key *k)
{
	*k = key_of(s, false);
	if (s->piece == LATER)
		return follow(s, k);
	if (s->error && s->piece == FIRST)
		return SP_R_FRAGMENT;
	if (s->error) {
		*ret_quoted = read_quoted(b, s);
		if (ret_quoted->wrong)
			return ret_quoted->wrong;
		if (ret_quoted->piece == LATER || memcmp(ret_quoted->src, s->dst, 16) ||
		    (has_icmp(ret_quoted) && !is_request(ret_quoted)))
			return SP_R_ICMP_UNMATCHED;
		*k = key_of(ret_quoted, true);
		return SP_R_NONE;
	}
	if (s->proto == 6 || s->proto == 17 || is_reply(s))
		return SP_R_NONE;
	return has_icmp(s) ? SP_R_NO_FLOW : SP_R_PROTOCOL;
}

static inline const struct model_flow *answered(const struct seen *s, const struct sp_flow_key *k,
						uint32_t roles)
{
	const struct model_flow *f = roles & SP_ROLE_EGRESS ? model_flow(k, true) : NULL;

	if (!f || f->translated != (whose(s->dst) != NOBODYS))
		return NULL;
	return f->translated || f->plain || is_peer(s->dst) ? f : NULL;
}

#endif
