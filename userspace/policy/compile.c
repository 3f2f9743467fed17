/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "policy/diagram.h"
#include "policy/image.h"
#include "policy/lint.h"
#include "policy/place.h"
#include "sallyport/abi/session.h"
#include "sallyport/abi/verdict.h"
#include "sallyport/core/addr.h"
#include "sallyport/core/path.h"
#include "sallyport/core/wire.h"

/* Slots of the scope level, as the low bits of the first key word. */
#define OUTER_V4 0
#define OUTER_V6 SP_POLICY_SCOPE_V6
#define INNER_V4 SP_POLICY_SCOPE_INNER
#define INNER_V6 (SP_POLICY_SCOPE_INNER | SP_POLICY_SCOPE_V6)

/* More would be a mistake of the caller, and a large table. */
#define USER_ID_MAX (1u << 24)

/* While compiling, as many nodes may exist as this many times the finished image may have. */
#define SCRATCH_FACTOR 64u
#define SCRATCH_MIN    (1u << 20)

/* Diagrams of rules by who they are for; what a user gets is the minimum of a few of them. */
struct compiler {
	const struct sp_config *config;
	struct sp_diagram d;
	struct sp_diagram_sum anyone;
	struct sp_diagram_sum *groups;
	struct sp_diagram_sum *users;
	struct sp_policy_schedules schedules;
	struct sp_policy_places places;
	struct sp_policy_lint *lint; /* may be NULL */
};

static uint32_t leaf(uint32_t rule_id)
{
	return SP_DIAGRAM_LEAF | rule_id;
}

/* The gateway's own inner addresses; the configuration keeps them with their network's length. */
static void add_gateway(struct compiler *c, struct sp_policy_prefixes *set)
{
	for (uint32_t i = 0; i < c->config->wireguard_count; i++) {
		const struct sp_config_wireguard *wg = &c->config->wireguards[i];

		for (uint32_t k = 0; k < wg->address_count; k++) {
			struct sp_prefix host = wg->addresses[k];

			host.len = 128;
			sp_policy_prefixes_add(&c->d, set, &host);
		}
	}
}

static void add_peers(struct compiler *c, struct sp_policy_prefixes *set)
{
	for (uint32_t i = 0; i < c->config->peer_count; i++) {
		const struct sp_config_peer *peer = &c->config->peers[i];

		for (uint32_t k = 0; k < peer->address_count; k++)
			sp_policy_prefixes_add(&c->d, set, &peer->addresses[k]);
	}
}

static void add_zones(struct compiler *c, struct sp_policy_prefixes *set)
{
	for (uint32_t i = 0; i < c->config->zone_count; i++) {
		const struct sp_config_zone *zone = &c->config->zones[i];

		for (uint32_t k = 0; k < zone->prefix_count; k++)
			sp_policy_prefixes_add(&c->d, set, &zone->prefixes[k]);
	}
}

static uint32_t proto_diagram(struct sp_diagram *d, uint8_t proto, uint32_t child)
{
	return sp_diagram_prefix(d, SP_POLICY_LEVEL_PROTO, &proto, 8, child);
}

static uint32_t icmp_diagram(struct sp_diagram *d, const struct sp_config_service *service,
			     uint8_t proto, uint32_t child)
{
	uint32_t type = (proto == IPPROTO_ICMP ? SP_ICMP_ECHO : SP_ICMP6_ECHO) << 8;

	if (service->echo_request)
		child = sp_diagram_range(d, SP_POLICY_LEVEL_PORT, 4, type, type | 0xff, child);
	return proto_diagram(d, proto, child);
}

static uint32_t service_diagram(struct sp_diagram *d, const struct sp_config_service *service,
				uint32_t child)
{
	struct sp_diagram_sum sum = {0};
	uint32_t ports = child;

	if (service->proto == IPPROTO_ICMP || service->proto == IPPROTO_ICMPV6)
		return sp_diagram_min(d, icmp_diagram(d, service, IPPROTO_ICMP, child),
				      icmp_diagram(d, service, IPPROTO_ICMPV6, child));
	if (service->port_count) {
		for (uint32_t i = 0; i < service->port_count; i++)
			sp_diagram_sum_add(d, &sum,
					   sp_diagram_range(d, SP_POLICY_LEVEL_PORT, 4,
							    service->ports[i].min,
							    service->ports[i].max, child));
		ports = sp_diagram_sum_total(d, &sum);
	}
	if (service->proto)
		return proto_diagram(d, service->proto, ports);
	if (!service->port_count)
		return child;
	return sp_diagram_min(d, proto_diagram(d, IPPROTO_TCP, ports),
			      proto_diagram(d, IPPROTO_UDP, ports));
}

