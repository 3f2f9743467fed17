/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration's own tests, asked of whoever judges packets. Any thread. */
#ifndef SP_POLICY_TESTS_H
#define SP_POLICY_TESTS_H

#include "config/config.h"
#include "sallyport/core/policy.h"

/* Answers one query: an image walked here, or the loaded program. 0 or -errno. */
typedef int (*sp_policy_judge)(void *arg, const struct sp_policy_query *query,
			       struct sp_policy_answer *ret_answer);

/* arg: a struct sp_policy_view of a compiled image. */
int sp_policy_judge_image(void *view, const struct sp_policy_query *query,
			  struct sp_policy_answer *ret_answer);

/*
 * Ask every test, at now_ns (CLOCK_MONOTONIC) and from no place that rules tell apart. Where the
 * hour decides, one hour at which a test holds will do: files must not be wrong by night. 0; -EINVAL: some failed, each with file:line, what was expected and which rule
 * decided (ret_failures borrows names of files from config); or what judge returned.
 */
int sp_policy_test(const struct sp_config *config, sp_policy_judge judge, void *arg,
		   uint64_t now_ns, struct sp_config_errors *ret_failures);

#endif
