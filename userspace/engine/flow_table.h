/* SPDX-License-Identifier: Apache-2.0 */
/* The flows one worker carries: open addressing over entries that never move. Its worker's thread. */
#ifndef SP_ENGINE_FLOW_TABLE_H
#define SP_ENGINE_FLOW_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/abi/flow.h"
#include "sallyport/abi/verdict.h"

/*
 * One direction of a flow as this worker meets it, or a refusal that need not be looked up again.
 * An owned entry was made here: this worker wrote both halves to sp_flows and ends them. Another
 * worker's flow whose packets arrive here is a guest: its numbers are added to sp_flows.
 */
struct sp_entry {
	struct sp_flow_key key;
	uint32_t hash;
	uint32_t next_free; /* while it is not used */
	bool used;
	bool refused;	  /* a cached denial: reason; ends at check_ns or with its generation */
	bool owned;	  /* original side, made here */
	bool unpublished; /* not yet in sp_flows; its packets wait for that */
	bool dirty;	  /* numbers not yet written to sp_flows */
	bool translated;
	uint8_t tcp_seen;
	bool rejects;	   /* a refusal that answers */
	uint8_t on_change; /* enum sp_flow_on_change, of the answer that allowed it */
	enum sp_reason reason;
	enum sp_flow_side side;
	enum sp_flow_kind kind;
	uint32_t generation;	     /* of the policy that judged it */
	uint32_t written_generation; /* both halves in sp_flows say so */
	uint64_t until_ns;	     /* to be judged again then; 0 = not */
	uint64_t written_until_ns;
	uint32_t place_seq; /* endpoint of its peer that place was found for; 0 = none yet */
	uint8_t place;	    /* where that was, as the policy tells places apart */
	uint32_t rule_id;
	uint32_t hit_id;
	uint32_t grace_s;
	uint32_t bucket_up, bucket_down; /* of the rule */
	uint32_t user_id;		 /* whose flow it is, on both sides */
	uint32_t from_peer;		 /* 0: the gateway itself */
	uint32_t to_peer;		 /* 0: the gateway itself, or outside */
	uint32_t mate;			 /* the other side's entry in this table, or 0 */
	uint32_t paths;			 /* core/path.h, its own first; 0: the routing table */
	uint16_t pool_id;
	__be16 nat_port_be;
	struct sp_addr nat_addr;
	uint32_t nat_handle;
	uint32_t nexthop_id;
	struct sp_addr nexthop_addr; /* the id may have been given to another since */
	uint32_t route_seq;	     /* of the routes that led there */
	uint64_t created_ns;
	uint64_t seen_ns;
	uint64_t written_ns; /* when the numbers went to sp_flows */
	uint64_t check_ns;   /* when to look whether it is idle */
	uint64_t packets;    /* guests: since written_ns */
	uint64_t bytes;
};

struct sp_flow_slot {
	uint32_t hash;
	uint32_t entry; /* 0 = empty */
};

struct sp_flow_table {
	struct sp_flow_slot *slots;
	uint32_t mask;
	struct sp_entry *entries; /* 1 .. max */
	uint32_t max;
	uint32_t high; /* no entry above was ever used */
	uint32_t first_free;
	uint32_t count;	   /* entries in use */
	uint32_t refusals; /* of them */
	uint64_t seed;	   /* nobody outside can choose tuples that collide */
};

int sp_flow_table_init(struct sp_flow_table *table, uint32_t max);
void sp_flow_table_fini(struct sp_flow_table *table);

/* A key and its hash in one table, so that it is hashed once. */
struct sp_flow_name {
	struct sp_flow_key key;
	uint32_t hash;
};
uint32_t sp_flow_table_hash(const struct sp_flow_table *table, const struct sp_flow_key *key);

struct sp_entry *sp_flow_table_lookup(const struct sp_flow_table *table,
				      const struct sp_flow_key *key);
struct sp_entry *sp_flow_table_lookup_name(const struct sp_flow_table *table,
					   const struct sp_flow_name *name);
/* What a lookup will read is on its way into the cache: first the slot, later the entry. */
void sp_flow_table_fetch_slot(const struct sp_flow_table *table, const struct sp_flow_name *name);
void sp_flow_table_fetch(const struct sp_flow_table *table, const struct sp_flow_name *name);
/* A zeroed entry under a key that is not in the table; NULL when the table is full. */
struct sp_entry *sp_flow_table_insert(struct sp_flow_table *table, const struct sp_flow_key *key);
void sp_flow_table_remove(struct sp_flow_table *table, struct sp_entry *entry);

static inline uint32_t sp_entry_number(const struct sp_flow_table *table,
				       const struct sp_entry *entry)
{
	return (uint32_t)(entry - table->entries);
}

#endif
