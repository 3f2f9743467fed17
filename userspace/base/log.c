/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdatomic.h>

#include "base/clock.h"

static _Atomic int max_level = SP_LOG_INFO;

/* sd-daemon(3): journald reads the priority from "<n>" at the start of a line. */
static const int syslog_priority[] = {
	[SP_LOG_ERROR] = 3, [SP_LOG_WARNING] = 4, [SP_LOG_INFO] = 6, [SP_LOG_DEBUG] = 7};

void sp_log_set_level(enum sp_log_level level)
{
	max_level = level;
}

static void write_line(enum sp_log_level level, unsigned int left_out, const char *format,
		       va_list args)
{
	char line[1024];
	int n = vsnprintf(line, sizeof(line), format, args);

	if (n < 0)
		return;
	if (left_out)
		fprintf(stderr, "<%d>%s (and %u more like it)\n", syslog_priority[level], line,
			left_out);
	else
		fprintf(stderr, "<%d>%s\n", syslog_priority[level], line);
}

void sp_log(enum sp_log_level level, const char *format, ...)
{
	va_list args;

	if ((int)level > max_level)
		return;
	va_start(args, format);
	write_line(level, 0, format, args);
	va_end(args);
}

void sp_log_limited(struct sp_log_limit *limit, enum sp_log_level level, const char *format, ...)
{
	unsigned long long now = sp_clock_now_ns(), next = limit->next_ns;
	va_list args;

	if ((int)level > max_level)
		return;
	if (now < next ||
	    !atomic_compare_exchange_strong(&limit->next_ns, &next, now + SP_NS_PER_S)) {
		atomic_fetch_add(&limit->left_out, 1);
		return;
	}
	va_start(args, format);
	write_line(level, atomic_exchange(&limit->left_out, 0), format, args);
	va_end(args);
}
