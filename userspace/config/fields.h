/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of single fields for the section tables; each records what is wrong. The thread that reads. */
#ifndef SP_CONFIG_FIELDS_H
#define SP_CONFIG_FIELDS_H

#include "config/reader.h"

#define SP_CONFIG_FIELDS_MAX 32 /* keys of one group */
#define SP_CONFIG_FIELDS_FIT(fields) \
	_Static_assert(sizeof(fields) / sizeof(*(fields)) <= SP_CONFIG_FIELDS_MAX, "keys")

#define SP_FIELD_READER(name)                                                                 \
	void sp_field_##name(struct sp_config_reader *r, const struct sp_config_field *field, \
			     config_setting_t *setting, void *object)
SP_FIELD_READER(name);	       /* char *, name syntax */
SP_FIELD_READER(string);       /* char *, printable, at most 255 */
SP_FIELD_READER(path);	       /* char *, made absolute from the file's directory */
SP_FIELD_READER(u32);	       /* uint32_t from min to max */
SP_FIELD_READER(u16);	       /* uint16_t from min to max */
SP_FIELD_READER(bool);	       /* bool */
SP_FIELD_READER(choice);       /* uint32_t or enum: the position in choices */
SP_FIELD_READER(schedule);     /* struct sp_config_schedule */
SP_FIELD_READER(where);	       /* from_where of a rule */
SP_FIELD_READER(addresses);    /* struct sp_addr * and its count: unicast hosts */
SP_FIELD_READER(prefixes);     /* struct sp_prefix * and its count, no host bits */
SP_FIELD_READER(own_prefixes); /* the same with host bits kept: an interface's address */

/* user.c: a limit { }, and the name of a user, group or zone. */
void sp_config_limit_read(struct sp_config_reader *r, const struct sp_config_field *field,
			  config_setting_t *setting, void *object);
void sp_config_records_read(struct sp_config_reader *r, const struct sp_config_field *field,
			    config_setting_t *setting, void *object); /* records.c */
void sp_config_subject_read(struct sp_config_reader *r, const struct sp_config_field *field,
			    config_setting_t *setting, void *object);

/* Loopback, multicast, broadcast or unspecified: no host can have it. */
bool sp_config_addr_is_special(const struct sp_addr *addr);
bool sp_config_prefix_contains(const struct sp_prefix *prefix, const struct sp_addr *addr);
/* Sets a key from a file that only its owner may read, or records why not. */
void sp_config_key_read(struct sp_config_reader *r, config_setting_t *setting, const char *path,
			struct sp_key *ret_key);

/* feed.c: prefixes from wherever they come, and those of a file, one a line. */
struct sp_config_prefixes {
	struct sp_prefix *list;
	uint32_t count, room;
};
bool sp_config_prefixes_add(struct sp_config_reader *r, struct sp_config_prefixes *prefixes,
			    const struct sp_prefix *prefix);
void sp_config_feed_read(struct sp_config_reader *r, config_setting_t *setting, const char *path,
			 struct sp_config_prefixes *prefixes);

/* The setting of a key, or of its group when the key is missing: where to point at. */
config_setting_t *sp_config_place_of(const struct sp_config_reader *r, enum sp_config_section_id id,
				     uint32_t index, const char *key);
/* check_path.c */
void sp_config_check_paths(struct sp_config_reader *r);

/* One prefix without host bits, as an element of a list. */
bool sp_config_prefix_read(struct sp_config_reader *r, config_setting_t *setting, void *ret_prefix);
/* Short IPv6 prefixes become those around the IPv4 addresses, which they do not mean. */
void sp_config_families_part(struct sp_config_reader *r, struct sp_prefix **list, uint32_t *count);

/* One port or range, as an element of a list. */
bool sp_config_ports_read(struct sp_config_reader *r, config_setting_t *setting, void *ret_range);
/* A list, an array, or one scalar as a list of one. */
uint32_t sp_config_list_length(const config_setting_t *setting);
config_setting_t *sp_config_list_element(config_setting_t *setting, uint32_t i);

/*
 * Read each element into a new array with read, which returns false after recording a mistake;
 * such elements are left out. max bounds the length.
 */
void sp_config_list_read(struct sp_config_reader *r, config_setting_t *setting, uint32_t max,
			 size_t item_bytes,
			 bool (*read)(struct sp_config_reader *, config_setting_t *, void *),
			 void *ret_list, uint32_t *ret_count);

/* The string of a setting, or NULL after recording that expected was expected. */
const char *sp_config_text(struct sp_config_reader *r, config_setting_t *setting,
			   const char *expected);
/* An integer of either width from min to max, or false after recording. */
bool sp_config_number(struct sp_config_reader *r, config_setting_t *setting, int64_t min,
		      int64_t max, int64_t *ret_value);
/* A copy; NULL and r->rc when there is no memory. */
char *sp_config_copy(struct sp_config_reader *r, const char *text);

/*
 * References by name: indexes into another section. what names the kind for messages. Unknown
 * names are mistakes unless a file is missing.
 */
const struct sp_config_name *sp_config_refer(struct sp_config_reader *r, config_setting_t *setting,
					     enum sp_config_section_id space, const char *what);
/* A list of names of one section as uint32_t *, the words of special set apart (NULL: none). */
struct sp_config_references {
	enum sp_config_section_id space;
	const char *what;
	const char *const *words;	  /* reserved words, NULL-terminated, or NULL */
	uint32_t words_seen;		  /* out: bit for each word */
	enum sp_config_section_id wanted; /* of a shared space, only this section's go to list */
	uint32_t *list, count;		  /* out: wanted */
	uint32_t *others, other_count;	  /* out: the rest of the shared space */
};
void sp_config_references_read(struct sp_config_reader *r, config_setting_t *setting, uint32_t max,
			       struct sp_config_references *refs);

#endif
