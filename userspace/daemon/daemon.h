/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's own state, shared by the files of this folder and by nothing else. Daemon thread. */
#ifndef SP_DAEMON_DAEMON_H
#define SP_DAEMON_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include <ev.h>
#include <uthash.h>

#include "config/config.h"
#include "control/control.h"
#include "crypto/aead.h"
#include "dataplane/dataplane.h"
#include "engine/engine.h"
#include "observe/exporter.h"
#include "paths/paths.h"
#include "policy/policy.h"
#include "session/session.h"
#include "tunnel/wireguard/wireguard.h"

#define SP_KEYPAIRS_PER_PEER 3 /* next, current, previous */
#define SP_TUN_NAME	     "sallyport0"

struct sp_daemon;

/* A WireGuard UDP port: one socket, one private key. */
struct sp_listener_state {
	struct sp_daemon *daemon;
	uint32_t id;
	char *name;
	uint16_t port;
	uint32_t mtu;
	struct sp_key private_key;
	struct sp_prefix *addresses; /* the gateway's own, on the TUN device */
	uint32_t address_count;
	struct sp_wg_device *device;
	ev_io readable;
	uint64_t results[SP_WG_RESULT_COUNT];
	uint32_t recent_messages; /* since the last look at the load */
	bool under_load;
	struct sp_listener_state *next;
};

struct sp_keypair_state {     /* what `show sessions` lists */
	uint32_t local_index; /* 0 = free slot */
	bool initiator;
	uint64_t born_ns;
};

/* A configured peer, by public key. */
struct sp_peer_state {
	UT_hash_handle hh;
	struct sp_key public_key;
	struct sp_listener_state *listener;
	uint32_t id;
	char *name;
	uint32_t user_id;
	struct sp_prefix *addresses;
	uint32_t address_count;
	bool has_endpoint;
	struct sp_sockaddr endpoint; /* as configured */
	uint16_t keepalive_s;
	struct sp_wg_peer *wg;
	struct sp_peer *session;
	struct sp_keypair_state keypairs[SP_KEYPAIRS_PER_PEER];
	uint64_t due_ns; /* sp_wg_peer_advance has nothing to do before */
	bool wanted;	 /* scratch of a reload: still in the configuration */
	bool fresh;	 /* scratch of a reload: made by it */
};

struct sp_user_state { /* names keep their ids over reloads */
	UT_hash_handle hh;
	uint32_t id;
	bool wanted;
	char name[];
};

struct sp_reload_result {
	bool ok;
	uint64_t at_realtime_ns;
	char *error; /* every mistake, a line each; owned */
};

struct sp_daemon {
	struct ev_loop *loop;
	const char *config_path;
	const char *pin_dir;
	struct sp_config *config; /* the one in force */
	struct sp_reload_result last_reload;
	uint64_t started_ns;

	struct sp_dataplane *dataplane;
	struct sp_shared *shared;
	struct sp_paths *paths;
	struct sp_sessions *sessions;
	struct sp_engine *engine;
	struct sp_engine_iface ifaces[SP_IFACE_MAX];
	struct sp_attach_info attached[SP_IFACE_MAX];
	uint32_t iface_count;
	uint32_t workers;
	int tun_fds[SP_WORKER_MAX];
	bool has_tun;
	const struct sp_aead_ops *aead_ops;
	struct sp_aead *aead; /* for keepalives */

	struct sp_listener_state *listeners;
	struct sp_peer_state *peers;	    /* by public key */
	struct sp_peer_state **peers_by_id; /* peer_limit + 1 */
	uint32_t peer_limit;
	uint32_t sweep_at;
	struct sp_user_state *users;

	struct sp_control *control;
	struct sp_exporter *exporter;
	ev_io paths_readable, engine_readable;
	ev_timer sweep, second;
	ev_signal on_hup, on_term, on_int;
};

/* open.c: everything in order, and back. */
int sp_daemon_open(struct sp_daemon *daemon, const char *config_path, const char *pin_dir);
void sp_daemon_close(struct sp_daemon *daemon);

/* apply.c: from the running configuration to a new one, all or nothing. ret_text: what went wrong. */
int sp_daemon_apply(struct sp_daemon *daemon, struct sp_config *config, char **ret_text);
int sp_daemon_reload(struct sp_daemon *daemon, char **ret_text);
char *sp_daemon_mistakes(const struct sp_config_errors *errors); /* a line each */

/* users.c: names keep their ids; limits and quotas into the shared maps. */
int sp_daemon_name_users(struct sp_daemon *daemon, struct sp_config *config);
void sp_daemon_publish_users(struct sp_daemon *daemon, const struct sp_config *config);
const char *sp_user_name(const struct sp_daemon *daemon, uint32_t user_id);

/* policy.c: rules and pools. Everything that can fail is in the plan. */
struct sp_policy_plan {
	struct sp_policy_image image;
	struct sp_nat_pools *pools;
	struct sp_paths_pool_address *addresses;
	uint32_t address_count;
};
int sp_daemon_plan_policy(struct sp_daemon *daemon, const struct sp_config *config,
			  struct sp_policy_plan *ret_plan, char **ret_text);
int sp_daemon_commit_policy(struct sp_daemon *daemon, struct sp_policy_plan *plan);
void sp_policy_plan_fini(struct sp_policy_plan *plan);

/* flows.c */
void sp_flows_remove_peer(struct sp_dataplane *dp, uint32_t peer_id);
void sp_sessions_remove_orphans(struct sp_dataplane *dp);

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
json_t *sp_show_peers(struct sp_daemon *daemon);
json_t *sp_show_sessions(struct sp_daemon *daemon);
json_t *sp_show_flows(struct sp_daemon *daemon);
json_t *sp_show_rules(struct sp_daemon *daemon);
json_t *sp_show_drops(struct sp_daemon *daemon);
char *sp_daemon_metrics(void *arg);

#endif
