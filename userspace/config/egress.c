/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "config/fields.h"
#include "sallyport/abi/path.h"

#define PORT_MIN 1024 /* below stand the host's own services */

#define BLOCK_MIN 64
#define BLOCK_MAX 32768

static const char *const states[] = {"active", "drain", NULL};
static const char *const ipv6_modes[] = {"nat", "route", NULL};

static void read_interface(struct sp_config_reader *r, const struct sp_config_field *field,
			   config_setting_t *setting, void *object)
{
	const struct sp_config_name *name =
		sp_config_refer(r, setting, SP_SECTION_IFACE, "an interface");
	struct sp_config_pool *pool = object;

	if (!name)
		return;
	pool->interface = sp_config_copy(r, name->text);
	if (!(r->config->ifaces[name->index].roles & SP_ROLE_EGRESS))
		sp_config_expected(r, setting, "an interface with the role \"egress\"");
}

static void read_ports(struct sp_config_reader *r, const struct sp_config_field *field,
		       config_setting_t *setting, void *object)
{
	struct sp_config_pool *pool = object;

	if (!sp_config_ports_read(r, setting, &pool->ports))
		return;
	pool->has_ports = true;
	if (pool->ports.min < PORT_MIN)
		sp_config_expected(r, setting, "ports from %d on", PORT_MIN);
}

static void read_ipv6(struct sp_config_reader *r, const struct sp_config_field *field,
		      config_setting_t *setting, void *object)
{
	const struct sp_config_field choice = {.choices = ipv6_modes};
	uint32_t mode = 0;

	sp_field_choice(r, &choice, setting, &mode);
	((struct sp_config_pool *)object)->route_ipv6 = mode == 1;
}

/* Pools have no names before all of them are read. */
static void read_fallback(struct sp_config_reader *r, const struct sp_config_field *field,
			  config_setting_t *setting, void *object)
{
	(void)sp_config_text(r, setting, "the name of an egress pool");
}

static void init(void *item)
{
	((struct sp_config_pool *)item)->fallback = UINT32_MAX;
}

static void finish(struct sp_config_reader *r, config_setting_t *setting, void *item)
{
	const struct sp_config_pool *pool = item;
	config_setting_t *addresses = config_setting_get_member(setting, "addresses");

	if (pool->route_ipv6 || (addresses && sp_config_list_length(addresses)))
		return;
	sp_config_mistake(r, addresses ? addresses : setting,
			  "found no address, expected at least one, or ipv6 = \"route\"");
}

#define AT(member) offsetof(struct sp_config_pool, member)
static const struct sp_config_field fields[] = {
	{.key = "name", .read = sp_field_name, .offset = AT(name), .required = true},
	{.key = "interface", .read = read_interface, .required = true},
	{.key = "addresses",
	 .read = sp_field_addresses,
	 .offset = AT(addresses),
	 .count_offset = AT(address_count),
	 .max = SP_CONFIG_POOL_ADDRESSES_MAX},
	{.key = "ports", .read = read_ports},
	{.key = "ipv6", .read = read_ipv6},
	{.key = "block",
	 .read = sp_field_u32,
	 .offset = AT(block),
	 .min = BLOCK_MIN,
	 .max = BLOCK_MAX},
	{.key = "drain",
	 .read = sp_field_addresses,
	 .offset = AT(drain),
	 .count_offset = AT(drain_count),
	 .max = SP_CONFIG_POOL_ADDRESSES_MAX},
	{.key = "state", .read = sp_field_choice, .offset = AT(state), .choices = states},
	{.key = "fallback", .read = read_fallback}, /* settled in check_path.c */
};

const struct sp_config_section sp_config_pools = {
	.key = "egress",
	.id = SP_SECTION_POOL,
	.space = SP_SECTION_POOL,
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(*fields),
	.max = SP_CONFIG_POOLS_MAX,
	.item_bytes = sizeof(struct sp_config_pool),
	.name_offset = AT(name),
	.source_offset = AT(source),
	.list_offset = offsetof(struct sp_config, pools),
	.count_offset = offsetof(struct sp_config, pool_count),
	.init = init,
	.finish = finish,
};
