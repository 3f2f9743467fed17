/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever leaves by a path leaves as an address of that path's interface, or the file is wrong. */
#include <string.h>

#include "config/fields.h"

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

void sp_config_check_paths(struct sp_config_reader *r)
{
	for (uint32_t i = 0; i < r->config->path_count; i++)
		check_path(r, i);
	for (uint32_t i = 0; i < r->config->rule_count; i++)
		check_rule(r, i);
}
