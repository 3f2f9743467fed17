/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules and ends of rules as windows of the monotonic clock. Pure but for the zone database. Daemon thread. */
#ifndef SP_POLICY_WINDOW_H
#define SP_POLICY_WINDOW_H

#include "config/config.h"
#include "sallyport/abi/policy.h"

/* One moment on both clocks. */
struct sp_policy_time {
	uint64_t now_ns;      /* CLOCK_MONOTONIC */
	uint64_t realtime_ns; /* CLOCK_REALTIME */
};

bool sp_policy_is_timed(const struct sp_config_rule *rule);
/* The coming windows, in order; the number, 0 = it holds no more. -errno of the zone database. */
int sp_policy_windows(const struct sp_config_rule *rule, const struct sp_policy_time *time,
		      struct sp_policy_window ret_windows[static SP_POLICY_WINDOWS]);

/* The windows of every rule that has some, made once. */
struct sp_policy_schedules {
	struct sp_policy_choice *list; /* by rule; NULL when no rule is timed */
	uint8_t *counts;	       /* windows of each */
};
int sp_policy_schedules_init(struct sp_policy_schedules *schedules, const struct sp_config *config,
			     const struct sp_policy_time *time);
void sp_policy_schedules_fini(struct sp_policy_schedules *schedules);
/* Rule index has had its last window. */
bool sp_policy_is_over(const struct sp_policy_schedules *schedules, uint32_t index);
void sp_policy_schedules_fill(const struct sp_policy_schedules *schedules, uint32_t index,
			      struct sp_policy_choice *choice);

#endif
