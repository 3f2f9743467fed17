/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon's files do for each other; the modules are wired together here. Daemon thread. */
#ifndef SP_DAEMON_DAEMON_H
#define SP_DAEMON_DAEMON_H

#include "daemon/state.h"

/* open.c: everything in order, and back. */
int sp_daemon_open(struct sp_daemon *daemon, const char *config_path, const char *pin_dir);
void sp_daemon_close(struct sp_daemon *daemon);

/*
 * apply.c: from the running configuration (old; NULL at the start) to another one, all or nothing.
 * ret_text: what went wrong, malloc-ed.
 */
int sp_daemon_apply(struct sp_daemon *daemon, const struct sp_config *old, struct sp_config *config,
		    char **ret_text);
/* peer->wanted: config has it, with this listener. */
void sp_daemon_mark_peers(struct sp_daemon *daemon, const struct sp_config *config);

/* reload.c: configurations come and go. Who asked stands in the history. */
struct sp_asker {
	enum sp_history_origin origin;
	uint32_t uid;
};
/* confirm_s: taken back after so many seconds without sp_daemon_confirm; 0: not. */
int sp_daemon_reload(struct sp_daemon *daemon, const struct sp_asker *who, uint32_t confirm_s,
		     char **ret_text);
int sp_daemon_confirm(struct sp_daemon *daemon, char **ret_text);
/* number 0: the one before. */
int sp_daemon_roll_back(struct sp_daemon *daemon, const struct sp_asker *who, uint64_t number,
			char **ret_text);
char *sp_daemon_mistakes(const struct sp_config_errors *errors); /* a line each */
/* The start: what may run, and what to remember once it does. */
void sp_daemon_choose_start(struct sp_daemon *daemon);
void sp_daemon_record_start(struct sp_daemon *daemon);
void sp_daemon_forget_trial(struct sp_daemon *daemon);
json_t *sp_show_history(struct sp_daemon *daemon);
json_t *sp_show_trial(struct sp_daemon *daemon);   /* of status; null: none */
json_t *sp_show_running(struct sp_daemon *daemon); /* of status */

/* plan.c: what a file (NULL: the daemon's own) would change; nothing is. */
int sp_daemon_plan(struct sp_daemon *daemon, const char *path, json_t **ret_plan, char **ret_text);

/* users.c: names keep their ids; limits and quotas into the shared maps. */
int sp_daemon_name_users(struct sp_daemon *daemon, struct sp_config *config);
int sp_daemon_import_users(struct sp_daemon *daemon);
void sp_daemon_publish_users(struct sp_daemon *daemon, const struct sp_config *config);
void sp_daemon_retire_users(struct sp_daemon *daemon, const struct sp_config *config);
const char *sp_user_name(const struct sp_daemon *daemon, uint32_t user_id);

/* path.c: put before the flip, retire after it. */
void sp_daemon_name_paths(struct sp_daemon *daemon, struct sp_config *config);
int sp_daemon_put_paths(struct sp_daemon *daemon, const struct sp_config *config);
void sp_daemon_retire_paths(struct sp_daemon *daemon, const struct sp_config *config);

/* rules.c: names keep their cell in sp_rule_hits and their buckets, limits into the shared maps. */
int sp_daemon_name_rules(struct sp_daemon *daemon, struct sp_config *config);
void sp_daemon_publish_rules(struct sp_daemon *daemon, const struct sp_config *config);
/* Once no worker judges by the policy before: what is gone from config gives its cell back. */
void sp_daemon_retire_rules(struct sp_daemon *daemon, const struct sp_config *config);
void sp_daemon_forget_rules(struct sp_daemon *daemon);
void sp_rule_log(struct sp_daemon *daemon, const struct sp_engine_event *event);
json_t *sp_rule_numbers(struct sp_daemon *daemon, const struct sp_config_rule *rule);

/* policy.c: rules and pools. Everything that can fail is in the plan. */
struct sp_policy_plan {
	struct sp_policy_image image;
	struct sp_nat_pools *pools, *pools_kept; /* the engine's, and the daemon's copy */
	struct sp_paths_pool_address *addresses;
	uint32_t address_count;
	uint32_t generation; /* whose half holds the image; 0: none does yet */
};
int sp_daemon_plan_policy(struct sp_daemon *daemon, const struct sp_config *config,
			  struct sp_policy_plan *ret_plan, char **ret_text);
