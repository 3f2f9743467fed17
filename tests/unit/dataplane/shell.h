/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines of a test, for what iproute2 says best. Test process. */
#ifndef SP_TESTS_DATAPLANE_SHELL_H
#define SP_TESTS_DATAPLANE_SHELL_H

#include <criterion/criterion.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs to its end; a command that fails fails the test. */
static inline void run(const char *command)
{
	char *const argv[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
	int status = -1;
	pid_t pid;

	cr_assert_eq(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ), 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s", command);
}

#endif
