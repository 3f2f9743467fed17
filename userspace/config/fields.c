/* SPDX-License-Identifier: Apache-2.0 */
#include "config/fields.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define STRING_MAX 255

uint32_t sp_config_list_length(const config_setting_t *setting)
{
	if (config_setting_is_list(setting) || config_setting_is_array(setting))
		return (uint32_t)config_setting_length(setting);
	return 1;
}

config_setting_t *sp_config_list_element(config_setting_t *setting, uint32_t i)
{
	if (config_setting_is_list(setting) || config_setting_is_array(setting))
		return config_setting_get_elem(setting, i);
	return setting;
}

void sp_config_list_read(struct sp_config_reader *r, config_setting_t *setting, uint32_t max,
			 size_t item_bytes,
			 bool (*read)(struct sp_config_reader *, config_setting_t *, void *),
			 void *ret_list, uint32_t *ret_count)
{
	uint32_t length = sp_config_list_length(setting), count = 0;
	char *list;

	if (length > max) {
		sp_config_mistake(r, setting, "found %u entries, expected at most %u", length, max);
		return;
	}
	list = calloc(length + 1, item_bytes);
	if (!list) {
		r->rc = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < length; i++)
		count += read(r, sp_config_list_element(setting, i), list + count * item_bytes);
	*(void **)ret_list = list;
	*ret_count = count;
}

const char *sp_config_text(struct sp_config_reader *r, config_setting_t *setting,
			   const char *expected)
{
	if (config_setting_type(setting) == CONFIG_TYPE_STRING)
		return config_setting_get_string(setting);
	sp_config_expected(r, setting, "%s", expected);
	return NULL;
}

bool sp_config_number(struct sp_config_reader *r, config_setting_t *setting, int64_t min,
		      int64_t max, int64_t *ret_value)
{
	int type = config_setting_type(setting);
	int64_t value;

	if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) {
		sp_config_expected(r, setting, "a number from %lld to %lld", (long long)min,
				   (long long)max);
		return false;
	}
	value = type == CONFIG_TYPE_INT ? config_setting_get_int(setting)
					: config_setting_get_int64(setting);
	if (value < min || value > max) {
		sp_config_expected(r, setting, "a number from %lld to %lld", (long long)min,
				   (long long)max);
		return false;
	}
	*ret_value = value;
	return true;
}

char *sp_config_copy(struct sp_config_reader *r, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		r->rc = -ENOMEM;
	return copy;
}

/* A field that stands twice cannot be: libconfig refuses it. Defaults are replaced. */
static void set_string(void *object, size_t offset, char *text)
{
	if (!text)
		return;
	free(SP_MEMBER(object, char *, offset));
	SP_MEMBER(object, char *, offset) = text;
}

SP_FIELD_READER(name)
{
	const char *text = sp_config_text(r, setting, "a name in quotes");

	if (!text)
		return;
	if (!sp_config_name_valid(text))
		sp_config_expected(r, setting,
				   "a name: a letter or digit, then up to 30 of A-Z a-z 0-9 . _ -");
	set_string(object, field->offset, sp_config_copy(r, text));
}

SP_FIELD_READER(string)
{
	const char *text = sp_config_text(r, setting, "a text in quotes");

	if (!text)
		return;
	if (!*text || strlen(text) > STRING_MAX) {
		sp_config_expected(r, setting, "a text of 1 to %d characters", STRING_MAX);
		return;
	}
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			sp_config_expected(r, setting, "a text without control characters");
			return;
		}
	}
	set_string(object, field->offset, sp_config_copy(r, text));
}

SP_FIELD_READER(path)
{
	const char *text = sp_config_text(r, setting, "a path in quotes");

	if (!text)
		return;
	if (!*text || strlen(text) > STRING_MAX) {
		sp_config_expected(r, setting, "a path of 1 to %d characters", STRING_MAX);
		return;
	}
	set_string(object, field->offset, sp_config_path(r, setting, text));
}

