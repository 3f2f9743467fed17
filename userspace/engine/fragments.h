/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams that users send in fragments, as long as they are under way. Its worker's thread. */
#ifndef SP_ENGINE_FRAGMENTS_H
#define SP_ENGINE_FRAGMENTS_H

#include "sallyport/core/fragment.h"

#define SP_DATAGRAMS_MAX      4096 /* of one worker at once */
#define SP_DATAGRAMS_USER_MAX 256  /* of them, of one user */
#define SP_IP_IDS	      1024 /* counters: destinations share one only by chance */

/* No payload is held: the first fragment passes and leaves this for the later ones. */
struct sp_datagram {
	struct sp_fragment_key key;
	struct sp_fragment fragment;
	uint32_t peer_id; /* 0: the gateway itself */
	uint32_t user_id;
	uint32_t next;	       /* in its bucket, or of those that are free */
	uint32_t older, newer; /* of its user; 0 = none */
	uint32_t outside_id;   /* IPv4: the identification it leaves with when it is translated */
};

struct sp_datagram_user {
	uint32_t oldest, newest, count;
};

struct sp_fragments {
	struct sp_datagram *datagrams; /* 1 .. SP_DATAGRAMS_MAX */
	uint32_t *buckets;
	struct sp_datagram_user *users;
	uint32_t users_max;
	uint32_t high, first_free, count;
	uint32_t victim; /* who goes when all are taken and the user has none of his own */
	uint64_t seed;	 /* nobody outside can choose what collides */
	uint16_t ids[SP_IP_IDS];
};

/* Whose tunnel it came out of, and when. */
struct sp_sender {
	uint32_t peer_id;
	uint32_t user_id;
	uint64_t now_ns;
};

int sp_fragments_init(struct sp_fragments *f, uint32_t users_max);
void sp_fragments_fini(struct sp_fragments *f);

/*
 * ip: a first fragment that may pass. FRAGMENT: another datagram under its identification has not
 * come to its end; both are lost. Where no place is left the user's oldest datagram goes.
 */
enum sp_reason sp_fragments_begin(struct sp_fragments *f, const struct sp_sender *from,
				  const struct sp_packet *ip, uint32_t outside_id);
/* ip: a later fragment. It gets protocol, ports and outside identification of its first one. */
enum sp_reason sp_fragments_follow(struct sp_fragments *f, const struct sp_sender *from,
				   struct sp_packet *ip);

/*
 * RFC 6864 5.3: who rewrites addresses makes identifications unique, as if it were the source. A
 * fresh one of this worker's share, in network order.
 */
uint16_t sp_fragments_id(struct sp_fragments *f, const struct sp_addr *src,
			 const struct sp_packet *ip, uint32_t worker, uint32_t workers);

#endif
