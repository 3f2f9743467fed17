/* SPDX-License-Identifier: Apache-2.0 */
/* What egress pools have dealt out and what is taken of them. Daemon thread. */
#ifndef SP_DAEMON_EGRESS_H
#define SP_DAEMON_EGRESS_H

#include "daemon/state.h"

struct sp_egress_said { /* of one address, so that nothing is said twice */
	bool high;
	bool drained;
	uint64_t refused;
	uint64_t at_ns; /* of the last refusal that was logged */
};
struct sp_egress_state {
	struct sp_nat_pools *pools; /* in force: addresses, grants */
	char *names[SP_NAT_POOL_MAX];
	struct sp_egress_said said[SP_EGRESS_USE_MAX]; /* as sp_egress_use */
	uint32_t counting[SP_EGRESS_USE_MAX][SP_PORT_SPACES];
};

int sp_egress_open(struct sp_daemon *daemon); /* before the engine */
void sp_egress_close(struct sp_daemon *daemon);

/* Draining, fall-backs, blocks and counters of what is planned. -EINVAL: see ret_text. */
int sp_egress_plan(struct sp_daemon *daemon, const struct sp_config *config,
		   struct sp_nat_pools *pools, char **ret_text);
int sp_egress_copy(const struct sp_nat_pools *pools, struct sp_nat_pools **ret_copy);
/* pools are the daemon's from now on. */
void sp_egress_take_over(struct sp_daemon *daemon, const struct sp_config *config,
			 struct sp_nat_pools *pools);

/* The sweep over sp_ports: a port of a live flow of XDP's, and the end of a whole pass. */
void sp_egress_count_port(struct sp_daemon *daemon, const struct sp_addr *addr, uint16_t port,
			  unsigned int space);
void sp_egress_count_done(struct sp_daemon *daemon);

/* show_egress.c: once a second what is high, exhausted or drained, into the log. */
void sp_egress_tick(struct sp_daemon *daemon);
json_t *sp_show_egress(struct sp_daemon *daemon);
struct sp_metrics;
void sp_egress_add_metrics(struct sp_metrics *m, struct sp_daemon *daemon);

#endif
