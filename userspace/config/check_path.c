/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever leaves by a path leaves as an address of that path's interface, or the file is wrong. */
#include <string.h>

#include "config/fields.h"
#include "sallyport/core/addr.h"

#define FALLBACKS_MAX 4 /* SP_NAT_FALLBACKS_MAX of nat/nat.h */

static const char *interface_of(const struct sp_config *config, const struct sp_config_path *path)
{
	return path->iface < config->iface_count ? config->ifaces[path->iface].name : NULL;
}

static bool leaves_by(const struct sp_config_pool *pool, const char *interface)
{
	/* What is missing was said before. */
	return !interface || !pool->interface || !strcmp(pool->interface, interface);
}

static void check_path(struct sp_config_reader *r, uint32_t index)
{
	struct sp_config_path *path = &r->config->paths[index];
	const char *interface = interface_of(r->config, path);

	if (path->pool != UINT32_MAX) {
		const struct sp_config_pool *pool = &r->config->pools[path->pool];

		if (!leaves_by(pool, interface))
			sp_config_mistake(
				r, sp_config_place_of(r, SP_SECTION_PATH, index, "egress"),
				"found pool %s of interface %s, expected one of the path's own "
				"interface %s",
				pool->name ? pool->name : "?", pool->interface, interface);
		return;
	}
	for (uint32_t i = 0; i < r->config->pool_count && path->pool == UINT32_MAX; i++) {
		if (leaves_by(&r->config->pools[i], interface))
			path->pool = i;
	}
	if (path->pool == UINT32_MAX && !r->incomplete)
		sp_config_mistake(r, sp_config_place_of(r, SP_SECTION_PATH, index, "interface"),
				  "found no pool whose interface is %s, expected one, so that what "
				  "leaves there has an address",
				  interface ? interface : "?");
}

/* egress and path of one rule: the pool must be of every one of the paths. */
static void check_rule(struct sp_config_reader *r, uint32_t index)
{
	const struct sp_config *config = r->config;
	const struct sp_config_rule *rule = &config->rules[index];

	if (rule->pool == UINT32_MAX)
		return;
	for (uint32_t i = 0; i < rule->path_count; i++) {
		const struct sp_config_path *path = &config->paths[rule->paths[i]];
		const struct sp_config_pool *pool = &config->pools[rule->pool];

		if (!leaves_by(pool, interface_of(config, path)))
			sp_config_mistake(
				r, sp_config_place_of(r, SP_SECTION_RULE, index, "egress"),
				"found pool %s of interface %s, expected one of %s, the interface "
				"of path %s; leave it out, and each path takes its own",
				pool->name ? pool->name : "?", pool->interface,
				interface_of(config, path), path->name ? path->name : "?");
	}
}

static bool has_address(const struct sp_config_pool *pool, const struct sp_addr *addr)
{
	for (uint32_t i = 0; i < pool->address_count; i++) {
		if (sp_addr_equal(&pool->addresses[i], addr))
			return true;
	}
	return false;
}

static void check_drain(struct sp_config_reader *r, uint32_t index)
{
	const struct sp_config_pool *pool = &r->config->pools[index];
	char text[SP_ADDR_TEXT];

	for (uint32_t i = 0; i < pool->drain_count; i++) {
		if (!has_address(pool, &pool->drain[i]))
			sp_config_mistake(r, sp_config_place_of(r, SP_SECTION_POOL, index, "drain"),
					  "found %s, expected one of the pool's addresses",
					  sp_addr_format(&pool->drain[i], text));
	}
}

/* Its addresses must belong where the pool's own packets leave. */
static void check_fallback(struct sp_config_reader *r, uint32_t index)
{
	config_setting_t *place = sp_config_place_of(r, SP_SECTION_POOL, index, "fallback");
	struct sp_config_pool *pool = &r->config->pools[index];
	const char *text = config_setting_get_string(place);
	const struct sp_config_pool *other;
	const struct sp_config_name *name;

	if (!text)
		return;
	name = sp_config_refer(r, place, SP_SECTION_POOL, "an egress pool");
	if (!name)
		return;
	other = &r->config->pools[name->index];
	if (other == pool)
		sp_config_expected(r, place, "another pool");
	else if (pool->interface && !leaves_by(other, pool->interface))
		sp_config_mistake(r, place, "found pool %s of interface %s, expected one of %s",
				  text, other->interface, pool->interface);
	else
		pool->fallback = name->index;
}

static void check_chain(struct sp_config_reader *r, uint32_t index)
{
	const struct sp_config_pool *pools = r->config->pools;
	uint32_t at = pools[index].fallback, length = 1;

	while (at != UINT32_MAX && length <= FALLBACKS_MAX) {
		at = pools[at].fallback;
		length++;
	}
	if (length > FALLBACKS_MAX)
		sp_config_mistake(r, sp_config_place_of(r, SP_SECTION_POOL, index, "fallback"),
				  "found a chain of more than %d pools, or a ring, expected an end",
				  FALLBACKS_MAX);
}

static void check_user(struct sp_config_reader *r, uint32_t index)
{
	const struct sp_config_user *user = &r->config->users[index];
	config_setting_t *place = sp_config_place_of(r, SP_SECTION_USER, index, "egress");
	char text[SP_ADDR_TEXT];

	if (user->egress_count == 2 &&
	    sp_addr_is_v4(&user->egress[0]) == sp_addr_is_v4(&user->egress[1]))
		sp_config_mistake(r, place,
				  "found two addresses of one family, expected one of each");
	for (uint32_t i = 0; i < user->egress_count && !r->incomplete; i++) {
		bool found = false;

		for (uint32_t p = 0; p < r->config->pool_count && !found; p++)
			found = has_address(&r->config->pools[p], &user->egress[i]);
		if (!found)
			sp_config_mistake(r, place,
					  "found %s, expected an address of one of the pools",
					  sp_addr_format(&user->egress[i], text));
	}
}

static void check_pools(struct sp_config_reader *r)
{
	for (uint32_t i = 0; i < r->config->pool_count; i++) {
		check_drain(r, i);
		check_fallback(r, i);
	}
	for (uint32_t i = 0; i < r->config->pool_count; i++)
		check_chain(r, i);
	for (uint32_t i = 0; i < r->config->user_count; i++)
		check_user(r, i);
}

void sp_config_check_paths(struct sp_config_reader *r)
{
	check_pools(r);
	for (uint32_t i = 0; i < r->config->path_count; i++)
		check_path(r, i);
	for (uint32_t i = 0; i < r->config->rule_count; i++)
		check_rule(r, i);
}
