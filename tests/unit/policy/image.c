/* SPDX-License-Identifier: Apache-2.0 */
/* The image as memory: applied, adopted, damaged, deep, large. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "policy/policy.h"
#include "sallyport/core/addr.h"
#include "sallyport/core/policy.h"

static uint64_t seed = 7;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((seed >> 33) % below);
}

/* A policy of many rules: rule n allows or denies one prefix to the only user. */
struct many {
	struct sp_config config;
	struct sp_config_user user;
	struct sp_prefix *prefixes;
	struct sp_config_destination *destinations;
	struct sp_config_rule *rules;
	uint32_t *indexes;
	struct sp_config_service service;
	struct sp_config_port_range port;
	uint32_t zero;
};

static void many_init(struct many *m, uint32_t rules)
{
	memset(m, 0, sizeof(*m));
	m->prefixes = calloc(rules, sizeof(*m->prefixes));
	m->destinations = calloc(rules, sizeof(*m->destinations));
	m->rules = calloc(rules, sizeof(*m->rules));
	m->indexes = calloc(rules, sizeof(*m->indexes));
	m->user.id = 2;
	m->port = (struct sp_config_port_range){443, 443};
	m->service = (struct sp_config_service){.proto = 6, .ports = &m->port, .port_count = 1};
	m->config = (struct sp_config){.users = &m->user,
				       .user_count = 1,
				       .destinations = m->destinations,
				       .destination_count = rules,
				       .services = &m->service,
				       .service_count = 1,
				       .rules = m->rules,
				       .rule_count = rules};
	for (uint32_t i = 0; i < rules; i++) {
		m->indexes[i] = i;
		m->destinations[i].prefixes = &m->prefixes[i];
		m->destinations[i].prefix_count = 1;
		m->rules[i].from_any = true;
		m->rules[i].destinations = &m->indexes[i];
		m->rules[i].destination_count = 1;
		m->rules[i].services = &m->zero;
		m->rules[i].service_count = 1;
		m->rules[i].allow = i % 2;
		m->rules[i].pool = UINT32_MAX;
	}
}

static void many_fini(struct many *m)
{
	free(m->prefixes);
	free(m->destinations);
	free(m->rules);
	free(m->indexes);
}

static struct sp_policy_image compiled(const struct many *m, uint32_t nodes_max)
{
	struct sp_policy_image image = {0};
	uint32_t needed = 0;
	int r = sp_policy_compile(&m->config, nodes_max, &image, &needed);

	cr_assert_eq(r, 0, "compile: %d, needs %u nodes", r, needed);
	return image;
}

static struct sp_policy_answer ask(const struct sp_policy_node *half, uint32_t nodes,
				   const struct sp_addr *dst, uint16_t port)
{
	struct sp_policy_query q = {.dst = *dst, .user_id = 2, .proto = 6, .dport_be = htons(port)};
	struct sp_policy_answer a;
	struct sp_policy_view view;

	sp_policy_view_init(&view, half, nodes);
	sp_policy_walk(&view, &q, &a);
	return a;
}

