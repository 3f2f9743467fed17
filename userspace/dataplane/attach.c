// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <xdp/libxdp.h>

#include "base/log.h"
#include "dataplane/state.h"

/*
 * An attachment is a file links/<interface>: a BPF link where the program stands alone, or the
 * program itself where it stands behind libxdp's dispatcher (libxdp pins the link of that).
 */

static int link_path(const char *pin_dir, const char *name, char ret_path[static PATH_MAX])
{
	int n = snprintf(ret_path, PATH_MAX, "%s/links/%s", pin_dir, name);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static struct sp_attachment *find(struct sp_dataplane *dp, uint32_t ifindex)
{
	for (int i = 0; i < SP_IFACE_MAX; i++) {
		if (dp->attachments[i].ifindex == ifindex)
			return &dp->attachments[i];
	}
	return NULL;
}

static int attached_mode(uint32_t ifindex, enum sp_attach_mode *ret_mode)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	int r = bpf_xdp_query((int)ifindex, 0, &query);

	if (r < 0)
		return r;
	*ret_mode = query.attach_mode == XDP_ATTACHED_SKB ? SP_ATTACH_GENERIC : SP_ATTACH_NATIVE;
	return 0;
}

static int link_ifindex(int fd, uint32_t *ret_ifindex)
{
	struct bpf_link_info info = {};
	uint32_t info_bytes = sizeof(info);
	int r = bpf_obj_get_info_by_fd(fd, &info, &info_bytes);

	if (r < 0)
		return r;
	if (info.type != BPF_LINK_TYPE_XDP)
		return -EPROTO;
	*ret_ifindex = info.xdp.ifindex; /* 0: the interface is gone */
	return 0;
}

static void drop_link(int fd, const char *path)
{
	(void)bpf_link_detach(fd);
	(void)unlink(path);
}

/*
 * The link of an earlier run: our program takes the place of the old one in one step. -ENOENT:
 * there is none that can be used on this interface in this mode, and none is left.
 */
