/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/fields.h"
#include "sallyport/abi/path.h"
#include "sallyport/core/addr.h"

#define PREFIXES_MAX 4096
#define FLOWS_MAX    65536

static void read_interface(struct sp_config_reader *r, const struct sp_config_field *field,
			   config_setting_t *setting, void *object)
{
	const struct sp_config_name *name =
		sp_config_refer(r, setting, SP_SECTION_IFACE, "an interface");
	struct sp_config_zone *zone = object;

	if (!name)
		return;
	zone->iface = name->index;
	if (!(r->config->ifaces[name->index].roles & SP_ROLE_INSIDE))
		sp_config_expected(r, setting, "an interface with the role \"inside\"");
}

static bool prefix_equal(const struct sp_prefix *a, const struct sp_prefix *b)
{
	return a->len == b->len && sp_addr_equal(&a->addr, &b->addr);
}

/* "any" in a rule means outside: everything as a zone would leave nothing for it to mean. */
static bool is_everything(const struct sp_prefix *p)
{
	return p->len < 8 || (sp_addr_is_v4(&p->addr) && p->len == 96);
}

/* Whose is a source, if the same prefix of one interface stands in two zones? */
static void check_twins(struct sp_config_reader *r, config_setting_t *place,
			const struct sp_config_zone *zone, const struct sp_prefix *prefix)
{
	char text[SP_PREFIX_TEXT];

	for (const struct sp_config_zone *o = r->config->zones; o < zone; o++) {
		for (uint32_t i = 0; o->iface == zone->iface && i < o->prefix_count; i++) {
			if (prefix_equal(&o->prefixes[i], prefix))
				sp_config_mistake(r, place,
						  "found %s, expected a prefix that zone %s does "
						  "not have",
						  sp_prefix_format(prefix, text),
						  o->name ? o->name : "?");
		}
	}
}

static void finish(struct sp_config_reader *r, config_setting_t *setting, void *item)
{
	config_setting_t *place = config_setting_get_member(setting, "prefixes");
	const struct sp_config_zone *zone = item;
	char text[SP_PREFIX_TEXT];

	if (place && !sp_config_list_length(place))
		sp_config_expected(r, place, "at least one prefix");
	for (uint32_t i = 0; place && i < zone->prefix_count; i++) {
		if (is_everything(&zone->prefixes[i]))
			sp_config_mistake(r, place, "found %s, expected less than every address",
					  sp_prefix_format(&zone->prefixes[i], text));
		check_twins(r, place, zone, &zone->prefixes[i]);
	}
}

static void init(void *item)
{
	((struct sp_config_zone *)item)->flows_max = FLOWS_MAX;
}

/* Behind the users, so that their own indexes stay. */
static uint32_t join(struct sp_config_reader *r)
{
	struct sp_config *config = r->config;
	uint32_t first = config->user_count, total = first + config->zone_count;
	struct sp_config_user *users;
	config_setting_t **items;

	if (total > SP_CONFIG_USERS_MAX) {
		sp_config_mistake(r, r->items[SP_SECTION_ZONE][0],
				  "found %u users and zones, expected at most %u", total,
				  SP_CONFIG_USERS_MAX);
		return first;
	}
	users = reallocarray(config->users, total, sizeof(*users));
	if (users)
		config->users = users;
	items = reallocarray(r->items[SP_SECTION_USER], total, sizeof(*items));
	if (items)
		r->items[SP_SECTION_USER] = items;
	if (!users || !items) {
		r->rc = -ENOMEM;
		return first;
	}
	for (uint32_t i = 0; i < config->zone_count; i++) {
		struct sp_config_zone *zone = &config->zones[i];

		zone->user = first + i;
		items[first + i] = r->items[SP_SECTION_ZONE][i];
		users[first + i] = (struct sp_config_user){
			.name = zone->name ? sp_config_copy(r, zone->name) : NULL,
			.limit = zone->limit,
			.flows_max = zone->flows_max,
			.is_zone = true,
			.source = zone->source,
		};
	}
	config->user_count = total;
	return first;
}

#define AT(member) offsetof(struct sp_config_zone, member)
static const struct sp_config_field fields[] = {
	{.key = "name", .read = sp_config_subject_read, .offset = AT(name), .required = true},
	{.key = "interface", .read = read_interface, .required = true},
	{.key = "prefixes",
	 .read = sp_field_prefixes,
	 .offset = AT(prefixes),
	 .count_offset = AT(prefix_count),
	 .max = PREFIXES_MAX,
	 .required = true},
	{.key = "limit", .read = sp_config_limit_read, .offset = AT(limit)},
	{.key = "flows_max",
	 .read = sp_field_u32,
	 .offset = AT(flows_max),
	 .min = 1,
	 .max = SP_CONFIG_FLOWS_MAX},
};

const struct sp_config_section sp_config_zones = {
	.key = "zones",
	.id = SP_SECTION_ZONE,
	.space = SP_SECTION_USER,
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(*fields),
	.max = SP_CONFIG_ZONES_MAX,
	.item_bytes = sizeof(struct sp_config_zone),
	.name_offset = AT(name),
	.source_offset = AT(source),
	.list_offset = offsetof(struct sp_config, zones),
	.count_offset = offsetof(struct sp_config, zone_count),
	.init = init,
	.finish = finish,
	.join = join,
};
