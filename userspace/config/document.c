/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "config/fields.h"

#define FILE_MAX_BYTES	(64u << 20)
#define FILES_MAX	65536
#define SECTIONS_SUFFIX ".conf"

/* libconfig's words for what its parser met, in ours. */
static const struct {
	const char *theirs, *ours;
} parse_errors[] = {
	{"syntax error", "found a syntax error, expected name = value;"},
	{"duplicate setting name", "found a name twice in one group, expected each name once"},
	{"mismatched element type in array",
	 "found mixed types in an array [ ], expected one type, or a list ( )"},
};

const char *sp_config_file_add(struct sp_config_reader *r, const char *path)
{
	char **files = reallocarray(r->files, r->file_count + 1, sizeof(*files)), **texts;

	if (files)
		r->files = files;
	texts = reallocarray(r->texts, r->file_count + 1, sizeof(*texts));
	if (texts)
		r->texts = texts;
	if (!files || !texts || !(files[r->file_count] = strdup(path))) {
		r->rc = -ENOMEM;
		return NULL;
	}
	texts[r->file_count] = NULL;
	return files[r->file_count++];
}

static struct sp_config_document *add_document(struct sp_config_reader *r, const char *file)
{
	struct sp_config_document **list =
		reallocarray(r->documents, r->document_count + 1, sizeof(*list));
	_cleanup_free_ struct sp_config_document *document = NULL;
	const char *slash = strrchr(file, '/');

	if (list)
		r->documents = list;
	document = calloc(1, sizeof(*document));
	if (list && document)
		document->dir = !slash ? strdup(".") : strndup(file, (size_t)(slash - file) + 1);
	if (!list || !document || !document->dir) {
		r->rc = -ENOMEM;
		return NULL;
	}
	document->file = file;
	config_init(&document->tree);
	list[r->document_count++] = document;
	return TAKE_PTR(document);
}

char *sp_config_file_read(struct sp_config_reader *r, const char *file, size_t *ret_len)
{
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t len = 0;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0) {
		sp_config_mistake_at(r, file, 0, "found \"%s\", expected a file to read",
				     strerror(errno));
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		sp_config_mistake_at(r, file, 0, "found %s, expected a configuration file",
				     S_ISDIR(st.st_mode) ? "a directory" : "a special file");
		return NULL;
	}
	if (st.st_size > FILE_MAX_BYTES) {
		sp_config_mistake_at(r, file, 0, "found %lld bytes, expected at most %u: split it",
				     (long long)st.st_size, FILE_MAX_BYTES);
		return NULL;
	}
	text = malloc((size_t)st.st_size + 1);
	if (!text) {
		r->rc = -ENOMEM;
		return NULL;
	}
	while (len < (size_t)st.st_size && (n = read(fd, text + len, (size_t)st.st_size - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	*ret_len = len;
	return TAKE_PTR(text);
}

static void record_parse_error(struct sp_config_reader *r, const struct sp_config_document *d)
{
	const char *theirs = config_error_text(&d->tree);
	unsigned int line = (unsigned int)config_error_line(&d->tree);

	for (size_t i = 0; theirs && i < sizeof(parse_errors) / sizeof(*parse_errors); i++) {
		if (!strcmp(theirs, parse_errors[i].theirs)) {
			sp_config_mistake_at(r, d->file, line, "%s", parse_errors[i].ours);
			return;
		}
	}
	sp_config_mistake_at(r, d->file, line, "found an error (%s), expected name = value;",
			     theirs ? theirs : "unknown");
}

/* False: nothing of this file can be used. given: its text, when it was read before. */
static bool read_document(struct sp_config_reader *r, const char *path, const char *given)
{
	const char *file = sp_config_file_add(r, path);
	struct sp_config_document *d;
	size_t len = given ? strlen(given) : 0;
	char *text;

	if (!file)
		return false;
	text = given ? sp_config_copy(r, given) : sp_config_file_read(r, file, &len);
	r->texts[r->file_count - 1] = text;
	if (!text)
		return false;
	if (strlen(text) != len) {
		sp_config_mistake_at(r, file, 0, "found a binary file, expected text");
		return false;
	}
	if (!sp_config_scan(r, file, text))
		return false;
	d = add_document(r, file);
	if (!d)
		return false;
	if (!config_read_string(&d->tree, text)) {
		record_parse_error(r, d);
		config_destroy(&d->tree); /* half a tree says things that nobody wrote */
		config_init(&d->tree);
		return false;
	}
	return true;
}

static int is_wanted(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name), suffix = strlen(SECTIONS_SUFFIX);

	return entry->d_name[0] != '.' && len > suffix &&
	       !strcmp(entry->d_name + len - suffix, SECTIONS_SUFFIX);
}

static int compare_entries(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name); /* not the locale's order */
}

