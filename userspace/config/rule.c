/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/zone.h"
#include "config/fields.h"
#include "config/units.h"

#define REFERENCES_MAX 4096
#define PATHS_MAX      4 /* SP_PATH_CHOICES of core/path.h */

static const char *const actions[] = {"deny", "allow", "reject", NULL};
static const char *const modes[] = {"enforce", "shadow", NULL};
static const char *const from_words[] = {"any", NULL};
static const char *const to_words[] = {"any", "gateway", NULL};
static const char *const service_words[] = {"any", NULL};

static void read_from(struct sp_config_reader *r, const struct sp_config_field *field,
		      config_setting_t *setting, void *object)
{
	struct sp_config_references refs = {.space = SP_SECTION_USER,
					    .what = "a user, group or zone, or \"any\"",
					    .words = from_words,
					    .wanted = SP_SECTION_USER};
	struct sp_config_rule *rule = object;

	sp_config_references_read(r, setting, REFERENCES_MAX, &refs);
	rule->from_any = refs.words_seen & 1;
	rule->users = refs.list;
	rule->user_count = refs.count;
	rule->groups = refs.others;
	rule->group_count = refs.other_count;
}

static void read_to(struct sp_config_reader *r, const struct sp_config_field *field,
		    config_setting_t *setting, void *object)
{
	struct sp_config_references refs = {.space = SP_SECTION_DESTINATION,
					    .what = "a destination, or \"any\" or \"gateway\"",
					    .words = to_words,
					    .wanted = SP_SECTION_DESTINATION};
	struct sp_config_rule *rule = object;

	sp_config_references_read(r, setting, REFERENCES_MAX, &refs);
	rule->to_any = refs.words_seen & 1;
	rule->to_gateway = refs.words_seen & 2;
	rule->destinations = refs.list;
	rule->destination_count = refs.count;
	free(refs.others);
}

static void read_service(struct sp_config_reader *r, const struct sp_config_field *field,
			 config_setting_t *setting, void *object)
{
	struct sp_config_references refs = {.space = SP_SECTION_SERVICE,
					    .what = "a service, or \"any\"",
					    .words = service_words,
					    .wanted = SP_SECTION_SERVICE};
	struct sp_config_rule *rule = object;

	sp_config_references_read(r, setting, REFERENCES_MAX, &refs);
	rule->service_any = refs.words_seen & 1;
	rule->services = refs.list;
	rule->service_count = refs.count;
	free(refs.others);
}

static void read_action(struct sp_config_reader *r, const struct sp_config_field *field,
			config_setting_t *setting, void *object)
{
	const struct sp_config_field choice = {.choices = actions};
	uint32_t action = 0;

	sp_field_choice(r, &choice, setting, &action);
	((struct sp_config_rule *)object)->allow = action == 1;
	((struct sp_config_rule *)object)->reject = action == 2;
}

static void read_mode(struct sp_config_reader *r, const struct sp_config_field *field,
		      config_setting_t *setting, void *object)
{
	const struct sp_config_field choice = {.choices = modes};
	uint32_t mode = 0;

	sp_field_choice(r, &choice, setting, &mode);
	((struct sp_config_rule *)object)->shadow = mode == 1;
}

static void read_on_change(struct sp_config_reader *r, const struct sp_config_field *field,
			   config_setting_t *setting, void *object)
{
	static const char expected[] = "\"kill\", \"keep\" or \"grace 30 s\" (1 s to 86400 s)";
	const char *text = sp_config_text(r, setting, expected);
	struct sp_config_rule *rule = object;

	if (!text)
		return;
	if (!strcmp(text, "kill"))
		rule->on_change = SP_ON_CHANGE_KILL;
	else if (!strcmp(text, "keep"))
		rule->on_change = SP_ON_CHANGE_KEEP;
	else if (!sp_config_parse_grace(text, &rule->grace_s))
		rule->on_change = SP_ON_CHANGE_GRACE;
	else
		sp_config_expected(r, setting, "%s", expected);
}

static void read_expires(struct sp_config_reader *r, const struct sp_config_field *field,
			 config_setting_t *setting, void *object)
{
	static const char expected[] =
		"a time such as \"2026-12-31 18:00 Europe/Berlin\" or \"2026-12-31T17:00:00Z\"";
	const char *text = sp_config_text(r, setting, expected);
	int64_t time_s;
	int rc;

	if (!text)
		return;
	rc = sp_zone_parse(text, &time_s);
	if (rc == -ENOENT)
		sp_config_expected(r, setting, "a time zone of this system's database");
	else if (rc)
		sp_config_expected(r, setting, "%s", expected);
	else
		((struct sp_config_rule *)object)->expires_s = time_s ? time_s : 1;
}

static void read_egress(struct sp_config_reader *r, const struct sp_config_field *field,
			config_setting_t *setting, void *object)
{
	const struct sp_config_name *name =
		sp_config_refer(r, setting, SP_SECTION_POOL, "an egress pool");

	if (name)
		((struct sp_config_rule *)object)->pool = name->index;
}

static void read_path(struct sp_config_reader *r, const struct sp_config_field *field,
		      config_setting_t *setting, void *object)
{
	struct sp_config_references refs = {
		.space = SP_SECTION_PATH, .what = "a path", .wanted = SP_SECTION_PATH};
	struct sp_config_rule *rule = object;

	sp_config_references_read(r, setting, PATHS_MAX, &refs);
	rule->paths = refs.list;
	rule->path_count = refs.count;
	free(refs.others);
}

static void init(void *item)
{
	((struct sp_config_rule *)item)->pool = UINT32_MAX;
}

static void finish(struct sp_config_reader *r, config_setting_t *setting, void *item)
{
	struct sp_config_rule *rule = item;

	if (!config_setting_get_member(setting, "service"))
		rule->service_any = true;
	rule->hit_id = (uint32_t)(rule - r->config->rules) + 1;
}

#define AT(member) offsetof(struct sp_config_rule, member)
static const struct sp_config_field fields[] = {
	{.key = "name", .read = sp_field_name, .offset = AT(name), .required = true},
	{.key = "from", .read = read_from, .required = true},
	{.key = "from_where", .read = sp_field_where},
	{.key = "to", .read = read_to, .required = true},
	{.key = "service", .read = read_service},
	{.key = "action", .read = read_action, .required = true},
	{.key = "egress", .read = read_egress},
	{.key = "path", .read = read_path},
	{.key = "on_change", .read = read_on_change},
	{.key = "mode", .read = read_mode},
	{.key = "schedule", .read = sp_field_schedule, .offset = AT(schedule)},
	{.key = "expires", .read = read_expires},
	{.key = "limit", .read = sp_config_limit_read, .offset = AT(limit)},
	{.key = "log", .read = sp_field_bool, .offset = AT(log)},
};
SP_CONFIG_FIELDS_FIT(fields);

const struct sp_config_section sp_config_rules = {
	.key = "policy",
	.id = SP_SECTION_RULE,
	.space = SP_SECTION_RULE,
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(*fields),
	.max = SP_CONFIG_RULES_MAX,
	.item_bytes = sizeof(struct sp_config_rule),
	.name_offset = AT(name),
	.source_offset = AT(source),
	.list_offset = offsetof(struct sp_config, rules),
	.count_offset = offsetof(struct sp_config, rule_count),
	.init = init,
	.finish = finish,
};
