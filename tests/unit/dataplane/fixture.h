/* SPDX-License-Identifier: Apache-2.0 */
/* A dataplane of its own for each test: private network namespace, private pin directory. */
#ifndef SP_TESTS_DATAPLANE_FIXTURE_H
#define SP_TESTS_DATAPLANE_FIXTURE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dataplane/dataplane.h"
#include "unit/dataplane/sandbox.h"
#include "unit/dataplane/shell.h"

/* This needs root: said, not passed over in silence. */
static inline void fixture_need_kernel(void)
{
	if (geteuid() != 0)
		cr_skip_test("needs root");
	sandbox_open();
}

static inline const char *fixture_pin_dir(void)
{
	static char dir[64];

	snprintf(dir, sizeof(dir), "/sys/fs/bpf/sp-unit-%d/v1", getpid());
	return dir;
}

static inline void fixture_remove_pins(void)
{
	char parent[64];

	sp_dataplane_unpin(fixture_pin_dir());
	snprintf(parent, sizeof(parent), "/sys/fs/bpf/sp-unit-%d", getpid());
	rmdir(parent);
}

static inline struct sp_dataplane_config fixture_config(const char *pin_dir)
{
	return (struct sp_dataplane_config){
		.pin_dir = pin_dir,
		.flows_max = 1024,
		.sessions_max = 256,
		.users_max = 32,
		.policy_nodes_max = 128,
		.rules_max = 7,
		.workers = 2,
	};
}

static inline struct sp_dataplane *fixture_open(const char *pin_dir)
{
	struct sp_dataplane_config config = fixture_config(pin_dir);
	struct sp_dataplane *dp = NULL;

	cr_assert_eq(sp_dataplane_open(&config, &dp), 0);
	return dp;
}

#endif
