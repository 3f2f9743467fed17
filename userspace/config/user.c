/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/fields.h"
#include "config/units.h"

#define GROUPS_OF_USER_MAX 64
/* A bucket drops and does not queue: TCP finds the rate only over some round trips of slack. */
#define BURST_MIN_BYTES (256u << 10)
#define BURST_MAX_BYTES (16u << 20)
#define UNLIMITED	UINT64_MAX /* while reading: 0 is "not said" */

static void read_rate(struct sp_config_reader *r, const struct sp_config_field *field,
		      config_setting_t *setting, void *object)
{
	static const char expected[] =
		"a rate with its unit such as \"20 Mbit/s\", or \"unlimited\"";
	const char *text = sp_config_text(r, setting, expected);
	uint64_t bps;
	int rc;

	if (!text)
		return;
	if (!strcmp(text, "unlimited")) {
		SP_MEMBER(object, uint64_t, field->offset) = UNLIMITED;
		return;
	}
	rc = sp_config_parse_rate(text, &bps);
	if (!rc)
		SP_MEMBER(object, uint64_t, field->offset) = bps;
	else if (rc == -ERANGE)
		sp_config_expected(r, setting, "a rate from 1 kbit/s to 1 Tbit/s");
	else
		sp_config_expected(r, setting, "%s", expected);
}

static void read_burst(struct sp_config_reader *r, const struct sp_config_field *field,
		       config_setting_t *setting, void *object)
{
	static const char expected[] = "a size with its unit such as \"256 KiB\"";
	const char *text = sp_config_text(r, setting, expected);
	uint64_t bytes;
	int rc;

	if (!text)
		return;
	rc = sp_config_parse_size(text, &bytes);
	if (!rc)
		SP_MEMBER(object, uint64_t, field->offset) = bytes;
	else if (rc == -ERANGE)
		sp_config_expected(r, setting, "a size from 4 KiB to 1 GiB");
	else
		sp_config_expected(r, setting, "%s", expected);
}

static const struct sp_config_field limit_fields[] = {
	{.key = "up", .read = read_rate, .offset = offsetof(struct sp_config_limit, up_bps)},
	{.key = "down", .read = read_rate, .offset = offsetof(struct sp_config_limit, down_bps)},
	{.key = "burst",
	 .read = read_burst,
	 .offset = offsetof(struct sp_config_limit, burst_bytes)},
};

void sp_config_limit_read(struct sp_config_reader *r, const struct sp_config_field *field,
			  config_setting_t *setting, void *object)
{
	if (config_setting_is_group(setting))
		sp_config_group_read(r, setting, limit_fields,
				     sizeof(limit_fields) / sizeof(*limit_fields),
				     &SP_MEMBER(object, struct sp_config_limit, field->offset));
	else
		sp_config_expected(r, setting, "a group { up = ...; down = ...; burst = ...; }");
}

/* "nobody" and "gateway" are users of their own in the maps, "any" a word of the policy. */
void sp_config_subject_read(struct sp_config_reader *r, const struct sp_config_field *field,
			    config_setting_t *setting, void *object)
{
	static const char *const reserved[] = {"any", "nobody", "gateway"};
	const char *text = config_setting_get_string(setting);

	for (size_t i = 0; text && i < sizeof(reserved) / sizeof(*reserved); i++) {
		if (!strcmp(text, reserved[i]))
			sp_config_expected(r, setting, "a name that is not reserved");
	}
	sp_field_name(r, field, setting, object);
}

static const struct sp_config_field group_fields[] = {
	{.key = "name",
	 .read = sp_config_subject_read,
	 .offset = offsetof(struct sp_config_group, name),
	 .required = true},
	{.key = "limit",
	 .read = sp_config_limit_read,
	 .offset = offsetof(struct sp_config_group, limit)},
};

const struct sp_config_section sp_config_groups = {
	.key = "groups",
	.id = SP_SECTION_GROUP,
	.space = SP_SECTION_USER,
	.fields = group_fields,
	.field_count = sizeof(group_fields) / sizeof(*group_fields),
	.max = SP_CONFIG_GROUPS_MAX,
	.item_bytes = sizeof(struct sp_config_group),
	.name_offset = offsetof(struct sp_config_group, name),
	.source_offset = offsetof(struct sp_config_group, source),
	.list_offset = offsetof(struct sp_config, groups),
	.count_offset = offsetof(struct sp_config, group_count),
};

