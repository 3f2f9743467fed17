/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each file in data/ says itself what is wrong with it: "#! text" behind a line is a mistake that
 * must be found there, "#!0 text" one of the file as a whole. What is found must be exactly that.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "config/config.h"
#include "unit/config/sandbox.h"

#define EXPECTED_MAX 64

struct expected {
	char *text[EXPECTED_MAX];
	uint32_t count;
};

static void expect(struct expected *expected, const char *file, unsigned int line, const char *text,
		   size_t len)
{
	char **slot = &expected->text[expected->count++];

	cr_assert_leq(expected->count, EXPECTED_MAX);
	while (len && (text[len - 1] == ' ' || text[len - 1] == '\n'))
		len--;
	if (line)
		cr_assert_geq(asprintf(slot, "%s:%u: %.*s", file, line, (int)len, text), 0);
	else
		cr_assert_geq(asprintf(slot, "%s: %.*s", file, (int)len, text), 0);
}

static void collect(struct expected *expected, const char *file)
{
	_cleanup_fclose_ FILE *stream = fopen(file, "r");
	char text[4096];

	cr_assert(stream);
	for (unsigned int line = 1; fgets(text, sizeof(text), stream); line++) {
		for (char *mark = strstr(text, "#!"); mark;) {
			char *next = strstr(mark + 2, "#!");
			bool whole = mark[2] == '0';
			char *from = mark + (whole ? 4 : 3);
			size_t len = next ? (size_t)(next - from) : strlen(from);

			expect(expected, file, whole ? 0 : line, from, len);
			mark = next;
		}
	}
}

static bool is_expected(struct expected *expected, const char *text)
{
	for (uint32_t i = 0; i < expected->count; i++) {
		if (expected->text[i] && !strcmp(expected->text[i], text)) {
			free(expected->text[i]);
			expected->text[i] = NULL;
			return true;
		}
	}
	return false;
}

static uint32_t check_file(const char *file)
{
	struct sp_config_errors errors;
	struct expected expected = {0};
	struct sp_config *config = NULL;
	uint32_t count;
	int rc;

	collect(&expected, file);
	cr_assert(expected.count, "%s expects nothing", file);
	rc = sp_config_open(file, &config, &errors);
	cr_expect_eq(rc, -EINVAL, "%s: %d", file, rc);
	cr_expect_null(config, "%s: a config in spite of mistakes", file);
	count = errors.count;
	for (uint32_t i = 0; i < errors.count; i++)
		cr_expect(is_expected(&expected, errors.list[i].text), "not expected: %s",
			  errors.list[i].text);
	for (uint32_t i = 0; i < expected.count; i++) {
		cr_expect_null(expected.text[i], "not found: %s", expected.text[i]);
		free(expected.text[i]);
	}
	sp_config_errors_fini(&errors);
	cr_expect_eq(errors.count, 0);
	return count;
}

Test(config_mistakes, are_found_where_they_stand_and_nowhere_else)
{
	struct dirent **entries;
	int n, files = 0;

	sandbox_enter();
	n = scandir("data", &entries, NULL, alphasort);
	cr_assert_gt(n, 0);
	for (int i = 0; i < n; i++) {
		if (strstr(entries[i]->d_name, ".conf")) {
			sandbox_take(entries[i]->d_name);
			check_file(entries[i]->d_name);
			files++;
		}
		free(entries[i]);
	}
	free(entries);
	cr_assert_geq(files, 30, "only %d files", files);
	sandbox_leave();
}

Test(config_mistakes, twenty_five_are_reported_in_one_run)
{
	sandbox_enter();
	sandbox_take("twenty-five.conf");
	cr_assert_eq(check_file("twenty-five.conf"), 25);
	sandbox_leave();
}

static struct sp_config_errors fail(const char *file)
{
	struct sp_config_errors errors;
	struct sp_config *config = NULL;

	cr_assert_eq(sp_config_open(file, &config, &errors), -EINVAL, "%s", file);
	cr_assert_null(config);
	return errors;
}

Test(config_mistakes, of_files_that_are_no_text_are_clear)
{
	static const struct {
		const char *file, *text;
	} rows[] = {
		{"absent.conf",
		 "absent.conf: found \"No such file or directory\", expected a file to read"},
		{"dir.conf", "dir.conf: found a directory, expected a configuration file"},
		{"binary.conf", "binary.conf: found a binary file, expected text"},
		{"pipe.key", "pipe.key: found a special file, expected a configuration file"},
		{"huge.conf",
		 "huge.conf: found 67108865 bytes, expected at most 67108864: split it"},
	};

	sandbox_enter();
	cr_assert_eq(mkdir("dir.conf", 0700), 0);
	sandbox_write("binary.conf", "\177ELF\0\0", 6, 0600);
	sandbox_write("huge.conf", "", 0, 0600);
	cr_assert_eq(truncate("huge.conf", (64 << 20) + 1), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sp_config_errors errors = fail(rows[i].file);

		cr_expect_eq(errors.count, 1, "%s", rows[i].file);
		cr_expect_str_eq(errors.list[0].text, rows[i].text);
		sp_config_errors_fini(&errors);
	}
	sandbox_leave();
}

