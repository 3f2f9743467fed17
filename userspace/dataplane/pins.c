// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/log.h"
#include "dataplane/state.h"

/*
 * The pin directory: one file for each map, links/<interface> for each attachment. sp_gateway is
 * pinned last and is the mark of a complete set: maps without it are what a crash left behind.
 */

#define COMPLETE_MARK "sp_gateway"

static int pin_path(const char *dir, const char *name, char ret_path[static PATH_MAX])
{
	int n = snprintf(ret_path, PATH_MAX, "%s/%s", dir, name);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* Kernels differ in "bpf-link" and "bpf_link". */
bool sp_pins_fd_is(int fd, const char *kind)
{
	char link[64], path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return false;
	link[n] = '\0';
	return strncmp(link, "anon_inode:bpf", 14) == 0 && link[14] != '\0' &&
	       strcmp(link + 15, kind) == 0;
}

/* The nearest folder that exists decides: nothing is made anywhere but on a bpffs. */
static int check_bpffs(const char *dir)
{
	char path[PATH_MAX];
	struct statfs fs;
	char *slash;

	snprintf(path, sizeof(path), "%s", dir);
	while (statfs(path, &fs) < 0) {
		if (errno != ENOENT)
			return -errno;
		slash = strrchr(path, '/');
		if (!slash)
			return -ENOENT;
		if (slash == path)
			slash++;
		*slash = '\0';
	}
	if (fs.f_type == BPF_FS_MAGIC)
		return 0;
	sp_error("dataplane: failed to open pin directory %s: %s is not a BPF file system; "
		 "mount one with `mount -t bpf bpf /sys/fs/bpf`",
		 dir, path);
	return -ENOENT;
}

static int make_directories(const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s", dir);
	for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		if (!slash)
			return 0;
		*slash = '/';
	}
}

static int lock_directory(struct sp_dataplane *dp)
{
	_cleanup_close_ int fd = open(dp->config.pin_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return -errno;
		sp_error("dataplane: failed to lock %s: another process is using these maps",
			 dp->config.pin_dir);
		return -EBUSY;
	}
	dp->lock_fd = TAKE_FD(fd);
	return 0;
}

static int refuse(const char *path, const char *field, uint32_t found, uint32_t wanted)
{
	sp_error("dataplane: failed to adopt %s: its %s is %u, wanted %u; stop what uses it and "
		 "remove the pins to start afresh",
		 path, field, found, wanted);
	return -EPROTO;
}

static int compare_layout(const char *path, int fd, const struct bpf_map *map)
{
	struct bpf_map_info info = {};
	uint32_t info_bytes = sizeof(info);
	int r;

	if (!sp_pins_fd_is(fd, "map")) {
		sp_error("dataplane: failed to adopt %s: it is not a map", path);
		return -EPROTO;
	}
	r = bpf_obj_get_info_by_fd(fd, &info, &info_bytes);
	if (r < 0)
		return r;
	/* The kernel itself adds this flag to device maps. */
	if (info.type == BPF_MAP_TYPE_DEVMAP || info.type == BPF_MAP_TYPE_DEVMAP_HASH)
		info.map_flags &= ~(uint32_t)BPF_F_RDONLY_PROG;
	if (info.type != (uint32_t)bpf_map__type(map))
		return refuse(path, "type", info.type, bpf_map__type(map));
	if (info.key_size != bpf_map__key_size(map))
		return refuse(path, "key size", info.key_size, bpf_map__key_size(map));
	if (info.value_size != bpf_map__value_size(map))
		return refuse(path, "value size", info.value_size, bpf_map__value_size(map));
	if (info.max_entries != bpf_map__max_entries(map))
		return refuse(path, "max_entries", info.max_entries, bpf_map__max_entries(map));
	if (info.map_flags != bpf_map__map_flags(map))
		return refuse(path, "flags", info.map_flags, bpf_map__map_flags(map));
	return 0;
}

static int compare_abi(const char *path, int fd)
{
	struct sp_gateway gateway = {};
	uint32_t key = 0;
	int r = bpf_map_lookup_elem(fd, &key, &gateway);

	if (r < 0)
		return r;
	return gateway.abi == SP_ABI_VERSION ? 0 : refuse(path, "abi", gateway.abi, SP_ABI_VERSION);
}

