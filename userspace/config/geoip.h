/* SPDX-License-Identifier: Apache-2.0 */
/* Countries' prefixes out of a MaxMind database. The thread that reads. */
#ifndef SP_CONFIG_GEOIP_H
#define SP_CONFIG_GEOIP_H

#include "config/rule.h"

/*
 * Fill in the prefixes of each country of the list, by its code. A text owned by the library says why
 * not in *ret_why. -EINVAL: no such file, or not a database; -ENOMEM.
 */
int sp_config_geoip_read(const char *path, struct sp_config_country *list, uint32_t count,
			 const char **ret_why);

#endif
