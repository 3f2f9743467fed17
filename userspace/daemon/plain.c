/* SPDX-License-Identifier: Apache-2.0 */
/* Plain flows are made and judged by XDP; here what has ended is removed, slice by slice. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/egress.h"
#include "daemon/records.h"
#include "dataplane/plain.h"
#include "engine/engine.h"
#include "sallyport/core/addr.h"
#include "sallyport/core/flow.h"

#define SLICE_NS      (2 * 1000000ull)	/* of the loop's time, every 25 ms */
#define PASS_EVERY_NS (5 * SP_NS_PER_S) /* from one whole walk to the next */
#define SHORTEST_S    SP_FLOW_ICMP_S	/* no flow ends before so long a silence */
#define SPACES	      3			/* TCP, UDP, ICMP of either version */
#define PORT_WORDS    1024

/* Ports of one outside address that a live flow was seen with in this pass. */
struct outside {
	UT_hash_handle hh;
	struct sp_addr addr;
	uint64_t used[SPACES][PORT_WORDS];
};

enum phase {
	PHASE_WAIT,
	PHASE_FLOWS,
	PHASE_PORTS
};

struct sp_plain_sweep {
	struct sp_daemon *daemon;
	enum phase phase;
	uint64_t began_ns; /* of the pass */
	struct sp_flow_walk flows;
	struct sp_port_walk ports;
	struct outside *outsides;
};

static unsigned int space_of(uint8_t proto)
{
	return proto == IPPROTO_TCP ? 0 : proto == IPPROTO_UDP ? 1 : 2;
}

static struct outside *outside_get(struct sp_plain_sweep *s, const struct sp_addr *addr)
{
	struct outside *o;

	HASH_FIND(hh, s->outsides, addr, sizeof(*addr), o);
	if (o)
		return o;
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	o->addr = *addr;
	HASH_ADD(hh, s->outsides, addr, sizeof(o->addr), o);
	return o;
}

static void outsides_clear(struct sp_plain_sweep *s)
{
	struct outside *o, *next;

	HASH_ITER (hh, s->outsides, o, next) {
		HASH_DEL(s->outsides, o);
		free(o);
	}
}

static void reply_key(const struct sp_flow_key *key, const struct sp_flow *flow,
		      struct sp_flow_key *ret)
{
	sp_flow_key_reverse(key, ret);
	if (flow->translated) {
		ret->dst = flow->nat_addr;
		ret->dport_be = flow->nat_port_be;
	}
}

/* Ended by the time of both sides and by what both have shown of TCP. */
static bool is_over(struct sp_plain_sweep *s, const struct sp_flow_key *key,
		    const struct sp_flow *flow, const struct sp_flow_key *back,
		    struct sp_flow *reply)
{
	uint64_t now_ns = sp_clock_now_ns();
	struct sp_flow both = *flow;

	*reply = (struct sp_flow){0};
	if (now_ns < flow->seen_ns || now_ns - flow->seen_ns < SHORTEST_S * SP_NS_PER_S)
		return false;
	if (sp_dataplane_flow_lookup(s->daemon->dataplane, back, reply))
		return true; /* it would never hear an answer */
	both.idle_s = sp_flow_idle_s(key->proto, flow->tcp_seen, reply->tcp_seen);
	if (reply->seen_ns > both.seen_ns)
		both.seen_ns = reply->seen_ns;
	return sp_flow_is_idle(&both, now_ns);
}

static int visit_original(struct sp_plain_sweep *s, const struct sp_flow_key *key,
			  const struct sp_flow *flow)
{
	struct sp_shared *shared = s->daemon->shared;
	struct sp_flow_key back;
	struct sp_flow reply;
	struct outside *o;

	reply_key(key, flow, &back);
	if (is_over(s, key, flow, &back, &reply)) {
		if (sp_dataplane_plain_remove(s->daemon->dataplane, key, &back) != 1)
			return 0;
		sp_daemon_record_end(s->daemon, key, flow, &reply);
		if (flow->user_id < shared->users_max)
			__atomic_fetch_sub(&shared->users[flow->user_id].plain_flows, 1,
					   __ATOMIC_RELAXED);
		return 0;
	}
	if (!flow->translated)
		return 0;
	o = outside_get(s, &flow->nat_addr);
	if (!o)
		return -ENOMEM;
	o->used[space_of(key->proto)][ntohs(flow->nat_port_be) / 64] |=
		1ull << ntohs(flow->nat_port_be) % 64;
	return 0;
}

/* The reply of an original that is no more: XDP removes both, a daemon may have died between. */
static void visit_reply(struct sp_plain_sweep *s, const struct sp_flow_key *key,
			const struct sp_flow *flow)
{
	struct sp_flow_key original;
	struct sp_flow there;

	if (sp_clock_now_ns() < flow->seen_ns + SP_FLOW_TCP_TRANSITORY_S * SP_NS_PER_S)
		return;
	sp_flow_key_reverse(key, &original);
	original.src = flow->nat_addr;
	original.sport_be = flow->nat_port_be;
	if (key->proto == IPPROTO_ICMP || key->proto == IPPROTO_ICMPV6)
		original.dport_be = 0;
	if (sp_dataplane_flow_lookup(s->daemon->dataplane, &original, &there) == -ENOENT)
		sp_dataplane_flow_remove(s->daemon->dataplane, key, 1);
}

static int visit_flow(const struct sp_flow_key *key, const struct sp_flow *flow, void *arg)
{
	if (flow->kind != SP_FLOW_PLAIN)
		return 0;
	if (flow->side == SP_FLOW_ORIGINAL)
		return visit_original(arg, key, flow);
	visit_reply(arg, key, flow);
	return 0;
}

