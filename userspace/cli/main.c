/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/prctl.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
	prctl(PR_SET_DUMPABLE, 0); /* peer add holds private keys: no core dump, no ptrace */
	return (int)sp_cli_run(argc, argv);
}