/* Groups are read before users, so at this time the shared name space holds only groups. */
static void read_groups(struct sp_config_reader *r, const struct sp_config_field *field,
			config_setting_t *setting, void *object)
{
	struct sp_config_references refs = {
		.space = SP_SECTION_USER, .what = "a group", .wanted = SP_SECTION_GROUP};
	struct sp_config_user *user = object;

	if (sp_config_list_length(setting))
		sp_config_references_read(r, setting, GROUPS_OF_USER_MAX, &refs);
	user->groups = refs.list;
	user->group_count = refs.count;
	free(refs.others);
}

static void init_user(void *item)
{
	((struct sp_config_user *)item)->flows_max = 8192;
}

/* A direction the user does not name comes from the first of the groups that does. */
static uint64_t inherit(const struct sp_config_reader *r, const struct sp_config_user *user,
			size_t offset)
{
	uint64_t value = SP_MEMBER(&user->limit, const uint64_t, offset);

	for (uint32_t i = 0; !value && i < user->group_count; i++) {
		const struct sp_config_group *group = &r->config->groups[user->groups[i]];

		value = SP_MEMBER(&group->limit, const uint64_t, offset);
	}
	return value;
}

static void finish_user(struct sp_config_reader *r, config_setting_t *setting, void *item)
{
	struct sp_config_user *user = item;
	struct sp_config_limit limit = {
		.up_bps = inherit(r, user, offsetof(struct sp_config_limit, up_bps)),
		.down_bps = inherit(r, user, offsetof(struct sp_config_limit, down_bps)),
		.burst_bytes = inherit(r, user, offsetof(struct sp_config_limit, burst_bytes)),
	};

	user->limit = limit;
}

static void settle(struct sp_config_limit *limit)
{
	uint64_t bps;

	if (limit->up_bps == UNLIMITED)
		limit->up_bps = 0;
	if (limit->down_bps == UNLIMITED)
		limit->down_bps = 0;
	bps = limit->up_bps > limit->down_bps ? limit->up_bps : limit->down_bps;
	if (limit->burst_bytes || !bps)
		return;
	limit->burst_bytes = bps / 8 / 2; /* 500 ms of the faster direction */
	if (limit->burst_bytes < BURST_MIN_BYTES)
		limit->burst_bytes = BURST_MIN_BYTES;
	if (limit->burst_bytes > BURST_MAX_BYTES)
		limit->burst_bytes = BURST_MAX_BYTES;
}

void sp_config_limits_settle(struct sp_config *config)
{
	for (uint32_t i = 0; i < config->group_count; i++)
		settle(&config->groups[i].limit);
	for (uint32_t i = 0; i < config->user_count; i++)
		settle(&config->users[i].limit);
	for (uint32_t i = 0; i < config->rule_count; i++)
		settle(&config->rules[i].limit);
}

#define AT(member) offsetof(struct sp_config_user, member)
static const struct sp_config_field user_fields[] = {
	{.key = "name", .read = sp_config_subject_read, .offset = AT(name), .required = true},
	{.key = "groups", .read = read_groups},
	{.key = "limit", .read = sp_config_limit_read, .offset = AT(limit)},
	{.key = "flows_max",
	 .read = sp_field_u32,
	 .offset = AT(flows_max),
	 .min = 1,
	 .max = SP_CONFIG_FLOWS_MAX},
	{.key = "egress",
	 .read = sp_field_addresses,
	 .offset = AT(egress),
	 .count_offset = AT(egress_count),
	 .max = 2},
};

const struct sp_config_section sp_config_users = {
	.key = "users",
	.id = SP_SECTION_USER,
	.space = SP_SECTION_USER,
	.fields = user_fields,
	.field_count = sizeof(user_fields) / sizeof(*user_fields),
	.max = SP_CONFIG_USERS_MAX,
	.item_bytes = sizeof(struct sp_config_user),
	.name_offset = AT(name),
	.source_offset = AT(source),
	.list_offset = offsetof(struct sp_config, users),
	.count_offset = offsetof(struct sp_config, user_count),
	.init = init_user,
	.finish = finish_user,
};