SP_FIELD_READER(u32)
{
	int64_t value;

	if (sp_config_number(r, setting, field->min, field->max, &value))
		SP_MEMBER(object, uint32_t, field->offset) = (uint32_t)value;
}

SP_FIELD_READER(u16)
{
	int64_t value;

	if (sp_config_number(r, setting, field->min, field->max, &value))
		SP_MEMBER(object, uint16_t, field->offset) = (uint16_t)value;
}

SP_FIELD_READER(bool)
{
	if (config_setting_type(setting) == CONFIG_TYPE_BOOL)
		SP_MEMBER(object, bool, field->offset) = config_setting_get_bool(setting);
	else
		sp_config_expected(r, setting, "true or false");
}

SP_FIELD_READER(choice)
{
	char all[128] = "", hint[SP_CONFIG_HINT];
	const char *text;
	uint32_t i;

	for (i = 0; field->choices[i]; i++) {
		size_t used = strlen(all);

		snprintf(all + used, sizeof(all) - used, "%s\"%s\"", i ? " or " : "",
			 field->choices[i]);
	}
	text = sp_config_text(r, setting, all);
	for (uint32_t value = 0; text && value < i; value++) {
		if (!strcmp(text, field->choices[value])) {
			SP_MEMBER(object, uint32_t, field->offset) = value;
			return;
		}
	}
	if (text)
		sp_config_expected(r, setting, "%s%s", all,
				   sp_config_words_hint(field->choices, i, text, hint));
}

const struct sp_config_name *sp_config_refer(struct sp_config_reader *r, config_setting_t *setting,
					     enum sp_config_section_id space, const char *what)
{
	const struct sp_config_name *name;
	char hint[SP_CONFIG_HINT];
	const char *text;

	if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
		sp_config_expected(r, setting, "the name of %s", what);
		return NULL;
	}
	text = config_setting_get_string(setting);
	name = sp_config_names_lookup(&r->names[space], text);
	if (!name && !r->incomplete)
		sp_config_expected(r, setting, "the name of %s%s", what,
				   sp_config_names_hint(&r->names[space], text, hint));
	return name;
}

static bool take_word(struct sp_config_references *refs, config_setting_t *setting)
{
	const char *text = config_setting_get_string(setting);

	for (uint32_t w = 0; text && refs->words && refs->words[w]; w++) {
		if (!strcmp(text, refs->words[w])) {
			refs->words_seen |= 1u << w;
			return true;
		}
	}
	return false;
}

static bool contains(const uint32_t *list, uint32_t count, uint32_t index)
{
	for (uint32_t i = 0; i < count; i++) {
		if (list[i] == index)
			return true;
	}
	return false;
}

static void add_reference(struct sp_config_reader *r, config_setting_t *setting,
			  struct sp_config_references *refs, const struct sp_config_name *name)
{
	bool other = name->section != refs->wanted;
	uint32_t *list = other ? refs->others : refs->list;
	uint32_t *count = other ? &refs->other_count : &refs->count;

	if (contains(list, *count, name->index))
		sp_config_expected(r, setting, "each name once in a list");
	else
		list[(*count)++] = name->index;
}

void sp_config_references_read(struct sp_config_reader *r, config_setting_t *setting, uint32_t max,
			       struct sp_config_references *refs)
{
	uint32_t length = sp_config_list_length(setting);

	if (!length || length > max) {
		sp_config_mistake(r, setting, "found %u names, expected 1 to %u", length, max);
		return;
	}
	refs->list = calloc(length, sizeof(*refs->list));
	refs->others = calloc(length, sizeof(*refs->others));
	if (!refs->list || !refs->others) {
		r->rc = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < length; i++) {
		config_setting_t *element = sp_config_list_element(setting, i);
		const struct sp_config_name *name;

		if (take_word(refs, element))
			continue;
		name = sp_config_refer(r, element, refs->space, refs->what);
		if (name)
			add_reference(r, element, refs, name);
	}
}
