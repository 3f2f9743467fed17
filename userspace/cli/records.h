/* SPDX-License-Identifier: Apache-2.0 */
/* What commands that ask the flow records share. One thread. */
#ifndef SP_CLI_RECORDS_H
#define SP_CLI_RECORDS_H

#include "cli/cli.h"

enum sp_cli_exit sp_cli_who(const struct sp_cli *cli, const struct sp_cli_command *command);
enum sp_cli_exit sp_cli_replay(const struct sp_cli *cli, const struct sp_cli_command *command);
enum sp_cli_exit sp_cli_learn(const struct sp_cli *cli, const struct sp_cli_command *command);

/* from_ms and to_ms of the last "24h". False after saying what was expected. */
bool sp_cli_put_span(json_t *request, const char *text);

/* render_records.c */
void sp_render_who(FILE *out, const json_t *who);
void sp_render_replay(FILE *out, const json_t *replay);

#endif
