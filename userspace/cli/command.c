/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/records.h"

static enum sp_cli_exit run_help(const struct sp_cli *cli, const struct sp_cli_command *command);
static enum sp_cli_exit run_version(const struct sp_cli *cli, const struct sp_cli_command *command);

#define PEER_ADD_OPTIONS \
	(SP_CLI_USER | SP_CLI_OUT | SP_CLI_PSK | SP_CLI_QR | SP_CLI_WIREGUARD | SP_CLI_ENDPOINT)

static const struct sp_cli_command commands[] = {
	{"status", "", "what the gateway is and does", sp_cli_ask, .needs_daemon = true},
	{"check", "[FILE]", "name every mistake in a configuration; no daemon is needed",
	 sp_cli_check, .args_max = 1},
	{"plan", "[FILE]", "what a reload would change, and which open flows it would cut",
	 sp_cli_plan, .args_max = 1, .needs_daemon = true},
	{"reload", "[--confirm SECONDS]", "take over the configuration, all of it or nothing",
	 sp_cli_reload, .options = SP_CLI_CONFIRM, .needs_daemon = true},
	{"confirm", "", "keep what reload --confirm has taken over", sp_cli_ask,
	 .needs_daemon = true},
	{"rollback", "[ENTRY]", "have the configuration before back, or one of the history",
	 sp_cli_rollback, .args_max = 1, .needs_daemon = true},
	{"history", "", "the last 20 configurations that were taken over", sp_cli_ask,
	 .needs_daemon = true},
	{"show sessions", "", "keys in use", sp_cli_ask, .needs_daemon = true},
	{"show peers", "", "who is connected, from where", sp_cli_ask, .needs_daemon = true},
	{"show flows", "", "connections, with their translation and rule", sp_cli_ask,
	 .needs_daemon = true},
	{"show rules", "", "the policy in force, with its file and line", sp_cli_ask,
	 .needs_daemon = true},
	{"show egress", "", "what is taken of each egress address, and what drains", sp_cli_ask,
	 .needs_daemon = true},
	{"show paths", "", "ways out by name, and whether they are up", sp_cli_ask,
	 .needs_daemon = true},
	{"show drops", "", "what was dropped, and why", sp_cli_ask, .needs_daemon = true},
	{"why", "[--user USER] [--last N] [--reason REASON]",
	 "the last drops in words: who, what, by which rule, what to do", sp_cli_why,
	 .options = SP_CLI_USER | SP_CLI_LAST | SP_CLI_REASON, .needs_daemon = true},
	{"show interfaces", "", "how the program is attached", sp_cli_ask, .needs_daemon = true},
	{"who", "ADDRESS[:PORT] [--protocol tcp|udp|icmp] [--at TIME]",
	 "user, device and flow behind an outside address, now or then", sp_cli_who, .args_min = 1,
	 .args_max = 1, .options = SP_CLI_AT | SP_CLI_PROTOCOL, .needs_daemon = true},
	{"learn", "--zone ZONE|--user USER [--for SPAN | --last SPAN] [--out FILE]",
	 "write the least policy that allows what was seen, with tests", sp_cli_learn,
	 .options = SP_CLI_ZONE | SP_CLI_USER | SP_CLI_FOR | SP_CLI_LAST | SP_CLI_OUT,
	 .needs_daemon = true},
	{"replay", "FILE [--last SPAN]",
	 "what a configuration would have blocked or allowed of what was seen", sp_cli_replay,
	 .args_min = 1, .args_max = 1, .options = SP_CLI_LAST, .needs_daemon = true},
	{"metrics", "", "counters in Prometheus's text format", sp_cli_ask, .needs_daemon = true},
	{"peer add",
	 "NAME --user USER [--out FILE] [--psk] [--qr] [--wireguard NAME] [--endpoint HOST:PORT]",
	 "make keys, pick addresses, write the client's configuration", sp_cli_peer_add,
	 .args_min = 1, .args_max = 1, .options = PEER_ADD_OPTIONS},
	{"peer remove", "NAME", "remove a peer and cut its session", sp_cli_peer_remove,
	 .args_min = 1, .args_max = 1},
	{"version", "", "print the version", run_version, .args_max = 0},
	{"help", "", "print this", run_help, .args_max = 0},
};
#define COMMANDS (sizeof(commands) / sizeof(*commands))

static void print_usage(FILE *out)
{
	fputs("usage: sallyport [-j] [-c FILE] [-s SOCKET] COMMAND\n\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %s%s%s\n      %s%s\n", commands[i].name,
			*commands[i].synopsis ? " " : "", commands[i].synopsis, commands[i].help,
			commands[i].needs_daemon ? " (asks the daemon)" : "");
	fputs("\n  -j         answer in JSON\n"
	      "  -c FILE    the configuration, instead of " SP_CLI_CONFIG_FILE "\n"
	      "  -s SOCKET  the daemon's socket, instead of what the configuration says\n"
	      "\nExit codes: 0 done, 1 failed, 2 usage, 3 the configuration has mistakes, "
	      "4 no daemon answers, 5 plan, replay: something would change.\n",
	      out);
}

static enum sp_cli_exit run_help(const struct sp_cli *cli, const struct sp_cli_command *command)
{
	print_usage(stdout);
	return SP_CLI_OK;
}

