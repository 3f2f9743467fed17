/* SPDX-License-Identifier: Apache-2.0 */
/* What the fast paths tell of drops, and why something was dropped (docs/observe.md). Daemon thread. */
#ifndef SP_DAEMON_DROPS_H
#define SP_DAEMON_DROPS_H

#include "daemon/state.h"

/* drops.c: what the fast paths tell of drops (docs/observe.md). */
struct sp_drops_stats {
	uint64_t told; /* events that arrived */
	uint64_t log_left_out;
	uint32_t records;
	uint32_t xdp_peak, worker_peak; /* the most that waited at one time */
};
struct sp_why {
	const char *user, *reason; /* NULL: any */
	uint32_t last;		   /* 0: as usual */
};
int sp_drops_open(struct sp_daemon *daemon);
void sp_drops_close(struct sp_daemon *daemon);
void sp_drops_apply(struct sp_daemon *daemon, const struct sp_config *config);
void sp_drops_collect(struct sp_daemon *daemon); /* forty times a second */
void sp_drops_stats(const struct sp_daemon *daemon, struct sp_drops_stats *ret_stats);
int sp_daemon_why(struct sp_daemon *daemon, const struct sp_why *why, json_t **ret_rows,
		  char **ret_error);

/* explain.c: what decides about a packet, in JSON, as every command says it. */
const struct sp_config_rule *sp_explain_find_rule(const struct sp_daemon *daemon, uint32_t rule_id,
						  uint32_t hit_id); /* hit_id 0: not known */
json_t *sp_explain_rule(const char *name, const char *file, uint32_t line);
json_t *sp_explain_limit(const struct sp_daemon *daemon, const char *of, uint32_t bucket_id);
json_t *sp_explain_nat(const struct sp_daemon *daemon, const struct sp_config_rule *rule);
json_t *sp_explain_quota(const struct sp_daemon *daemon, uint32_t user_id);

#endif