/* Rule n + 1 covers 4 * n fewer bits: each of the 32 address levels has to be looked at. */
Test(policy_image, reaches_the_deepest_branch)
{
	struct sp_policy_image image;
	struct sp_addr dst = {.b = {0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
	struct many m;

	many_init(&m, 32);
	for (uint32_t i = 0; i < 32; i++) {
		m.prefixes[i].addr = dst;
		m.prefixes[i].len = (uint8_t)(128 - 4 * i);
		for (uint32_t bit = 128 - 4 * i; bit < 128; bit++)
			m.prefixes[i].addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	}
	image = compiled(&m, 4096);
	for (uint32_t i = 0; i < 32; i++) {
		struct sp_addr a = dst;

		if (i)
			a.b[15 - (i - 1) / 2] ^= i % 2 ? 1 : 0x10;
		cr_expect_eq(ask(image.nodes, image.count, &a, 443).rule_id, i + 1, "digit %u", i);
		cr_expect_eq(ask(image.nodes, image.count, &a, 442).rule_id, 0);
	}
	sp_policy_image_fini(&image);
	many_fini(&m);
}

/* Reads of a walk, counted beside it on the same nodes. */
static uint32_t reads_of(const struct sp_policy_image *image, const struct sp_addr *dst)
{
	struct sp_policy_query q = {.dst = *dst, .user_id = 2, .proto = 6, .dport_be = htons(443)};
	const struct sp_policy_branch *b;
	struct sp_policy_key key;
	uint32_t ref = image->nodes[0].header.rule_root, reads = 1;

	sp_policy_key_init(&key, &q);
	for (; ref && image->nodes[ref].kind == SP_POLICY_BRANCH; reads++) {
		b = &image->nodes[ref].branch;
		if ((key.word[b->word] ^ b->match) & b->mask)
			ref = image->nodes[ref].miss;
		else
			ref = b->slot[key.word[b->word] >> b->shift & 15];
	}
	return reads;
}

Test(policy_image, costs_the_same_for_many_rules, .timeout = 60)
{
	static const uint32_t sizes[] = {10, 1000, 30000};

	for (unsigned int s = 0; s < 3; s++) {
		struct sp_policy_image image;
		uint32_t worst = 0;
		struct many m;

		many_init(&m, sizes[s]);
		for (uint32_t i = 0; i < sizes[s]; i++) {
			m.prefixes[i].addr = sp_addr_from_v4(htonl(0x10000000u + i * 2654435761u));
			m.prefixes[i].len = 128;
		}
		image = compiled(&m, 1u << 20);
		for (uint32_t i = 0; i < sizes[s]; i++) {
			uint32_t reads = reads_of(&image, &m.prefixes[i].addr);

			worst = reads > worst ? reads : worst;
			cr_assert_eq(
				ask(image.nodes, image.count, &m.prefixes[i].addr, 443).rule_id,
				i + 1);
		}
		/* who 1, at most 8 address levels, service 1, verdict 1, and the header */
		cr_expect_leq(worst, 12, "%u rules: %u reads", sizes[s], worst);
		cr_expect_lt(image.count, 16 + 4 * sizes[s], "%u rules: %u nodes", sizes[s],
			     image.count);
		sp_policy_image_fini(&image);
		many_fini(&m);
	}
}

Test(policy_image, shares_equal_parts_between_users)
{
	struct sp_policy_image one, hundred;
	struct sp_config_user *users = calloc(100, sizeof(*users));
	struct many m;

	many_init(&m, 500);
	for (uint32_t i = 0; i < 500; i++) {
		m.prefixes[i].addr = sp_addr_from_v4(htonl(0x10000000u + i * 2654435761u));
		m.prefixes[i].len = 128;
	}
	one = compiled(&m, 1u << 16);
	for (uint32_t i = 0; i < 100; i++)
		users[i].id = 2 + i;
	m.config.users = users;
	m.config.user_count = 100;
	hundred = compiled(&m, 1u << 16);
	cr_expect_lt(hundred.count, one.count + 16, "100 users with one right cost %u nodes more",
		     hundred.count - one.count);
	sp_policy_image_fini(&one);
	sp_policy_image_fini(&hundred);
	many_fini(&m);
	free(users);
}

static void many_random(struct many *m, uint32_t rules)
{
	many_init(m, rules);
	for (uint32_t i = 0; i < rules; i++) {
		m->prefixes[i].addr = sp_addr_from_v4(htonl(0x0a000000u + rnd(1u << 24)));
		m->prefixes[i].len = (uint8_t)(104 + rnd(25));
	}
}

Test(policy_image, is_applied_whole_and_read_back)
{
	struct sp_policy_node *half = calloc(2048, sizeof(*half));
	struct sp_policy_image big, small;
	struct many m;
	uint32_t n;

	many_random(&m, 60);
	big = compiled(&m, 2048);
	n = big.count;
	m.config.rule_count = 3;
	small = compiled(&m, 2048);
	cr_assert_eq(sp_policy_apply(&big, 41, half, 2048), 0);
	cr_expect_eq(half[0].header.generation, 41);
	cr_expect_eq(half[0].header.count, n);
	cr_expect_neq(ask(half, 2048, &m.prefixes[59].addr, 443).rule_id, 0);
	cr_assert_eq(sp_policy_apply(&small, 43, half, 2048), 0);
	cr_expect_eq(half[0].header.generation, 43);
	for (uint32_t i = small.count; i < n; i++)
		cr_assert_eq(half[i].kind, SP_POLICY_EMPTY, "leftover at %u", i);
	cr_expect_eq(sp_policy_apply(&big, 45, half, n - 1), -E2BIG);
	cr_expect_eq(half[0].header.generation, 43, "a refused image leaves the old one");
	sp_policy_image_fini(&big);
	sp_policy_image_fini(&small);
	many_fini(&m);
	free(half);
}

/* Memory whose first two pages are one page does not hold what is written to it. */
Test(policy_image, is_refused_when_it_does_not_read_back)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = 64 * page;
	uint32_t room = (uint32_t)(bytes / sizeof(struct sp_policy_node));
	int fd = memfd_create("half", 0);
	struct sp_policy_image image;
	struct sp_policy_node *half;
	struct many m;

	many_random(&m, 400);
	image = compiled(&m, room);
	cr_assert_gt(image.count * sizeof(*half), 2 * page);
	cr_assert_eq(ftruncate(fd, (off_t)bytes), 0);
	half = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert_neq(half, MAP_FAILED);
	cr_expect_eq(sp_policy_apply(&image, 1, half, room), 0);
	cr_assert_neq(mmap((char *)half + page, page, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_FIXED, fd, 0),
		      MAP_FAILED);
	cr_expect_eq(sp_policy_apply(&image, 3, half, room), -EIO);
	cr_expect_eq(ask(half, room, &m.prefixes[59].addr, 443).reason, SP_R_POLICY_DEFAULT);
	munmap(half, bytes);
	close(fd);
	sp_policy_image_fini(&image);
	many_fini(&m);
}

Test(policy_image, of_another_layout_denies_everything)
{
	struct sp_policy_image image;
	struct sp_policy_node saved;
	struct many m;

	many_random(&m, 9);
	image = compiled(&m, 2048);
	saved = image.nodes[0];
	cr_assert_neq(ask(image.nodes, image.count, &m.prefixes[8].addr, 443).rule_id, 0);
	image.nodes[0].header.magic++;
	cr_expect_eq(ask(image.nodes, image.count, &m.prefixes[8].addr, 443).rule_id, 0);
	image.nodes[0] = saved;
	image.nodes[0].header.abi++;
	cr_expect_eq(ask(image.nodes, image.count, &m.prefixes[8].addr, 443).rule_id, 0);
	image.nodes[0] = saved;
	cr_expect_eq(ask(image.nodes, image.count - 1, &m.prefixes[8].addr, 443).rule_id, 0,
		     "says it is longer than the map");
	image.nodes[0].kind = SP_POLICY_EMPTY;
	cr_expect_eq(ask(image.nodes, image.count, &m.prefixes[8].addr, 443).rule_id, 0);
	cr_expect_eq(ask(image.nodes, 0, &m.prefixes[8].addr, 443).rule_id, 0);
	sp_policy_image_fini(&image);
	many_fini(&m);
}

Test(policy_image, that_runs_in_a_circle_is_left_and_denied)
{
	struct sp_policy_node nodes[3] = {{.kind = SP_POLICY_HEADER}};
	struct sp_policy_answer a;

	nodes[0].header = (struct sp_policy_header){.magic = SP_POLICY_MAGIC,
						    .abi = SP_ABI_VERSION,
						    .count = 3,
						    .scope_root = 2,
						    .rule_root = 1};
	for (unsigned int n = 1; n < 3; n++) {
		nodes[n].kind = SP_POLICY_BRANCH;
		for (unsigned int i = 0; i < 16; i++)
			nodes[n].branch.slot[i] = 3 - n;
	}
	a = ask(nodes, 3, &(struct sp_addr){0}, 443);
	cr_expect_eq(a.action, SP_ACTION_DENY);
	cr_expect_eq(a.reason, SP_R_POLICY_DEFAULT);
}

/* Under AddressSanitizer a read past the exact allocation aborts; a walk without end times out. */
Test(policy_image, that_is_damaged_never_leads_outside, .timeout = 60)
{
	struct sp_policy_image image;
	struct many m;
	uint32_t bytes, answers = 0;
	uint8_t *copy;

	many_random(&m, 40);
	image = compiled(&m, 4096);
	bytes = image.count * (uint32_t)sizeof(*image.nodes);
	copy = malloc(bytes);
	for (unsigned int round = 0; round < 400; round++) {
		struct sp_policy_node *half = (struct sp_policy_node *)copy;

		memcpy(copy, image.nodes, bytes);
		for (uint32_t hits = 1 + rnd(round % 8 ? 64 : bytes); hits; hits--)
			copy[sizeof(*half) + rnd(bytes - (uint32_t)sizeof(*half))] =
				(uint8_t)rnd(256);
		half->header.scope_root = rnd(4) ? rnd(image.count) : (uint32_t)(seed >> 20);
		half->header.rule_root = rnd(4) ? half->header.rule_root : rnd(image.count);
		for (unsigned int i = 0; i < 500; i++) {
			struct sp_addr dst = m.prefixes[rnd(40)].addr;
			struct sp_policy_answer a = ask(half, image.count, &dst, 443);

			answers += a.reason != SP_R_POLICY_DEFAULT;
			cr_assert(a.action == SP_ACTION_DENY || a.action == SP_ACTION_ALLOW);
		}
	}
	cr_assert_gt(answers, 0);
	free(copy);
	sp_policy_image_fini(&image);
	many_fini(&m);
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* A feed: every address of it is found, and none beside it. */
Test(policy_image, holds_a_million_addresses_in_one_destination, .timeout = 60)
{
	const uint32_t count = 1000000;
	struct sp_prefix *feed = calloc(count, sizeof(*feed));
	uint32_t *sorted = calloc(count, sizeof(*sorted)), hits = 0;
	struct sp_policy_image image;
	struct many m;

	for (uint32_t i = 0; i < count; i++) {
		sorted[i] = 0x0a000000u + (rnd(2) ? rnd(1u << 28) : i * 5);
		feed[i] = (struct sp_prefix){.addr = sp_addr_from_v4(htonl(sorted[i])), .len = 128};
	}
	many_init(&m, 1);
	m.destinations[0].prefixes = feed;
	m.destinations[0].prefix_count = count;
	image = compiled(&m, 1u << 22);
	qsort(sorted, count, sizeof(*sorted), compare_u32);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t host = sorted[rnd(count)] + rnd(2);
		struct sp_addr dst = sp_addr_from_v4(htonl(host));
		bool held = bsearch(&host, sorted, count, sizeof(host), compare_u32);

		cr_assert_eq(ask(image.nodes, image.count, &dst, 443).rule_id, held);
		hits += held;
	}
	cr_expect_gt(hits, count / 2);
	cr_expect_lt(hits, count);
	cr_expect_leq(reads_of(&image, &feed[0].addr), 12);
	sp_policy_image_fini(&image);
	many_fini(&m);
	free(feed);
	free(sorted);
}
