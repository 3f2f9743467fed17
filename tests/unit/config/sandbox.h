/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of its own for a test of the configuration, with key files in it. One thread. */
#ifndef SP_TESTS_CONFIG_SANDBOX_H
#define SP_TESTS_CONFIG_SANDBOX_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <stdio.h>
#include <unistd.h>

static char sandbox_dir[] = "/tmp/sp-config-XXXXXX";

static inline void sandbox_write(const char *file, const void *bytes, size_t len, mode_t mode)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, mode);

	cr_assert_geq(fd, 0, "%s", file);
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
}

static inline void sandbox_text(const char *file, const char *text)
{
	sandbox_write(file, text, strlen(text), 0644);
}

/* The tests' data is reachable as data/, and each kind of key file that can be wrong is there. */
static inline void sandbox_enter(void)
{
	static const char key[] = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n";
	static const char zero[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
	char *data = realpath("tests/unit/config/data", NULL);

	cr_assert(data, "run from the top of the tree");
	cr_assert(mkdtemp(sandbox_dir));
	cr_assert_eq(chdir(sandbox_dir), 0);
	cr_assert_eq(symlink(data, "data"), 0);
	free(data);
	sandbox_write("wg0.key", key, sizeof(key) - 1, 0600);
	sandbox_write("open.key", key, sizeof(key) - 1, 0644);
	sandbox_write("bad.key", "secret\n", 7, 0600);
	sandbox_write("zero.key", zero, sizeof(zero) - 1, 0600);
	cr_assert_eq(mkfifo("pipe.key", 0600), 0);
}

/* A copy of one file of data/, so that paths in it lead here. */
static inline void sandbox_take(const char *file)
{
	char from[300], *text;
	struct stat st;
	int fd;

	snprintf(from, sizeof(from), "data/%s", file);
	fd = open(from, O_RDONLY);
	cr_assert_geq(fd, 0, "%s", from);
	cr_assert_eq(fstat(fd, &st), 0);
	text = malloc((size_t)st.st_size);
	cr_assert_eq(read(fd, text, (size_t)st.st_size), st.st_size);
	sandbox_write(file, text, (size_t)st.st_size, 0644);
	free(text);
	close(fd);
}

static inline int sandbox_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static inline void sandbox_leave(void)
{
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(nftw(sandbox_dir, sandbox_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