static int take_over_link(struct sp_dataplane *dp, uint32_t ifindex, enum sp_attach_mode mode,
			  const char *path, int *ret_fd)
{
	_cleanup_close_ int fd = bpf_obj_get(path);
	enum sp_attach_mode found;
	uint32_t found_ifindex;
	int r;

	if (fd < 0)
		return fd;
	if (!sp_pins_fd_is(fd, "link"))
		return -ENOENT;
	r = link_ifindex(fd, &found_ifindex);
	if (r < 0)
		return r;
	if (found_ifindex != ifindex) {
		drop_link(fd, path);
		return -ENOENT;
	}
	r = attached_mode(ifindex, &found);
	if (r < 0)
		return r;
	if (mode != SP_ATTACH_AUTO && mode != found) {
		drop_link(fd, path);
		return -ENOENT;
	}
	r = bpf_link_update(fd, sp_dataplane_program_fd(dp), NULL);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int link_plainly(struct sp_dataplane *dp, uint32_t ifindex, enum sp_attach_mode mode,
			const char *path, int *ret_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = mode == SP_ATTACH_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	_cleanup_close_ int fd =
		bpf_link_create(sp_dataplane_program_fd(dp), (int)ifindex, BPF_XDP, &opts);
	int r;

	if (fd < 0)
		return fd;
	if (path) {
		r = bpf_obj_pin(fd, path);
		if (r < 0)
			return r;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* libxdp loads a program for its dispatcher itself: a second one, on the maps of the first. */
static int open_for_dispatcher(struct sp_dataplane *dp, struct bpf_object **ret_object)
{
	_cleanup_bpf_object_ struct bpf_object *object = NULL;
	struct bpf_map *map, *mine;
	int r = sp_program_open(&dp->config, &object);

	if (r < 0)
		return r;
	bpf_object__for_each_map(map, object)
	{
		mine = bpf_object__find_map_by_name(dp->object, bpf_map__name(map));
		if (bpf_map__is_internal(map) || !mine)
			continue;
		r = bpf_map__reuse_fd(map, bpf_map__fd(mine));
		if (r < 0)
			return r;
	}
	*ret_object = TAKE_PTR(object);
	return 0;
}

static bool stands_behind_dispatcher(uint32_t ifindex)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	bool is;

	if (!mp || libxdp_get_error(mp))
		return false;
	is = !xdp_multiprog__is_legacy(mp);
	xdp_multiprog__close(mp);
	return is;
}

static void detach_pinned_program(const char *path, uint32_t ifindex)
{
	struct xdp_program *program = xdp_program__from_pin(path);

	if (!libxdp_get_error(program)) {
		(void)xdp_program__detach(program, (int)ifindex, XDP_MODE_UNSPEC, 0);
		xdp_program__close(program);
	}
	(void)unlink(path);
}

/*
 * An older program of ours behind the same dispatcher goes when the new one stands. libxdp falls
 * back to attaching without a link where the kernel cannot replace functions; that is undone.
 */
static int link_by_dispatcher(struct sp_dataplane *dp, uint32_t ifindex, enum sp_attach_mode mode,
			      const char *path, struct xdp_program **ret_program)
{
	enum xdp_attach_mode xdp_mode = mode == SP_ATTACH_GENERIC ? XDP_MODE_SKB : XDP_MODE_NATIVE;
	struct bpf_object *object = NULL;
	struct xdp_program *program;
	int r = open_for_dispatcher(dp, &object);

	if (r < 0)
		return r;
	program = xdp_program__from_bpf_obj(object,
					    bpf_program__section_name(sp_program_xdp(object)));
	r = (int)libxdp_get_error(program);
	if (r < 0) {
		bpf_object__close(object);
		return r;
	}
	r = xdp_program__attach(program, (int)ifindex, xdp_mode, 0);
	if (r == 0 && !stands_behind_dispatcher(ifindex)) {
		(void)xdp_program__detach(program, (int)ifindex, xdp_mode, 0);
		r = -EOPNOTSUPP;
	}
	if (r == 0 && path) {
		detach_pinned_program(path, ifindex);
		r = bpf_obj_pin(xdp_program__fd(program), path);
		if (r < 0)
			(void)xdp_program__detach(program, (int)ifindex, xdp_mode, 0);
	}
	if (r < 0) {
		xdp_program__close(program); /* and the object with it */
		return r;
	}
	*ret_program = program;
	return 0;
}

static bool is_taken(int r)
{
	return r == -EBUSY || r == -EEXIST;
}

static void explain(struct sp_attach_info *info, const char *what, const char *why)
{
	size_t used = strlen(info->reason);

	snprintf(info->reason + used, sizeof(info->reason) - used, "%s%s: %s", used ? "; " : "",
		 what, why);
}

static int attach_in_mode(struct sp_dataplane *dp, struct sp_attachment *a,
			  enum sp_attach_mode mode, const char *path, struct sp_attach_info *info)
{
	int r;

	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, NULL) == 1) {
		r = link_by_dispatcher(dp, a->ifindex, mode, path, &a->program);
		if (r == 0) {
			info->dispatcher = true;
			info->mode = mode;
			return 0;
		}
		/* Linux 6.12 lets no program that changes packets replace libxdp 1.3's stubs. */
		explain(info,
			r == -EINVAL ? "no dispatcher: libxdp's refused the program"
				     : "no dispatcher",
			strerror(-r));
	} else {
		explain(info, "no dispatcher", "the kernel cannot replace BPF functions");
	}
	r = link_plainly(dp, a->ifindex, mode, path, &a->link_fd);
	if (r == 0)
		info->mode = mode;
	return r;
}

static int attach_anew(struct sp_dataplane *dp, struct sp_attachment *a, enum sp_attach_mode mode,
		       const char *path, struct sp_attach_info *info)
{
	struct sp_attach_info tried = {};
	int r;

	if (mode != SP_ATTACH_GENERIC) {
		r = attach_in_mode(dp, a, SP_ATTACH_NATIVE, path, &tried);
		if (r == 0 || mode == SP_ATTACH_NATIVE || r == -ENODEV) {
			*info = tried;
			return r;
		}
		explain(info, "not native", strerror(-r));
	}
	return attach_in_mode(dp, a, SP_ATTACH_GENERIC, path, info);
}

/*
 * Behind one dispatcher all programs run in one mode, so an older program of ours decides it, or
 * goes first when another mode is asked for.
 */
static enum sp_attach_mode settle_mode(const char *path, uint32_t ifindex, enum sp_attach_mode mode)
{
	_cleanup_close_ int fd = bpf_obj_get(path);
	enum sp_attach_mode found;

	if (fd < 0 || !sp_pins_fd_is(fd, "prog"))
		return mode;
	if (!stands_behind_dispatcher(ifindex)) {
		(void)unlink(path); /* of an interface that is gone */
		return mode;
	}
	if (attached_mode(ifindex, &found) < 0 || mode == found)
		return mode;
	if (mode == SP_ATTACH_AUTO)
		return found;
	detach_pinned_program(path, ifindex);
	return mode;
}