Test(config_mistakes, stop_at_two_hundred_and_count_the_rest)
{
	struct sp_config_errors errors;
	FILE *stream;

	sandbox_enter();
	stream = fopen("many.conf", "w");
	cr_assert(stream);
	fputs("interfaces = ( { name = \"eth0\"; roles = \"egress\"; } );\nusers = (\n", stream);
	for (int i = 0; i < 250; i++)
		fprintf(stream, "{ name = \"u%d\"; flows_max = 0; }%s\n", i, i < 249 ? "," : ");");
	fclose(stream);
	errors = fail("many.conf");
	cr_assert_eq(errors.count, 200);
	cr_assert_eq(errors.left_out, 50);
	sp_config_errors_fini(&errors);
	sandbox_leave();
}

/* A file that cannot be read may define what others name: that is one mistake, not many. */
Test(config_mistakes, of_a_broken_file_do_not_spread)
{
	struct sp_config_errors errors;

	sandbox_enter();
	sandbox_text("main.conf", "interfaces = ( { name = \"eth0\"; roles = \"egress\"; } );\n"
				  "policy = ( { name = \"r\"; from = \"carol\"; to = \"any\";\n"
				  "	action = \"allow\"; log = 1; } );\n");
	cr_assert_eq(mkdir("conf.d", 0700), 0);
	sandbox_text("conf.d/10-users.conf", "users = ( { name = \"carol\"; flows } );\n");
	sandbox_text("conf.d/20-gateway.conf", "\ngateway = { };\n");
	errors = fail("main.conf");
	cr_assert_eq(errors.count, 3);
	cr_expect_str_eq(errors.list[0].text,
			 "main.conf:3: policy.r.log: found 1, expected true or false");
	cr_expect_str_eq(errors.list[1].text, "./conf.d/10-users.conf:1: found a syntax error, "
					      "expected name = value;");
	cr_expect_str_eq(errors.list[2].text,
			 "./conf.d/20-gateway.conf:2: gateway: found the gateway section here, "
			 "expected it only in main.conf");
	cr_expect_str_eq(errors.list[2].source.file, "./conf.d/20-gateway.conf");
	cr_expect_eq(errors.list[2].source.line, 2);
	sp_config_errors_fini(&errors);
	sandbox_leave();
}

/* One item more than a section or a list may have. */
static void write_items(const char *file, const char *head, const char *item, uint32_t count,
			const char *tail)
{
	FILE *stream = fopen(file, "w");

	cr_assert(stream);
	fputs("interfaces = ( { name = \"eth0\"; roles = \"egress\"; } );\n", stream);
	fputs(head, stream);
	for (uint32_t i = 0; i < count; i++) {
		fputs(i ? ",\n" : "\n", stream);
		fprintf(stream, item, i, i / 250, i % 250 + 1);
	}
	fputs(tail, stream);
	fclose(stream);
}

Test(config_mistakes, name_the_limit_that_was_passed)
{
	static const char pool[] =
		"{ name = \"p%1$u\"; interface = \"eth0\"; addresses = \"192.0.%2$u.%3$u\"; }";
	static const struct {
		const char *head, *item, *tail;
		uint32_t max;
		const char *text;
	} rows[] = {
		{"egress = (", pool, ");", SP_CONFIG_POOLS_MAX,
		 "a.conf:2: egress: found 65 entries, expected at most 64"},
		{"egress = ( { name = \"p\"; interface = \"eth0\"; addresses = (",
		 "\"10.%1$u.%2$u.%3$u\"", "); } );", SP_CONFIG_POOL_ADDRESSES_MAX,
		 "a.conf:2: egress.p.addresses: found 257 entries, expected at most 256"},
		{"services = (", "{ name = \"s%1$u\"; protocol = \"tcp\"; }", ");",
		 SP_CONFIG_SERVICES_MAX,
		 "a.conf:2: services: found 65537 entries, expected at most 65536"},
		{"gateway = { rules_max = 100000; }; policy = (",
		 "{ name = \"r%1$u\"; from = \"any\"; to = \"any\"; action = \"deny\"; }", ");",
		 SP_CONFIG_RULES_MAX,
		 "a.conf:2: policy: found 100001 entries, expected at most 100000"},
	};

	sandbox_enter();
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sp_config *config = NULL;
		struct sp_config_errors errors;

		write_items("a.conf", rows[i].head, rows[i].item, rows[i].max, rows[i].tail);
		cr_expect_eq(sp_config_open("a.conf", &config, &errors), 0, "%s", rows[i].text);
		sp_config_errors_fini(&errors);
		sp_config_close(config);
		write_items("a.conf", rows[i].head, rows[i].item, rows[i].max + 1, rows[i].tail);
		errors = fail("a.conf");
		cr_expect_str_eq(errors.list[0].text, rows[i].text);
		sp_config_errors_fini(&errors);
	}
	sandbox_leave();
}
