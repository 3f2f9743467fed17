/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/fields.h"

static const char *hint_key(const struct sp_config_field *fields, uint32_t count, const char *key,
			    char buf[static SP_CONFIG_HINT])
{
	const char *words[SP_CONFIG_FIELDS_MAX];

	for (uint32_t i = 0; i < count; i++)
		words[i] = fields[i].key;
	return sp_config_words_hint(words, count, key, buf);
}

void sp_config_group_read(struct sp_config_reader *r, config_setting_t *group,
			  const struct sp_config_field *fields, uint32_t count, void *object)
{
	bool seen[SP_CONFIG_FIELDS_MAX] = {false};
	char hint[SP_CONFIG_HINT];

	for (int i = 0; i < config_setting_length(group); i++) {
		config_setting_t *member = config_setting_get_elem(group, (unsigned int)i);
		uint32_t f = 0;

		while (f < count && strcmp(fields[f].key, config_setting_name(member)))
			f++;
		if (f < count) {
			seen[f] = true;
			fields[f].read(r, &fields[f], member, object);
		} else {
			hint_key(fields, count, config_setting_name(member), hint);
			sp_config_mistake(r, member, "found an unknown key, expected a known one%s",
					  hint);
		}
	}
	for (uint32_t f = 0; f < count; f++) {
		if (fields[f].required && !seen[f])
			sp_config_mistake(r, group, "found no \"%s\", expected one", fields[f].key);
	}
}

/* A section is a list of groups; one group alone is a list of one. */
static uint32_t section_length(const config_setting_t *section)
{
	return config_setting_is_group(section) ? 1 : sp_config_list_length(section);
}

static config_setting_t *section_element(config_setting_t *section, uint32_t i)
{
	return config_setting_is_group(section) ? section : sp_config_list_element(section, i);
}

static config_setting_t *find_section(const struct sp_config_reader *r, uint32_t document,
				      const char *key)
{
	config_setting_t *root = config_root_setting(&r->documents[document]->tree);

	return config_setting_get_member(root, key);
}

static void read_item(struct sp_config_reader *r, const struct sp_config_section *section,
		      config_setting_t *setting, uint32_t index, void *item)
{
	r->items[section->id][index] = setting;
	SP_MEMBER(item, struct sp_config_source, section->source_offset) =
		sp_config_source_of(setting);
	if (section->init)
		section->init(item);
	if (!config_setting_is_group(setting)) {
		sp_config_expected(r, setting, "a group { } for each of %s", section->key);
		return;
	}
	sp_config_group_read(r, setting, section->fields, section->field_count, item);
	if (section->finish)
		section->finish(r, setting, item);
	sp_config_written_add(r, section->id, section->key, setting,
			      SP_MEMBER(item, char *const, section->name_offset), index);
}

/* Only once all is read: a look-up needs the names in order, and users refer to groups. */
static void add_names(struct sp_config_reader *r, const struct sp_config_section *section)
{
	const char *list = SP_MEMBER(r->config, char *, section->list_offset);
	uint32_t count = SP_MEMBER(r->config, uint32_t, section->count_offset);
	enum sp_config_section_id id = section->join ? section->space : section->id;
	uint32_t first = section->join ? section->join(r) : 0;

	for (uint32_t i = 0; i < count; i++) {
		struct sp_config_name name = {.section = id, .index = first + i};

		name.text = SP_MEMBER(list + i * section->item_bytes, char *const,
				      section->name_offset);
		if (!name.text)
			continue;
		name.setting = config_setting_get_member(r->items[section->id][i], "name");
		sp_config_names_add(r, section->space, &name);
	}
	sp_config_names_sort(&r->names[section->space]);
}

void sp_config_section_read(struct sp_config_reader *r, const struct sp_config_section *section)
{
	uint32_t count = 0, index = 0;
	config_setting_t *setting;
	char *list;

	for (uint32_t d = 0; d < r->document_count; d++) {
		setting = find_section(r, d, section->key);
		if (!setting)
			continue;
		count += section_length(setting);
		if (count > section->max) {
			sp_config_mistake(r, setting, "found %u entries, expected at most %u",
					  count, section->max);
			r->incomplete = true;
			return;
		}
	}
	if (!count)
		return;
	list = calloc(count, section->item_bytes);
	r->items[section->id] = calloc(count, sizeof(*r->items[section->id]));
	SP_MEMBER(r->config, void *, section->list_offset) = list;
	if (!list || !r->items[section->id]) {
		r->rc = -ENOMEM;
		return;
	}
	if (!sp_config_written_reserve(r, section->id, count))
		return;
	for (uint32_t d = 0; d < r->document_count; d++) {
		setting = find_section(r, d, section->key);
		for (uint32_t i = 0; setting && i < section_length(setting); i++, index++) {
			SP_MEMBER(r->config, uint32_t, section->count_offset) = index + 1;
			read_item(r, section, section_element(setting, i), index,
				  list + index * section->item_bytes);
		}
	}
	add_names(r, section);
}
