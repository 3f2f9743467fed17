/* SPDX-License-Identifier: Apache-2.0 */
/* Every configuration that is handed out has no mistake. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "config/config.h"
#include "unit/config/sandbox.h"

/* A copy of from, relative to the top of the tree, as to in the sandbox. */
static void copy(const char *top, const char *from, const char *to)
{
	char path[512], text[16384];
	FILE *stream;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", top, from);
	stream = fopen(path, "r");
	cr_assert(stream, "%s", path);
	len = fread(text, 1, sizeof(text), stream);
	cr_assert_lt(len, sizeof(text));
	fclose(stream);
	sandbox_write(to, text, len, 0644);
}

static struct sp_config *open_good(const char *file)
{
	struct sp_config *config = NULL;
	struct sp_config_errors errors;
	int rc = sp_config_open(file, &config, &errors);

	for (uint32_t i = 0; i < errors.count; i++)
		cr_log_error("%s", errors.list[i].text);
	cr_assert_eq(rc, 0, "%s: %d", file, rc);
	return config;
}

Test(config_examples, have_no_mistake)
{
	static const char *const files[] = {"configs/demo.conf", "configs/examples/one-nic.conf",
					    "configs/examples/two-nic.conf"};
	char *top = realpath(".", NULL);

	sandbox_enter();
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct sp_config *config;

		copy(top, files[i], "a.conf");
		config = open_good("a.conf");
		cr_expect_gt(config->rule_count, 0, "%s", files[i]);
		cr_expect_gt(config->pool_count, 0, "%s", files[i]);
		sp_config_close(config);
	}
	free(top);
	sandbox_leave();
}

Test(config_examples, a_site_goes_beside_a_main_file)
{
	char *top = realpath(".", NULL);
	struct sp_config *config;

	sandbox_enter();
	copy(top, "configs/demo.conf", "main.conf");
	cr_assert_eq(mkdir("conf.d", 0700), 0);
	copy(top, "configs/examples/site.conf", "conf.d/50-site.conf");
	config = open_good("main.conf");
	cr_expect_eq(config->peer_count, 1);
	cr_expect_str_eq(config->rules[config->rule_count - 1].name, "branch-7-out");
	sp_config_close(config);
	free(top);
	sandbox_leave();
}

Test(config_examples, the_demo_limits_bob_alone)
{
	char *top = realpath(".", NULL);
	struct sp_config *config;

	sandbox_enter();
	copy(top, "configs/demo.conf", "demo.conf");
	config = open_good("demo.conf");
	cr_expect_str_eq(config->users[0].name, "alice");
	cr_expect_eq(config->users[0].limit.down_bps, 0);
	cr_expect_str_eq(config->users[1].name, "bob");
	cr_expect_eq(config->users[1].limit.down_bps, 20000000);
	cr_expect_eq(config->users[1].limit.up_bps, 10000000);
	cr_expect_eq(config->users[1].limit.burst_bytes, 1250000);
	sp_config_close(config);
	free(top);
	sandbox_leave();
}
