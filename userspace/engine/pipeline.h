/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a packet through a worker, one file each. Its worker's thread. */
#ifndef SP_ENGINE_PIPELINE_H
#define SP_ENGINE_PIPELINE_H

#include "engine/loss.h"
#include "engine/path.h"

/* worker.c */
void sp_worker_resolve(struct sp_worker *w, uint32_t ifindex, const struct sp_addr *addr);
void sp_worker_out(struct sp_worker *w, const struct sp_out *out);

/* open.c: w->up is authenticated; those with an inner packet go on to sp_up_run. */
void sp_open_run(struct sp_worker *w);

/* pipeline_up.c: authentic inner packets, w->up, each item->data at its IP header. */
void sp_up_run(struct sp_worker *w);

/* pipeline_down.c: w->down, un-NATed by XDP, into its tunnel. */
void sp_down_run(struct sp_worker *w);
/* A packet that goes into peer's tunnel: TTL (unless the gateway made it), MTU, MSS, limit. */
struct sp_enter {
	struct sp_peer *peer;
	uint32_t mtu;	 /* for the MSS: the smaller of both tunnels */
	bool is_routed;	 /* counts as a hop */
	bool is_limited; /* XDP has not taken it from the user's bucket */
};
enum sp_reason sp_down_enter(struct sp_worker *w, uint8_t *data, const struct sp_packet *ip,
			     const struct sp_enter *enter);

/* seal.c */
void sp_seal_push(struct sp_worker *w, const struct sp_seal *seal);
/* The same for a packet that sp_down_enter let in: in pieces when it is longer than the tunnel's. */
void sp_seal_split(struct sp_worker *w, const struct sp_seal *seal, const struct sp_packet *ip);
void sp_seal_run(struct sp_worker *w);

/* judge.c: the policy, and what a new policy or another hour means for a flow. */
struct sp_question {
	const struct sp_flow_key *original;
	uint32_t user_id;
	uint8_t place;
};
enum sp_reason sp_judge_ask(struct sp_worker *w, const struct sp_question *question,
			    struct sp_policy_answer *ret_answer);
/* Where the peer's tunnel comes from; 0 for the gateway itself, and when no rule asks. */
uint8_t sp_judge_place(struct sp_worker *w, uint32_t peer_id, uint32_t *ret_seq);
/* Has the peer come from another place since the entry was judged? */
bool sp_judge_has_moved(struct sp_worker *w, struct sp_entry *entry);
/* The entry is of the rule that allowed it. */
void sp_judge_take(struct sp_entry *entry, const struct sp_policy_answer *answer);
/* The limit of the entry's rule, in the entry's direction. */
enum sp_reason sp_judge_limit(struct sp_worker *w, const struct sp_entry *entry, uint32_t bytes);
bool sp_judge_is_due(struct sp_worker *w, struct sp_entry *entry);
/*
 * An entry that is due; denied, between other ends now, or with an outside address that is no
 * pool's any more, it is gone from everywhere.
 */
enum sp_reason sp_judge_again(struct sp_worker *w, struct sp_entry *entry);
/* The reply whose original direction is key; XDP marked it stale. */
enum sp_reason sp_judge_reply(struct sp_worker *w, const struct sp_flow_key *key);

/*
 * admit.c: the flow of a packet, an ICMP error or a fragment too. from NULL: the gateway itself. A
 * later fragment gets its first one's ports; of each, ip->fragment_id is what it leaves with. name:
 * of the packet as it was parsed.
 */
enum sp_reason sp_packet_admit(struct sp_worker *w, uint8_t *data, struct sp_packet *ip,
			       const struct sp_flow_name *name, const struct sp_peer *from,
			       struct sp_entry **ret_entry);
/* The IPv4 identification with which a packet leaves, in network order. */
uint16_t sp_packet_outside_id(struct sp_worker *w, const struct sp_packet *ip,
			      const struct sp_entry *entry);

/* flow.c: the worker's flows. from NULL: the gateway itself; name: of this packet. */
void sp_flow_name(const struct sp_worker *w, const struct sp_packet *ip,
		  struct sp_flow_name *ret_name);
