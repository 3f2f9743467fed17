/* SPDX-License-Identifier: Apache-2.0 */
/* New files that are there whole or not at all. Any thread. */
#ifndef SP_CLI_FILE_H
#define SP_CLI_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Written beside path, synced, then renamed to it. -EEXIST: never over a file that is there. */
int sp_file_create(const char *path, mode_t mode, const char *text);
/* Remove path and sync its directory. 0 or -errno. */
int sp_file_remove(const char *path);

#endif
