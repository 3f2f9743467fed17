/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines "module: failed to <verb> <object>: <reason>", to stderr in journald's format. Any thread. */
#ifndef SP_BASE_LOG_H
#define SP_BASE_LOG_H

enum sp_log_level {
	SP_LOG_ERROR,
	SP_LOG_WARNING,
	SP_LOG_INFO,
	SP_LOG_DEBUG
};

/* Lines above level are dropped. Default: SP_LOG_INFO. */
void sp_log_set_level(enum sp_log_level level);
void sp_log(enum sp_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One line at the most per second and call site; what was left out is counted in the next line. */
struct sp_log_limit {
	_Atomic unsigned long long next_ns;
	_Atomic unsigned int left_out;
};
void sp_log_limited(struct sp_log_limit *limit, enum sp_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define sp_error(...)	sp_log(SP_LOG_ERROR, __VA_ARGS__)
#define sp_warning(...) sp_log(SP_LOG_WARNING, __VA_ARGS__)
#define sp_info(...)	sp_log(SP_LOG_INFO, __VA_ARGS__)
#define sp_debug(...)	sp_log(SP_LOG_DEBUG, __VA_ARGS__)

#endif
