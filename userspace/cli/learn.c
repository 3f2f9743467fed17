/* SPDX-License-Identifier: Apache-2.0 */
/* learn: what a user or a zone reaches, as a policy that allows that and no more. */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/ask.h"
#include "cli/file.h"
#include "cli/learn.h"
#include "cli/records.h"
#include "cli/when.h"

#define OWN_FILE_NAME "learned.conf" /* in messages about a fragment that has no file yet */

static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int number)
{
	is_interrupted = 1;
}

/* --for: waits, or until somebody has seen enough (Ctrl-C). */
static void watch(const struct sp_cli *cli, int64_t span_ms)
{
	uint64_t end_ns = sp_clock_now_ns() + (uint64_t)span_ms * SP_NS_PER_MS, now_ns;
	const struct sigaction action = {.sa_handler = on_interrupt};
	struct sigaction old;

	fprintf(stderr, "sallyport: watching for %s; Ctrl-C writes what was seen by then\n",
		cli->during);
	sigaction(SIGINT, &action, &old);
	while (!is_interrupted && (now_ns = sp_clock_now_ns()) < end_ns) {
		uint64_t left_ns = end_ns - now_ns < SP_NS_PER_S ? end_ns - now_ns : SP_NS_PER_S;

		nanosleep(&(struct timespec){.tv_sec = (time_t)(left_ns / SP_NS_PER_S),
					     .tv_nsec = (long)(left_ns % SP_NS_PER_S)},
			  NULL);
	}
	sigaction(SIGINT, &old, NULL);
}

/* NULL after saying what was wrong. */
static json_t *request_of(const struct sp_cli *cli)
{
	const char *user = cli->zone ? cli->zone : cli->user;
	json_t *request = json_pack("{s:s, s:s}", "command", "seen", "user", user);
	int64_t begin_ms = (int64_t)(sp_clock_realtime_ns() / SP_NS_PER_MS), span_ms;

	if (!cli->during) {
		if (sp_cli_put_span(request, cli->last ? cli->last : "24h"))
			return request;
		json_decref(request);
		return NULL;
	}
	if (sp_when_parse_span(cli->during, &span_ms)) {
		fprintf(stderr,
			"sallyport: --for: found \"%s\", expected a span of time such as "
			"90m, 24h or 7d\n",
			cli->during);
		json_decref(request);
		return NULL;
	}
	watch(cli, span_ms);
	json_object_set_new(request, "from_ms", json_integer(begin_ms));
	json_object_set_new(request, "to_ms", json_integer(INT64_MAX));
	return request;
}

static uint8_t proto_of(const char *text)
{
	return !strcmp(text, "tcp")    ? IPPROTO_TCP
	       : !strcmp(text, "udp")  ? IPPROTO_UDP
	       : !strcmp(text, "icmp") ? IPPROTO_ICMP
				       : (uint8_t)strtoul(text, NULL, 10);
}

static uint32_t read_seen(const json_t *list, struct sp_learn_seen *seen)
{
	uint32_t count = 0;
	const json_t *row;
	size_t i;

	json_array_foreach(list, i, row)
	{
		const char *proto = json_string_value(json_object_get(row, "protocol"));
		const char *addr = json_string_value(json_object_get(row, "address"));
		struct sp_learn_seen *s = &seen[count];

		if (!proto || !addr || sp_addr_parse(addr, &s->addr))
			continue;
		s->proto = proto_of(proto);
		s->port = (uint16_t)json_integer_value(json_object_get(row, "port"));
		if (s->proto != IPPROTO_TCP && s->proto != IPPROTO_UDP)
			s->port = 0;
		s->to_gateway = json_is_true(json_object_get(row, "to_gateway"));
		s->flows = (uint64_t)json_integer_value(json_object_get(row, "flows"));
		count++;
	}
	return count;
}

static uint32_t read_rules(const json_t *list, struct sp_learn_rule *rules)
{
	const json_t *row;
	size_t i;

	json_array_foreach(list, i, row) rules[i] = (struct sp_learn_rule){
		.name = json_string_value(json_object_get(row, "name")) ?: "",
		.file = json_string_value(json_object_get(row, "file")) ?: "",
		.line = (uint32_t)json_integer_value(json_object_get(row, "line")),
		.flows = (uint64_t)json_integer_value(json_object_get(row, "flows"))};
	return (uint32_t)json_array_size(list);
}

