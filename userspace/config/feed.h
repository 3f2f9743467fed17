/* SPDX-License-Identifier: Apache-2.0 */
/* The files of destinations, read again without the rest of a configuration. Daemon thread. */
#ifndef SP_CONFIG_FEED_H
#define SP_CONFIG_FEED_H

#include "config/config.h"

/* What the destinations with files have now; owned. */
struct sp_config_feeds {
	struct sp_config_feed_prefixes {
		uint32_t destination; /* index in config->destinations */
		struct sp_prefix *prefixes;
		uint32_t count;
	} * list;
	uint32_t count;
	uint32_t file_count, prefix_count; /* of the files alone */
};
/* Every file that a destination names. -EINVAL: mistakes, as of sp_config_open; else -errno. */
int sp_config_feeds_read(const struct sp_config *config, struct sp_config_feeds *ret_feeds,
			 struct sp_config_errors *ret_errors);
/* The configuration gets what was read, feeds what it had; again, and all is as before. */
void sp_config_feeds_swap(struct sp_config *config, struct sp_config_feeds *feeds);
void sp_config_feeds_fini(struct sp_config_feeds *feeds);

#endif
