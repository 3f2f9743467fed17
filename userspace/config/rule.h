/* SPDX-License-Identifier: Apache-2.0 */
/* A rule of the policy, and a path it may name; included by config/config.h. Any thread. */
#ifndef SP_CONFIG_RULE_H
#define SP_CONFIG_RULE_H

#include "config/objects.h"

enum sp_on_change {		/* as enum sp_flow_on_change */
	SP_ON_CHANGE_KILL = 0,	/* judged again on the next packet, cut when denied */
	SP_ON_CHANGE_KEEP = 1,	/* lets the flow end by itself */
	SP_ON_CHANGE_GRACE = 2, /* cut grace_s after it is denied */
};

struct sp_config_schedule {
	char *zone;	   /* NULL: no schedule */
	uint32_t days;	   /* bit 0 = Monday */
	uint32_t from_min; /* since midnight, 0 .. 1439 */
	uint32_t to_min;   /* 1 .. 1440; not above from_min: on the next day */
};

/* A country that some rule names, with its addresses by gateway.geoip. */
struct sp_config_country {
	char code[4];
	struct sp_prefix *prefixes;
	uint32_t prefix_count;
	struct sp_config_source source; /* of the first rule that names it */
};

/* A way out by name, instead of by the routing table. */
struct sp_config_path {
	char *name;
	uint8_t id;	/* in every map; index + 1, unless the daemon keeps an older one */
	uint32_t iface; /* index in config->ifaces */
	bool has_v4, has_v6;
	struct sp_addr nexthop_v4, nexthop_v6;
	uint32_t pool; /* index in config->pools, or UINT32_MAX: the first that leaves by iface */
	struct sp_config_source source;
};

struct sp_config_rule {
	char *name;
	bool from_any;
	uint32_t *users; /* indexes; groups are listed apart */
	uint32_t user_count;
	uint32_t *groups;
	uint32_t group_count;
	bool from_where; /* only from these outer addresses of the tunnel */
	struct sp_prefix *from_prefixes;
	uint32_t from_prefix_count;
	uint32_t *from_countries; /* indexes in config->countries */
	uint32_t from_country_count;
	bool to_any;
	bool to_gateway; /* "gateway": the gateway's own inner addresses */
	uint32_t *destinations;
	uint32_t destination_count;
	bool service_any;
	uint32_t *services;
	uint32_t service_count;
	bool allow;
	bool reject; /* a denial that answers */
	bool shadow; /* counts and logs, decides nothing */
	bool log;
	enum sp_on_change on_change;
	uint32_t grace_s;
	struct sp_config_schedule schedule;
	int64_t expires_s; /* since 1970; 0 = never */
	struct sp_config_limit limit;
	uint32_t hit_id;		 /* index + 1, unless the daemon keeps an older one */
	uint32_t bucket_up, bucket_down; /* of the limit, by the daemon; 0 = unlimited */
	uint32_t pool;			 /* index in config->pools, or UINT32_MAX */
	uint32_t *paths;		 /* indexes in config->paths, tried in order */
	uint32_t path_count;		 /* 0: the routing table */
	struct sp_config_source source;
};

#endif