/* The fragment beside the configuration's own files: does it hold? */
static enum sp_cli_exit verify(const struct sp_config *base, const char *file, const char *text)
{
	uint32_t count = base->text_count;
	_cleanup_free_ const char **files = calloc(count + 1, sizeof(*files));
	_cleanup_free_ const char **texts = calloc(count + 1, sizeof(*texts));
	struct sp_config_errors errors = {0};
	struct sp_config *config = NULL;
	int rc;

	if (!files || !texts)
		return SP_CLI_FAILED;
	for (uint32_t i = 0; i < count; i++) {
		files[i] = base->files[i];
		texts[i] = base->texts[i];
	}
	files[count] = file;
	texts[count] = text;
	rc = sp_config_open_texts(files, texts, count + 1, &config, &errors);
	for (uint32_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.list[i].text);
	sp_config_errors_fini(&errors);
	sp_config_close(config);
	return rc ? SP_CLI_MISTAKES : SP_CLI_OK;
}

static enum sp_cli_exit put_out(const struct sp_cli *cli, const struct sp_learn *learn,
				const char *text)
{
	int rc;

	if (cli->json) {
		json_t *answer = json_pack("{s:s, s:i, s:s}", "subject", learn->subject, "seen",
					   (int)learn->seen_count, "text", text);

		sp_cli_json_print(answer);
		json_decref(answer);
		return SP_CLI_OK;
	}
	if (!cli->out) {
		fputs(text, stdout);
		return SP_CLI_OK;
	}
	rc = sp_file_create(cli->out, 0640, text);
	if (rc)
		fprintf(stderr, "sallyport: failed to write %s: %s\n", cli->out, strerror(-rc));
	return rc ? SP_CLI_FAILED : SP_CLI_OK;
}

static enum sp_cli_exit write_policy(const struct sp_cli *cli, const struct sp_config *base,
				     const json_t *result)
{
	const json_t *seen = json_object_get(result, "seen"),
		     *rules = json_object_get(result, "rules");
	struct sp_learn learn = {.base = base,
				 .subject = cli->zone ? cli->zone : cli->user,
				 .span = cli->during ? cli->during
					 : cli->last ? cli->last
						     : "24h"};
	_cleanup_free_ struct sp_learn_rule *rule_list =
		calloc(json_array_size(rules) + 1, sizeof(*rule_list));
	_cleanup_free_ char *text = NULL;
	enum sp_cli_exit code;

	learn.seen = calloc(json_array_size(seen) + 1, sizeof(*learn.seen));
	if (learn.seen && rule_list) {
		learn.seen_count = read_seen(seen, learn.seen);
		learn.rule_count = read_rules(rules, rule_list);
		learn.rules = rule_list;
		text = sp_learn_write(&learn);
	}
	code = text ? verify(base, cli->out ? cli->out : OWN_FILE_NAME, text) : SP_CLI_FAILED;
	if (!code)
		code = put_out(cli, &learn, text);
	free(learn.seen);
	return code;
}

static bool is_user(const struct sp_config *config, const char *name, bool is_zone)
{
	for (uint32_t i = 0; i < config->user_count; i++) {
		if (!strcmp(config->users[i].name, name))
			return config->users[i].is_zone == is_zone;
	}
	return false;
}

enum sp_cli_exit sp_cli_learn(const struct sp_cli *cli, const struct sp_cli_command *command)
{
	const char *subject = cli->zone ? cli->zone : cli->user;
	struct sp_config *base = NULL;
	json_t *request, *result = NULL;
	enum sp_cli_exit code;

	if (!cli->zone == !cli->user || (cli->during && cli->last)) {
		fprintf(stderr, "usage: sallyport %s %s\n", command->name, command->synopsis);
		return SP_CLI_USAGE;
	}
	code = sp_cli_config_open(cli, &base);
	if (code)
		return code;
	if (!is_user(base, subject, cli->zone != NULL)) {
		fprintf(stderr, "sallyport: learn: the configuration has no %s \"%s\"\n",
			cli->zone ? "zone" : "user", subject);
		sp_config_close(base);
		return SP_CLI_USAGE;
	}
	request = request_of(cli);
	code = request ? sp_cli_request_with(cli, request, &result) : SP_CLI_USAGE;
	if (!code && !json_array_size(json_object_get(result, "seen"))) {
		fprintf(stderr, "sallyport: learn: nothing of %s was seen in that time\n", subject);
		code = SP_CLI_FAILED;
	}
	if (!code)
		code = write_policy(cli, base, result);
	json_decref(result);
	sp_config_close(base);
	return code;
}
