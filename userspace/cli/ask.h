/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the daemon on behalf of a command, with its refusals on stderr. One thread. */
#ifndef SP_CLI_ASK_H
#define SP_CLI_ASK_H

#include "cli/cli.h"

/* The "result" of the answer (a new reference), or what to exit with after saying why. */
enum sp_cli_exit sp_cli_request(const struct sp_cli *cli, const char *command, json_t **ret_result);
/* The same with a request that says more; takes over request. */
enum sp_cli_exit sp_cli_request_with(const struct sp_cli *cli, json_t *request,
				     json_t **ret_result);

#endif
