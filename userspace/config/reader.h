/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of config/ share while one configuration is being read. The thread that reads. */
#ifndef SP_CONFIG_READER_H
#define SP_CONFIG_READER_H

#include <libconfig.h>
#include <stddef.h>

#include "config/config.h"

enum sp_config_section_id { /* in the order of reading: a section refers only to earlier ones */
	SP_SECTION_IFACE,
	SP_SECTION_WIREGUARD,
	SP_SECTION_GROUP,
	SP_SECTION_USER, /* users, groups and zones share one name space, kept under this id */
	SP_SECTION_ZONE,
	SP_SECTION_PEER,
	SP_SECTION_DESTINATION,
	SP_SECTION_SERVICE,
	SP_SECTION_POOL,
	SP_SECTION_PATH,
	SP_SECTION_RULE,
	SP_SECTION_TEST,
	SP_SECTION_COUNT,
};

/* One parsed file. Its settings point back at the tree, so it never moves. */
struct sp_config_document {
	config_t tree;
	const char *file; /* owned by the reader's list of files */
	char *dir;	  /* where relative paths in it begin */
};

struct sp_config_name {
	const char *text; /* owned by the object */
	config_setting_t *setting;
	enum sp_config_section_id section;
	uint32_t index; /* in the section's list */
};
struct sp_config_names {
	struct sp_config_name *list;
	uint32_t count;
};

struct sp_config_reader {
	struct sp_config *config;
	struct sp_config_errors errors;
	struct sp_config_document **documents;
	uint32_t document_count;
	char **files, **texts;
	uint32_t file_count;
	const char *const *given_files, *const *given_texts; /* instead of the disk */
	uint32_t given_count;
	config_setting_t **items[SP_SECTION_COUNT]; /* the setting of each object of a section */
	struct sp_config_names names[SP_SECTION_COUNT];
	bool incomplete; /* a file could not be read: unknown names may stand in it */
	int rc;		 /* -ENOMEM sticks */
};

/* How one key of a group becomes one member of a struct. */
struct sp_config_field {
	const char *key;
	void (*read)(struct sp_config_reader *r, const struct sp_config_field *field,
		     config_setting_t *setting, void *object);
	size_t offset;
	size_t count_offset;	    /* of lists */
	int64_t min, max;	    /* value of a number, length of a list */
	const char *const *choices; /* NULL-terminated; the position is the value */
	bool required;
};

struct sp_config_section {
	const char *key;
	enum sp_config_section_id id, space;
	const struct sp_config_field *fields;
	uint32_t field_count;
	uint32_t max;
	size_t item_bytes, name_offset, source_offset;
	size_t list_offset, count_offset; /* in struct sp_config */
	void (*init)(void *item);	  /* optional: defaults that are not zero */
	/* Optional: what several fields of one item owe each other. */
	void (*finish)(struct sp_config_reader *r, config_setting_t *setting, void *item);
	/* Optional: makes each item one of the space's own section too; the index of the first. */
	uint32_t (*join)(struct sp_config_reader *r);
};
extern const struct sp_config_section sp_config_ifaces, sp_config_wireguards, sp_config_groups,
	sp_config_users, sp_config_zones, sp_config_peers, sp_config_destinations,
	sp_config_services, sp_config_pools, sp_config_paths, sp_config_rules, sp_config_tests;

#define SP_MEMBER(object, type, offset) (*(type *)((char *)(object) + (offset)))

/* errors.c: record one mistake; the first form says what was found by itself. */
void sp_config_expected(struct sp_config_reader *r, const config_setting_t *setting,
			const char *format, ...) __attribute__((format(printf, 3, 4)));
void sp_config_mistake(struct sp_config_reader *r, const config_setting_t *setting,
		       const char *format, ...) __attribute__((format(printf, 3, 4)));
void sp_config_mistake_at(struct sp_config_reader *r, const char *file, unsigned int line,
			  const char *format, ...) __attribute__((format(printf, 4, 5)));
void sp_config_errors_sort(struct sp_config_errors *errors);
struct sp_config_source sp_config_source_of(const config_setting_t *setting);

/* document.c: every file into r->documents. What is wrong with a file is a mistake like others. */
void sp_config_documents_read(struct sp_config_reader *r, const char *path);
bool sp_config_main_read(struct sp_config_reader *r, const char *path); /* without conf.d */
/* scan.c: false after recording what libconfig must not be shown. */
bool sp_config_scan(struct sp_config_reader *r, const char *file, const char *text);
/* A copy of the name that lives as long as the configuration, among its files. NULL: no memory. */
const char *sp_config_file_add(struct sp_config_reader *r, const char *path);
/* The whole file with a NUL behind it, to be freed; NULL after recording why not. */
char *sp_config_file_read(struct sp_config_reader *r, const char *file, size_t *ret_len);
void sp_config_texts_fini(struct sp_config_reader *r);
void sp_config_documents_fini(struct sp_config_reader *r);
/* A path as the file means it, relative to its own directory. NULL: no memory (noted in r). */
char *sp_config_path(struct sp_config_reader *r, const config_setting_t *setting, const char *text);

/* section.c */
void sp_config_group_read(struct sp_config_reader *r, config_setting_t *group,
			  const struct sp_config_field *fields, uint32_t count, void *object);
void sp_config_section_read(struct sp_config_reader *r, const struct sp_config_section *section);
void sp_config_gateway_init(struct sp_config_reader *r);
void sp_config_gateway_read(struct sp_config_reader *r, config_setting_t *setting);

void sp_config_limits_settle(struct sp_config *config); /* user.c: defaults, once all is read */

/* where.c: the addresses of every country that a rule names. */
void sp_config_countries_read(struct sp_config_reader *r);
/* written.c: section SP_SECTION_COUNT is the gateway's. */
bool sp_config_written_reserve(struct sp_config_reader *r, uint32_t section, uint32_t count);
void sp_config_written_add(struct sp_config_reader *r, uint32_t section, const char *key,
			   config_setting_t *setting, const char *name, uint32_t index);
void sp_config_written_fini(struct sp_config *config);

/* names.c */
void sp_config_names_add(struct sp_config_reader *r, enum sp_config_section_id space,
			 const struct sp_config_name *name);
void sp_config_names_sort(struct sp_config_names *names);
void sp_config_names_check(struct sp_config_reader *r, const struct sp_config_names *names);
const struct sp_config_name *sp_config_names_lookup(const struct sp_config_names *names,
						    const char *text);
/* "; did you mean X?" or "", for the end of a message. */
#define SP_CONFIG_HINT 64
const char *sp_config_names_hint(const struct sp_config_names *names, const char *text,
				 char buf[static SP_CONFIG_HINT]);
const char *sp_config_words_hint(const char *const *words, uint32_t count, const char *text,
				 char buf[static SP_CONFIG_HINT]);

/* check.c: what objects of different sections owe each other. */
void sp_config_check(struct sp_config_reader *r);

#endif
