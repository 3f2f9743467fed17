/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/learn.h"
#include "sallyport/core/addr.h"

#define STEM_BYTES  24 /* "learned-" and a part of the subject's name */
#define SUBJECT_MAX 11

/* Addresses that were used in the same way. */
struct way {
	uint32_t first, services; /* in seen: the first address's entries */
	struct sp_prefix *prefixes;
	uint32_t prefix_count;
	bool to_gateway;
};

struct writer {
	const struct sp_learn *learn;
	FILE *out;
	char stem[STEM_BYTES];
	struct way *ways;
	uint32_t way_count;
};

static int compare_services(const struct sp_learn_seen *a, const struct sp_learn_seen *b)
{
	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	return a->port < b->port ? -1 : a->port > b->port;
}

static int compare_seen(const void *x, const void *y)
{
	const struct sp_learn_seen *a = x, *b = y;
	int order;

	if (a->to_gateway != b->to_gateway)
		return a->to_gateway ? 1 : -1;
	order = memcmp(&a->addr, &b->addr, sizeof(a->addr));
	return order ? order : compare_services(a, b);
}

/* Of the address that begins at entry first: how many entries. */
static uint32_t count_services(const struct sp_learn *learn, uint32_t first)
{
	uint32_t i = first;

	while (i < learn->seen_count &&
	       learn->seen[i].to_gateway == learn->seen[first].to_gateway &&
	       sp_addr_equal(&learn->seen[i].addr, &learn->seen[first].addr))
		i++;
	return i - first;
}

static bool is_same_way(const struct sp_learn *learn, const struct way *way, uint32_t first,
			uint32_t count)
{
	if (way->services != count || way->to_gateway != learn->seen[first].to_gateway)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (compare_services(&learn->seen[way->first + i], &learn->seen[first + i]))
			return false;
	}
	return true;
}

static bool add_address(struct writer *w, uint32_t first, uint32_t count)
{
	const struct sp_learn *learn = w->learn;
	struct sp_prefix *prefixes;
	struct way *way = NULL, *ways;

	for (uint32_t i = 0; i < w->way_count && !way; i++) {
		if (is_same_way(learn, &w->ways[i], first, count))
			way = &w->ways[i];
	}
	if (!way) {
		ways = reallocarray(w->ways, w->way_count + 1, sizeof(*ways));
		if (!ways)
			return false;
		w->ways = ways;
		way = &ways[w->way_count++];
		*way = (struct way){.first = first,
				    .services = count,
				    .to_gateway = learn->seen[first].to_gateway};
	}
	prefixes = reallocarray(way->prefixes, way->prefix_count + 1, sizeof(*prefixes));
	if (!prefixes)
		return false;
	way->prefixes = prefixes;
	prefixes[way->prefix_count++] =
		(struct sp_prefix){.addr = learn->seen[first].addr, .len = 128};
	return true;
}

/* Two halves of one prefix, side by side in a sorted list. */
static bool are_halves(const struct sp_prefix *a, const struct sp_prefix *b)
{
	uint32_t bit = a->len - 1u, min = sp_addr_is_v4(&a->addr) ? 96 : 0;
	struct sp_addr other = a->addr;

	if (a->len != b->len || a->len <= min || a->len == 0)
		return false;
	if (a->addr.b[bit / 8] & (0x80 >> bit % 8))
		return false;
	other.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return sp_addr_equal(&other, &b->addr);
}

/* Exactly the same addresses in as few prefixes as can be: a stack over the sorted list. */
static void merge(struct way *way)
{
	uint32_t top = 0;

	for (uint32_t i = 0; i < way->prefix_count; i++) {
		way->prefixes[top++] = way->prefixes[i];
		while (top > 1 && are_halves(&way->prefixes[top - 2], &way->prefixes[top - 1])) {
			way->prefixes[top - 2].len--;
			top--;
		}
	}
	way->prefix_count = top;
}

static bool is_taken(const struct sp_config *base, const char *stem)
{
	size_t len = strlen(stem);

	for (uint32_t i = 0; base && i < base->destination_count; i++) {
		if (!strncmp(base->destinations[i].name, stem, len))
			return true;
	}
	for (uint32_t i = 0; base && i < base->service_count; i++) {
		if (!strncmp(base->services[i].name, stem, len))
			return true;
	}
	for (uint32_t i = 0; base && i < base->rule_count; i++) {
		if (!strncmp(base->rules[i].name, stem, len))
			return true;
	}
	return false;
}

