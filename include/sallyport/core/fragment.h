/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Virtual reassembly: what a first fragment leaves behind for later ones. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_FRAGMENT_H
#define SALLYPORT_CORE_FRAGMENT_H

#include "sallyport/abi/fragment.h"
#include "sallyport/core/packet.h"

/*
 * RFC 791 3.2 recommends 15 s, less than any receiver waits (RFC 8200: 60 s). Longer would only
 * give an IPv4 identification time to come round again (RFC 4963).
 */
#define SP_FRAGMENT_LIFE_NS (15 * 1000000000ull)

SP_INLINE void sp_fragment_key_of(const struct sp_packet *p, struct sp_fragment_key *ret_key)
{
	ret_key->src = p->src;
	ret_key->dst = p->dst;
	ret_key->id = p->fragment_id;
	ret_key->proto = p->version == 4 ? p->proto : 0;
	ret_key->pad[0] = 0;
	ret_key->pad[1] = 0;
	ret_key->pad[2] = 0;
}

/* Where the fragment ends in the whole datagram's fragmentable part. */
SP_INLINE __u32 sp_fragment_end(const struct sp_packet *p)
{
	return (__u32)p->fragment_begin + p->l3_off + p->l3_bytes - p->l4_off;
}

SP_INLINE bool sp_fragment_is_old(const struct sp_fragment *f, __u64 now_ns)
{
	return now_ns > f->since_ns && now_ns - f->since_ns >= SP_FRAGMENT_LIFE_NS;
}

/* p: a first fragment, with the ports by which its flow is known. */
SP_INLINE void sp_fragment_first(const struct sp_packet *p, __be16 sport_be, __be16 dport_be,
				 __u64 now_ns, struct sp_fragment *ret)
{
	ret->sport_be = sport_be;
	ret->dport_be = dport_be;
	ret->proto = p->proto;
	ret->pad[0] = 0;
	ret->pad[1] = 0;
	ret->pad[2] = 0;
	ret->first_bytes = sp_fragment_end(p);
	ret->passed_bytes = ret->first_bytes;
	ret->total_bytes = 0;
	ret->pad2 = 0;
	ret->since_ns = now_ns;
}

/*
 * The first fragment again: a duplicate, or an identification that has come round on the same
 * flow. Anything else under one key is two datagrams that nobody could tell apart.
 */
SP_INLINE bool sp_fragment_is_same(const struct sp_fragment *a, const struct sp_fragment *b)
{
	return a->sport_be == b->sport_be && a->dport_be == b->dport_be && a->proto == b->proto &&
	       a->first_bytes == b->first_bytes;
}

/*
 * May the later fragment p follow f? FRAGMENT: too late. FRAGMENT_TINY: it lies over the first
 * one, whose headers were judged (RFC 1858 3, RFC 3128, RFC 5722).
 */
SP_INLINE enum sp_reason sp_fragment_check(const struct sp_fragment *f, const struct sp_packet *p,
					   __u64 now_ns)
{
	if (sp_fragment_is_old(f, now_ns))
		return SP_R_FRAGMENT;
	return p->fragment_begin < f->first_bytes ? SP_R_FRAGMENT_TINY : SP_R_NONE;
}

/* p has passed. True: with it the whole datagram has, so that its identification is free again. */
SP_INLINE bool sp_fragment_take(struct sp_fragment *f, const struct sp_packet *p)
{
	__u32 end = sp_fragment_end(p), bytes = end - p->fragment_begin;
	__u32 passed;

	if (!p->fragment_more)
		f->total_bytes = end;
	passed = __sync_fetch_and_add(&f->passed_bytes, bytes) + bytes;
	return f->total_bytes && passed >= f->total_bytes;
}

#endif
