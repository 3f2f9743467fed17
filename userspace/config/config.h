/* SPDX-License-Identifier: Apache-2.0 */
/* The checked configuration: what one libconfig file plus conf.d says, or every mistake in it. Any thread. */
#ifndef SP_CONFIG_CONFIG_H
#define SP_CONFIG_CONFIG_H

#include <stdint.h>

#include "config/objects.h"
#include "config/rule.h"
#include "config/test.h"

/* Limits on what a file may ask for, each tested at the limit. */
#define SP_CONFIG_FLOWS_MAX	     (1u << 24)
#define SP_CONFIG_SESSIONS_MAX	     (1u << 20)
#define SP_CONFIG_USERS_MAX	     65533u /* 16 bits, with nobody and the gateway */
#define SP_CONFIG_GROUPS_MAX	     4096u
#define SP_CONFIG_ZONES_MAX	     1024u
#define SP_CONFIG_WIREGUARDS_MAX     64u
#define SP_CONFIG_DESTINATIONS_MAX   65536u
#define SP_CONFIG_SERVICES_MAX	     65536u
#define SP_CONFIG_POOLS_MAX	     64u
#define SP_CONFIG_POOL_ADDRESSES_MAX 256u
#define SP_CONFIG_PATHS_MAX	     64u
#define SP_CONFIG_POLICY_NODES_MAX   (1u << 24)
#define SP_CONFIG_RULES_MAX	     100000u
#define SP_CONFIG_TESTS_MAX	     100000u
#define SP_CONFIG_CONTROL_PATH	     "/run/sallyport/control.sock"

/* Workloads behind an inside interface. To rules, limits and maps it is one of the users. */
struct sp_config_zone {
	char *name;
	uint32_t user;	/* index in config->users */
	uint32_t iface; /* index in config->ifaces */
	struct sp_prefix *prefixes;
	uint32_t prefix_count;
	struct sp_config_limit limit;
	uint32_t flows_max; /* default 65536 */
	struct sp_config_source source;
};

struct sp_config {
	struct sp_config_gateway gateway;
	struct sp_config_iface *ifaces;
	uint32_t iface_count;
	struct sp_config_wireguard *wireguards;
	uint32_t wireguard_count;
	struct sp_config_group *groups;
	uint32_t group_count;
	struct sp_config_user *users; /* zones last */
	uint32_t user_count;
	struct sp_config_zone *zones;
	uint32_t zone_count;
	struct sp_config_peer *peers;
	uint32_t peer_count;
	struct sp_config_destination *destinations;
	uint32_t destination_count;
	struct sp_config_service *services;
	uint32_t service_count;
	struct sp_config_pool *pools;
	uint32_t pool_count;
	struct sp_config_path *paths;
	uint32_t path_count;
	struct sp_config_rule *rules; /* in order, first match wins */
	uint32_t rule_count;
	struct sp_config_country *countries;
	uint32_t country_count;
	struct sp_config_test *tests;
	uint32_t test_count;
	char **files; /* every file read, in order */
	char **texts; /* of the first text_count files: what each held, until sp_config_forget_texts */
	uint32_t file_count, text_count;
	bool is_tested;			   /* its tests have passed */
	struct sp_config_written *written; /* for config/diff.h */
};

/* One mistake, as text: "file:line: field: found X, expected Y". */
struct sp_config_error {
	struct sp_config_source source;
	char *text;
};
struct sp_config_errors {
	struct sp_config_error *list;
	uint32_t count;
	uint32_t left_out; /* beyond the first 200 */
	char **files;	   /* owns the sources' names */
	uint32_t file_count;
};
void sp_config_errors_fini(struct sp_config_errors *errors);

/*
 * Read path and its conf.d, check everything, and either return a config or fill ret_errors with
 * every mistake. 0, -EINVAL (see ret_errors), -ENOMEM. Keys are read from their files.
 */
int sp_config_open(const char *path, struct sp_config **ret_config,
		   struct sp_config_errors *ret_errors);
void sp_config_close(struct sp_config *config);
/*
 * The same from texts that were read before, the main file first: names and relative paths mean
 * what they meant in the files. No directory is searched, but keys are read from their files.
 */
int sp_config_open_texts(const char *const *files, const char *const *texts, uint32_t count,
			 struct sp_config **ret_config, struct sp_config_errors *ret_errors);
void sp_config_forget_texts(struct sp_config *config);

/* [A-Za-z0-9][A-Za-z0-9._-]{0,30} */
bool sp_config_name_valid(const char *text);
/* host:port, address:port or [IPv6]:port, as a client's configuration takes it. */
bool sp_config_endpoint_valid(const char *text);

/*
 * gateway.control of a file, or its default, for who only wants to talk to the daemon: nothing
 * else is judged and no key is read. malloc-ed; NULL: no memory.
 */
char *sp_config_control_path(const char *path);

#endif