/* A binding that serves no flow, and served none that is younger than the walk over them. */
static int visit_port(const struct sp_port_key *key, const struct sp_port *port, void *arg)
{
	struct sp_plain_sweep *s = arg;
	struct sp_dataplane *dp = s->daemon->dataplane;
	uint16_t number = ntohs(key->port_be);
	struct sp_binding binding;
	struct outside *o;
	bool is_its;

	if (port->claimed_ns >= s->began_ns) { /* fresh, or the gateway's own */
		if (port->owner.user_id != SP_USER_GATEWAY)
			sp_egress_count_port(s->daemon, &key->addr, number, space_of(key->proto));
		return 0;
	}
	HASH_FIND(hh, s->outsides, &key->addr, sizeof(key->addr), o);
	if (o && o->used[space_of(key->proto)][number / 64] >> number % 64 & 1) {
		sp_egress_count_port(s->daemon, &key->addr, number, space_of(key->proto));
		return 0;
	}
	is_its = sp_dataplane_binding_lookup(dp, &port->owner, &binding) == 0 &&
		 binding.port_be == key->port_be && sp_addr_equal(&binding.addr, &key->addr);
	if (is_its && binding.used_ns >= s->began_ns)
		return 0;
	/* First the claim: a daemon that dies now leaves a binding that the next flow replaces. */
	sp_dataplane_port_remove(dp, key);
	if (is_its)
		sp_dataplane_binding_remove(dp, &port->owner);
	return 0;
}

/* One batch; true: the pass goes on. */
static bool advance(struct sp_plain_sweep *s)
{
	struct sp_dataplane *dp = s->daemon->dataplane;
	int more;

	if (s->phase == PHASE_FLOWS) {
		more = sp_dataplane_flow_step(dp, &s->flows, visit_flow, s);
		if (more > 0)
			return true;
		s->phase = more < 0 ? PHASE_WAIT : PHASE_PORTS;
		return more == 0;
	}
	more = sp_dataplane_port_step(dp, &s->ports, visit_port, s);
	if (more <= 0)
		s->phase = PHASE_WAIT;
	if (!more)
		sp_egress_count_done(s->daemon);
	return more > 0;
}

void sp_plain_sweep(struct sp_daemon *daemon)
{
	struct sp_plain_sweep *s = daemon->plain;
	uint64_t start_ns = sp_clock_now_ns();

	if (!s)
		return;
	if (s->phase == PHASE_WAIT) {
		if (start_ns - s->began_ns < PASS_EVERY_NS)
			return;
		outsides_clear(s);
		s->began_ns = start_ns;
		s->flows = (struct sp_flow_walk){0};
		s->ports = (struct sp_port_walk){0};
		s->phase = PHASE_FLOWS;
	}
	while (advance(s) && sp_clock_now_ns() - start_ns < SLICE_NS)
		;
}

uint32_t sp_plain_count(const struct sp_daemon *daemon)
{
	const struct sp_config *config = daemon->config;
	int32_t total = 0;

	for (uint32_t i = 0; i < config->zone_count; i++)
		total += daemon->shared->users[config->users[config->zones[i].user].id].plain_flows;
	return total > 0 ? (uint32_t)total : 0;
}

static void on_event(const struct sp_event *event, void *arg)
{
	struct sp_daemon *daemon = arg;

	if (event->kind == SP_EVENT_NEIGHBOUR)
		sp_paths_resolve(daemon->paths, event->ifindex, &event->addr);
}

static void on_decision(const struct sp_decision *d, void *arg)
{
	const struct sp_engine_event event = {.kind = SP_EVENT_RULE,
					      .key = d->key,
					      .user_id = d->user_id,
					      .rule_id = d->rule_id,
					      .hit_id = d->hit_id,
					      .action = d->action,
					      .shadow = d->shadow != 0};

	if (d->action <= SP_ACTION_REJECT)
		sp_rule_log(arg, &event);
}

static bool has_inside(const struct sp_daemon *daemon)
{
	for (uint32_t i = 0; i < daemon->iface_count; i++) {
		if (daemon->ifaces[i].iface.roles & SP_ROLE_INSIDE)
			return true;
	}
	return false;
}

/* Before the engine: it decides into how many slices port ranges are cut. */
int sp_plain_open(struct sp_daemon *daemon)
{
	static const struct sp_plain_upcalls upcalls = {.on_event = on_event,
							.on_decision = on_decision};
	struct sp_gateway *gateway = daemon->shared->gateway;
	uint32_t slices = daemon->workers + has_inside(daemon);

	/* A worker may own the ports of these now, or nobody may ever end them. */
	if (gateway->nat_slices != slices) {
		sp_flows_remove_plain(daemon->dataplane);
		for (uint32_t id = 0; id < daemon->shared->users_max; id++)
			daemon->shared->users[id].plain_flows = 0;
	}
	gateway->nat_slices = slices;
	if (!has_inside(daemon))
		return 0;
	daemon->plain = calloc(1, sizeof(*daemon->plain));
	if (!daemon->plain)
		return -ENOMEM;
	daemon->plain->daemon = daemon;
	return sp_dataplane_events_open(daemon->dataplane, &upcalls, daemon);
}

void sp_plain_close(struct sp_daemon *daemon)
{
	if (!daemon->plain)
		return;
	outsides_clear(daemon->plain);
	free(daemon->plain);
	daemon->plain = NULL;
}
