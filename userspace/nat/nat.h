/* SPDX-License-Identifier: Apache-2.0 */
/* Port bindings of one worker: EIM for UDP, port preservation, RFC 4787/5382/5508. Its worker's thread. */
#ifndef SP_NAT_NAT_H
#define SP_NAT_NAT_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/abi/plain.h"

#define SP_NAT_POOL_MAX	     64
#define SP_NAT_ADDRESSES_MAX 256 /* of one pool */

/* What a pool offers, immutable once published; the same object is read by every worker. */
struct sp_nat_address {
	struct sp_addr addr;
	uint16_t port_min; /* host order, both ends included */
	uint16_t port_max;
	bool draining;		   /* flows go on, none begins */
	struct sp_egress_use *use; /* where to count; NULL: nowhere */
};
/* What one user gets of a pool and family; no other address or port is given to him there. */
struct sp_nat_grant {
	uint32_t user_id;
	uint8_t version;  /* 4 or 6 */
	uint16_t address; /* index; not below address_count: none */
	uint16_t port_min;
	uint16_t port_max;
};
#define SP_NAT_FALLBACKS_MAX 4 /* pools tried for one flow */
struct sp_nat_pool {
	uint16_t id;	    /* 1 .. */
	uint16_t fallback;  /* pool to turn to when this one has no port; 0 = none */
	uint16_t block;	    /* ports of each user: only who has a grant gets any; 0 = no blocks */
	uint8_t route_ipv6; /* 1: IPv6 leaves untranslated */
	uint32_t grant_count;
	struct sp_nat_grant *grants; /* by user, then version */
	uint32_t address_count;
	struct sp_nat_address *addresses;
	uint32_t excluded_count; /* ports never given out: listeners of this host */
	uint16_t *excluded;
};
struct sp_nat_pools {
	uint32_t count;
	struct sp_nat_pool pools[SP_NAT_POOL_MAX];
};
/* All of it from malloc, the struct too. NULL is fine. */
void sp_nat_pools_close(struct sp_nat_pools *pools);

/*
 * The address a user leaves by, as every worker chooses it: NULL when the pool has none of that
 * family. pool_id 0: the first pool.
 */
const struct sp_nat_pool *sp_nat_pools_find(const struct sp_nat_pools *pools, uint16_t pool_id);
const struct sp_nat_address *sp_nat_pool_choose(const struct sp_nat_pool *pool, uint32_t user_id,
						bool v4);
/* The same with the ports that are this user's. False: there is none of that family. */
bool sp_nat_pool_range(const struct sp_nat_pool *pool, uint32_t user_id, bool v4,
		       struct sp_nat_address *ret_address);
/* NULL: nothing was granted, the pool's own choice holds unless it has blocks. */
const struct sp_nat_grant *sp_nat_grants_find(const struct sp_nat_grant *grants, uint32_t count,
					      uint32_t user_id, bool v4);

/* Who may use a pool, and as which address where one was named for him. In the order of ids. */
struct sp_nat_wish {
	uint32_t user_id;
	bool has_v4, has_v6;
	struct sp_addr v4, v6;
};
/*
 * Fill pool->grants: a block for each wish where the pool has blocks, as it was in before (may be
 * NULL) where that is still to be had; a whole address where one was named. -ENOSPC: there are not
 * enough blocks, *ret_room says how many of a family.
 */
int sp_nat_pool_grant(struct sp_nat_pool *pool, const struct sp_nat_wish *wishes, uint32_t count,
		      const struct sp_nat_pool *before, uint32_t *ret_room);

struct sp_nat;
/*
 * worker of workers: each gets its own slice of every port range, so that none ever waits. Pairs
 * of ports (even, odd) go round the workers, so slices never meet even where ranges overlap.
 */
int sp_nat_open(uint32_t worker, uint32_t workers, uint32_t bindings_max, struct sp_nat **ret_nat);
void sp_nat_close(struct sp_nat *nat);
/*
 * Take over a new set of pools, which is copied. Bindings on addresses or ports that are gone live
 * on until released; the engine ends the flows of addresses that are gone. The only call that allocates. -ENOMEM: the old set stays.
 */
int sp_nat_apply(struct sp_nat *nat, const struct sp_nat_pools *pools);

struct sp_nat_request {
	struct sp_addr src; /* inner source */
	struct sp_addr dst;
	__be16 sport_be; /* ICMP echo: identifier */
	__be16 dport_be; /* ICMP echo: 0 */
	uint8_t proto;
	uint16_t pool_id; /* 0 = first pool */
	uint64_t now_ns;  /* when a refusal was */
	uint32_t user_id; /* the pool's address is sticky per user */
};
struct sp_nat_binding {
	struct sp_addr addr;
	__be16 port_be;
	uint8_t translated; /* 0: leaves as it is (routed IPv6) */
	uint16_t pool_id;   /* of the pool that gave it, which may be a fall-back */
	uint32_t handle;    /* give back with sp_nat_put */
};
/*
 * Find or make the binding and take one reference (one per flow). The same inner address and port
 * always gets the same outside one (RFC 4787 REQ-1, RFC 5382 REQ-1). 0, -ENOENT: no address of
 * that family in the pool, -ENOSPC: no port free, -ENOMEM: bindings_max reached,
 * -EPROTONOSUPPORT: neither TCP, UDP nor ICMP, and not routed.
 */
int sp_nat_get(struct sp_nat *nat, const struct sp_nat_request *request,
	       struct sp_nat_binding *ret_binding);
/* The last put lets the port cool: others get it only when newer ones are not left. */
void sp_nat_put(struct sp_nat *nat, uint32_t handle);

/* Does any pool still offer this outside address? What it is not, nobody may speak as. */
bool sp_nat_has_address(const struct sp_nat *nat, const struct sp_addr *addr);

struct sp_nat_stats {
	uint32_t bindings; /* with a reference */
	uint32_t bindings_max;
	uint64_t exhausted; /* refusals */
};
void sp_nat_stats(const struct sp_nat *nat, struct sp_nat_stats *ret_stats);

#endif