static enum sp_cli_exit run_version(const struct sp_cli *cli, const struct sp_cli_command *command)
{
	if (cli->json)
		printf("{\"version\": \"%s\"}\n", SP_VERSION);
	else
		printf("sallyport %s\n", SP_VERSION);
	return SP_CLI_OK;
}

/* How many words of args name this command: 0, 1 or 2. */
static int matches(const struct sp_cli_command *command, char **args, int arg_count)
{
	const char *space = strchr(command->name, ' ');
	size_t first = space ? (size_t)(space - command->name) : strlen(command->name);

	if (!arg_count || strlen(args[0]) != first || memcmp(args[0], command->name, first))
		return 0;
	if (!space)
		return 1;
	return arg_count > 1 && !strcmp(args[1], space + 1) ? 2 : 0;
}

static const struct option long_options[] = {
	{"json", no_argument, NULL, 'j'},
	{"config", required_argument, NULL, 'c'},
	{"socket", required_argument, NULL, 's'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{"user", required_argument, NULL, SP_CLI_USER << 8},
	{"out", required_argument, NULL, SP_CLI_OUT << 8},
	{"psk", no_argument, NULL, SP_CLI_PSK << 8},
	{"qr", no_argument, NULL, SP_CLI_QR << 8},
	{"wireguard", required_argument, NULL, SP_CLI_WIREGUARD << 8},
	{"endpoint", required_argument, NULL, SP_CLI_ENDPOINT << 8},
	{"confirm", required_argument, NULL, SP_CLI_CONFIRM << 8},
	{"last", required_argument, NULL, SP_CLI_LAST << 8},
	{"at", required_argument, NULL, SP_CLI_AT << 8},
	{"protocol", required_argument, NULL, SP_CLI_PROTOCOL << 8},
	{"for", required_argument, NULL, SP_CLI_FOR << 8},
	{"zone", required_argument, NULL, SP_CLI_ZONE << 8},
	{"reason", required_argument, NULL, SP_CLI_REASON << 8},
	{NULL, 0, NULL, 0},
};

static void take_option(struct sp_cli *cli, int option)
{
	cli->given |= (uint32_t)option >> 8;
	switch (option >> 8) {
	case SP_CLI_USER:
		cli->user = optarg;
		break;
	case SP_CLI_OUT:
		cli->out = optarg;
		break;
	case SP_CLI_WIREGUARD:
		cli->wireguard = optarg;
		break;
	case SP_CLI_ENDPOINT:
		cli->endpoint = optarg;
		break;
	case SP_CLI_CONFIRM:
		cli->confirm_s = optarg;
		break;
	case SP_CLI_LAST:
		cli->last = optarg;
		break;
	case SP_CLI_AT:
		cli->at = optarg;
		break;
	case SP_CLI_PROTOCOL:
		cli->protocol = optarg;
		break;
	case SP_CLI_FOR:
		cli->during = optarg;
		break;
	case SP_CLI_ZONE:
		cli->zone = optarg;
		break;
	case SP_CLI_REASON:
		cli->reason = optarg;
		break;
	}
}

/* 0, or the short option that ends the program: 'h', 'V', '?'. Options may stand anywhere. */
static int parse_options(struct sp_cli *cli, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "jc:s:hV", long_options, NULL)) != -1) {
		switch (option) {
		case 'j':
			cli->json = true;
			break;
		case 'c':
			cli->config_file = optarg;
			break;
		case 's':
			cli->socket_path = optarg;
			break;
		case 'h':
		case 'V':
		case '?':
			return option;
		default:
			take_option(cli, option);
		}
	}
	cli->args = argv + optind;
	cli->arg_count = argc - optind;
	return 0;
}

static enum sp_cli_exit run_command(struct sp_cli *cli)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct sp_cli_command *command = &commands[i];
		int words = matches(command, cli->args, cli->arg_count);

		if (!words)
			continue;
		cli->args += words;
		cli->arg_count -= words;
		if (cli->arg_count >= command->args_min && cli->arg_count <= command->args_max &&
		    !(cli->given & ~command->options))
			return command->run(cli, command);
		fprintf(stderr, "usage: sallyport %s%s%s\n", command->name,
			*command->synopsis ? " " : "", command->synopsis);
		return SP_CLI_USAGE;
	}
	if (cli->arg_count)
		fprintf(stderr, "sallyport: unknown command \"%s%s%s\"\n\n", cli->args[0],
			cli->arg_count > 1 ? " " : "", cli->arg_count > 1 ? cli->args[1] : "");
	print_usage(stderr);
	return SP_CLI_USAGE;
}

enum sp_cli_exit sp_cli_run(int argc, char **argv)
{
	struct sp_cli cli = {.config_file = SP_CLI_CONFIG_FILE};
	enum sp_cli_exit code;

	optind = 0; /* glibc: begin anew */
	switch (parse_options(&cli, argc, argv)) {
	case 0:
		code = run_command(&cli);
		break;
	case 'h':
		code = run_help(&cli, NULL);
		break;
	case 'V':
		code = run_version(&cli, NULL);
		break;
	default:
		fputs("try: sallyport help\n", stderr);
		return SP_CLI_USAGE;
	}
	/* A full disk behind stdout is a failure, not a success with half an answer. */
	if ((fflush(stdout) || ferror(stdout)) && code == SP_CLI_OK)
		code = SP_CLI_FAILED;
	return code;
}
