/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/fields.h"

static void read_name(struct sp_config_reader *r, const struct sp_config_field *field,
		      config_setting_t *setting, void *object)
{
	const char *text = config_setting_get_string(setting);

	if (text && (!strcmp(text, "any") || !strcmp(text, "gateway")))
		sp_config_expected(r, setting, "a name that is not reserved");
	sp_field_name(r, field, setting, object);
}

static bool is_feed(const char *text)
{
	return text && *text == '@' && text[1];
}

static void add_feed(struct sp_config_reader *r, config_setting_t *setting, const char *path,
		     struct sp_config_destination *destination)
{
	char **feeds =
		reallocarray(destination->feeds, destination->feed_count + 1, sizeof(*feeds));

	if (feeds)
		destination->feeds = feeds;
	else
		r->rc = -ENOMEM;
	if (feeds && (feeds[destination->feed_count] = sp_config_path(r, setting, path)))
		destination->feed_count++;
}

/* "@path" stands for the lines of a file. */
static void read_prefixes(struct sp_config_reader *r, const struct sp_config_field *field,
			  config_setting_t *setting, void *object)
{
	struct sp_config_destination *destination = object;
	struct sp_config_prefixes prefixes = {0};
	uint32_t n = sp_config_list_length(setting);

	if (n > field->max) {
		sp_config_mistake(r, setting, "found %u entries, expected at most %lld", n,
				  (long long)field->max);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		config_setting_t *element = sp_config_list_element(setting, i);
		const char *text = config_setting_get_string(element);
		struct sp_prefix prefix;

		if (is_feed(text))
			add_feed(r, element, text + 1, destination);
		else if (sp_config_prefix_read(r, element, &prefix))
			sp_config_prefixes_add(r, &prefixes, &prefix);
	}
	destination->listed = prefixes.list;
	destination->listed_count = prefixes.count;
	sp_config_families_part(r, &destination->listed, &destination->listed_count);
	sp_config_feeds_join(r, destination, &destination->prefixes, &destination->prefix_count);
}

#define AT(member) offsetof(struct sp_config_destination, member)
static const struct sp_config_field fields[] = {
	{.key = "name", .read = read_name, .offset = AT(name), .required = true},
	{.key = "prefixes", .read = read_prefixes, .max = 65536, .required = true},
};

static void finish(struct sp_config_reader *r, config_setting_t *setting, void *item)
{
	config_setting_t *prefixes = config_setting_get_member(setting, "prefixes");

	if (prefixes && !sp_config_list_length(prefixes))
		sp_config_expected(r, prefixes, "at least one prefix");
}

const struct sp_config_section sp_config_destinations = {
	.key = "destinations",
	.id = SP_SECTION_DESTINATION,
	.space = SP_SECTION_DESTINATION,
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(*fields),
	.max = SP_CONFIG_DESTINATIONS_MAX,
	.item_bytes = sizeof(struct sp_config_destination),
	.name_offset = AT(name),
	.source_offset = AT(source),
	.list_offset = offsetof(struct sp_config, destinations),
	.count_offset = offsetof(struct sp_config, destination_count),
	.finish = finish,
};