static void read_dir(struct sp_config_reader *r, const char *dir, bool must_exist)
{
	struct dirent **entries = NULL;
	int n = scandir(dir, &entries, is_wanted, compare_entries);

	if (n < 0 && (must_exist || errno != ENOENT)) {
		const char *why = strerror(errno);

		sp_config_mistake_at(r, r->files[0], 0,
				     "conf_dir \"%s\": found \"%s\", expected a directory", dir,
				     why);
	}
	if (n > FILES_MAX)
		sp_config_mistake_at(r, r->files[0], 0,
				     "conf_dir \"%s\": found %d files, expected at most %d", dir, n,
				     FILES_MAX);
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = NULL;
		const char *slash = dir[strlen(dir) - 1] == '/' ? "" : "/";

		if (asprintf(&path, "%s%s%s", dir, slash, entries[i]->d_name) < 0) {
			path = NULL;
			r->rc = -ENOMEM;
		} else if (n <= FILES_MAX && !read_document(r, path, NULL)) {
			r->incomplete = true;
		}
		free(entries[i]);
	}
	free(entries);
}

char *sp_config_path(struct sp_config_reader *r, const config_setting_t *setting, const char *text)
{
	const struct sp_config_document *d =
		(const struct sp_config_document *)((const char *)setting->config -
						    offsetof(struct sp_config_document, tree));
	const char *base = *text == '/' ? "" : d->dir;
	const char *slash = !*base || base[strlen(base) - 1] == '/' ? "" : "/";
	char *path;

	if (asprintf(&path, "%s%s%s", base, slash, text) < 0) {
		r->rc = -ENOMEM;
		return NULL;
	}
	return path;
}

/* gateway.conf_dir of the main file, or conf.d beside it. */
static char *find_conf_dir(struct sp_config_reader *r, bool *ret_explicit)
{
	config_setting_t *root = config_root_setting(&r->documents[0]->tree);
	config_setting_t *gateway = config_setting_get_member(root, "gateway");
	config_setting_t *dir = NULL;
	const char *text = NULL;

	if (gateway && config_setting_is_group(gateway))
		dir = config_setting_get_member(gateway, "conf_dir");
	if (dir)
		text = config_setting_get_string(dir);
	*ret_explicit = text && *text;
	return sp_config_path(r, root, *ret_explicit ? text : "conf.d");
}

bool sp_config_main_read(struct sp_config_reader *r, const char *path)
{
	return read_document(r, path, NULL);
}

void sp_config_documents_read(struct sp_config_reader *r, const char *path)
{
	bool must_exist;

	if (!read_document(r, path, r->given_count ? r->given_texts[0] : NULL)) {
		r->incomplete = true;
		if (!r->document_count)
			return;
	}
	r->config->gateway.conf_dir = find_conf_dir(r, &must_exist);
	for (uint32_t i = 1; i < r->given_count; i++) {
		if (!read_document(r, r->given_files[i], r->given_texts[i]))
			r->incomplete = true;
	}
	if (r->config->gateway.conf_dir && !r->given_count)
		read_dir(r, r->config->gateway.conf_dir, must_exist);
}

void sp_config_texts_fini(struct sp_config_reader *r)
{
	for (uint32_t i = 0; r->texts && i < r->file_count; i++)
		free(r->texts[i]);
	free(TAKE_PTR(r->texts));
}

void sp_config_documents_fini(struct sp_config_reader *r)
{
	for (uint32_t i = 0; i < r->document_count; i++) {
		config_destroy(&r->documents[i]->tree);
		free(r->documents[i]->dir);
		free(r->documents[i]);
	}
	free(r->documents);
	sp_config_texts_fini(r);
	for (uint32_t i = 0; i < r->file_count; i++)
		free(r->files[i]);
	free(r->files);
}