/* ret_fd: the pinned map, or -1 when there is none. Nothing is changed. */
static int check_pin(const char *dir, const struct bpf_map *map, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int r = pin_path(dir, bpf_map__name(map), path);

	if (r < 0)
		return r;
	fd = bpf_obj_get(path);
	if (fd == -ENOENT) {
		*ret_fd = -1;
		return 0;
	}
	if (fd < 0) {
		sp_error("dataplane: failed to open pin %s: %s", path, strerror(-fd));
		return fd;
	}
	r = compare_layout(path, fd, map);
	if (r == 0 && strcmp(bpf_map__name(map), COMPLETE_MARK) == 0)
		r = compare_abi(path, fd);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Two walks: every map is judged before the first one is taken over. */
static int adopt(struct sp_dataplane *dp)
{
	struct bpf_map *map;
	int r, fd;

	bpf_object__for_each_map(map, dp->object)
	{
		if (bpf_map__is_internal(map))
			continue;
		r = check_pin(dp->config.pin_dir, map, &fd);
		if (r < 0)
			return r;
		if (fd >= 0)
			close(fd);
	}
	bpf_object__for_each_map(map, dp->object)
	{
		if (bpf_map__is_internal(map))
			continue;
		r = check_pin(dp->config.pin_dir, map, &fd);
		if (r < 0)
			return r;
		if (fd < 0)
			continue;
		r = bpf_map__reuse_fd(map, fd);
		close(fd);
		if (r < 0)
			return r;
	}
	dp->adopted = true;
	return 0;
}

static int remove_files(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(d))) {
		if (e->d_type == DT_DIR)
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) < 0 && errno != ENOENT)
			r = -errno;
	}
	closedir(d);
	return r;
}

int sp_pins_remove(const char *pin_dir)
{
	char links[PATH_MAX];
	int r = pin_path(pin_dir, "links", links);

	if (r == 0)
		r = remove_files(links);
	if (r == 0)
		r = remove_files(pin_dir);
	if (r < 0)
		return r;
	if ((rmdir(links) < 0 && errno != ENOENT) || (rmdir(pin_dir) < 0 && errno != ENOENT))
		return -errno;
	return 0;
}

int sp_pins_open(struct sp_dataplane *dp)
{
	const char *dir = dp->config.pin_dir;
	char links[PATH_MAX], mark[PATH_MAX];
	int r;

	if (!dir)
		return 0;
	r = check_bpffs(dir);
	if (r < 0)
		return r;
	r = pin_path(dir, "links", links);
	if (r == 0)
		r = pin_path(dir, COMPLETE_MARK, mark);
	if (r == 0)
		r = make_directories(links);
	if (r < 0) {
		sp_error("dataplane: failed to make %s: %s", dir, strerror(-r));
		return r;
	}
	r = lock_directory(dp);
	if (r < 0)
		return r;
	if (access(mark, F_OK) == 0)
		return adopt(dp);
	/* No link is pinned before the mark, so nothing can be using these. */
	return remove_files(dir);
}

static int pin_one(struct sp_dataplane *dp, const struct bpf_map *map)
{
	char path[PATH_MAX];
	int r = pin_path(dp->config.pin_dir, bpf_map__name(map), path);

	if (r < 0)
		return r;
	if (access(path, F_OK) == 0)
		return 0; /* adopted */
	r = bpf_obj_pin(bpf_map__fd(map), path);
	if (r < 0)
		sp_error("dataplane: failed to pin %s: %s", path, strerror(-r));
	return r;
}

int sp_pins_commit(struct sp_dataplane *dp)
{
	struct bpf_map *map;
	int r;

	if (!dp->config.pin_dir)
		return 0;
	bpf_object__for_each_map(map, dp->object)
	{
		if (bpf_map__is_internal(map) || strcmp(bpf_map__name(map), COMPLETE_MARK) == 0)
			continue;
		r = pin_one(dp, map);
		if (r < 0)
			return r;
	}
	return pin_one(dp, bpf_object__find_map_by_name(dp->object, COMPLETE_MARK));
}