static uint32_t rule_services(struct compiler *c, const struct sp_config_rule *rule, uint32_t child)
{
	struct sp_diagram_sum sum = {0};

	if (rule->service_any)
		return child;
	for (uint32_t i = 0; i < rule->service_count; i++) {
		const struct sp_config_service *s = &c->config->services[rule->services[i]];

		sp_diagram_sum_add(&c->d, &sum, service_diagram(&c->d, s, child));
	}
	return sp_diagram_sum_total(&c->d, &sum);
}

/* Everything of a rule but who it is for. */
static uint32_t rule_diagram(struct compiler *c, uint32_t index)
{
	const struct sp_config_rule *rule = &c->config->rules[index];
	uint32_t verdict =
		sp_policy_is_timed(rule) ? sp_diagram_timed(&c->d, index + 1) : leaf(index + 1);
	uint32_t slot[16] = {0}, service = rule_services(c, rule, verdict);
	struct sp_policy_prefixes named = {0};

	if (rule->to_gateway)
		add_gateway(c, &named);
	for (uint32_t i = 0; i < rule->destination_count; i++) {
		const struct sp_config_destination *dst =
			&c->config->destinations[rule->destinations[i]];

		for (uint32_t k = 0; k < dst->prefix_count; k++)
			sp_policy_prefixes_add(&c->d, &named, &dst->prefixes[k]);
	}
	slot[INNER_V4] = sp_policy_prefixes_v4(&c->d, &named, service);
	slot[INNER_V6] = sp_policy_prefixes_v6(&c->d, &named, service);
	sp_policy_prefixes_fini(&named);
	slot[OUTER_V4] = rule->to_any ? service : slot[INNER_V4];
	slot[OUTER_V6] = rule->to_any ? service : slot[INNER_V6];
	/* "Any" gives nobody what is behind the tunnels, but it takes that too. */
	if (rule->to_any && !rule->allow)
		slot[INNER_V4] = slot[INNER_V6] = service;
	return sp_policy_places_only(&c->places, &c->d, index,
				     sp_diagram_branch(&c->d, SP_POLICY_LEVEL_SCOPE, slot));
}

static void add_rule(struct compiler *c, uint32_t index)
{
	const struct sp_config_rule *rule = &c->config->rules[index];
	uint32_t ref = rule_diagram(c, index);

	if (c->lint)
		c->lint->rules[index] = ref;

	if (rule->from_any) {
		sp_diagram_sum_add(&c->d, &c->anyone, ref);
		return;
	}
	for (uint32_t i = 0; i < rule->group_count; i++)
		sp_diagram_sum_add(&c->d, &c->groups[rule->groups[i]], ref);
	for (uint32_t i = 0; i < rule->user_count; i++)
		sp_diagram_sum_add(&c->d, &c->users[rule->users[i]], ref);
}

/* The gateway's pings and answers out of its TUN device need no rule; nothing else is its own. */
static uint32_t gateway_diagram(struct compiler *c)
{
	uint32_t slot[16] = {0};

	slot[INNER_V4] = leaf(0);
	slot[INNER_V6] = leaf(0);
	return sp_diagram_branch(&c->d, SP_POLICY_LEVEL_SCOPE, slot);
}

/* refs by user_id, padded to a multiple of 16, folded up to one root. */
static uint32_t user_tree(struct sp_diagram *d, uint32_t *refs, uint32_t count)
{
	for (uint32_t level = SP_POLICY_LEVEL_PLACE; level-- > SP_POLICY_LEVEL_USER;) {
		uint32_t out = 0;

		for (uint32_t i = 0; i < count; i += 16) {
			uint32_t slot[16] = {0};

			for (uint32_t k = 0; k < 16 && i + k < count; k++)
				slot[k] = refs[i + k];
			refs[out++] = sp_diagram_branch(d, level, slot);
		}
		count = out;
	}
	return refs[0];
}

/* One more than the highest user_id; 0: an id that no user may have. */
static uint32_t user_ids(const struct sp_config *config)
{
	uint32_t count = SP_USER_GATEWAY + 1;

	for (uint32_t i = 0; i < config->user_count; i++) {
		if (config->users[i].id <= SP_USER_GATEWAY || config->users[i].id > USER_ID_MAX)
			return 0;
		if (config->users[i].id >= count)
			count = config->users[i].id + 1;
	}
	return count;
}