/* Names of an earlier learning stay: this one's have a letter more. */
static void choose_stem(struct writer *w)
{
	const struct sp_learn *learn = w->learn;

	snprintf(w->stem, sizeof(w->stem), "learned-%.*s-", SUBJECT_MAX, learn->subject);
	for (char letter = 'b'; letter <= 'z' && is_taken(learn->base, w->stem); letter++)
		snprintf(w->stem, sizeof(w->stem), "learned-%.*s%c-", SUBJECT_MAX, learn->subject,
			 letter);
}

static const char *proto_name(uint8_t proto)
{
	return proto == IPPROTO_TCP    ? "tcp"
	       : proto == IPPROTO_UDP  ? "udp"
	       : proto == IPPROTO_ICMP ? "ping"
				       : "protocol";
}

/* One of the base's own that means exactly this; NULL: none. */
static const char *base_service(const struct sp_config *base, const struct sp_learn_seen *seen)
{
	bool has_ports = seen->proto == IPPROTO_TCP || seen->proto == IPPROTO_UDP;

	for (uint32_t i = 0; base && i < base->service_count; i++) {
		const struct sp_config_service *s = &base->services[i];

		if (s->proto != seen->proto)
			continue;
		if (has_ports ? s->port_count == 1 && s->ports[0].min == seen->port &&
					s->ports[0].max == seen->port
			      : !s->port_count)
			return s->name;
	}
	return NULL;
}

static void put_service_name(struct writer *w, const struct sp_learn_seen *seen)
{
	const char *own = base_service(w->learn->base, seen);

	if (own)
		fprintf(w->out, "\"%s\"", own);
	else if (seen->proto == IPPROTO_ICMP)
		fprintf(w->out, "\"%sping\"", w->stem);
	else if (seen->proto == IPPROTO_TCP || seen->proto == IPPROTO_UDP)
		fprintf(w->out, "\"%s%s-%u\"", w->stem, proto_name(seen->proto), seen->port);
	else
		fprintf(w->out, "\"%sip-%u\"", w->stem, seen->proto);
}

static bool is_first_of_service(const struct sp_learn *learn, uint32_t index)
{
	for (uint32_t i = 0; i < index; i++) {
		if (!compare_services(&learn->seen[i], &learn->seen[index]))
			return false;
	}
	return true;
}

/* Each service once; bounded by what a policy may hold, so the walk over all before it is too. */
static void put_services(struct writer *w)
{
	const struct sp_learn *learn = w->learn;
	const char *comma = "";

	fputs("services = (", w->out);
	for (uint32_t v = 0; v < w->way_count; v++) {
		for (uint32_t k = 0; k < w->ways[v].services; k++) {
			uint32_t i = w->ways[v].first + k;
			const struct sp_learn_seen *seen = &learn->seen[i];

			if (base_service(learn->base, seen) || !is_first_of_service(learn, i))
				continue;
			fprintf(w->out, "%s\n  { name = ", comma);
			put_service_name(w, seen);
			if (seen->proto == IPPROTO_ICMP)
				fputs("; protocol = \"icmp\"; }", w->out);
			else if (seen->proto == IPPROTO_TCP || seen->proto == IPPROTO_UDP)
				fprintf(w->out, "; protocol = \"%s\"; ports = [%u]; }",
					proto_name(seen->proto), seen->port);
			else
				fprintf(w->out, "; protocol = %u; }", seen->proto);
			comma = ",";
		}
	}
	fputs("\n);\n", w->out);
}

static void put_destinations(struct writer *w)
{
	const char *comma = "";
	char text[SP_PREFIX_TEXT];

	fputs("destinations = (", w->out);
	for (uint32_t v = 0; v < w->way_count; v++) {
		const struct way *way = &w->ways[v];

		if (way->to_gateway)
			continue;
		fprintf(w->out, "%s\n  { name = \"%s%u\"; prefixes = [", comma, w->stem, v + 1);
		for (uint32_t i = 0; i < way->prefix_count; i++)
			fprintf(w->out, "%s\n    \"%s\"", i ? "," : "",
				sp_prefix_format(&way->prefixes[i], text));
		fputs(" ]; }", w->out);
		comma = ",";
	}
	fputs("\n);\n", w->out);
}

static const struct sp_config_rule *find_rule(const struct sp_config *base, const char *name)
{
	for (uint32_t i = 0; base && i < base->rule_count; i++) {
		if (!strcmp(base->rules[i].name, name) && !base->rules[i].shadow)
			return &base->rules[i];
	}
	return NULL;
}

/* The pool of the rules that let it out; NULL: several, or the first of all. */
static const char *find_pool(const struct sp_learn *learn)
{
	uint32_t pool = UINT32_MAX;

	for (uint32_t i = 0; i < learn->rule_count; i++) {
		const struct sp_config_rule *rule = find_rule(learn->base, learn->rules[i].name);

		if (!rule || (i && rule->pool != pool))
			return NULL;
		pool = rule->pool;
	}
	return pool < (learn->base ? learn->base->pool_count : 0) ? learn->base->pools[pool].name
								  : NULL;
}

