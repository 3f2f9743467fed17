/* SPDX-License-Identifier: Apache-2.0 */
/* who, replay: questions to the flow records. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/ask.h"
#include "cli/records.h"
#include "cli/render.h"
#include "cli/when.h"

static int64_t now_ms(void)
{
	return (int64_t)(sp_clock_realtime_ns() / SP_NS_PER_MS);
}

/* "203.0.113.7:41234", or without a port: every one. */
static bool put_place(json_t *request, const char *text)
{
	struct sp_sockaddr sa = {0};
	char addr[SP_ADDR_TEXT];

	if (sp_sockaddr_parse(text, &sa) && sp_addr_parse(text, &sa.addr)) {
		fprintf(stderr,
			"sallyport: who: found \"%s\", expected ADDRESS:PORT such as "
			"203.0.113.7:41234 or [2001:db8::7]:41234\n",
			text);
		return false;
	}
	json_object_set_new(request, "address", json_string(sp_addr_format(&sa.addr, addr)));
	json_object_set_new(request, "port", json_integer(ntohs(sa.port_be)));
	return true;
}

static bool put_protocol(json_t *request, const char *text)
{
	if (text && strcmp(text, "tcp") && strcmp(text, "udp") && strcmp(text, "icmp")) {
		fprintf(stderr, "sallyport: --protocol: found \"%s\", expected tcp, udp or icmp\n",
			text);
		return false;
	}
	if (text)
		json_object_set_new(request, "protocol", json_string(text));
	return true;
}

static bool put_time(json_t *request, const char *text)
{
	int64_t at_ms, span_ms;

	if (!text)
		return true;
	if (sp_when_parse(text, now_ms(), &at_ms, &span_ms)) {
		fprintf(stderr,
			"sallyport: --at: found \"%s\", expected a time such as \"14:02\", "
			"\"2026-11-28 14:02:07\" or \"-10m\"\n",
			text);
		return false;
	}
	json_object_set_new(request, "at_ms", json_integer(at_ms));
	json_object_set_new(request, "span_ms", json_integer(span_ms));
	return true;
}

static void show(const struct sp_cli *cli, const struct sp_cli_command *command, json_t *result)
{
	if (cli->json)
		sp_cli_json_print(result);
	else
		sp_render_answer(stdout, command->name, result);
}

enum sp_cli_exit sp_cli_who(const struct sp_cli *cli, const struct sp_cli_command *command)
{
	json_t *request = json_pack("{s:s}", "command", command->name), *result = NULL;
	enum sp_cli_exit code;

	if (!put_place(request, cli->args[0]) || !put_protocol(request, cli->protocol) ||
	    !put_time(request, cli->at)) {
		json_decref(request);
		return SP_CLI_USAGE;
	}
	code = sp_cli_request_with(cli, request, &result);
	if (code)
		return code;
	if (!json_array_size(json_object_get(result, "flows")))
		code = SP_CLI_FAILED; /* nobody */
	show(cli, command, result);
	json_decref(result);
	return code;
}

bool sp_cli_put_span(json_t *request, const char *text)
{
	int64_t span_ms;

	if (sp_when_parse_span(text, &span_ms)) {
		fprintf(stderr,
			"sallyport: found \"%s\", expected a span of time such as 90m, 24h "
			"or 7d\n",
			text);
		return false;
	}
	json_object_set_new(request, "from_ms", json_integer(now_ms() - span_ms));
	json_object_set_new(request, "to_ms", json_integer(now_ms() + 1000));
	return true;
}

enum sp_cli_exit sp_cli_replay(const struct sp_cli *cli, const struct sp_cli_command *command)
{
	json_t *request = json_pack("{s:s}", "command", command->name), *result = NULL;
	_cleanup_free_ char *path = realpath(cli->args[0], NULL);
	enum sp_cli_exit code;

	if (!path) {
		fprintf(stderr, "sallyport: failed to find %s: %s\n", cli->args[0],
			strerror(errno));
		json_decref(request);
		return SP_CLI_MISTAKES;
	}
	if (!sp_cli_put_span(request, cli->last ? cli->last : "24h")) {
		json_decref(request);
		return SP_CLI_USAGE;
	}
	json_object_set_new(request, "file", json_string(path));
	code = sp_cli_request_with(cli, request, &result);
	if (code)
		return code;
	if (json_array_size(json_object_get(result, "blocked")) ||
	    json_array_size(json_object_get(result, "allowed")))
		code = SP_CLI_CHANGES;
	show(cli, command, result);
	json_decref(result);
	return code;
}
