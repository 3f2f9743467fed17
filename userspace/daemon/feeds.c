/* SPDX-License-Identifier: Apache-2.0 */
/* Destinations' files read again for the running configuration: only the policy's image changes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "config/feed.h"
#include "daemon/daemon.h"
#include "daemon/feeds.h"

static void say(char **ret_text, const char *text)
{
	*ret_text = strdup(text);
}

/* As a reload does it, tests included, but with nothing changed beside what the files hold. */
static int put_in_force(struct sp_daemon *daemon, char **ret_text)
{
	_cleanup_(sp_policy_plan_fini) struct sp_policy_plan plan = {0};
	int rc = sp_daemon_plan_policy(daemon, daemon->config, &plan, ret_text);

	if (!rc)
		rc = sp_daemon_test_policy(daemon, daemon->config, &plan, ret_text);
	return rc ? rc : sp_daemon_commit_policy(daemon, daemon->config, &plan);
}

static int take_over(struct sp_daemon *daemon, struct sp_config_feeds *feeds, char **ret_text)
{
	int rc;

	if (!feeds->file_count) {
		say(ret_text, "feeds: no destination of the running configuration names a file "
			      "(\"@path\")");
		return -ENOENT;
	}
	sp_config_feeds_swap(daemon->config, feeds);
	rc = put_in_force(daemon, ret_text);
	if (rc)
		sp_config_feeds_swap(daemon->config, feeds);
	return rc;
}

int sp_daemon_reload_feeds(struct sp_daemon *daemon, json_t **ret_result, char **ret_text)
{
	struct sp_config_errors errors = {0};
	struct sp_config_feeds feeds = {0};
	uint32_t files = 0, prefixes = 0;
	int rc;

	if (daemon->trial.previous) {
		say(ret_text, "feeds: a configuration waits for confirmation: first `sallyport "
			      "confirm` to keep it, or `sallyport rollback`");
		return -EBUSY;
	}
	rc = sp_config_feeds_read(daemon->config, &feeds, &errors);
	if (rc == -EINVAL)
		*ret_text = sp_daemon_mistakes(&errors);
	sp_config_errors_fini(&errors);
	if (!rc) {
		files = feeds.file_count;
		prefixes = feeds.prefix_count;
		rc = take_over(daemon, &feeds, ret_text);
		sp_config_feeds_fini(&feeds);
	}
	if (rc) {
		sp_error("feeds: refused, what runs stays: %s",
			 *ret_text ? *ret_text : strerror(-rc));
		return rc;
	}
	sp_info("feeds: %u prefixes of %u files, policy generation %u is in force", prefixes, files,
		daemon->shared->gateway->generation);
	*ret_result =
		json_pack("{s:i, s:i, s:i}", "generation", (int)daemon->shared->gateway->generation,
			  "files", (int)files, "prefixes", (int)prefixes);
	return *ret_result ? 0 : -ENOMEM;
}
