/* SPDX-License-Identifier: Apache-2.0 */
/* One worker: everything that its thread touches, and the steps its packets take. Its own thread. */
#ifndef SP_ENGINE_WORKER_H
#define SP_ENGINE_WORKER_H

#include "base/ring.h"
#include "engine/engine.h"
#include "engine/flow_table.h"
#include "engine/fragments.h"
#include "engine/frames.h"
#include "engine/inner.h"
#include "engine/transmit.h"
#include "sallyport/core/packet.h"
#include "sallyport/core/policy.h"

#define SP_BATCH      64
#define SP_OUT_MAX    (4 * SP_BATCH) /* forwarded or split, answered, what the TUN device gave */
#define SP_SLOT_HOST  UINT32_MAX     /* of struct sp_out: the TUN device */
#define SP_EVENTS_MAX 4096
#define SP_DROPS_MAX  2048

/* A packet as it arrived, in one of the worker's frames, and what was learned about it. */
struct sp_item {
	uint8_t *data; /* Ethernet; once opened, the inner IP header */
	uint32_t bytes;
	uint32_t slot; /* interface it came in by */
	struct sp_meta meta;
	struct sp_packet ip; /* the inner packet, offsets from data */
	struct sp_flow_name name;
	struct sp_keypair *keypair;
	uint32_t receiver; /* index in the tunnel packet */
	uint64_t counter;
	struct sp_endpoint from; /* of the tunnel packet */
	uint8_t outer_ecn;
};

/* An inner packet on its way into a tunnel. */
struct sp_seal {
	uint8_t *data;
	uint32_t bytes;
	struct sp_peer *peer;
	struct sp_entry *entry; /* may be NULL */
	enum sp_direction direction;
	uint8_t tos;
};

/* A frame that is ready to leave once the flows of its batch are published. */
struct sp_out {
	uint8_t *data;
	uint32_t bytes;
	uint32_t slot;
	uint32_t udp_off;	/* see struct sp_tx */
	struct sp_entry *entry; /* may be NULL */
	enum sp_direction direction;
};

/* What workers judge with. Freed when each of them has taken over a later one. */
struct sp_published {
	struct sp_published *next;
	uint64_t serial;
	struct sp_nat_pools *pools;
	uint32_t generation;
};

struct sp_worker_config {
	uint32_t index, workers;
	uint32_t nat_slices; /* of every port range, this worker's is its index; 0 = workers */
	const struct sp_engine_iface *ifaces;
	uint32_t iface_count;
	uint32_t frames, flows_max, records_max; /* no records: none are kept */
	const struct sp_aead_ops *aead;
	struct sp_dataplane *dataplane;
	struct sp_sessions *sessions;
	int tun_fd;				       /* -1: none */
	int event_fd;				       /* told when an event waits */
	struct sp_addr icmp_source_v4, icmp_source_v6; /* all zero: see engine.h */
};

struct sp_worker {
	struct sp_worker_config config;
	struct sp_shared *shared;
	struct sp_drop_cell *lane; /* this worker's, as the next three */
	struct sp_rule_hit *hits;
	struct sp_drop_pace *paces;
	struct sp_forward_cell *forward;
	struct sp_engine_iface ifaces[SP_IFACE_MAX]; /* by slot; ifindex 0 = none */
	struct sp_aead *aead;
	struct sp_nat *nat;
	struct sp_transmit *transmit; /* whoever opened the worker hands it in */
	struct sp_frames frames;
	struct sp_flow_table table;
	struct sp_fragments fragments;
	struct sp_inner_cache inner;
	uint32_t *user_flows; /* open flows of each user, made here */

	/* of this batch */
	uint64_t now_ns;
	uint32_t generation, route_seq;
	uint32_t path_id; /* next hop last used, 0 = none yet, as it was then */
	struct sp_nexthop path;
	struct sp_policy_view policy;
	struct sp_item items[SP_BATCH], *up[SP_BATCH], *down[SP_BATCH];
	uint32_t up_count, down_count;
	struct sp_aead_job jobs[SP_BATCH];
	struct sp_seal seals[SP_BATCH], *sealing[SP_BATCH]; /* those with a job beside them */
	uint32_t seal_count;
	struct sp_out out[SP_OUT_MAX];
	uint32_t out_count;
	struct sp_entry *fresh[SP_BATCH]; /* flows to be put into sp_flows */
	uint32_t fresh_count;
	struct sp_flow_key gone[2 * SP_BATCH]; /* and to be removed */
	uint32_t gone_count;
	bool rejects;			    /* the rule that just denied wants an answer sent */
	uint32_t decided_rule, decided_hit; /* of the policy's last answer about this packet */

	/* of the worker's life */
	uint64_t applied_serial; /* of struct sp_published */
	_Atomic uint64_t acked_serial;
	uint64_t icmp_tat_ns, log_tat_ns, denied_ns; /* answers, log lines, records */
	uint64_t resolve_ns;			     /* last RESOLVE event, and for whom */
	struct sp_addr resolve_addr;
	uint64_t resolve_tat_ns, housekeep_ns; /* their rate; the last slice */
	uint32_t sweep_at;		       /* entry where the next housekeeping slice begins */
	uint16_t ip_id;
	bool event_waiting;
	struct sp_ring events, drops, records; /* the latter two: read by the clock */
	_Atomic uint64_t loops, polls, packets_up, packets_down, bytes_up, bytes_down;
	_Atomic uint32_t flows, bindings, bindings_max, frames_free;
	_Atomic uint64_t nat_exhausted, log_lost;
};

/* worker.c. Without sockets: items come in by sp_worker_batch, frames leave by transmit. */
int sp_worker_open(const struct sp_worker_config *config, struct sp_worker **ret_worker);
void sp_worker_close(struct sp_worker *worker);
void sp_worker_apply(struct sp_worker *w, const struct sp_published *published);
/* Before each batch, whatever it is made of. */
void sp_worker_begin(struct sp_worker *w, uint64_t now_ns);
/*
 * w->items[0 .. n): slot, data and bytes of frames as they arrived, at most SP_BATCH. The frames
 * are taken from the worker's own.
 */
void sp_worker_batch(struct sp_worker *w, uint64_t now_ns, unsigned int n);
/* What waits in w->seals, w->fresh and w->out leaves. */
void sp_worker_finish(struct sp_worker *w);
/* False: the daemon does not keep up, the event is lost. */
bool sp_worker_event(struct sp_worker *w, enum sp_engine_event_kind kind,
		     const struct sp_peer *peer, uint32_t local_index);
bool sp_worker_push(struct sp_worker *w, const struct sp_engine_event *event);

#endif
