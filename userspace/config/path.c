/* SPDX-License-Identifier: Apache-2.0 */
#include "config/fields.h"
#include "sallyport/abi/path.h"
#include "sallyport/core/addr.h"

static void read_interface(struct sp_config_reader *r, const struct sp_config_field *field,
			   config_setting_t *setting, void *object)
{
	const struct sp_config_name *name =
		sp_config_refer(r, setting, SP_SECTION_IFACE, "an interface");

	if (!name)
		return;
	((struct sp_config_path *)object)->iface = name->index;
	if (!(r->config->ifaces[name->index].roles & SP_ROLE_EGRESS))
		sp_config_expected(r, setting, "an interface with the role \"egress\"");
}

static bool read_nexthop(struct sp_config_reader *r, config_setting_t *setting, bool v4,
			 struct sp_addr *ret_addr)
{
	const char *expected = v4 ? "the IPv4 address of a router such as \"192.0.2.129\""
				  : "the IPv6 address of a router such as \"2001:db8:2::fe\"";
	const char *text = sp_config_text(r, setting, expected);
	struct sp_addr addr;

	if (!text)
		return false;
	if (sp_addr_parse(text, &addr) || sp_config_addr_is_special(&addr) ||
	    sp_addr_is_v4(&addr) != v4) {
		sp_config_expected(r, setting, "%s", expected);
		return false;
	}
	*ret_addr = addr;
	return true;
}

static void read_v4(struct sp_config_reader *r, const struct sp_config_field *field,
		    config_setting_t *setting, void *object)
{
	struct sp_config_path *path = object;

	path->has_v4 = read_nexthop(r, setting, true, &path->nexthop_v4);
}

static void read_v6(struct sp_config_reader *r, const struct sp_config_field *field,
		    config_setting_t *setting, void *object)
{
	struct sp_config_path *path = object;

	path->has_v6 = read_nexthop(r, setting, false, &path->nexthop_v6);
}

static void read_egress(struct sp_config_reader *r, const struct sp_config_field *field,
			config_setting_t *setting, void *object)
{
	const struct sp_config_name *name =
		sp_config_refer(r, setting, SP_SECTION_POOL, "an egress pool");

	if (name)
		((struct sp_config_path *)object)->pool = name->index;
}

static void init(void *item)
{
	((struct sp_config_path *)item)->pool = UINT32_MAX;
	((struct sp_config_path *)item)->iface = UINT32_MAX;
}

static void finish(struct sp_config_reader *r, config_setting_t *setting, void *item)
{
	if (!config_setting_get_member(setting, "nexthop") &&
	    !config_setting_get_member(setting, "nexthop6"))
		sp_config_mistake(r, setting,
				  "found no next hop, expected nexthop, nexthop6 or both");
}

#define AT(member) offsetof(struct sp_config_path, member)
static const struct sp_config_field fields[] = {
	{.key = "name", .read = sp_field_name, .offset = AT(name), .required = true},
	{.key = "interface", .read = read_interface, .required = true},
	{.key = "nexthop", .read = read_v4},
	{.key = "nexthop6", .read = read_v6},
	{.key = "egress", .read = read_egress},
};

const struct sp_config_section sp_config_paths = {
	.key = "paths",
	.id = SP_SECTION_PATH,
	.space = SP_SECTION_PATH,
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(*fields),
	.max = SP_CONFIG_PATHS_MAX,
	.item_bytes = sizeof(struct sp_config_path),
	.name_offset = AT(name),
	.source_offset = AT(source),
	.list_offset = offsetof(struct sp_config, paths),
	.count_offset = offsetof(struct sp_config, path_count),
	.init = init,
	.finish = finish,
};