static int attach_to(struct sp_dataplane *dp, struct sp_attachment *a, enum sp_attach_mode mode,
		     struct sp_attach_info *info)
{
	char path[PATH_MAX];
	int r;

	if (!dp->config.pin_dir)
		return attach_anew(dp, a, mode, NULL, info);
	r = link_path(dp->config.pin_dir, a->name, path);
	if (r < 0)
		return r;
	r = take_over_link(dp, a->ifindex, mode, path, &a->link_fd);
	if (r == -ENOENT) {
		mode = settle_mode(path, a->ifindex, mode);
		return attach_anew(dp, a, mode, path, info);
	}
	if (r == 0) {
		explain(info, "no dispatcher", "the link of an earlier run was taken over");
		return attached_mode(a->ifindex, &info->mode);
	}
	return r;
}

int sp_dataplane_attach(struct sp_dataplane *dp, const struct sp_iface *iface, uint32_t ifindex,
			enum sp_attach_mode mode, struct sp_attach_info *ret_info)
{
	struct sp_attachment a = {.ifindex = ifindex, .link_fd = -1};
	struct sp_attachment *slot = find(dp, 0);
	struct sp_attach_info info = {};
	int r;

	if (ifindex == 0 || strnlen(iface->name, sizeof(iface->name)) == sizeof(iface->name) ||
	    iface->name[0] == '\0' || strchr(iface->name, '/'))
		return -EINVAL;
	if (find(dp, ifindex))
		return -EEXIST;
	if (!slot)
		return -ENOSPC;
	memcpy(a.name, iface->name, sizeof(a.name)); /* ends with a NUL, as seen above */
	r = attach_to(dp, &a, mode, &info);
	if (r < 0) {
		sp_error("dataplane: failed to attach to %s (MTU %u): %s%s%s", iface->name,
			 iface->mtu,
			 is_taken(r) ? "another XDP program stands there" : strerror(-r),
			 info.reason[0] ? "; " : "", info.reason);
		return is_taken(r) ? -EBUSY : r;
	}
	*slot = a;
	*ret_info = info;
	return 0;
}

static void attachment_fini(struct sp_attachment *a)
{
	if (a->link_fd >= 0)
		close(a->link_fd);
	if (a->program)
		xdp_program__close(a->program);
	*a = (struct sp_attachment){.link_fd = -1};
}

int sp_dataplane_detach(struct sp_dataplane *dp, uint32_t ifindex)
{
	struct sp_attachment *a = ifindex ? find(dp, ifindex) : NULL;
	char path[PATH_MAX];
	int r = 0;

	if (!a)
		return -ENOENT;
	if (a->program)
		r = xdp_program__detach(a->program, (int)ifindex, XDP_MODE_UNSPEC, 0);
	else
		r = bpf_link_detach(a->link_fd);
	/* The interface may be gone, and the program with it. */
	if (r < 0 && r != -ENODEV && r != -ENOENT && r != -ENOLINK)
		return r;
	if (dp->config.pin_dir && link_path(dp->config.pin_dir, a->name, path) == 0)
		(void)unlink(path);
	attachment_fini(a);
	return 0;
}

void sp_attachments_close(struct sp_dataplane *dp)
{
	for (int i = 0; i < SP_IFACE_MAX; i++) {
		struct sp_attachment *a = &dp->attachments[i];

		if (!a->ifindex)
			continue;
		/* Nothing pinned holds a program behind the dispatcher in a run without pins. */
		if (a->program && !dp->config.pin_dir)
			(void)xdp_program__detach(a->program, (int)a->ifindex, XDP_MODE_UNSPEC, 0);
		attachment_fini(a);
	}
}

int sp_attachments_detach_pinned(const char *pin_dir)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct dirent *e;
	int r = link_path(pin_dir, "", dir);
	DIR *d;

	if (r < 0)
		return r;
	d = opendir(dir);
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(d))) {
		int fd;

		if (e->d_name[0] == '.' || link_path(pin_dir, e->d_name, path) < 0)
			continue;
		fd = bpf_obj_get(path);
		if (fd < 0)
			continue;
		if (sp_pins_fd_is(fd, "link"))
			drop_link(fd, path);
		else
			detach_pinned_program(path, if_nametoindex(e->d_name));
		close(fd);
	}
	closedir(d);
	return 0;
}
