/* SPDX-License-Identifier: Apache-2.0 */
/* The command `sallyport`: its options, its exit codes, its commands. One thread. */
#ifndef SP_CLI_CLI_H
#define SP_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "config/config.h"

#define SP_CLI_CONFIG_FILE "/etc/sallyport/sallyport.conf"

enum sp_cli_exit { /* documented in sallyport(8) */
	SP_CLI_OK = 0,
	SP_CLI_FAILED = 1,
	SP_CLI_USAGE = 2,
	SP_CLI_MISTAKES = 3,
	SP_CLI_NO_DAEMON = 4,
	SP_CLI_CHANGES = 5, /* plan, replay: it would change something */
};

/* What may stand on the command line; an option that a command does not take is a mistake. */
enum sp_cli_option {
	SP_CLI_USER = 1 << 0,
	SP_CLI_OUT = 1 << 1,
	SP_CLI_PSK = 1 << 2,
	SP_CLI_QR = 1 << 3,
	SP_CLI_WIREGUARD = 1 << 4,
	SP_CLI_ENDPOINT = 1 << 5,
	SP_CLI_CONFIRM = 1 << 6,
	SP_CLI_LAST = 1 << 7,
	SP_CLI_REASON = 1 << 8,
	SP_CLI_AT = 1 << 9,
	SP_CLI_PROTOCOL = 1 << 10,
	SP_CLI_FOR = 1 << 11,
	SP_CLI_ZONE = 1 << 12,
};

struct sp_cli {
	bool json;
	const char *config_file;
	const char *socket_path; /* NULL: as the configuration says */
	uint32_t given;		 /* enum sp_cli_option */
	const char *user, *out, *wireguard, *endpoint, *confirm_s, *last, *reason;
	const char *at, *protocol, *during, *zone;
	char **args; /* behind the command's name */
	int arg_count;
};

struct sp_cli_command {
	const char *name, *synopsis, *help;
	enum sp_cli_exit (*run)(const struct sp_cli *cli, const struct sp_cli_command *command);
	int args_min, args_max;
	uint32_t options;
	bool needs_daemon;
};

/* The whole program but for the process. */
enum sp_cli_exit sp_cli_run(int argc, char **argv);

enum sp_cli_exit sp_cli_check(const struct sp_cli *cli, const struct sp_cli_command *command);
enum sp_cli_exit sp_cli_peer_add(const struct sp_cli *cli, const struct sp_cli_command *command);
enum sp_cli_exit sp_cli_peer_remove(const struct sp_cli *cli, const struct sp_cli_command *command);
enum sp_cli_exit sp_cli_plan(const struct sp_cli *cli, const struct sp_cli_command *command);
enum sp_cli_exit sp_cli_reload(const struct sp_cli *cli, const struct sp_cli_command *command);
enum sp_cli_exit sp_cli_why(const struct sp_cli *cli, const struct sp_cli_command *command);
enum sp_cli_exit sp_cli_rollback(const struct sp_cli *cli, const struct sp_cli_command *command);
/* Every command that the daemon answers: ask, then a table of sp_render_*, or JSON with -j. */
enum sp_cli_exit sp_cli_ask(const struct sp_cli *cli, const struct sp_cli_command *command);

/* The configuration, or its mistakes on stderr and the exit code. */
enum sp_cli_exit sp_cli_config_open(const struct sp_cli *cli, struct sp_config **ret_config);
void sp_cli_json_print(const json_t *json);

#endif
