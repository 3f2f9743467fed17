/* SPDX-License-Identifier: Apache-2.0 */
/* A network and a BPF file system of a test's own: a fresh machine may have mounted none. Test process. */
#ifndef SP_TESTS_DATAPLANE_SANDBOX_H
#define SP_TESTS_DATAPLANE_SANDBOX_H

#include <criterion/criterion.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

/* What is pinned under /sys/fs/bpf from here on is seen by this process alone, and ends with it. */
static inline void sandbox_open(void)
{
	cr_assert_eq(unshare(CLONE_NEWNS | CLONE_NEWNET), 0);
	cr_assert_eq(mount(NULL, "/sys", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL), 0, "this kernel has no bpffs");
}

#endif