enum sp_reason sp_flow_admit(struct sp_worker *w, const struct sp_packet *ip,
			     const struct sp_flow_name *name, const struct sp_peer *from,
			     struct sp_entry **ret_entry);
/* An entry that exists here or, made by another worker, in sp_flows. NULL: none. */
struct sp_entry *sp_flow_find(struct sp_worker *w, const struct sp_flow_key *key);
/* Strict source check: is addr the peer's? 0 is the gateway. */
bool sp_flow_source_is(struct sp_worker *w, const struct sp_addr *addr, uint32_t peer_id);
/* Its addresses still belong to the same ends, and who began it to the same user. */
bool sp_flow_is_as_begun(struct sp_worker *w, const struct sp_entry *entry);
void sp_flow_touch(struct sp_worker *w, struct sp_entry *entry, const struct sp_packet *ip);

/* flow_store.c: the way to sp_flows and out of it. */
void sp_flow_reply_key(const struct sp_entry *entry, struct sp_flow_key *ret_key);
void sp_flow_original_key(const struct sp_entry *entry, struct sp_flow_key *ret_key);
/* The original half as it stands in sp_flows. */
void sp_flow_record(const struct sp_worker *w, const struct sp_entry *entry,
		    struct sp_flow *ret_flow);
void sp_flow_publish(struct sp_worker *w, struct sp_entry *entry);
/* Out of the table with its mate and its binding, and both halves out of sp_flows. */
void sp_flow_end(struct sp_worker *w, struct sp_entry *entry);
/* Out of this table only: the flow is another worker's. */
void sp_flow_forget(struct sp_worker *w, struct sp_entry *entry);
/* Both halves of sp_flows take over the entry's generation. */
void sp_flow_mark(struct sp_worker *w, struct sp_entry *entry);
/*
 * Removals first, then what is fresh: an ended flow's port may serve a fresh one. What sp_flows did
 * not take stays in w->fresh, unpublished.
 */
void sp_flow_flush(struct sp_worker *w);
/* After the batch has left: what is still unpublished ends. */
void sp_flow_abandon(struct sp_worker *w);

/* housekeep.c: expiry and the numbers in sp_flows, a slice at a time. */
void sp_housekeep(struct sp_worker *w, uint64_t now_ns);

/* hits.c: what each rule decided, counted and, where it wants so, told. */
void sp_hits_decide(struct sp_worker *w, const struct sp_flow_key *key, uint32_t user_id,
		    const struct sp_policy_answer *answer);
void sp_hits_packet(struct sp_worker *w, uint32_t hit_id);

/* answer.c: ICMP answers about a packet that cannot go on, into a frame of their own. */
enum sp_answer {
	SP_ANSWER_TOO_BIG,
	SP_ANSWER_TIME_EXCEEDED,
	SP_ANSWER_PROHIBITED,
};
void sp_answer_user(struct sp_worker *w, enum sp_answer kind, const uint8_t *data,
		    const struct sp_packet *ip, struct sp_peer *peer, uint32_t mtu);
/* To a packet that a rule rejects: a TCP reset, or that it is prohibited. */
void sp_answer_reject(struct sp_worker *w, const uint8_t *data, const struct sp_packet *ip,
		      struct sp_peer *peer);
/* data is about to be dropped: it is changed to what its sender sent. */
void sp_answer_outside(struct sp_worker *w, enum sp_answer kind, uint8_t *data,
		       const struct sp_packet *ip, uint32_t mtu);

/*
 * icmp_error.c: an ICMP error that a user or (from NULL) the gateway sends about what it received.
 * The entry is that of its own direction; the quotation is rewritten as the other end knows it.
 */
enum sp_reason sp_icmp_error_match(struct sp_worker *w, uint8_t *data, const struct sp_packet *ip,
				   const struct sp_peer *from, struct sp_entry **ret_entry);

/* host.c: the TUN device. */
bool sp_host_write(struct sp_worker *w, const uint8_t *data, uint32_t bytes);
/* Packets of the gateway itself; the number read. */
unsigned int sp_host_run(struct sp_worker *w, uint64_t now_ns);

#endif
