/* SPDX-License-Identifier: Apache-2.0 */
/* What each object of a configuration was written as, in one form for all, so that any two can be compared. Any thread. */
#ifndef SP_CONFIG_WRITTEN_H
#define SP_CONFIG_WRITTEN_H

#include "config/config.h"

struct sp_config_item {
	const char *name; /* borrowed from the object; NULL: it has none */
	char *text;	  /* "key = value" lines in the order of the keys; lists as "a, b" */
	struct sp_config_source source;
};
struct sp_config_written {
	const char *section; /* "policy"; "gateway" has one item */
	struct sp_config_item *items;
	uint32_t count;
};

#endif
