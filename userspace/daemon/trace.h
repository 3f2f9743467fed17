/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the loaded stages about packets that nobody sent (docs/trace.md). Daemon thread. */
#ifndef SP_DAEMON_TRACE_H
#define SP_DAEMON_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "policy/tests.h"

struct sp_daemon;

/*
 * judge.c: the policy of one generation, as a judge for sp_policy_test and whoever has packets to
 * ask about. It is asked of the loaded program, or, on a kernel that refused it, walked here in the
 * same half. Open flows count for nothing.
 */
struct sp_judge {
	struct sp_daemon *daemon;
	uint32_t generation; /* in force, or the next one when its half was filled */
};
int sp_judge_policy(void *judge, const struct sp_policy_query *query,
		    struct sp_policy_answer *ret_answer);

/*
 * The canary: what must be denied by default, asked of the half of that generation. 0, or -EPERM: it
 * would be allowed.
 */
int sp_canary_ask(struct sp_daemon *daemon, uint32_t generation);
/* The same of the policy in force; when it fails the gateway closes, until a restart. */
void sp_canary_check(struct sp_daemon *daemon);
void sp_canary_tick(struct sp_daemon *daemon); /* every ten seconds, when called each second */

struct sp_canary_state {
	uint64_t asked_ns; /* the last time */
	uint64_t runs, failures;
};

/* trace.c: what the request asks about, stage by stage. */
int sp_daemon_trace(struct sp_daemon *daemon, const json_t *request, json_t **ret_said,
		    char **ret_text);

#endif
