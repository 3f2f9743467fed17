/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/tests.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "sallyport/core/transport.h"

#define FAILURES_MAX 200

int sp_policy_judge_image(void *view, const struct sp_policy_query *query,
			  struct sp_policy_answer *ret_answer)
{
	sp_policy_walk(view, query, ret_answer);
	return 0;
}

static bool zone_source(const struct sp_config *config, const struct sp_config_test *test, bool v4,
			struct sp_addr *ret_addr)
{
	for (uint32_t i = 0; i < config->zone_count; i++) {
		const struct sp_config_zone *zone = &config->zones[i];

		for (uint32_t p = 0; zone->user == test->user && p < zone->prefix_count; p++) {
			if (sp_addr_is_v4(&zone->prefixes[p].addr) != v4)
				continue;
			*ret_addr = zone->prefixes[p].addr;
			return true;
		}
	}
	return false;
}

/* The first inner address, or prefix of the zone, of the family; none has the unspecified one. */
static struct sp_addr source_of(const struct sp_config *config, const struct sp_config_test *test)
{
	bool v4 = sp_addr_is_v4(&test->target.addr);
	struct sp_addr addr;

	if (zone_source(config, test, v4, &addr))
		return addr;
	for (uint32_t i = 0; i < config->peer_count; i++) {
		const struct sp_config_peer *peer = &config->peers[i];

		for (uint32_t a = 0; peer->user == test->user && a < peer->address_count; a++) {
			if (sp_addr_is_v4(&peer->addresses[a].addr) == v4)
				return peer->addresses[a].addr;
		}
	}
	return v4 ? sp_addr_from_v4(0) : (struct sp_addr){0};
}

static struct sp_policy_query query_of(const struct sp_config *config,
				       const struct sp_config_test *test)
{
	const struct sp_config_target *target = &test->target;

	return (struct sp_policy_query){
		.src = source_of(config, test),
		.dst = target->addr,
		.user_id = config->users[test->user].id,
		.dport_be = target->port_be,
		.icmp = target->proto == SP_PROTO_ICMP	   ? SP_ICMP_ECHO << 8
			: target->proto == SP_PROTO_ICMPV6 ? SP_ICMP6_ECHO << 8
							   : 0,
		.proto = target->proto,
	};
}

static void put_rule(FILE *out, const struct sp_config *config, uint32_t index)
{
	const struct sp_config_rule *rule = &config->rules[index];

	fprintf(out, "rule \"%s\" (%s:%u)", rule->name, rule->source.file, rule->source.line);
}

static char *failure_text(const struct sp_config *config, const struct sp_config_test *test,
			  const struct sp_policy_answer *answer)
{
	size_t bytes = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	fprintf(out, "%s:%u: tests.", test->source.file, test->source.line);
	if (test->name)
		fputs(test->name, out);
	else
		fprintf(out, "[%td]", test - config->tests);
	fprintf(out, ": %s to %s: found %s by ", config->users[test->user].name, test->to,
		answer->action == SP_ACTION_ALLOW ? "allow" : "deny");
	if (answer->rule_id && answer->rule_id <= config->rule_count)
		put_rule(out, config, answer->rule_id - 1);
	else
		fputs("the default at the end, as no rule matches", out);
	fprintf(out, ", expected %s", test->allow ? "allow" : "deny");
	if (test->rule != UINT32_MAX) {
		fputs(" by ", out);
		put_rule(out, config, test->rule);
	}
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static bool has_passed(const struct sp_config_test *test, const struct sp_policy_answer *answer)
{
	return (answer->action == SP_ACTION_ALLOW) == test->allow &&
	       (test->rule == UINT32_MAX || answer->rule_id == test->rule + 1);
}

/* A chain of choices changes its answer at most at the two ends of each of its windows. */
#define HOURS_MAX (2 * SP_POLICY_WINDOWS * SP_POLICY_CHOICES)

/* ret_answer: the one that passed, or else that of now_ns. */
static int ask(sp_policy_judge judge, void *arg, const struct sp_config_test *test,
	       struct sp_policy_query *query, struct sp_policy_answer *ret_answer)
{
	struct sp_policy_answer answer;
	int rc = judge(arg, query, &answer);

	if (rc)
		return rc;
	*ret_answer = answer;
	for (int i = 0; i < HOURS_MAX && answer.until_ns && !has_passed(test, &answer); i++) {
		query->now_ns = answer.until_ns;
		rc = judge(arg, query, &answer);
		if (rc)
			return rc;
	}
	if (has_passed(test, &answer))
		*ret_answer = answer;
	return 0;
}

static int add_failure(struct sp_config_errors *failures, const struct sp_config *config,
		       const struct sp_config_test *test, const struct sp_policy_answer *answer)
{
	struct sp_config_error *list;
	char *text;

	if (failures->count == FAILURES_MAX) {
		failures->left_out++;
		return 0;
	}
	list = reallocarray(failures->list, failures->count + 1u, sizeof(*list));
	if (!list)
		return -ENOMEM;
	failures->list = list;
	text = failure_text(config, test, answer);
	if (!text)
		return -ENOMEM;
	list[failures->count++] = (struct sp_config_error){.source = test->source, .text = text};
	return 0;
}

int sp_policy_test(const struct sp_config *config, sp_policy_judge judge, void *arg,
		   uint64_t now_ns, struct sp_config_errors *ret_failures)
{
	struct sp_config_errors failures = {0};
	int rc = 0;

	for (uint32_t i = 0; i < config->test_count && !rc; i++) {
		struct sp_policy_query query = query_of(config, &config->tests[i]);
		struct sp_policy_answer answer;

		query.now_ns = now_ns;
		rc = ask(judge, arg, &config->tests[i], &query, &answer);
		if (!rc && !has_passed(&config->tests[i], &answer))
			rc = add_failure(&failures, config, &config->tests[i], &answer);
	}
	if (rc) {
		sp_config_errors_fini(&failures);
		return rc;
	}
	if (!failures.count)
		return 0;
	*ret_failures = failures;
	return -EINVAL;
}
