/* SPDX-License-Identifier: Apache-2.0 */
/* Maps of plain egress: zones, addresses to leave by, ports, routes, events. Daemon thread. */
#ifndef SP_DATAPLANE_PLAIN_H
#define SP_DATAPLANE_PLAIN_H

#include "dataplane/dataplane.h"
#include "sallyport/abi/plain.h"
#include "sallyport/abi/record.h"

/* A walk over all flows in steps of one batch: walk zeroed at first. 1: more, 0: done, -errno. */
struct sp_flow_walk {
	uint32_t position;
	bool begun;
};
int sp_dataplane_flow_step(struct sp_dataplane *dp, struct sp_flow_walk *walk,
			   int (*cb)(const struct sp_flow_key *, const struct sp_flow *, void *),
			   void *arg);

/* put replaces; remove of what is absent is 0. A cb of each may remove what it is shown. */
/* Where a redirect to an interface's slot goes. */
int sp_dataplane_dev_put(struct sp_dataplane *dp, uint32_t slot, uint32_t ifindex);
int sp_dataplane_route_put(struct sp_dataplane *dp, const struct sp_prefix *p,
			   const struct sp_route_hop *v);
int sp_dataplane_route_remove(struct sp_dataplane *dp, const struct sp_prefix *p);
int sp_dataplane_route_each(struct sp_dataplane *dp, int (*cb)(const struct sp_prefix *, void *),
			    void *arg);

/* Zones and NAT of XDP. */
int sp_dataplane_zone_put(struct sp_dataplane *dp, const struct sp_zone_key *k,
			  const struct sp_zone *v);
int sp_dataplane_zone_remove(struct sp_dataplane *dp, const struct sp_zone_key *k);
int sp_dataplane_zone_each(struct sp_dataplane *dp, int (*cb)(const struct sp_zone_key *, void *),
			   void *arg);
int sp_dataplane_egress_put(struct sp_dataplane *dp, const struct sp_egress_key *k,
			    const struct sp_egress *v);
int sp_dataplane_egress_remove(struct sp_dataplane *dp, const struct sp_egress_key *k);
int sp_dataplane_egress_each(struct sp_dataplane *dp,
			     int (*cb)(const struct sp_egress_key *, void *), void *arg);
int sp_dataplane_binding_lookup(struct sp_dataplane *dp, const struct sp_binding_key *k,
				struct sp_binding *ret);
int sp_dataplane_binding_remove(struct sp_dataplane *dp, const struct sp_binding_key *k);
int sp_dataplane_port_put(struct sp_dataplane *dp, const struct sp_port_key *k,
			  const struct sp_port *v);
int sp_dataplane_port_remove(struct sp_dataplane *dp, const struct sp_port_key *k);
/* Some at a time, as flow_step. */
struct sp_port_walk {
	struct sp_port_key next;
	bool begun;
};
int sp_dataplane_port_step(struct sp_dataplane *dp, struct sp_port_walk *walk,
			   int (*cb)(const struct sp_port_key *, const struct sp_port *, void *),
			   void *arg);
/* Both halves of a plain flow; 1: the original was there, 0: somebody else removed it. */
int sp_dataplane_plain_remove(struct sp_dataplane *dp, const struct sp_flow_key *original,
			      const struct sp_flow_key *reply);

/* What XDP asks for and tells. The descriptor is readable when something waits. Both mandatory. */
struct sp_plain_upcalls {
	void (*on_event)(const struct sp_event *event, void *arg);
	void (*on_decision)(const struct sp_decision *decision, void *arg);
};
int sp_dataplane_event_fd(struct sp_dataplane *dp);
int sp_dataplane_events(struct sp_dataplane *dp);
int sp_dataplane_events_open(struct sp_dataplane *dp, const struct sp_plain_upcalls *upcalls,
			     void *arg);
/* Sums over all CPUs; the times mean nothing. */
int sp_dataplane_plain_pace(struct sp_dataplane *dp, struct sp_pace *ret_sum);

/* Plain flows that began, ended or were denied. Nobody is woken: look often. The number, at most max. */
int sp_dataplane_records_open(struct sp_dataplane *dp,
			      void (*cb)(const struct sp_record *record, void *arg), void *arg);
uint32_t sp_dataplane_records(struct sp_dataplane *dp, uint32_t max);

#endif