/* Fill the half not in force and ask it the configuration's own tests. -EINVAL: some failed. */
int sp_daemon_fill_policy(struct sp_daemon *daemon, struct sp_policy_plan *plan);
int sp_daemon_test_policy(struct sp_daemon *daemon, const struct sp_config *config,
			  struct sp_policy_plan *plan, char **ret_text);
int sp_daemon_commit_policy(struct sp_daemon *daemon, const struct sp_config *config,
			    struct sp_policy_plan *plan);
/* Rules of the configuration in force that never decide, into the log. */
void sp_daemon_warn_policy(const struct sp_daemon *daemon);
/* Schedules go on: once a day, and when the wall clock was set, the same rules are compiled anew. */
void sp_daemon_renew_policy(struct sp_daemon *daemon);
void sp_policy_plan_fini(struct sp_policy_plan *plan);
int sp_daemon_restore_pools(struct sp_daemon *daemon); /* as the policy in force has them */

/* flows.c */
void sp_flows_remove_peer(struct sp_dataplane *dp, uint32_t peer_id);
void sp_flows_remove_plain(struct sp_dataplane *dp);

/* zones.c: who sends from inside, and as what it leaves. put before the flip, retire after it. */
int sp_zones_put(struct sp_daemon *daemon, const struct sp_config *config,
		 const struct sp_nat_pools *pools);
void sp_zones_retire(struct sp_daemon *daemon, const struct sp_config *config);

/* plain.c: what XDP's flows leave to be cleaned up. */
int sp_plain_open(struct sp_daemon *daemon);
void sp_plain_close(struct sp_daemon *daemon);
void sp_plain_sweep(struct sp_daemon *daemon); /* one slice of at most some milliseconds */
uint32_t sp_plain_count(const struct sp_daemon *daemon); /* flows open now */

/* ports.c: the ports this host listens on (TCP and UDP), sorted, each once. */
int sp_ports_listening(uint16_t **ret_ports, uint32_t *ret_count);
/* The kernel's own ephemeral ports (ip_local_port_range). */
int sp_ports_ephemeral(struct sp_config_port_range *ret_range);

/* listener.c */
int sp_listener_open(struct sp_daemon *daemon, const struct sp_config_wireguard *config,
		     struct sp_listener_state **ret_listener);
void sp_listener_close(struct sp_listener_state *listener);
struct sp_listener_state *sp_listener_lookup(struct sp_daemon *daemon, const char *name);
void sp_listener_send(struct sp_listener_state *listener, const struct sp_wg_address *to,
		      const void *bytes, size_t len);
/* Ten times a second: is it under load? */
void sp_listener_measure(struct sp_listener_state *listener);

/* peer.c */
extern const struct sp_wg_upcalls sp_peer_upcalls;
int sp_peer_open(struct sp_daemon *daemon, struct sp_listener_state *listener, uint32_t user_id,
		 const struct sp_config_peer *config);
void sp_peer_close(struct sp_peer_state *peer);
int sp_peer_change(struct sp_peer_state *peer, uint32_t user_id,
		   const struct sp_config_peer *config);
/* Cryptokey routing, and the host's own way there. release: before another peer's claim. */
int sp_peer_claim(struct sp_peer_state *peer, const struct sp_prefix *prefix);
void sp_peer_release(struct sp_peer_state *peer, const struct sp_prefix *prefix);
void sp_prefix_release(struct sp_daemon *daemon, const struct sp_prefix *prefix); /* of nobody */
struct sp_peer_state *sp_peer_by_id(struct sp_daemon *daemon, uint32_t id);
void sp_peer_advance(struct sp_peer_state *peer, uint64_t now_ns);

/* events.c: what the loop waits for. */
void sp_daemon_watch(struct sp_daemon *daemon);
void sp_daemon_unwatch(struct sp_daemon *daemon);

/* request.c: the table of commands; show.c, status.c: their answers; metrics.c. */
int sp_daemon_on_request(void *arg, const char *command, const json_t *request, json_t **ret_result,
			 char **ret_error);
json_t *sp_show_status(struct sp_daemon *daemon);
json_t *sp_show_interfaces(struct sp_daemon *daemon);
int sp_show_peers(struct sp_daemon *daemon); /* these four by sp_control_answer_rows */
int sp_show_sessions(struct sp_daemon *daemon);
int sp_show_flows(struct sp_daemon *daemon);
int sp_show_rules(struct sp_daemon *daemon);
json_t *sp_show_paths(struct sp_daemon *daemon);
json_t *sp_show_drops(struct sp_daemon *daemon);
char *sp_daemon_metrics(void *arg);

#endif
