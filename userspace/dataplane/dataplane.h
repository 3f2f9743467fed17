/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel side: load, adopt, attach, pin, and every access to a map. Daemon thread; * = any thread. */
#ifndef SP_DATAPLANE_DATAPLANE_H
#define SP_DATAPLANE_DATAPLANE_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/abi/bucket.h"
#include "sallyport/abi/event.h"
#include "sallyport/abi/flow.h"
#include "sallyport/abi/fragment.h"
#include "sallyport/abi/gateway.h"
#include "sallyport/abi/path.h"
#include "sallyport/abi/plain.h"
#include "sallyport/abi/policy.h"
#include "sallyport/abi/session.h"
#include "sallyport/abi/verdict.h"

struct sp_dataplane;

struct sp_dataplane_config {
	const char *pin_dir; /* "/sys/fs/bpf/sallyport/v2"; NULL = pin nothing (tests) */
	uint32_t flows_max;
	uint32_t sessions_max;
	uint32_t users_max;
	uint32_t policy_nodes_max; /* of one half of the image */
	uint32_t rules_max;	   /* with counters and buckets of their own */
	uint32_t workers;
};

/*
 * Load the program; adopt pinned maps whose type, sizes and ABI agree. -EPROTO: a pinned map is
 * of another layout (named in the log); nothing was touched then. The gateway is closed (default
 * deny) until sp_dataplane_shared()->gateway->open is set, unless live maps were adopted.
 */
int sp_dataplane_open(const struct sp_dataplane_config *config, struct sp_dataplane **ret_dp);
/* Detaches nothing that is pinned. */
void sp_dataplane_close(struct sp_dataplane *dp);
/* Detach from every interface and remove every pin. */
int sp_dataplane_remove(struct sp_dataplane *dp);
/* The same without opening: the way out of -EPROTO. Nothing pinned there is 0. */
int sp_dataplane_unpin(const char *pin_dir);
bool sp_dataplane_is_adopted(const struct sp_dataplane *dp); /* live maps were found */
/*
 * Out of adopted maps what only the process that is no more could explain: its sessions, whose keys
 * died with it, and the prefixes and listeners that led to its numbers.
 */
int sp_dataplane_forget(struct sp_dataplane *dp);
/* * The loaded XDP program, for BPF_PROG_RUN. Borrowed. */
int sp_dataplane_program_fd(const struct sp_dataplane *dp);

enum sp_attach_mode {
	SP_ATTACH_AUTO = 0, /* native, else generic */
	SP_ATTACH_NATIVE = 1,
	SP_ATTACH_GENERIC = 2,
};
struct sp_attach_info {
	enum sp_attach_mode mode; /* what it became */
	bool dispatcher;	  /* libxdp's dispatcher, other programs may chain */
	char reason[96];	  /* why not native, why no dispatcher; empty when best */
};
int sp_dataplane_attach(struct sp_dataplane *dp, const struct sp_iface *iface, uint32_t ifindex,
			enum sp_attach_mode mode, struct sp_attach_info *ret_info);
int sp_dataplane_detach(struct sp_dataplane *dp, uint32_t ifindex);

/* mmap-ed maps, shared with XDP. * Valid until close. */
struct sp_shared {
	struct sp_gateway *gateway;
	struct sp_bucket *buckets; /* of users, then of rules */
	struct sp_user *users;
	struct sp_nexthop *nexthops;
	struct sp_path *paths;
	struct sp_egress_use *egress_use;
	struct sp_route *routes;
	struct sp_drop_cell *drops;
	struct sp_policy_node *policy;	 /* both halves, policy_nodes_max each */
	struct sp_rule_hit *hits;	 /* a lane is rules_max + 1 cells; lanes as of drops */
	struct sp_drop_pace *paces;	 /* a lane is SP_PACE_STRIDE cells */
	struct sp_forward_cell *forward; /* a lane is SP_FORWARD_STRIDE cells */
	uint32_t users_max, buckets_max, policy_nodes_max, drop_lanes, rules_max;
	uint32_t rule_buckets; /* first of the rules' buckets: two for each hit id */
};
struct sp_shared *sp_dataplane_shared(struct sp_dataplane *dp);

