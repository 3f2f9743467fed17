/* SPDX-License-Identifier: Apache-2.0 */
/* What a checked configuration consists of; included by config/config.h. Any thread. */
#ifndef SP_CONFIG_OBJECTS_H
#define SP_CONFIG_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/secret.h"

struct sp_config_source {
	const char *file; /* owned by the config */
	unsigned int line;
};

struct sp_config_records {   /* of flows, in state_dir */
	bool enabled;	     /* default */
	uint32_t keep_s;     /* default 30 days */
	uint64_t size_bytes; /* default 256 MiB */
};

struct sp_config_gateway {
	char *name;
	char *control_path; /* default /run/sallyport/control.sock */
	char *state_dir;    /* default /var/lib/sallyport */
	char *conf_dir;	    /* default conf.d beside the main file */
	bool has_metrics;
	struct sp_sockaddr metrics; /* loopback only */
	uint32_t workers;	    /* 0 = as many as the smallest queue count */
	uint32_t flows_max;	    /* default 262144 */
	uint32_t sessions_max;	    /* default 16384 */
	uint32_t attach;	    /* 0 auto, 1 native, 2 generic: enum sp_attach_mode */
	uint32_t handshakes_per_s;  /* per source address, default 20 */
	uint32_t policy_nodes_max;  /* of 96 bytes, in one half of the image; default 65536 */
	uint32_t rules_max;	    /* cells of hit counters; default 4096 */
	uint32_t drop_events;	    /* a second, of a reason, on a CPU; 0 none; default 50 */
	uint32_t log_drops;	    /* lines a second; default 0 */
	char *aead;		    /* "auto" or a back end's name */
	char *geoip;		    /* MaxMind database, or NULL */
	uint32_t transmit;	    /* 0 auto, 1 af_xdp, 2 gso: enum sp_engine_transmit */
	struct sp_config_records records;
};

struct sp_config_iface {
	char *name;
	uint32_t roles; /* SP_ROLE_* */
	struct sp_config_source source;
};

struct sp_config_wireguard {
	char *name;
	uint16_t port; /* host order */
	char *private_key_file;
	struct sp_key private_key;
	struct sp_prefix *addresses; /* the gateway's own inner addresses, host bits kept */
	uint32_t address_count;
	uint32_t mtu;	     /* inner MTU, default 1420 */
	char *endpoint;	     /* as clients must write it; optional, for "peer add" */
	struct sp_addr *dns; /* handed to clients by "peer add" */
	uint32_t dns_count;
	struct sp_config_source source;
};

struct sp_config_limit { /* 0 = unlimited */
	uint64_t up_bps, down_bps;
	uint64_t burst_bytes; /* default: 500 ms of the faster rate, 256 KiB to 16 MiB */
};

struct sp_config_group {
	char *name;
	struct sp_config_limit limit; /* default of its members */
	struct sp_config_source source;
};

struct sp_config_user {
	char *name;
	uint32_t id; /* user_id in every map; index + 2, unless the daemon keeps an older one */
	uint32_t *groups; /* indexes in config->groups */
	uint32_t group_count;
	struct sp_config_limit limit; /* what holds: the user's own, else the groups' */
	uint32_t flows_max;	      /* default 8192 */
	struct sp_addr *egress; /* what it leaves as, of pools that have it; one of a family */
	uint32_t egress_count;
	bool is_zone; /* made of one of config->zones */
	struct sp_config_source source;
};

struct sp_config_peer {
	char *name;
	uint32_t user;	    /* index in config->users */
	uint32_t wireguard; /* index in config->wireguards */
	struct sp_key public_key;
	bool has_preshared_key;
	struct sp_key preshared_key;
	struct sp_prefix *addresses; /* inner addresses, cryptokey routing */
	uint32_t address_count;
	bool has_endpoint;
	struct sp_sockaddr endpoint; /* to initiate towards it */
	uint16_t keepalive_s;	     /* 0 = off */
	struct sp_config_source source;
};

struct sp_config_destination {
	char *name;
	struct sp_prefix *prefixes;
	uint32_t prefix_count;
	struct sp_config_source source;
};

struct sp_config_port_range {
	uint16_t min, max; /* host order, both included */
};

struct sp_config_service {
	char *name;
	uint8_t proto; /* IPPROTO_*; 0 = any; "icmp" covers ICMP and ICMPv6 as IPPROTO_ICMP */
	struct sp_config_port_range *ports; /* destination ports; none = all */
	uint32_t port_count;
	bool echo_request; /* of ICMP and ICMPv6: this type only; false: all of them */
	struct sp_config_source source;
};

struct sp_config_pool {
	char *name;
	uint16_t id; /* pool_id in every map; index + 1, unless the daemon keeps an older one */
	char *interface;
	struct sp_addr *addresses;
	uint32_t address_count;
	bool has_ports;
	struct sp_config_port_range ports;
	uint32_t block;	       /* ports of each user; 0: no blocks */
	struct sp_addr *drain; /* of addresses: flows go on, none begins */
	uint32_t drain_count;
	uint32_t state;	   /* 1: all of them drain */
	uint32_t fallback; /* index in config->pools, or UINT32_MAX */
	bool route_ipv6;   /* ipv6 = "route": leaves untranslated; "nat" is the default */
	struct sp_config_source source;
};

#endif