static void put_rules(struct writer *w)
{
	const struct sp_learn *learn = w->learn;
	const char *pool = find_pool(learn);

	fputs("policy = (", w->out);
	for (uint32_t v = 0; v < w->way_count; v++) {
		const struct way *way = &w->ways[v];

		fprintf(w->out, "%s\n  { name = \"%s%u\"; from = [\"%s\"]; to = [", v ? "," : "",
			w->stem, v + 1, learn->subject);
		if (way->to_gateway)
			fputs("\"gateway\"", w->out);
		else
			fprintf(w->out, "\"%s%u\"", w->stem, v + 1);
		fputs("];\n    service = [", w->out);
		for (uint32_t k = 0; k < way->services; k++) {
			fputs(k ? ", " : "", w->out);
			put_service_name(w, &learn->seen[way->first + k]);
		}
		fputs("]; action = \"allow\";", w->out);
		if (pool && !way->to_gateway)
			fprintf(w->out, " egress = \"%s\";", pool);
		fputs(" }", w->out);
	}
	fputs("\n);\n", w->out);
}

static void put_tests(struct writer *w)
{
	const struct sp_learn *learn = w->learn;
	char text[SP_ENDPOINT_TEXT], addr[SP_ADDR_TEXT];

	fputs("tests = (", w->out);
	for (uint32_t i = 0; i < learn->seen_count && i < SP_LEARN_TESTS_MAX; i++) {
		const struct sp_learn_seen *seen = &learn->seen[i];
		const struct sp_sockaddr to = {seen->addr, htons(seen->port)};

		fprintf(w->out, "%s\n  { as = \"%s\"; to = \"", i ? "," : "", learn->subject);
		if (seen->proto == IPPROTO_TCP || seen->proto == IPPROTO_UDP)
			fprintf(w->out, "%s %s", proto_name(seen->proto),
				sp_sockaddr_format(&to, text));
		else if (seen->proto == IPPROTO_ICMP)
			fprintf(w->out, "icmp %s", sp_addr_format(&seen->addr, addr));
		else
			fprintf(w->out, "%u %s", seen->proto, sp_addr_format(&seen->addr, addr));
		fputs("\"; expect = \"allow\"; }", w->out);
	}
	fputs("\n);\n", w->out);
	if (learn->seen_count > SP_LEARN_TESTS_MAX)
		fprintf(w->out, "# %u more were seen and have no test here.\n",
			learn->seen_count - SP_LEARN_TESTS_MAX);
}

static void put_head(struct writer *w)
{
	const struct sp_learn *learn = w->learn;

	fprintf(w->out,
		"# What \"%s\" reached in %s: %u destination%s with its service, and nothing else.\n"
		"# Written by `sallyport learn`. Read it, put it into conf.d/, then take away the rules\n"
		"# that were wider and ask `sallyport replay` and `sallyport plan` what that would cut.\n",
		learn->subject, learn->span, learn->seen_count, learn->seen_count == 1 ? "" : "s");
	for (uint32_t i = 0; i < learn->rule_count; i++)
		fprintf(w->out, "# Let out until now by: %s (%s:%u), %" PRIu64 " flows\n",
			learn->rules[i].name, learn->rules[i].file, learn->rules[i].line,
			learn->rules[i].flows);
}

static bool find_ways(struct writer *w)
{
	const struct sp_learn *learn = w->learn;
	uint32_t count;

	for (uint32_t i = 0; i < learn->seen_count; i += count) {
		count = count_services(learn, i);
		if (!add_address(w, i, count))
			return false;
	}
	for (uint32_t v = 0; v < w->way_count; v++)
		merge(&w->ways[v]);
	return true;
}

char *sp_learn_write(struct sp_learn *learn)
{
	struct writer w = {.learn = learn};
	size_t bytes = 0;
	char *text = NULL;

	if (learn->seen_count)
		qsort(learn->seen, learn->seen_count, sizeof(*learn->seen), compare_seen);
	choose_stem(&w);
	w.out = open_memstream(&text, &bytes);
	if (w.out && find_ways(&w)) {
		put_head(&w);
		put_destinations(&w);
		put_services(&w);
		put_rules(&w);
		put_tests(&w);
	} else if (w.out) {
		fclose(TAKE_PTR(w.out));
		free(TAKE_PTR(text));
	}
	if (w.out && fclose(w.out))
		free(TAKE_PTR(text));
	for (uint32_t v = 0; v < w.way_count; v++)
		free(w.ways[v].prefixes);
	free(w.ways);
	return text;
}
