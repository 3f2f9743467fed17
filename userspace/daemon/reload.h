/* SPDX-License-Identifier: Apache-2.0 */
/* What became of the last reload, what runs, and what is on trial (docs/reload.md). Daemon thread. */
#ifndef SP_DAEMON_RELOAD_H
#define SP_DAEMON_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <ev.h>

#include "config/config.h"

struct sp_reload_result {
	bool ok;
	uint64_t at_realtime_ns;
	char *error; /* every mistake, a line each; owned */
};

/* What runs, as the history knows it. */
struct sp_running_state {
	uint64_t entry; /* 0: not in the history */
	bool is_file;	/* as it was read from the files, not put back from the history */
};

/* A configuration that is taken back unless it is confirmed in time. */
struct sp_trial_state {
	struct sp_config *previous; /* NULL: none is on trial */
	struct sp_running_state previous_running;
	ev_timer timer;
	uint64_t until_ns;
};

#endif
