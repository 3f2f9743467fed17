/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "config/fields.h"
#include "sallyport/abi/path.h"

#define LINUX_NAME_MAX 15 /* IFNAMSIZ without the NUL */

static const char *const roles[] = {"tunnel", "egress", "inside"};
static const uint32_t role_bits[] = {SP_ROLE_TUNNEL, SP_ROLE_EGRESS, SP_ROLE_INSIDE};

static void read_name(struct sp_config_reader *r, const struct sp_config_field *field,
		      config_setting_t *setting, void *object)
{
	struct sp_config_iface *iface = object;
	const char *text = sp_config_text(r, setting, "the name of a network interface");

	if (!text)
		return;
	if (!*text || strlen(text) > LINUX_NAME_MAX || strpbrk(text, "/: \t\r\n") ||
	    !strcmp(text, ".") || !strcmp(text, ".."))
		sp_config_expected(r, setting,
				   "the name of a network interface, at most %d characters",
				   LINUX_NAME_MAX);
	iface->name = sp_config_copy(r, text);
}

static bool read_role(struct sp_config_reader *r, config_setting_t *setting, void *ret)
{
	static const char expected[] = "\"tunnel\", \"egress\" or \"inside\"";
	const char *text = sp_config_text(r, setting, expected);
	char hint[SP_CONFIG_HINT];

	if (!text)
		return false;
	for (uint32_t i = 0; i < sizeof(roles) / sizeof(*roles); i++) {
		if (!strcmp(text, roles[i])) {
			memcpy(ret, &role_bits[i], sizeof(role_bits[i]));
			return true;
		}
	}
	sp_config_expected(r, setting, "%s%s", expected,
			   sp_config_words_hint(roles, sizeof(roles) / sizeof(*roles), text, hint));
	return false;
}

static void read_roles(struct sp_config_reader *r, const struct sp_config_field *field,
		       config_setting_t *setting, void *object)
{
	struct sp_config_iface *iface = object;
	uint32_t *list = NULL, count = 0;

	if (!sp_config_list_length(setting))
		sp_config_expected(r, setting, "at least one role");
	sp_config_list_read(r, setting, 3, sizeof(*list), read_role, &list, &count);
	for (uint32_t i = 0; i < count; i++)
		iface->roles |= list[i];
	free(list);
}

static const struct sp_config_field fields[] = {
	{.key = "name", .read = read_name, .required = true},
	{.key = "roles", .read = read_roles, .required = true},
};

const struct sp_config_section sp_config_ifaces = {
	.key = "interfaces",
	.id = SP_SECTION_IFACE,
	.space = SP_SECTION_IFACE,
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(*fields),
	.max = SP_IFACE_MAX,
	.item_bytes = sizeof(struct sp_config_iface),
	.name_offset = offsetof(struct sp_config_iface, name),
	.source_offset = offsetof(struct sp_config_iface, source),
	.list_offset = offsetof(struct sp_config, ifaces),
	.count_offset = offsetof(struct sp_config, iface_count),
};