/* What each user gets from the rules that act, or from those that only count. */
static int user_refs(struct compiler *c, bool shadow, uint32_t *refs)
{
	const struct sp_config *config = c->config;
	_cleanup_free_ uint32_t *groups = calloc(config->group_count + 1u, sizeof(*groups));
	uint32_t anyone, ref;

	if (!groups)
		return -ENOMEM;
	memset(&c->anyone, 0, sizeof(c->anyone));
	memset(c->groups, 0, config->group_count * sizeof(*c->groups));
	memset(c->users, 0, config->user_count * sizeof(*c->users));
	for (uint32_t i = 0; i < config->rule_count && !c->d.error; i++)
		if (config->rules[i].shadow == shadow && !sp_policy_is_over(&c->schedules, i))
			add_rule(c, i);
	anyone = sp_diagram_sum_total(&c->d, &c->anyone);
	for (uint32_t i = 0; i < config->group_count; i++)
		groups[i] = sp_diagram_sum_total(&c->d, &c->groups[i]);
	for (uint32_t i = 0; i < config->user_count && !c->d.error; i++) {
		const struct sp_config_user *user = &config->users[i];

		ref = sp_diagram_min(&c->d, anyone, sp_diagram_sum_total(&c->d, &c->users[i]));
		for (uint32_t k = 0; k < user->group_count; k++)
			ref = sp_diagram_min(&c->d, ref, groups[user->groups[k]]);
		refs[user->id] = ref;
	}
	if (c->lint && !c->d.error)
		return sp_policy_lint_look(c->lint, config, &c->d, refs, shadow);
	return c->d.error;
}

static int rules_root(struct compiler *c, bool shadow, uint32_t *ret_root)
{
	uint32_t count = user_ids(c->config), root;
	_cleanup_free_ uint32_t *refs = calloc(count, sizeof(*refs));
	int rc;

	if (!count)
		return -EINVAL;
	if (!refs)
		return -ENOMEM;
	rc = user_refs(c, shadow, refs);
	if (rc)
		return rc;
	if (!shadow)
		refs[SP_USER_GATEWAY] = gateway_diagram(c);
	root = user_tree(&c->d, refs, count);
	if (c->d.error)
		return c->d.error;
	*ret_root = root;
	return 0;
}

static uint32_t scope_root(struct compiler *c)
{
	struct sp_policy_prefixes inner = {0};
	uint32_t slot[16] = {0};

	add_gateway(c, &inner);
	add_peers(c, &inner);
	add_zones(c, &inner);
	slot[OUTER_V4] = sp_policy_prefixes_v4(&c->d, &inner, leaf(0));
	slot[OUTER_V6] = sp_policy_prefixes_v6(&c->d, &inner, leaf(0));
	sp_policy_prefixes_fini(&inner);
	return sp_diagram_branch(&c->d, SP_POLICY_LEVEL_SCOPE, slot);
}

static void name_copy(char to[SP_NAME_BYTES], const char *from)
{
	if (from)
		memcpy(to, from, strnlen(from, SP_NAME_BYTES - 1));
}

static void fill_verdict(const struct sp_config *config, const struct sp_config_rule *rule,
			 struct sp_policy_node *node)
{
	node->kind = SP_POLICY_RULE;
	if (!rule) {
		node->rule.action = SP_ACTION_ALLOW;
		name_copy(node->rule.name, "gateway itself");
		return;
	}
	node->rule.rule_id = (uint32_t)(rule - config->rules) + 1;
	node->rule.action = rule->allow	   ? SP_ACTION_ALLOW
			    : rule->reject ? SP_ACTION_REJECT
					   : SP_ACTION_DENY;
	node->rule.pool_id = rule->pool == UINT32_MAX ? 0 : config->pools[rule->pool].id;
	for (uint32_t i = 0; i < rule->path_count && i < SP_PATH_CHOICES; i++)
		node->rule.paths |= (uint32_t)config->paths[rule->paths[i]].id << 8 * i;
	node->rule.on_change = rule->on_change;
	node->rule.log = rule->log;
	node->rule.line = rule->source.line;
	node->rule.grace_s = rule->grace_s;
	node->rule.hit_id = rule->hit_id;
	node->rule.bucket_up = rule->bucket_up;
	node->rule.bucket_down = rule->bucket_down;
	node->rule.shadow = rule->shadow;
	name_copy(node->rule.name, rule->name);
}

