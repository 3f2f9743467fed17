/* SPDX-License-Identifier: Apache-2.0 */
/* The workers: AF_XDP in, open, judge, NAT, seal, out. Called from the daemon's thread. */
#ifndef SP_ENGINE_ENGINE_H
#define SP_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/aead.h"
#include "dataplane/dataplane.h"
#include "nat/nat.h"
#include "sallyport/abi/record.h"
#include "session/session.h"

struct sp_engine;

struct sp_engine_iface {
	uint32_t ifindex;
	struct sp_iface iface; /* as published in sp_ifaces: slot, xsk_base, queues, MTU, MAC */
};

/* How frames leave. Auto: bursts as buffers where the device cuts them itself, else AF_XDP. */
enum sp_engine_transmit {
	SP_TRANSMIT_AUTO = 0,
	SP_TRANSMIT_AF_XDP = 1,
	SP_TRANSMIT_GSO = 2, /* also where the kernel has to cut */
};

struct sp_engine_config {
	uint32_t workers;	 /* worker k serves queues k, k + workers, ... of every interface */
	int cpus[SP_WORKER_MAX]; /* where to pin; -1 = do not */
	const struct sp_engine_iface *ifaces;
	uint32_t iface_count;
	uint32_t frames;     /* of 4096 bytes, for each worker */
	uint32_t flows_max;  /* for each worker */
	uint32_t nat_slices; /* of every port range, the first for the workers; 0 = workers */
	const struct sp_aead_ops *aead;
	struct sp_dataplane *dataplane;
	struct sp_sessions *sessions;
	const int *tun_fds; /* one queue of the TUN device for each worker, or NULL */
	bool force_copy;    /* XDP_COPY even where zero-copy is offered */
	enum sp_engine_transmit transmit;
	uint32_t records_max; /* flow records that wait in each worker; 0: none are kept */
	/* Whom ICMP answers to users come from: an inner address of the gateway. All zero: 192.0.0.8
	 * (RFC 7600, section 4.8), and for IPv6 the packet's own destination. */
	struct sp_addr icmp_source_v4, icmp_source_v6;
};

/* -EINVAL: an interface with fewer queues than workers. Flows of a former life are removed. */
int sp_engine_open(const struct sp_engine_config *config, struct sp_engine **ret_engine);
int sp_engine_start(struct sp_engine *engine); /* sockets into sp_xsks, threads running */
void sp_engine_stop(struct sp_engine *engine); /* threads joined, sockets out of sp_xsks */
void sp_engine_close(struct sp_engine *engine);

/*
 * What the workers judge with, swapped as one: read once a batch. The engine takes ownership of
 * pools, on failure too. generation must already be in the image half it names. Returns when
 * every worker has taken it over. -ETIMEDOUT after 1 s is no refusal: a late worker will yet.
 */
int sp_engine_publish(struct sp_engine *engine, struct sp_nat_pools *pools, uint32_t generation);
/*
 * The half that is not in force may be filled only after this: 0, or -ETIMEDOUT after 5 s when a
 * worker still judges by it.
 */
int sp_engine_settle(struct sp_engine *engine);
bool sp_engine_is_settled(const struct sp_engine *engine);

/* Rare things a worker cannot do itself. The descriptor is readable when some are waiting. */
enum sp_engine_event_kind {
	SP_EVENT_RESOLVE = 1,	/* on-link destination without a neighbour: ifindex, addr */
	SP_EVENT_HANDSHAKE = 2, /* peer_id has data to send and no live key */
	SP_EVENT_CONFIRMED = 3, /* responder keypair local_index of peer_id got its first packet */
	SP_EVENT_REKEY = 4,	/* keypair is due (age or count) and this side initiated it */
	SP_EVENT_RULE = 5, /* a rule with a log mark decided, or would have: the last members */
};
struct sp_engine_event {
	enum sp_engine_event_kind kind;
	uint32_t peer_id;
	uint32_t local_index;
	uint32_t ifindex;
	struct sp_addr addr;
	struct sp_flow_key key;
	uint32_t user_id;
	uint32_t rule_id;
	uint32_t hit_id; /* tells a rule of the same number from one of a policy since */
	enum sp_action action;
	bool shadow;
};
int sp_engine_event_fd(const struct sp_engine *engine);
unsigned int sp_engine_events(struct sp_engine *engine, struct sp_engine_event *ret_events,
			      unsigned int max);

/*
 * Flows that began, ended or were denied since the last look, at most max; the number. Nothing
 * tells that some wait: look often.
 */
unsigned int sp_engine_records(struct sp_engine *engine,
			       void (*cb)(const struct sp_record *record, void *arg), void *arg,
			       unsigned int max);
/*
 * Drops that the workers tell of; nobody is woken by them: read them by the clock. The number, at
 * most max.
 */
unsigned int sp_engine_drops(struct sp_engine *engine, struct sp_drop_event *ret_events,
			     unsigned int max);

struct sp_worker_stats {
	uint64_t loops, packets_up, packets_down, bytes_up, bytes_down, polls;
	uint32_t flows, flows_max, bindings, bindings_max, frames_free;
	uint64_t nat_exhausted;
	uint64_t log_lost;     /* SP_EVENT_RULE not sent: above the rate, or the ring was full */
	uint64_t records_lost; /* flow records: the ring was full */
	char transmit[32];     /* back end in use, e.g. "af_xdp copy" */
	int cpu;
};
int sp_engine_worker_stats(const struct sp_engine *engine, uint32_t worker,
			   struct sp_worker_stats *ret_stats);

#endif
