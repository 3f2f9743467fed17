/* SPDX-License-Identifier: Apache-2.0 */
/* Destinations' files read again on their own. Daemon thread. */
#ifndef SP_DAEMON_FEEDS_H
#define SP_DAEMON_FEEDS_H

#include <jansson.h>

struct sp_daemon;

/*
 * Only the files that destinations name, for the running configuration as it is. On failure nothing
 * has changed, and ret_text says why: -EINVAL mistakes, -ENOENT no destination names a file, -EBUSY.
 */
int sp_daemon_reload_feeds(struct sp_daemon *daemon, json_t **ret_result, char **ret_text);

#endif
