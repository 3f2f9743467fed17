/* SPDX-License-Identifier: Apache-2.0 */
#include "config/written.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/fields.h"

static void put_value(struct sp_config_reader *r, FILE *out, config_setting_t *setting);

/* Lines are what the text is read back by, so no value may hold one. */
static void put_string(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(config_setting_name(*(config_setting_t *const *)a),
		      config_setting_name(*(config_setting_t *const *)b));
}

static void put_members(struct sp_config_reader *r, FILE *out, config_setting_t *group,
			const char *between)
{
	int count = config_setting_length(group);
	_cleanup_free_ config_setting_t **members = calloc((size_t)count + 1, sizeof(*members));

	if (!members) {
		r->rc = -ENOMEM;
		return;
	}
	for (int i = 0; i < count; i++)
		members[i] = config_setting_get_elem(group, (unsigned int)i);
	qsort(members, (size_t)count, sizeof(*members), compare_keys);
	for (int i = 0; i < count; i++) {
		fprintf(out, "%s = ", config_setting_name(members[i]));
		put_value(r, out, members[i]);
		fputs(between, out);
	}
}

static void put_list(struct sp_config_reader *r, FILE *out, config_setting_t *list)
{
	for (int i = 0; i < config_setting_length(list); i++) {
		fputs(i ? ", " : "", out);
		put_value(r, out, config_setting_get_elem(list, (unsigned int)i));
	}
}

static void put_value(struct sp_config_reader *r, FILE *out, config_setting_t *setting)
{
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_GROUP:
		fputs("{ ", out);
		put_members(r, out, setting, "; ");
		fputc('}', out);
		break;
	case CONFIG_TYPE_LIST:
	case CONFIG_TYPE_ARRAY:
		put_list(r, out, setting);
		break;
	case CONFIG_TYPE_STRING:
		put_string(out, config_setting_get_string(setting));
		break;
	case CONFIG_TYPE_BOOL:
		fputs(config_setting_get_bool(setting) ? "true" : "false", out);
		break;
	case CONFIG_TYPE_FLOAT:
		fprintf(out, "%g", config_setting_get_float(setting));
		break;
	default:
		fprintf(out, "%lld", config_setting_get_int64(setting));
	}
}

void sp_config_written_add(struct sp_config_reader *r, uint32_t section, const char *key,
			   config_setting_t *setting, const char *name, uint32_t index)
{
	struct sp_config_written *written = &r->config->written[section];
	size_t bytes = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &bytes);

	if (!out) {
		r->rc = -ENOMEM;
		return;
	}
	written->section = key;
	if (config_setting_is_group(setting))
		put_members(r, out, setting, "\n");
	if (fclose(out)) {
		free(text);
		r->rc = -ENOMEM;
		return;
	}
	written->items[index] = (struct sp_config_item){
		.name = name, .text = text, .source = sp_config_source_of(setting)};
	written->count = index + 1;
}

bool sp_config_written_reserve(struct sp_config_reader *r, uint32_t section, uint32_t count)
{
	struct sp_config_written *written = &r->config->written[section];

	written->items = calloc(count, sizeof(*written->items));
	if (!written->items)
		r->rc = -ENOMEM;
	return written->items != NULL;
}

void sp_config_written_fini(struct sp_config *config)
{
	for (uint32_t s = 0; config->written && s <= SP_SECTION_COUNT; s++) {
		for (uint32_t i = 0; i < config->written[s].count; i++)
			free(config->written[s].items[i].text);
		free(config->written[s].items);
	}
	free(config->written);
}
