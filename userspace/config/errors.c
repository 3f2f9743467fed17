/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/reader.h"

#define MISTAKES_MAX 200
#define PATH_BYTES   192
#define VALUE_BYTES  96

static const struct sp_config_document *document_of(const config_setting_t *setting)
{
	return (const struct sp_config_document *)((const char *)setting->config -
						   offsetof(struct sp_config_document, tree));
}

struct sp_config_source sp_config_source_of(const config_setting_t *setting)
{
	return (struct sp_config_source){.file = document_of(setting)->file,
					 .line = config_setting_source_line(setting)};
}

/* "peers.alice-laptop.keepalive"; an element without a good name is "peers.[2]". */
static void format_path(const config_setting_t *setting, char path[static PATH_BYTES])
{
	const config_setting_t *parent = config_setting_parent(setting);
	const char *name = config_setting_name(setting);
	size_t used;

	if (!parent)
		return;
	format_path(parent, path);
	used = strlen(path);
	if (!name && config_setting_is_group(setting)) {
		config_setting_t *member = config_setting_get_member(setting, "name");

		if (member)
			name = config_setting_get_string(member);
		if (name && !sp_config_name_valid(name))
			name = NULL;
	}
	if (name)
		snprintf(path + used, PATH_BYTES - used, "%s%s", used ? "." : "", name);
	else
		snprintf(path + used, PATH_BYTES - used, "%s[%d]", used ? "." : "",
			 config_setting_index(setting));
}

/* Quoted, cut short, and without what would garble a terminal. */
static void format_string(const char *text, char value[static VALUE_BYTES])
{
	size_t used = 0;

	value[used++] = '"';
	for (; *text && used < 64; text++)
		value[used++] = *text >= 0x20 && *text != 0x7f ? *text : '?';
	snprintf(value + used, VALUE_BYTES - used, "%s", *text ? "...\"" : "\"");
}

static const char *format_value(const config_setting_t *setting, char value[static VALUE_BYTES])
{
	const char *empty = config_setting_is_aggregate(setting) && !config_setting_length(setting)
				    ? "an empty "
				    : "a ";

	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_STRING:
		format_string(config_setting_get_string(setting), value);
		break;
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		snprintf(value, VALUE_BYTES, "%lld", config_setting_get_int64(setting));
		break;
	case CONFIG_TYPE_FLOAT:
		snprintf(value, VALUE_BYTES, "%g", config_setting_get_float(setting));
		break;
	case CONFIG_TYPE_BOOL:
		snprintf(value, VALUE_BYTES, "%s",
			 config_setting_get_bool(setting) ? "true" : "false");
		break;
	case CONFIG_TYPE_GROUP:
		snprintf(value, VALUE_BYTES, "%sgroup { }", empty);
		break;
	default:
		snprintf(value, VALUE_BYTES, "%slist", empty);
	}
	return value;
}

static void record(struct sp_config_reader *r, struct sp_config_source source, const char *path,
		   const char *format, va_list args)
{
	struct sp_config_errors *errors = &r->errors;
	_cleanup_free_ char *what = NULL;
	struct sp_config_error *list;
	char line[16] = "";
	char *text;

	if (errors->count == MISTAKES_MAX) {
		errors->left_out++;
		return;
	}
	if (vasprintf(&what, format, args) < 0) {
		what = NULL;
		r->rc = -ENOMEM;
		return;
	}
	if (source.line)
		snprintf(line, sizeof(line), ":%u", source.line);
	list = reallocarray(errors->list, errors->count + 1, sizeof(*list));
	if (list)
		errors->list = list;
	if (!list ||
	    asprintf(&text, "%s%s: %s%s%s", source.file, line, path, *path ? ": " : "", what) < 0) {
		r->rc = -ENOMEM;
		return;
	}
	list[errors->count++] = (struct sp_config_error){.source = source, .text = text};
}

void sp_config_expected(struct sp_config_reader *r, const config_setting_t *setting,
			const char *format, ...)
{
	char value[VALUE_BYTES];
	_cleanup_free_ char *what = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&what, format, args);
	va_end(args);
	if (n < 0) {
		what = NULL;
		r->rc = -ENOMEM;
		return;
	}
	sp_config_mistake(r, setting, "found %s, expected %s", format_value(setting, value), what);
}

void sp_config_mistake(struct sp_config_reader *r, const config_setting_t *setting,
		       const char *format, ...)
{
	char path[PATH_BYTES] = "";
	va_list args;

	format_path(setting, path);
	va_start(args, format);
	record(r, sp_config_source_of(setting), path, format, args);
	va_end(args);
}

void sp_config_mistake_at(struct sp_config_reader *r, const char *file, unsigned int line,
			  const char *format, ...)
{
	va_list args;

	va_start(args, format);
	record(r, (struct sp_config_source){.file = file, .line = line}, "", format, args);
	va_end(args);
}

/* Main file first, then conf.d in the order it was read, which is that of the names. */
static int compare_errors(const void *a, const void *b, void *main_file)
{
	const struct sp_config_error *x = a, *y = b;

	if (x->source.file != y->source.file) {
		if (x->source.file == main_file || y->source.file == main_file)
			return x->source.file == main_file ? -1 : 1;
		return strcmp(x->source.file, y->source.file);
	}
	if (x->source.line != y->source.line)
		return x->source.line < y->source.line ? -1 : 1;
	return strcmp(x->text, y->text);
}

void sp_config_errors_sort(struct sp_config_errors *errors)
{
	if (errors->count)
		qsort_r(errors->list, errors->count, sizeof(*errors->list), compare_errors,
			errors->files[0]);
}

void sp_config_errors_fini(struct sp_config_errors *errors)
{
	for (uint32_t i = 0; i < errors->count; i++)
		free(errors->list[i].text);
	free(errors->list);
	for (uint32_t i = 0; i < errors->file_count; i++)
		free(errors->files[i]);
	free(errors->files);
	*errors = (struct sp_config_errors){0};
}
