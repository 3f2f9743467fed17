/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a decision costs as rules grow (row 13): the walk of the compiled image, in ticks. The same
 * queries for every policy: 1,024 hosts that are in use, half of them named by rules.
 * Argument: [-q] [-j file]. -q: no 100,000 rules, no million of prefixes.
 */
#include "bench/measure.h"

#include <unistd.h>

#include "base/addr.h"
#include "policy/policy.h"
#include "sallyport/core/policy.h"
#include "sallyport/core/wire.h"

#define USERS	    16
#define FIRST_USER  2
#define NODES_MAX   8000000
#define QUERIES	    1024
#define SAMPLES	    801
#define POLICY_BASE 0xc6000000u /* 198.0.0.0: where named hosts are, a /32 each */
#define OTHER_BASE  0x50000000u

struct policy {
	const char *name;
	uint32_t rules, prefixes; /* prefixes: of one destination in front, denied */
	bool is_long;
};

static const struct policy policies[] = {
	{"10 rules", 10, 0, false},
	{"1,000 rules", 1000, 0, false},
	{"100,000 rules", 100000, 0, true},
	{"10 rules, 1 M prefixes", 10, 1000000, true},
};

static struct sp_prefix host(uint32_t addr)
{
	return (struct sp_prefix){.addr = sp_addr_from_v4((__be32)sp_swap32(addr)), .len = 128};
}

/* Without a pattern that the compiler of the policy could fold (murmur3's finalizer). */
static uint32_t scattered(uint32_t i, unsigned int bits)
{
	i = (i ^ i >> 16) * 0x85ebca6bu;
	i = (i ^ i >> 13) * 0xc2b2ae35u;
	return (i ^ i >> 16) >> (32 - bits);
}

static uint32_t named_host(uint32_t i)
{
	return POLICY_BASE + scattered(i, 24);
}

/* Rule n allows user n % USERS one host, HTTPS. */
static void put_rules(struct sp_config *config, const struct policy *p)
{
	static uint32_t users[USERS], service = 0;
	uint32_t *to = calloc(p->rules + 1, sizeof(*to));
	struct sp_prefix *prefixes = calloc(p->rules, sizeof(*prefixes));

	MUST(to && prefixes);
	for (uint32_t i = 0; i < USERS; i++)
		users[i] = i;
	for (uint32_t i = 0; i < p->rules; i++) {
		uint32_t at = config->destination_count++;

		prefixes[i] = host(named_host(i));
		to[i] = at;
		config->destinations[at] = (struct sp_config_destination){
			.name = "host", .prefixes = &prefixes[i], .prefix_count = 1};
		config->rules[config->rule_count++] =
			(struct sp_config_rule){.name = "r",
						.users = &users[i % USERS],
						.user_count = 1,
						.destinations = &to[i],
						.destination_count = 1,
						.services = &service,
						.service_count = 1,
						.allow = true,
						.pool = UINT32_MAX,
						.hit_id = i + 1};
	}
}

static void put_prefixes(struct sp_config *config, const struct policy *p)
{
	static uint32_t zero;
	struct sp_prefix *prefixes = calloc(p->prefixes, sizeof(*prefixes));

	MUST(prefixes);
	for (uint32_t i = 0; i < p->prefixes; i++)
		prefixes[i] = host(OTHER_BASE + scattered(i, 27));
	config->destinations[config->destination_count++] = (struct sp_config_destination){
		.name = "feed", .prefixes = prefixes, .prefix_count = p->prefixes};
	config->rules[config->rule_count++] = (struct sp_config_rule){.name = "feed",
								      .from_any = true,
								      .destinations = &zero,
								      .destination_count = 1,
								      .service_any = true,
								      .pool = UINT32_MAX,
								      .hit_id = 1};
}

static void compile(const struct policy *p, struct sp_policy_image *ret_image)
{
	static struct sp_config_user users[USERS];
	static struct sp_config_port_range https = {443, 443};
	static struct sp_config_service service = {
		.name = "https", .proto = 6, .ports = &https, .port_count = 1};
	struct sp_config config = {.users = users,
				   .user_count = USERS,
				   .services = &service,
				   .service_count = 1,
				   .destinations =
					   calloc(p->rules + 1, sizeof(*config.destinations)),
				   .rules = calloc(p->rules + 1, sizeof(*config.rules))};
	int rc;

	MUST(config.destinations && config.rules);
	for (uint32_t i = 0; i < USERS; i++)
		users[i] = (struct sp_config_user){.name = "user", .id = FIRST_USER + i};
	if (p->prefixes)
		put_prefixes(&config, p);
	put_rules(&config, p);
	rc = sp_policy_compile(&config, NODES_MAX, ret_image, NULL);
	if (rc)
		fprintf(stderr, "decide: %s: %s\n", p->name, strerror(-rc));
	MUST(rc == 0);
}

static void put_queries(struct sp_policy_query *queries, const struct policy *p)
{
	for (uint32_t i = 0; i < QUERIES; i++) {
		uint32_t rule = i * 7919 % p->rules;

		queries[i] = (struct sp_policy_query){
			.dst = host(i % 2 ? named_host(rule) : OTHER_BASE - 1 - i).addr,
			.user_id = FIRST_USER + rule % USERS,
			.dport_be = (__be16)sp_swap16(443),
			.proto = 6,
			.now_ns = 1};
	}
}

/* Ticks of a walk; the allowed half must be allowed, the other denied. */
static double measure(const struct sp_policy_image *image, const struct policy *p,
		      unsigned int samples)
{
	static struct sp_policy_query queries[QUERIES];
	static double ticks[SAMPLES];
	struct sp_policy_view view;

	put_queries(queries, p);
	sp_policy_view_init(&view, image->nodes, image->count);
	for (unsigned int s = 0; s < samples; s++) {
		struct sp_policy_answer answer;
		uint32_t allowed = 0;
		uint64_t t0 = now_ticks();

		for (uint32_t i = 0; i < QUERIES; i++) {
			sp_policy_walk(&view, &queries[i], &answer);
			allowed += answer.action == SP_ACTION_ALLOW;
		}
		ticks[s] = (double)(now_ticks() - t0) / QUERIES;
		MUST(allowed == QUERIES / 2);
	}
	return median(ticks, samples);
}

int main(int argc, char **argv)
{
	const char *name = NULL;
	bool is_quick = false;
	double first = 0;
	FILE *json;

	for (int opt; (opt = getopt(argc, argv, "qj:")) != -1;) {
		MUST(opt != '?');
		if (opt == 'q')
			is_quick = true;
		else
			name = optarg;
	}
	json = name ? fopen(name, "w") : NULL;
	MUST(!name || json);
	pin_to_last();
	printf("%-24s %9s %9s %7s\n", "decisions", "nodes", "ticks", "ratio");
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		struct sp_policy_image image;
		double ticks;

		if (is_quick && policies[i].is_long)
			continue;
		compile(&policies[i], &image);
		ticks = measure(&image, &policies[i], is_quick ? SAMPLES / 4 : SAMPLES);
		first = first ? first : ticks;
		printf("%-24s %9u %9.0f %7.2f\n", policies[i].name, image.count, ticks,
		       ticks / first);
		fflush(stdout);
		if (json)
			fprintf(json, "%s\n {\"policy\": \"%s\", \"nodes\": %u, \"ticks\": %.1f}",
				i ? "," : "[", policies[i].name, image.count, ticks);
		sp_policy_image_fini(&image);
	}
	if (json)
		MUST(fprintf(json, "\n]\n") > 0 && fclose(json) == 0);
	return 0;
}
