/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's own state, for the files of this folder and nobody else. Daemon thread. */
#ifndef SP_DAEMON_STATE_H
#define SP_DAEMON_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include <ev.h>
#include <uthash.h>

#include "config/config.h"
#include "control/control.h"
#include "crypto/aead_select.h"
#include "daemon/reload.h"
#include "daemon/trace.h"
#include "dataplane/dataplane.h"
#include "engine/engine.h"
#include "history/history.h"
#include "observe/exporter.h"
#include "paths/paths.h"
#include "policy/policy.h"
#include "records/records.h"
#include "session/session.h"
#include "tunnel/wireguard/wireguard.h"

#define SP_KEYPAIRS_PER_PEER 4 /* next, current, previous, and one that is just being replaced */
#define SP_TUN_NAME	     "sallyport0"

struct sp_daemon;
struct sp_egress_state; /* egress.h */

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
	bool claimed;	 /* addresses stand in sp_inner */
	bool wanted;	 /* scratch of a reload: still in the configuration */
};

struct sp_user_state { /* names keep their ids over reloads */
	UT_hash_handle hh;
	uint32_t id;
	bool wanted;
	char name[];
};

struct sp_rule_state { /* names keep their counters over reloads */
	UT_hash_handle hh;
	uint32_t hit_id;
	bool in_force;
	char key[SP_NAME_BYTES + 1];
};

struct sp_daemon {
	struct ev_loop *loop;
	const char *config_path;
	const char *pin_dir;
	struct sp_config *config; /* the one in force */
	struct sp_reload_result last_reload;
	struct sp_history *history; /* NULL: state_dir cannot be used */
	struct sp_running_state running;
	struct sp_trial_state trial;
	struct sp_paths_pool_address *pool_addresses; /* of the policy in force */
	uint32_t pool_address_count;
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
	char aead_text[SP_AEAD_TEXT]; /* what was measured, for status */
	struct sp_aead *aead;	      /* for keepalives */

	struct sp_listener_state *listeners;
	struct sp_peer_state *peers;	    /* by public key */
	struct sp_peer_state **peers_by_id; /* peer_limit + 1 */
	uint32_t peer_limit;
	uint32_t sweep_at;
	struct sp_user_state *users;
	struct sp_rule_state *rules;
	uint32_t path_cursor;
	uint64_t compiled_ns;	    /* when the policy in force was */
	int64_t compiled_offset_ns; /* of CLOCK_REALTIME from CLOCK_MONOTONIC then */

	struct sp_canary_state canary;

	struct sp_egress_state *egress;
	struct sp_plain_sweep *plain; /* NULL: no interface with the role inside */
	struct sp_drops *drops;

	struct sp_records *records;	      /* NULL: none are kept */
	char *records_dir;		      /* the state_dir of the start */
	struct sp_daemon_question *questions; /* that are being answered */
	ev_async question_done;

	struct sp_control *control;
	struct sp_exporter *exporter;
	ev_io paths_readable, engine_readable, plain_readable;
	ev_timer sweep, second;
	ev_signal on_hup, on_term, on_int;
};

#endif