static void fill_head(const struct compiler *c, const struct sp_policy_header *from,
		      struct sp_policy_node *nodes)
{
	const struct sp_config *config = c->config;
	struct sp_policy_header *h = &nodes[0].header;

	nodes[0].kind = SP_POLICY_HEADER;
	*h = *from;
	h->magic = SP_POLICY_MAGIC;
	h->abi = SP_ABI_VERSION;
	h->rule_count = config->rule_count;
	h->user_count = config->user_count;
	name_copy(h->name, config->gateway.name);
	fill_verdict(config, NULL, &nodes[1]);
	for (uint32_t i = 0; i < config->rule_count; i++)
		fill_verdict(config, &config->rules[i], &nodes[2 + i]);
	for (uint32_t i = 0; i < h->choice_count; i++) {
		struct sp_policy_choice *choice = &nodes[2 + config->rule_count + i].choice;

		if (c->d.chains[i].rule > config->rule_count)
			*choice = (struct sp_policy_choice){.place = c->places.ids[i]};
		else
			sp_policy_schedules_fill(&c->schedules, c->d.chains[i].rule - 1, choice);
	}
}

static int compile(struct compiler *c, uint32_t nodes_max, struct sp_policy_image *ret_image,
		   uint32_t *ret_needed)
{
	const struct sp_config *config = c->config;
	struct sp_policy_header header = {0};
	struct sp_policy_roots roots = {0};
	struct sp_policy_node *nodes = NULL;
	int r;

	roots.scope = scope_root(c);
	r = sp_policy_places_build(&c->places, &c->d, &roots.places);
	if (!r)
		r = rules_root(c, false, &roots.rules);
	if (!r)
		r = rules_root(c, true, &roots.shadow);
	if (!r)
		r = sp_policy_image_emit(&c->d, &roots, config->rule_count, nodes_max, &nodes,
					 ret_needed, &header);
	if (r)
		return r;
	fill_head(c, &header, nodes);
	ret_image->nodes = nodes;
	ret_image->count = header.count;
	return 0;
}

static int compile_all(const struct sp_config *config, const struct sp_policy_time *time,
		       uint32_t nodes_max, struct sp_policy_lint *lint,
		       struct sp_policy_image *ret_image, uint32_t *ret_needed)
{
	_cleanup_free_ struct sp_diagram_sum *groups =
		calloc(config->group_count + 1u, sizeof(*groups));
	_cleanup_free_ struct sp_diagram_sum *users =
		calloc(config->user_count + 1u, sizeof(*users));
	struct compiler c = {.config = config, .groups = groups, .users = users, .lint = lint};
	uint64_t scratch = (uint64_t)nodes_max * SCRATCH_FACTOR;
	uint32_t needed = 0;
	int r;

	if (!groups || !users)
		return -ENOMEM;
	if (scratch < SCRATCH_MIN)
		scratch = SCRATCH_MIN;
	r = sp_policy_schedules_init(&c.schedules, config, time);
	if (!r)
		r = sp_policy_places_init(&c.places, config);
	if (!r)
		r = sp_diagram_init(&c.d, config->rule_count + 1,
				    scratch > UINT32_MAX ? UINT32_MAX : (uint32_t)scratch);
	if (!r)
		r = compile(&c, nodes_max, ret_image, &needed);
	sp_diagram_fini(&c.d);
	sp_policy_schedules_fini(&c.schedules);
	sp_policy_places_fini(&c.places);
	if (ret_needed && (!r || r == -E2BIG))
		*ret_needed = needed;
	return r;
}

int sp_policy_compile_at(const struct sp_config *config, const struct sp_policy_time *time,
			 uint32_t nodes_max, struct sp_policy_image *ret_image,
			 uint32_t *ret_needed)
{
	return compile_all(config, time, nodes_max, NULL, ret_image, ret_needed);
}

char *sp_policy_refusal(int error, uint32_t needed, uint32_t nodes_max)
{
	char *text = NULL;
	int n = -1;

	if (error == -E2BIG)
		n = asprintf(&text,
			     "policy: needs %u nodes (%u MiB, twice), but gateway.policy_nodes_max "
			     "is %u: write fewer or simpler rules, or raise it and restart",
			     needed, needed / 10922 + 1, nodes_max);
	if (error == -EMLINK)
		n = asprintf(&text,
			     "policy: found more than %d rules with a schedule or an end that "
			     "cover the same packets, or prefixes of from_where that hold the "
			     "same address, expected fewer",
			     SP_POLICY_CHOICES);
	if (error == -EDOM)
		n = asprintf(&text,
			     "policy: from_where: found more than %d places that rules tell "
			     "apart, expected fewer",
			     SP_POLICY_PLACES_MAX);
	return n < 0 ? NULL : text;
}

