/* SPDX-License-Identifier: Apache-2.0 */
/* No memory, at each place in turn: -ENOMEM, outputs empty, and nothing lost (under a sanitizer). */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "unit/config/sandbox.h"

static long allocations_left = -1; /* -1: never fail */

static bool is_out(void)
{
	return allocations_left >= 0 && allocations_left-- == 0;
}

/* The linker puts these in front of ours (scripts/mk/tests.mk). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *p, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t max);
int __real_vasprintf(char **ret, const char *format, va_list args);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *p, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t max);
int __wrap_vasprintf(char **ret, const char *format, va_list args);
int __wrap_asprintf(char **ret, const char *format, ...);

void *__wrap_malloc(size_t size)
{
	return is_out() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return is_out() ? NULL : __real_calloc(count, size);
}

void *__wrap_reallocarray(void *p, size_t count, size_t size)
{
	return is_out() ? NULL : __real_reallocarray(p, count, size);
}

char *__wrap_strdup(const char *text)
{
	return is_out() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t max)
{
	return is_out() ? NULL : __real_strndup(text, max);
}

int __wrap_vasprintf(char **ret, const char *format, va_list args)
{
	if (is_out()) {
		*ret = (char *)0x1; /* what it points at is undefined after a failure */
		return -1;
	}
	return __real_vasprintf(ret, format, args);
}

int __wrap_asprintf(char **ret, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = __wrap_vasprintf(ret, format, args);
	va_end(args);
	return n;
}

/* How many allocations it takes to read file, each of them having failed once. */
static long fail_each(const char *file, int expected)
{
	for (long n = 0; n < 100000; n++) {
		struct sp_config *config = NULL;
		struct sp_config_errors errors;
		bool enough;
		int rc;

		allocations_left = n;
		rc = sp_config_open(file, &config, &errors);
		enough = allocations_left >= 0;
		allocations_left = -1;
		cr_assert_eq(rc, enough ? expected : -ENOMEM, "%s: allocation %ld: %d", file, n,
			     rc);
		if (rc == -ENOMEM)
			cr_assert(!config && !errors.count);
		sp_config_close(config);
		sp_config_errors_fini(&errors);
		if (enough)
			return n;
	}
	return 0;
}

Test(config_memory, each_allocation_may_fail)
{
	static const char *const files[] = {"twenty-five.conf",	    "egress.conf",
					    "unknown-names.conf",   "syntax.conf",
					    "gateway-address.conf", "limits.conf"};

	sandbox_enter();
	cr_assert_eq(mkdir("conf.d", 0700), 0);
	sandbox_text("conf.d/a.conf", "users = ( { name = \"z\"; } );\n");
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		sandbox_take(files[i]);
		cr_expect_gt(fail_each(files[i], -EINVAL), 20, "%s", files[i]);
	}
	sandbox_text(
		"good.conf",
		"gateway = { name = \"gw\"; };\n"
		"interfaces = ( { name = \"eth0\"; roles = [\"tunnel\", \"egress\"]; } );\n"
		"wireguard = ( { name = \"wg0\"; port = 1; private_key_file = \"wg0.key\";\n"
		"	addresses = [\"10.9.0.1/24\"]; endpoint = \"a:1\"; dns = \"10.9.0.1\"; } );\n"
		"groups = ( { name = \"g\"; } );\n"
		"users = ( { name = \"u\"; groups = [\"g\"]; } );\n"
		"peers = ( { name = \"p\"; user = \"u\"; addresses = \"10.9.0.2\";\n"
		"	public_key = \"HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=\";\n"
		"	preshared_key_file = \"wg0.key\"; } );\n"
		"destinations = ( { name = \"d\"; prefixes = \"::/0\"; } );\n"
		"services = ( { name = \"s\"; protocol = \"tcp\"; ports = (80, \"90-99\"); } );\n"
		"egress = ( { name = \"e\"; interface = \"eth0\"; addresses = \"192.0.2.1\"; } );\n"
		"policy = ( { name = \"r\"; from = [\"g\", \"u\"]; to = \"d\"; service = \"s\";\n"
		"	action = \"allow\"; egress = \"e\"; } );\n");
	cr_expect_gt(fail_each("good.conf", 0), 40);
	sandbox_leave();
}
