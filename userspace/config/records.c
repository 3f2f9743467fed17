/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.records: how long flow records are kept, and in how much room. */
#include <errno.h>

#include "config/fields.h"
#include "config/units.h"

static void read_keep(struct sp_config_reader *r, const struct sp_config_field *field,
		      config_setting_t *setting, void *object)
{
	static const char expected[] = "a time from 1 h to 3660 d such as \"30 d\"";
	const char *text = sp_config_text(r, setting, expected);

	if (text && sp_config_parse_age(text, &SP_MEMBER(object, uint32_t, field->offset)))
		sp_config_expected(r, setting, "%s", expected);
}

static void read_size(struct sp_config_reader *r, const struct sp_config_field *field,
		      config_setting_t *setting, void *object)
{
	static const char expected[] = "a size from 1 MiB to 1024 GiB such as \"256 MiB\"";
	const char *text = sp_config_text(r, setting, expected);

	if (text && sp_config_parse_room(text, &SP_MEMBER(object, uint64_t, field->offset)))
		sp_config_expected(r, setting, "%s", expected);
}

#define AT(member) offsetof(struct sp_config_records, member)
static const struct sp_config_field fields[] = {
	{.key = "enabled", .read = sp_field_bool, .offset = AT(enabled)},
	{.key = "keep", .read = read_keep, .offset = AT(keep_s)},
	{.key = "size", .read = read_size, .offset = AT(size_bytes)},
};

void sp_config_records_read(struct sp_config_reader *r, const struct sp_config_field *field,
			    config_setting_t *setting, void *object)
{
	if (config_setting_is_group(setting))
		sp_config_group_read(r, setting, fields, sizeof(fields) / sizeof(*fields),
				     &SP_MEMBER(object, struct sp_config_records, field->offset));
	else
		sp_config_expected(r, setting, "a group { keep = \"30 d\"; size = \"256 MiB\"; }");
}
