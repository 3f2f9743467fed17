/* SPDX-License-Identifier: Apache-2.0 */
/* Zones and the addresses they leave by, from the configuration into the maps XDP reads. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "daemon/daemon.h"
#include "dataplane/plain.h"
#include "sallyport/core/addr.h"

/* Interfaces change only with a restart, so a reload's list may be another: names decide. */
static uint32_t slot_of(const struct sp_daemon *daemon, const struct sp_config *config,
			const struct sp_config_zone *zone)
{
	for (uint32_t i = 0; i < daemon->iface_count; i++) {
		if (!strcmp(daemon->ifaces[i].iface.name, config->ifaces[zone->iface].name))
			return daemon->ifaces[i].iface.slot;
	}
	return SP_IFACE_MAX; /* no packet comes from there */
}

static struct sp_zone_key zone_key(uint32_t slot, const struct sp_prefix *prefix)
{
	struct sp_zone_key key = {.prefixlen = 32u + prefix->len, .slot = slot};

	memcpy(key.addr, prefix->addr.b, sizeof(key.addr));
	return key;
}

static int put_prefixes(struct sp_daemon *daemon, const struct sp_config *config,
			const struct sp_config_zone *zone)
{
	struct sp_zone value = {.user_id = config->users[zone->user].id};
	uint32_t slot = slot_of(daemon, config, zone);
	int rc = 0;

	for (uint32_t i = 0; i < zone->prefix_count && !rc; i++) {
		struct sp_zone_key key = zone_key(slot, &zone->prefixes[i]);

		rc = sp_dataplane_zone_put(daemon->dataplane, &key, &value);
	}
	return rc;
}

/* What a zone leaves as through one pool; nothing stands there for a family it has no address of. */
static int put_egress(struct sp_daemon *daemon, uint32_t user_id, uint16_t pool_id,
		      const struct sp_nat_pool *pool, bool v4)
{
	struct sp_nat_address address, *a = NULL;
	struct sp_egress_key key = {.user_id = user_id, .pool_id = pool_id, .version = v4 ? 4 : 6};
	struct sp_egress value = {.pool_id = (uint8_t)pool->id,
				  .slice = (uint16_t)daemon->workers,
				  .slices = (uint16_t)daemon->shared->gateway->nat_slices,
				  .fallback = (uint8_t)pool->fallback};

	if (sp_nat_pool_range(pool, user_id, v4, &address))
		a = &address;
	if (!v4 && pool->route_ipv6)
		value.routed = 1;
	else if (!a && !pool->fallback)
		return sp_dataplane_egress_remove(daemon->dataplane, &key);
	/* A zone's flows are XDP's alone, and so is a block that is the zone's. */
	if (pool->block) {
		value.slice = 0;
		value.slices = 1;
	}
	if (a) {
		value.addr = a->addr;
		value.port_min = a->port_min;
		value.port_max = a->port_max;
		if (a->use)
			value.use_id = (uint32_t)(a->use - daemon->shared->egress_use);
	}
	return sp_dataplane_egress_put(daemon->dataplane, &key, &value);
}

static int put_pools(struct sp_daemon *daemon, uint32_t user_id, const struct sp_nat_pools *pools)
{
	int rc = 0;

	for (uint32_t i = 0; i < pools->count && !rc; i++) {
		const struct sp_nat_pool *pool = &pools->pools[i];

		rc = put_egress(daemon, user_id, pool->id, pool, true);
		if (!rc)
			rc = put_egress(daemon, user_id, pool->id, pool, false);
		if (!rc && i == 0) /* of rules that name none */
			rc = put_egress(daemon, user_id, 0, pool, true);
		if (!rc && i == 0)
			rc = put_egress(daemon, user_id, 0, pool, false);
	}
	return rc;
}

/* A port of XDP's slice that the host listens on is the gateway's own claim. */
static int claim_excluded(struct sp_daemon *daemon, const struct sp_nat_pool *pool,
			  const struct sp_nat_address *a)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
	struct sp_port value = {.owner = {.user_id = SP_USER_GATEWAY}, .claimed_ns = UINT64_MAX};
	int rc = 0;

	for (uint32_t i = 0; i < 2 * pool->excluded_count && !rc; i++) {
		struct sp_port_key key = {.addr = a->addr,
					  .port_be = htons(pool->excluded[i / 2]),
					  .proto = protos[i % 2]};

		if (pool->excluded[i / 2] >= a->port_min && pool->excluded[i / 2] <= a->port_max)
			rc = sp_dataplane_port_put(daemon->dataplane, &key, &value);
	}
	return rc;
}

int sp_zones_put(struct sp_daemon *daemon, const struct sp_config *config,
		 const struct sp_nat_pools *pools)
{
	int rc = 0;

	if (!daemon->plain)
		return 0;
	for (uint32_t i = 0; i < pools->count && !rc; i++) {
		for (uint32_t a = 0; a < pools->pools[i].address_count && !rc; a++)
			rc = claim_excluded(daemon, &pools->pools[i],
					    &pools->pools[i].addresses[a]);
	}
	for (uint32_t i = 0; i < config->zone_count && !rc; i++) {
		const struct sp_config_zone *zone = &config->zones[i];

		rc = put_pools(daemon, config->users[zone->user].id, pools);
		if (!rc)
			rc = put_prefixes(daemon, config, zone);
	}
	return rc;
}

struct retiring {
	struct sp_daemon *daemon;
	const struct sp_config *config;
};

static int retire_zone(const struct sp_zone_key *key, void *arg)
{
	const struct retiring *r = arg;

	for (uint32_t i = 0; i < r->config->zone_count; i++) {
		const struct sp_config_zone *zone = &r->config->zones[i];
		uint32_t slot = slot_of(r->daemon, r->config, zone);

		for (uint32_t k = 0; k < zone->prefix_count; k++) {
			struct sp_zone_key wanted = zone_key(slot, &zone->prefixes[k]);

			if (!memcmp(&wanted, key, sizeof(wanted)))
				return 0;
		}
	}
	return sp_dataplane_zone_remove(r->daemon->dataplane, key);
}

static int retire_egress(const struct sp_egress_key *key, void *arg)
{
	const struct retiring *r = arg;

	for (uint32_t i = 0; i < r->config->zone_count; i++) {
		if (r->config->users[r->config->zones[i].user].id == key->user_id &&
		    key->pool_id <= r->config->pool_count)
			return 0;
	}
	return sp_dataplane_egress_remove(r->daemon->dataplane, key);
}

/* The policy in force names nobody who is retired here, so these only take room. */
void sp_zones_retire(struct sp_daemon *daemon, const struct sp_config *config)
{
	struct retiring r = {daemon, config};

	if (!daemon->plain)
		return;
	sp_dataplane_zone_each(daemon->dataplane, retire_zone, &r);
	sp_dataplane_egress_each(daemon->dataplane, retire_egress, &r);
}
