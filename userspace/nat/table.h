/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of nat/: bindings, addresses with their ports, pools. The worker's thread. */
#ifndef SP_NAT_TABLE_H
#define SP_NAT_TABLE_H

#include <stdbool.h>

#include "nat/nat.h"

#define SP_NAT_PORT_WORDS 1024 /* 65536 ports, one bit each */
#define SP_NAT_NONE	  UINT32_MAX

enum sp_nat_space {
	SP_NAT_TCP,
	SP_NAT_UDP,
	SP_NAT_ICMP, /* identifiers; ICMP or ICMPv6 as the address says */
	SP_NAT_SPACES,
};

/* Ports of one address and protocol. Cooling bindings keep their bit set. */
struct sp_nat_ports {
	uint64_t used[SP_NAT_PORT_WORDS];
	uint32_t cool_head, cool_tail; /* oldest and newest binding without a reference */
	uint32_t cool_count, cool_max;
};

/* An outside address, in as many pools as list it. Leaves when no pool and no binding has it. */
struct sp_nat_outside {
	struct sp_addr addr;
	bool listed;
	uint32_t bindings;
	struct sp_nat_ports ports[SP_NAT_SPACES];
};

/* An address as one pool offers it. */
struct sp_nat_offer {
	uint32_t outside;
	uint16_t port_min, port_max;
	bool v4;
	bool draining;
	struct sp_egress_use *use;
	uint64_t rank_key;		     /* for rendezvous with users */
	uint64_t allowed[SP_NAT_PORT_WORDS]; /* in the range, this worker's, not excluded */
};

struct sp_nat_offers {
	uint16_t pool_id;
	bool route_ipv6;
	uint16_t fallback, block;
	uint32_t count;
	struct sp_nat_offer *list;
	uint32_t grant_count;
	struct sp_nat_grant *grants;
};

struct sp_nat_key {
	struct sp_addr src;
	uint32_t user_id;
	__be16 sport_be;
	uint16_t pool_id;
	uint8_t space;
	uint8_t pad[7];
};

struct sp_nat_entry {
	struct sp_nat_key key;
	uint32_t refs;
	uint32_t outside;
	uint32_t hash_next; /* also the free list */
	uint32_t cool_prev, cool_next;
	struct sp_egress_use *use;
	uint16_t port;
	bool taken;
	bool stale; /* its address or port is not offered any more: out of the hash */
};

struct sp_nat {
	uint32_t worker, workers;
	uint32_t entries_max, live, free_head;
	struct sp_nat_entry *entries;
	uint32_t *buckets;
	uint32_t bucket_mask;
	uint64_t hash_seed;
	struct sp_nat_offers pools[SP_NAT_POOL_MAX];
	uint32_t pool_count;
	struct sp_nat_outside **outsides; /* holes are NULL */
	uint32_t outside_count;
	uint64_t exhausted;
	uint32_t random[128];
	uint32_t random_left;
};

static inline bool sp_nat_bit(const uint64_t *words, uint16_t port)
{
	return words[port / 64] >> port % 64 & 1;
}

/*
 * A port that is allowed and not used, searched once round from start, among those that parity
 * has a bit for in each word. -ENOSPC.
 */
#define SP_NAT_PARITY_ANY  UINT64_MAX
#define SP_NAT_PARITY_EVEN 0x5555555555555555ull
#define SP_NAT_PARITY_ODD  0xaaaaaaaaaaaaaaaaull
int sp_nat_ports_search(const uint64_t *used, const uint64_t *allowed, uint64_t parity,
			uint16_t start);

/* Same on every worker and after every start, so that a user keeps one address everywhere. */
uint64_t sp_nat_mix(uint64_t x);
uint64_t sp_nat_addr_key(const struct sp_addr *addr);

struct sp_nat_offers *sp_nat_pool_lookup(struct sp_nat *nat, uint16_t pool_id);
struct sp_nat_offer *sp_nat_offer_lookup(struct sp_nat *nat, struct sp_nat_offers *pool,
					 const struct sp_addr *addr);

/* What a user may have of a pool: an offer and the ports of it. */
struct sp_nat_share {
	struct sp_nat_offer *offer; /* NULL: nothing */
	uint16_t port_min, port_max;
};
struct sp_nat_share sp_nat_share_of(struct sp_nat_offers *pool, uint32_t user_id, bool v4);

/* Take an entry out of the hash; then it is only known by its handle. */
void sp_nat_entry_unhash(struct sp_nat *nat, uint32_t index);
/* Free the oldest cooling binding of these ports and return its port; -ENOENT: none. */
int sp_nat_cool_evict(struct sp_nat *nat, struct sp_nat_ports *ports);

#endif
