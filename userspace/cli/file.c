/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int sync_dir_of(const char *path)
{
	_cleanup_free_ char *dir = strndup(path, (size_t)(name_of(path) - path));
	_cleanup_close_ int fd = -1;

	if (!dir)
		return -ENOMEM;
	fd = open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int write_whole(int fd, mode_t mode, const char *text)
{
	size_t left = strlen(text);

	if (fchmod(fd, mode) < 0)
		return -errno;
	while (left) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		left -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int sp_file_create(const char *path, mode_t mode, const char *text)
{
	_cleanup_free_ char *temporary = NULL;
	_cleanup_close_ int fd = -1;
	int rc;

	/* Begins with a dot: a reader of conf.d/ passes it by. */
	if (asprintf(&temporary, "%.*s.%s.XXXXXX", (int)(name_of(path) - path), path,
		     name_of(path)) < 0) {
		temporary = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = write_whole(fd, mode, text);
	if (!rc && renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
		rc = -errno;
	if (rc) {
		unlink(temporary);
		return rc;
	}
	return sync_dir_of(path);
}

int sp_file_remove(const char *path)
{
	if (unlink(path) < 0)
		return -errno;
	return sync_dir_of(path);
}