static char *warning_text(const struct sp_config *config, uint32_t index, uint32_t by)
{
	const struct sp_config_rule *rule = &config->rules[index];
	char *text;
	int n;

	if (by < config->rule_count)
		n = asprintf(&text,
			     "%s:%u: policy.%s: never decides: rules before it do, such as %s at "
			     "%s:%u",
			     rule->source.file, rule->source.line, rule->name,
			     config->rules[by].name, config->rules[by].source.file,
			     config->rules[by].source.line);
	else
		n = asprintf(&text, "%s:%u: policy.%s: never matches: %s", rule->source.file,
			     rule->source.line, rule->name,
			     "nobody, nothing or no time is left of what it names");
	return n < 0 ? NULL : text;
}

static int collect_warnings(const struct sp_config *config, const struct sp_policy_lint *lint,
			    struct sp_policy_warnings *ret_warnings)
{
	struct sp_policy_warnings w = {0};

	for (uint32_t i = 0; i < config->rule_count; i++) {
		if (lint->decides[i + 1])
			continue;
		if (w.count == SP_POLICY_WARNINGS_MAX) {
			w.left_out++;
			continue;
		}
		w.list[w.count] = warning_text(config, i, lint->by[i]);
		if (!w.list[w.count++]) {
			sp_policy_warnings_fini(&w);
			return -ENOMEM;
		}
	}
	*ret_warnings = w;
	return 0;
}

void sp_policy_warnings_fini(struct sp_policy_warnings *warnings)
{
	for (uint32_t i = 0; i < warnings->count; i++)
		free(warnings->list[i]);
	warnings->count = 0;
}

int sp_policy_warn(const struct sp_config *config, uint32_t nodes_max,
		   struct sp_policy_warnings *ret_warnings)
{
	struct sp_policy_time time = {.now_ns = sp_clock_now_ns(),
				      .realtime_ns = sp_clock_realtime_ns()};
	struct sp_policy_image image = {0};
	struct sp_policy_lint lint = {0};
	int r = sp_policy_lint_init(&lint, config);

	if (!r)
		r = compile_all(config, &time, nodes_max, &lint, &image, NULL);
	if (!r)
		r = collect_warnings(config, &lint, ret_warnings);
	sp_policy_image_fini(&image);
	sp_policy_lint_fini(&lint);
	return r;
}

int sp_policy_compile(const struct sp_config *config, uint32_t nodes_max,
		      struct sp_policy_image *ret_image, uint32_t *ret_needed)
{
	struct sp_policy_time time = {.now_ns = sp_clock_now_ns(),
				      .realtime_ns = sp_clock_realtime_ns()};

	return sp_policy_compile_at(config, &time, nodes_max, ret_image, ret_needed);
}

void sp_policy_image_fini(struct sp_policy_image *image)
{
	if (!image)
		return;
	free(image->nodes);
	image->nodes = NULL;
	image->count = 0;
}

int sp_policy_apply(const struct sp_policy_image *image, uint32_t generation,
		    struct sp_policy_node *half, uint32_t nodes_max)
{
	struct sp_policy_node head;
	uint32_t old = half[0].kind == SP_POLICY_HEADER ? half[0].header.count : 0;

	if (!image->count || image->count > nodes_max)
		return -E2BIG;
	head = image->nodes[0];
	head.header.generation = generation;
	/* What reads this half by mistake meanwhile finds no header, and denies. */
	half[0].kind = SP_POLICY_EMPTY;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	memcpy(half + 1, image->nodes + 1, (image->count - 1) * sizeof(*half));
	/* Longer leftovers of an older policy would be shown by dumps as if they counted. */
	if (old > image->count && old <= nodes_max)
		memset(half + image->count, 0, (old - image->count) * sizeof(*half));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	half[0] = head;
	if (memcmp(half, &head, sizeof(head)) ||
	    memcmp(half + 1, image->nodes + 1, (image->count - 1) * sizeof(*half))) {
		half[0].kind = SP_POLICY_EMPTY;
		return -EIO;
	}
	return 0;
}
