/* SPDX-License-Identifier: Apache-2.0 */
/* Destinations out of files: whole, bounded, and with their mistakes named. */
#include <criterion/criterion.h>
#include <errno.h>

#include "base/addr.h"
#include "config/config.h"
#include "config/feed.h"
#include "unit/config/sandbox.h"

static const char text[] =
	"interfaces = ( { name = \"eth0\"; roles = [\"tunnel\", \"egress\"]; } );\n"
	"destinations = ( { name = \"bad\"; prefixes = [\"192.0.2.0/24\", \"@bad.txt\"]; } );\n";

static struct sp_config_errors fail(void)
{
	struct sp_config_errors errors;
	struct sp_config *config = NULL;

	cr_assert_eq(sp_config_open("a.conf", &config, &errors), -EINVAL);
	return errors;
}

static struct sp_config_errors fail_on(const char *feed, size_t len)
{
	sandbox_write("bad.txt", feed, len, 0644);
	return fail();
}

Test(config_feeds, are_read_line_by_line)
{
	static const char feed[] = "# a feed\r\n198.51.100.0/25\r\n\n  203.0.113.9 # one host\n"
				   "\t2001:db8::/32\n#\n0.0.0.0/0";
	static const char *const want[] = {"192.0.2.0/24", "198.51.100.0/25", "203.0.113.9/32",
					   "2001:db8::/32", "0.0.0.0/0"};
	struct sp_config_errors errors;
	struct sp_config *config = NULL;
	char buf[SP_PREFIX_TEXT];

	sandbox_enter();
	sandbox_text("a.conf", text);
	sandbox_text("bad.txt", feed);
	cr_assert_eq(sp_config_open("a.conf", &config, &errors), 0);
	cr_assert_eq(config->destinations[0].prefix_count, 5);
	for (uint32_t i = 0; i < 5; i++)
		cr_expect_str_eq(sp_prefix_format(&config->destinations[0].prefixes[i], buf),
				 want[i]);
	cr_expect_eq(config->file_count, 2, "the feed is one of the files that were read");
	sp_config_close(config);
	sandbox_leave();
}

/* The history keeps the words only; what a file behind them holds is read again. */
Test(config_feeds, are_no_part_of_the_configuration_s_texts)
{
	struct sp_config_errors errors;
	struct sp_config *config = NULL, *again = NULL;
	char buf[SP_PREFIX_TEXT];

	sandbox_enter();
	sandbox_text("a.conf", text);
	sandbox_text("bad.txt", "198.51.100.0/25\n");
	cr_assert_eq(sp_config_open("a.conf", &config, &errors), 0);
	cr_assert_eq(config->text_count, 1);
	cr_expect_str_eq(config->files[0], "a.conf");
	cr_expect_str_eq(config->texts[0], text);
	sandbox_text("bad.txt", "203.0.113.0/24\n");
	cr_assert_eq(sp_config_open_texts((const char *const *)config->files,
					  (const char *const *)config->texts, config->text_count,
					  &again, &errors),
		     0);
	cr_expect_eq(again->text_count, 1);
	cr_assert_eq(again->destinations[0].prefix_count, 2);
	cr_expect_str_eq(sp_prefix_format(&again->destinations[0].prefixes[1], buf),
			 "203.0.113.0/24");
	sp_config_close(again);
	sp_config_close(config);
	sandbox_leave();
}

Test(config_feeds, name_the_first_twenty_wrong_lines)
{
	char feed[2048] = "192.0.2.0/24\n192.0.2.1/24\nnonsense\n";
	size_t len = strlen(feed);
	struct sp_config_errors errors;

	sandbox_enter();
	sandbox_text("a.conf", text);
	for (int i = 0; i < 30; i++, len += 10)
		memcpy(feed + len, "300.0.0.1\n", 10);
	errors = fail_on(feed, len);
	cr_expect_eq(errors.count, 21);
	cr_expect_str_eq(errors.list[0].text,
			 "./bad.txt:2: found \"192.0.2.1/24\", expected no bits "
			 "set behind the length");
	cr_expect_str_eq(errors.list[1].text,
			 "./bad.txt:3: found \"nonsense\", expected an address or a prefix");
	cr_expect_str_eq(errors.list[20].text,
			 "./bad.txt:33: found 12 more lines that are no prefixes");
	sp_config_errors_fini(&errors);
	sandbox_leave();
}

Test(config_feeds, of_any_size_are_bounded)
{
	struct sp_config_errors errors;

	sandbox_enter();
	sandbox_text("a.conf", text);
	errors = fail_on("1.2.3.4\n\0\1\2", 11);
	cr_expect_str_eq(errors.list[0].text, "./bad.txt: found a binary file, expected prefixes");
	sp_config_errors_fini(&errors);
	sandbox_write("bad.txt", "", 0, 0644);
	cr_assert_eq(truncate("bad.txt", 200000000), 0);
	errors = fail();
	cr_expect_str_eq(errors.list[0].text,
			 "./bad.txt: found 200000000 bytes, expected at most 67108864: split it");
	sp_config_errors_fini(&errors);
	cr_assert_eq(unlink("bad.txt"), 0);
	errors = fail();
	cr_expect_str_eq(errors.list[0].text,
			 "./bad.txt: found \"No such file or directory\", expected a file to read");
	sp_config_errors_fini(&errors);
	sandbox_leave();
}

/* Only what files hold is read again; what the configuration lists, and all else of it, stays. */
Test(config_feeds, can_be_read_again_on_their_own)
{
	struct sp_config_errors errors;
	struct sp_config_feeds feeds;
	struct sp_config *config = NULL;
	char buf[SP_PREFIX_TEXT];

	sandbox_enter();
	sandbox_text("a.conf", text);
	sandbox_text("bad.txt", "198.51.100.0/25\n");
	cr_assert_eq(sp_config_open("a.conf", &config, &errors), 0);
	sandbox_text("a.conf", "this is no configuration any more");
	sandbox_text("bad.txt", "203.0.113.0/24\n2001:db8::/32\n");
	cr_assert_eq(sp_config_feeds_read(config, &feeds, &errors), 0);
	cr_expect_eq(feeds.file_count, 1);
	cr_expect_eq(feeds.prefix_count, 2);
	cr_assert_eq(config->destinations[0].prefix_count, 2, "nothing is changed by reading");
	sp_config_feeds_swap(config, &feeds);
	cr_assert_eq(config->destinations[0].prefix_count, 3);
	cr_expect_str_eq(sp_prefix_format(&config->destinations[0].prefixes[0], buf),
			 "192.0.2.0/24");
	cr_expect_str_eq(sp_prefix_format(&config->destinations[0].prefixes[1], buf),
			 "203.0.113.0/24");
	sp_config_feeds_swap(config, &feeds);
	cr_expect_str_eq(sp_prefix_format(&config->destinations[0].prefixes[1], buf),
			 "198.51.100.0/25");
	sp_config_feeds_fini(&feeds);
	sandbox_text("bad.txt", "203.0.113.0/24\nnonsense\n203.0.113.1/24\n");
	cr_assert_eq(sp_config_feeds_read(config, &feeds, &errors), -EINVAL);
	cr_assert_eq(errors.count, 2);
	cr_expect_str_eq(errors.list[0].text,
			 "./bad.txt:2: found \"nonsense\", expected an address or a prefix");
	sp_config_errors_fini(&errors);
	sp_config_close(config);
	sandbox_leave();
}
