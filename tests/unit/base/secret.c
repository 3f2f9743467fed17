/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

static const char text[] = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";

Test(base_secret, keys_read_back_as_written)
{
	struct sp_key key;
	char again[SP_KEY_TEXT];

	cr_assert_eq(sp_key_parse(text, &key), 0);
	cr_assert_eq(key.b[0], 0xc8);
	cr_assert_str_eq(sp_key_format(&key, again), text);
}

Test(base_secret, refuses_what_is_not_32_canonical_bytes)
{
	static const char *const bad[] = {
		"",
		"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk",	/* no padding */
		"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBml=", /* stray bits */
		"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBm==", /* 31 bytes */
		"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3f*mk=",
		"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmkA=",
	};
	struct sp_key key;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(sp_key_parse(bad[i], &key), -EINVAL, "%s", bad[i]);
}

static int read_mode(mode_t mode, const char *content)
{
	char path[] = "/tmp/sp-secret-XXXXXX";
	int fd = mkstemp(path), rc;
	struct sp_key key;

	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	fchmod(fd, mode);
	close(fd);
	rc = sp_key_read_file(path, &key);
	unlink(path);
	return rc;
}

Test(base_secret, key_files_must_be_private)
{
	char line[64];

	snprintf(line, sizeof(line), "%s\n", text);
	cr_assert_eq(read_mode(0600, line), 0);
	cr_assert_eq(read_mode(0400, line), 0);
	cr_assert_eq(read_mode(0640, line), -EPERM);
	cr_assert_eq(read_mode(0604, line), -EPERM);
	cr_assert_eq(read_mode(0600, "nonsense\n"), -EINVAL);
	cr_assert_eq(read_mode(0600, ""), -EINVAL);
}

Test(base_secret, compares_and_wipes)
{
	struct sp_key a, b;

	cr_assert_eq(sp_key_parse(text, &a), 0);
	b = a;
	cr_assert(sp_secret_equal(&a, &b, sizeof(a)));
	b.b[31] ^= 1;
	cr_assert_not(sp_secret_equal(&a, &b, sizeof(a)));
	cr_assert_not(sp_key_is_zero(&a));
	sp_key_wipe(&a);
	cr_assert(sp_key_is_zero(&a));
}