/* * Flows. Batches of up to 64; return the number done, or -errno. */
int sp_dataplane_flow_put(struct sp_dataplane *dp, const struct sp_flow_key *keys,
			  const struct sp_flow *flows, unsigned int n);
/* * One that is there: -ENOENT, and nothing is made, when another has removed it meanwhile. */
int sp_dataplane_flow_renew(struct sp_dataplane *dp, const struct sp_flow_key *key,
			    const struct sp_flow *flow);
int sp_dataplane_flow_remove(struct sp_dataplane *dp, const struct sp_flow_key *keys,
			     unsigned int n);
int sp_dataplane_flow_lookup(struct sp_dataplane *dp, const struct sp_flow_key *key,
			     struct sp_flow *ret_flow); /* 0 or -ENOENT */
/* Every flow, in batches; stops when cb returns non-zero and returns that. */
int sp_dataplane_flow_each(struct sp_dataplane *dp,
			   int (*cb)(const struct sp_flow_key *, const struct sp_flow *, void *),
			   void *arg);

/* Single entries. put replaces; remove of what is absent is 0. Lookups: * 0 or -ENOENT. */
int sp_dataplane_session_put(struct sp_dataplane *dp, uint32_t receiver,
			     const struct sp_session *s);
int sp_dataplane_session_remove(struct sp_dataplane *dp, uint32_t receiver);
int sp_dataplane_session_lookup(struct sp_dataplane *dp, uint32_t receiver, struct sp_session *ret);
int sp_dataplane_session_each(struct sp_dataplane *dp,
			      int (*cb)(uint32_t, const struct sp_session *, void *), void *arg);
int sp_dataplane_inner_put(struct sp_dataplane *dp, const struct sp_prefix *p,
			   const struct sp_inner *v);
int sp_dataplane_inner_remove(struct sp_dataplane *dp, const struct sp_prefix *p);
int sp_dataplane_inner_lookup(struct sp_dataplane *dp, const struct sp_addr *a,
			      struct sp_inner *ret);
/* * Never 0; another after each change of sp_inner that has taken effect. */
uint64_t sp_dataplane_inner_seq(const struct sp_dataplane *dp);
int sp_dataplane_local_put(struct sp_dataplane *dp, const struct sp_addr *a,
			   const struct sp_local *v);
int sp_dataplane_local_remove(struct sp_dataplane *dp, const struct sp_addr *a);
int sp_dataplane_local_each(struct sp_dataplane *dp,
			    int (*cb)(const struct sp_addr *, const struct sp_local *, void *),
			    void *arg);
int sp_dataplane_listener_put(struct sp_dataplane *dp, __be16 port_be, const struct sp_listener *v);
int sp_dataplane_listener_remove(struct sp_dataplane *dp, __be16 port_be);
int sp_dataplane_iface_put(struct sp_dataplane *dp, uint32_t ifindex, const struct sp_iface *v);
int sp_dataplane_iface_remove(struct sp_dataplane *dp, uint32_t ifindex);
int sp_dataplane_neighbour_put(struct sp_dataplane *dp, const struct sp_neighbour_key *k,
			       const struct sp_neighbour *v);
int sp_dataplane_neighbour_remove(struct sp_dataplane *dp, const struct sp_neighbour_key *k);
int sp_dataplane_neighbour_lookup(struct sp_dataplane *dp, const struct sp_neighbour_key *k,
				  struct sp_neighbour *ret);
/* xsk_fd < 0 removes. */
int sp_dataplane_xsk_put(struct sp_dataplane *dp, uint32_t index, int xsk_fd);

#endif
