/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The decision about a new plain flow; refusals are remembered for a moment, on each CPU. XDP only. */
#ifndef SP_BPF_PLAIN_REFUSAL_H
#define SP_BPF_PLAIN_REFUSAL_H

#include "plain_hits.h"
#include "plain_policy.h"

SP_INLINE struct sp_refusal *sp_refusal_place(const struct sp_flow_key *key)
{
	const union sp_addr_words *src = (const union sp_addr_words *)&key->src;
	const union sp_addr_words *dst = (const union sp_addr_words *)&key->dst;
	__u64 ends = (__u64)key->sport_be << 32 | (__u64)key->dport_be << 8 | key->proto;
	__u64 hash = (src->w64[0] ^ ends) * 0x9e3779b97f4a7c15ull;
	__u32 index;

	hash = (hash ^ hash >> 32 ^ src->w64[1]) * 0x9e3779b97f4a7c15ull;
	hash = (hash ^ hash >> 32 ^ dst->w64[0]) * 0x9e3779b97f4a7c15ull;
	hash = (hash ^ hash >> 32 ^ dst->w64[1]) * 0x9e3779b97f4a7c15ull;
	index = (__u32)(hash >> 54) & (SP_REFUSAL_MAX - 1);
	return bpf_map_lookup_elem(&sp_refusals, &index);
}

SP_INLINE bool sp_flow_key_equal(const struct sp_flow_key *a, const struct sp_flow_key *b)
{
	return a->sport_be == b->sport_be && a->dport_be == b->dport_be && a->proto == b->proto &&
	       sp_addr_equal(&a->dst, &b->dst) && sp_addr_equal(&a->src, &b->src);
}

/* Why s->key was refused a moment ago, by the policy in force; NONE: it is to be asked. */
SP_INLINE enum sp_reason sp_plain_recall(struct sp_plain *s)
{
	const struct sp_refusal *there = sp_refusal_place(&s->key);

	if (!there || there->generation != s->generation || there->slot != s->slot ||
	    s->now_ns >= there->until_ns || !sp_flow_key_equal(&there->key, &s->key))
		return SP_R_NONE;
	s->user_id = there->user_id;
	s->answer.rule_id = there->rule_id;
	s->answer.hit_id = there->hit_id;
	s->rejects = there->rejects;
	sp_hit_packet(s, there->hit_id);
	return there->reason;
}

SP_INLINE void sp_plain_refuse(const struct sp_plain *s, enum sp_reason reason)
{
	struct sp_refusal *place = sp_refusal_place(&s->key);

	sp_hit_packet(s, s->answer.hit_id);
	if (!place)
		return;
	place->key = s->key;
	place->until_ns = s->now_ns + SP_REFUSAL_NS;
	if (s->answer.until_ns && s->answer.until_ns < place->until_ns)
		place->until_ns = s->answer.until_ns;
	place->generation = s->generation;
	place->user_id = s->user_id;
	place->rule_id = s->answer.rule_id;
	place->hit_id = s->answer.hit_id;
	place->slot = (__u16)s->slot;
	place->reason = (__u8)reason;
	place->rejects = s->rejects;
}

SP_INLINE enum sp_reason sp_plain_decide(struct sp_plain *s)
{
	enum sp_reason r = sp_plain_ask();

	if (r == SP_R_CLOSED)
		return r;
	sp_plain_account();
	if (r != SP_R_NONE) {
		sp_plain_tell_denied(s, r);
		sp_plain_refuse(s, r);
	}
	return r;
}

#endif
