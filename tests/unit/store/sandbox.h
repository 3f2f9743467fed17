/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of its own for a test's store, removed afterwards. */
#ifndef SP_TEST_STORE_SANDBOX_H
#define SP_TEST_STORE_SANDBOX_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "store/store.h"

static char dir[] = "/tmp/sp-store-XXXXXX";
static char path[64];

static const char *const migrations[] = {
	"CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT UNIQUE, body BLOB);",
	"ALTER TABLE thing ADD COLUMN weight INTEGER NOT NULL DEFAULT 7;",
};

static inline void set_up(void)
{
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/test.db", dir);
	sp_log_set_level((enum sp_log_level) - 1);
}

static inline int remove_one(const char *name, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(name);
}

static inline void tear_down(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static inline void write_file(const char *name, const char *bytes, size_t len)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	close(fd);
}

#endif
