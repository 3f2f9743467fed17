/* SPDX-License-Identifier: Apache-2.0 */
/* What changes from one configuration to another, in words. Any thread. */
#ifndef SP_CONFIG_DIFF_H
#define SP_CONFIG_DIFF_H

#include "config/config.h"

enum sp_config_change_kind {
	SP_CONFIG_ADDED,
	SP_CONFIG_REMOVED,
	SP_CONFIG_CHANGED,
	SP_CONFIG_MOVED, /* a rule that stands elsewhere in the order: first match wins */
};
struct sp_config_change {
	enum sp_config_change_kind kind;
	const char *section;		/* "policy" */
	char *name;			/* of the object; of the gateway: the key */
	char *detail;			/* "action: allow -> deny; to: +lab -web", or NULL */
	struct sp_config_source source; /* in the new one; of what is removed, in the old one */
	bool at_restart;		/* a reload does not bring it into force */
};
struct sp_config_diff {
	struct sp_config_change *list;
	uint32_t count;
};

/*
 * Every difference of what is written, and of keys and prefixes that files hold. Names of files
 * are borrowed from both. 0 or -ENOMEM.
 */
int sp_config_diff(const struct sp_config *old, const struct sp_config *new,
		   struct sp_config_diff *ret_diff);
void sp_config_diff_fini(struct sp_config_diff *diff);
/* "added", "removed", "changed", "moved" */
const char *sp_config_change_name(enum sp_config_change_kind kind);
/* "rules +1 -2 ~1, users +1", for a list of one line; "no change". buf is cut at its end. */
const char *sp_config_diff_summary(const struct sp_config_diff *diff, char *buf, size_t bytes);

#endif
