/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled image against a slow and obvious model of what the rules say. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/addr.h"
#include "policy/policy.h"
#include "sallyport/core/policy.h"

#define POLICIES 240
#define QUERIES	 20000
#define ROOM	 (1u << 20)
#define MOMENTS	 12

static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((seed >> 33) % below);
}

/* A config whose arrays stand in one object, so that a test can write it down in a few lines. */
struct world {
	struct sp_config config;
	struct sp_config_wireguard wireguards[1];
	struct sp_prefix gateway[2];
	struct sp_config_group groups[4];
	struct sp_config_user users[20];
	uint32_t user_groups[20][4];
	struct sp_config_peer peers[20];
	struct sp_prefix peer_addresses[20][2];
	struct sp_config_destination destinations[8];
	struct sp_prefix prefixes[8][4];
	struct sp_config_service services[8];
	struct sp_config_port_range ports[8][4];
	struct sp_config_pool pools[64];
	struct sp_config_rule rules[40];
	uint32_t lists[40][4][4];
};

static uint32_t first_user_id, user_id_step = 1;

static void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->config = (struct sp_config){
		.gateway = {.name = "gw"},
		.wireguards = w->wireguards,
		.groups = w->groups,
		.users = w->users,
		.peers = w->peers,
		.destinations = w->destinations,
		.services = w->services,
		.pools = w->pools,
		.pool_count = 64,
		.rules = w->rules,
	};
	for (uint16_t i = 0; i < 64; i++)
		w->pools[i].id = (uint16_t)(100 + i);
	/* Ids are not indexes: names keep theirs over reloads. */
	for (uint32_t i = 0; i < 20; i++)
		w->users[i].id = 2 + (i * 7 + first_user_id) % 20 * user_id_step;
}

static struct sp_prefix prefix(const char *text)
{
	struct sp_prefix p = {0};

	cr_assert_eq(sp_prefix_parse(text, &p), 0, "%s", text);
	return p;
}

static struct sp_addr addr(const char *text)
{
	struct sp_addr a = {0};

	cr_assert_eq(sp_addr_parse(text, &a), 0, "%s", text);
	return a;
}

/* One user, one peer 10.9.0.2 and fd00:9::2, gateway 10.9.0.1/24 and fd00:9::1/64. */
static void world_small(struct world *w)
{
	world_init(w);
	cr_assert_eq(sp_prefix_parse_host("10.9.0.1/24", &w->gateway[0]), 0);
	cr_assert_eq(sp_prefix_parse_host("fd00:9::1/64", &w->gateway[1]), 0);
	w->wireguards[0] =
		(struct sp_config_wireguard){.addresses = w->gateway, .address_count = 2};
	w->config.wireguard_count = 1;
	w->config.user_count = 1;
	w->peer_addresses[0][0] = prefix("10.9.0.2/32");
	w->peer_addresses[0][1] = prefix("fd00:9::2/128");
	w->peers[0].addresses = w->peer_addresses[0];
	w->peers[0].address_count = 2;
	w->config.peer_count = 1;
}

static struct sp_config_rule *rule_add(struct world *w, bool allow)
{
	struct sp_config_rule *r = &w->rules[w->config.rule_count++];

	*r = (struct sp_config_rule){
		.name = "rule",
		.from_any = true,
		.service_any = true,
		.allow = allow,
		.pool = UINT32_MAX,
		.users = w->lists[w->config.rule_count - 1][0],
		.groups = w->lists[w->config.rule_count - 1][1],
		.destinations = w->lists[w->config.rule_count - 1][2],
		.services = w->lists[w->config.rule_count - 1][3],
	};
	return r;
}

static struct sp_config_rule *rule_to(struct world *w, bool allow, const char *prefix_text)
{
	struct sp_config_rule *r = rule_add(w, allow);
	uint32_t n = w->config.destination_count++;

	w->prefixes[n][0] = prefix(prefix_text);
	w->destinations[n].prefixes = w->prefixes[n];
	w->destinations[n].prefix_count = 1;
	r->destinations[r->destination_count++] = n;
	return r;
}

static void rule_service(struct world *w, struct sp_config_rule *r, uint8_t proto, uint16_t min,
			 uint16_t max)
{
	uint32_t n = w->config.service_count++;

	w->ports[n][0] = (struct sp_config_port_range){min, max};
	w->services[n] = (struct sp_config_service){
		.proto = proto, .ports = w->ports[n], .port_count = max ? 1 : 0};
	r->service_any = false;
	r->services[r->service_count++] = n;
}

/* Compiled at moment 0; the others come later, each as the zones' clocks show it. */
static const char *const zones[] = {"Europe/Berlin", "America/St_Johns", "UTC"};
static struct sp_policy_time compiled_at;
static struct moment {
	uint64_t now_ns;
	int64_t time_s;
	uint32_t weekday[3], minute[3]; /* 0 = Monday */
} moments[MOMENTS];

static void moments_init(int64_t start_s)
{
	compiled_at = (struct sp_policy_time){.now_ns = 5000000000000ull,
					      .realtime_ns = (uint64_t)start_s * 1000000000ull};
	for (uint32_t m = 0; m < MOMENTS; m++) {
		uint32_t later_s = m ? rnd(3 * 86400) : 0;

		moments[m].now_ns = compiled_at.now_ns + later_s * 1000000000ull;
		moments[m].time_s = start_s + later_s;
		for (uint32_t z = 0; z < 3; z++) {
			time_t t = (time_t)moments[m].time_s;
			struct tm tm;

			setenv("TZ", zones[z], 1);
			tzset();
			localtime_r(&t, &tm);
			moments[m].weekday[z] = (uint32_t)(tm.tm_wday + 6) % 7;
			moments[m].minute[z] = (uint32_t)(tm.tm_hour * 60 + tm.tm_min);
		}
	}
	unsetenv("TZ");
	tzset();
}

static struct sp_policy_image compiled(const struct world *w)
{
	struct sp_policy_image image = {0};

	cr_assert_eq(sp_policy_compile_at(&w->config, &compiled_at, ROOM, &image, NULL), 0);
	return image;
}

static struct sp_policy_answer asked(const struct sp_policy_image *image,
				     const struct sp_policy_query *q)
{
	struct sp_policy_answer a;
	struct sp_policy_view view;

	sp_policy_view_init(&view, image->nodes, image->count);
	cr_assert_eq(view.count, image->count);
	sp_policy_walk(&view, q, &a);
	return a;
}

/* The rule's number that decides: -1 the default, 0 the gateway itself. */
static int ask(const struct sp_policy_image *image, uint32_t user_id, const char *dst,
	       uint8_t proto, uint16_t port)
{
	struct sp_policy_query q = {
		.dst = addr(dst), .user_id = user_id, .proto = proto, .dport_be = htons(port)};
	struct sp_policy_answer a = asked(image, &q);

	if (a.reason == SP_R_POLICY_DEFAULT) {
		cr_assert_eq(a.action, SP_ACTION_DENY);
		cr_assert_eq(a.rule_id, 0);
		return -1;
	}
	cr_assert_eq(a.action == SP_ACTION_ALLOW, a.reason == SP_R_NONE);
	return (int)a.rule_id;
}

/* --- the model ------------------------------------------------------------------------- */

static bool in_prefix(const struct sp_prefix *p, const struct sp_addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool prefix_v4 = p->len >= 96 && !memcmp(p->addr.b, mapped, 12);

	if (prefix_v4 != !memcmp(a->b, mapped, 12))
		return false;
	for (unsigned int i = 0; i < p->len; i++)
		if ((p->addr.b[i / 8] ^ a->b[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static bool is_gateway(const struct sp_config *c, const struct sp_addr *a)
{
	for (uint32_t i = 0; i < c->wireguard_count; i++)
		for (uint32_t k = 0; k < c->wireguards[i].address_count; k++)
			if (!memcmp(c->wireguards[i].addresses[k].addr.b, a->b, 16))
				return true;
	return false;
}

static bool is_inner(const struct sp_config *c, const struct sp_addr *a)
{
	for (uint32_t i = 0; i < c->peer_count; i++)
		for (uint32_t k = 0; k < c->peers[i].address_count; k++)
			if (in_prefix(&c->peers[i].addresses[k], a))
				return true;
	return is_gateway(c, a);
}

static bool model_from(const struct sp_config *c, const struct sp_config_rule *r, uint32_t user)
{
	for (uint32_t i = 0; i < r->user_count; i++)
		if (r->users[i] == user)
			return true;
	for (uint32_t i = 0; i < r->group_count; i++)
		for (uint32_t k = 0; k < c->users[user].group_count; k++)
			if (r->groups[i] == c->users[user].groups[k])
				return true;
	return r->from_any;
}

static bool model_to(const struct sp_config *c, const struct sp_config_rule *r,
		     const struct sp_addr *dst)
{
	for (uint32_t i = 0; i < r->destination_count; i++) {
		const struct sp_config_destination *d = &c->destinations[r->destinations[i]];

		for (uint32_t k = 0; k < d->prefix_count; k++)
			if (in_prefix(&d->prefixes[k], dst))
				return true;
	}
	return (r->to_gateway && is_gateway(c, dst)) || (r->to_any && !is_inner(c, dst));
}

static bool model_service(const struct sp_config *c, const struct sp_config_rule *r, uint8_t proto,
			  uint16_t port)
{
	for (uint32_t i = 0; i < r->service_count; i++) {
		const struct sp_config_service *s = &c->services[r->services[i]];

		if (s->proto == IPPROTO_ICMP) {
			if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
				return true;
			continue;
		}
		if (s->proto && s->proto != proto)
			continue;
		if (!s->port_count)
			return true;
		if (!s->proto && proto != IPPROTO_TCP && proto != IPPROTO_UDP)
			continue;
		for (uint32_t k = 0; k < s->port_count; k++)
			if (port >= s->ports[k].min && port <= s->ports[k].max)
				return true;
	}
	return r->service_any;
}

/* From 22:00 to 06:00 belongs to the day on which it begins. */
static bool model_when(const struct sp_config_rule *r, const struct moment *now)
{
	const struct sp_config_schedule *s = &r->schedule;
	uint32_t z = 0, day, before, minute;

	if (r->expires_s && now->time_s >= r->expires_s)
		return false;
	if (!s->zone)
		return true;
	while (strcmp(zones[z], s->zone))
		z++;
	day = s->days >> now->weekday[z] & 1;
	before = s->days >> (now->weekday[z] + 6) % 7 & 1;
	minute = now->minute[z];
	if (s->from_min < s->to_min)
		return day && minute >= s->from_min && minute < s->to_min;
	return (day && minute >= s->from_min) || (before && minute < s->to_min);
}

/* The first rule that matches, of those that act or of those that only count. */
static int model(const struct sp_config *c, const struct sp_policy_query *q, bool shadow,
		 const struct moment *now)
{
	uint32_t user = 0;

	if (q->user_id == 1)
		return !shadow && is_inner(c, &q->dst) ? 0 : -1;
	while (user < c->user_count && c->users[user].id != q->user_id)
		user++;
	if (user == c->user_count)
		return -1;
	for (uint32_t i = 0; i < c->rule_count; i++)
		if (c->rules[i].shadow == shadow && model_when(&c->rules[i], now) &&
		    model_from(c, &c->rules[i], user) && model_to(c, &c->rules[i], &q->dst) &&
		    model_service(c, &c->rules[i], q->proto, ntohs(q->dport_be)))
			return (int)i + 1;
	return -1;
}

/* --- random worlds --------------------------------------------------------------------- */

static const uint8_t protos[] = {6, 17, 1, 58, 47, 132};
static const uint16_t edges[] = {0, 1, 22, 53, 80, 443, 1023, 1024, 8080, 65534, 65535};

/* Addresses from a narrow space, so that prefixes overlap and queries hit them. */
static struct sp_addr random_addr(void)
{
	struct sp_addr a = {.b = {[10] = 0xff, [11] = 0xff}};

	if (rnd(2)) {
		a.b[12] = rnd(4) ? 10 : (uint8_t)rnd(256);
		a.b[13] = (uint8_t)(8 + rnd(3));
		a.b[14] = (uint8_t)(rnd(3) * 127);
		a.b[15] = (uint8_t)rnd(rnd(2) ? 4 : 256);
		return a;
	}
	memset(&a, 0, sizeof(a));
	a.b[0] = rnd(4) ? 0xfd : (uint8_t)rnd(256);
	a.b[7] = (uint8_t)rnd(2);
	a.b[8] = (uint8_t)(rnd(2) * 0x80);
	a.b[15] = (uint8_t)rnd(rnd(2) ? 4 : 256);
	return a;
}

static struct sp_prefix random_prefix(void)
{
	struct sp_prefix p = {.addr = random_addr()};
	bool v4 = sp_addr_is_v4(&p.addr);
	static const uint8_t lens[] = {0, 1, 7, 8, 16, 23, 24, 25, 30, 31, 32};

	p.len = v4 ? (uint8_t)(96 + lens[rnd(sizeof(lens))]) : (uint8_t)(rnd(129));
	for (unsigned int i = p.len; i < 128; i++)
		p.addr.b[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	return p;
}

static struct sp_prefix random_peer_prefix(void)
{
	struct sp_prefix p = random_prefix();

	while (p.len < 64 || (sp_addr_is_v4(&p.addr) && p.len < 116))
		p = random_prefix();
	return p;
}

static uint16_t random_port(void)
{
	return rnd(2) ? edges[rnd(sizeof(edges) / sizeof(edges[0]))] : (uint16_t)rnd(65536);
}

static uint32_t random_list(uint32_t list[4], uint32_t of, uint32_t most)
{
	uint32_t n = of ? rnd(most + 1) : 0;

	for (uint32_t i = 0; i < n; i++)
		list[i] = rnd(of);
	return n;
}

static void random_objects(struct world *w)
{
	struct sp_config *c = &w->config;

	c->group_count = rnd(5);
	c->user_count = rnd(21);
	c->peer_count = c->user_count;
	c->destination_count = 1 + rnd(8);
	c->service_count = 1 + rnd(8);
	for (uint32_t i = 0; i < c->user_count; i++) {
		w->users[i].groups = w->user_groups[i];
		w->users[i].group_count = random_list(w->user_groups[i], c->group_count, 3);
		w->peers[i].user = i;
		w->peers[i].addresses = w->peer_addresses[i];
		w->peers[i].address_count = rnd(3);
		for (uint32_t k = 0; k < 2; k++)
			w->peer_addresses[i][k] = random_peer_prefix();
	}
	for (uint32_t i = 0; i < c->destination_count; i++) {
		w->destinations[i].prefixes = w->prefixes[i];
		w->destinations[i].prefix_count = rnd(5);
		for (uint32_t k = 0; k < 4; k++)
			w->prefixes[i][k] = random_prefix();
	}
	for (uint32_t i = 0; i < c->service_count; i++) {
		w->services[i].proto = rnd(5) ? protos[rnd(3)] : (uint8_t)(rnd(2) * 47);
		w->services[i].ports = w->ports[i];
		w->services[i].port_count = rnd(5);
		for (uint32_t k = 0; k < 4; k++) {
			w->ports[i][k].min = random_port();
			w->ports[i][k].max =
				rnd(4) ? (uint16_t)(w->ports[i][k].min | rnd(512)) : 65535;
		}
	}
}

static void random_options(struct sp_config_rule *r, uint32_t index)
{
	r->reject = !r->allow && rnd(2);
	r->shadow = !rnd(6);
	r->grace_s = rnd(1000);
	r->hit_id = 7 + index * 3;
	r->bucket_up = rnd(100);
	r->bucket_down = rnd(100);
	if (!rnd(6))
		r->expires_s = moments[0].time_s - 43200 + rnd(4 * 86400);
	if (!rnd(6))
		r->schedule = (struct sp_config_schedule){.zone = (char *)zones[rnd(3)],
							  .days = 1 + rnd(127),
							  .from_min = rnd(1440),
							  .to_min = 1 + rnd(1440)};
}

static void random_world(struct world *w)
{
	uint32_t rules = rnd(41);

	first_user_id = rnd(20);
	user_id_step = 1 + rnd(2) * rnd(300);
	world_init(w);
	w->gateway[0].addr = random_addr();
	w->gateway[0].len = (uint8_t)(sp_addr_is_v4(&w->gateway[0].addr) ? 120 : 64);
	w->gateway[1] = w->gateway[0];
	w->gateway[1].addr = random_addr();
	w->gateway[1].len = 126;
	w->wireguards[0] =
		(struct sp_config_wireguard){.addresses = w->gateway, .address_count = 2};
	w->config.wireguard_count = rnd(4) ? 1 : 0;
	random_objects(w);
	for (uint32_t i = 0; i < rules; i++) {
		struct sp_config_rule *r = rule_add(w, rnd(2));

		r->from_any = !rnd(4);
		r->user_count = random_list(r->users, w->config.user_count, 4);
		r->group_count = random_list(r->groups, w->config.group_count, 3);
		r->to_any = !rnd(6);
		r->to_gateway = !rnd(6);
		r->destination_count = random_list(r->destinations, w->config.destination_count, 3);
		r->service_any = !rnd(3);
		r->service_count = random_list(r->services, w->config.service_count, 3);
		r->on_change = rnd(3);
		r->log = rnd(2);
		random_options(r, i);
		r->pool = rnd(2) ? rnd(64) : UINT32_MAX;
	}
}

static struct sp_policy_query random_query(const struct world *w)
{
	struct sp_policy_query q = {
		.dst = random_addr(),
		.user_id = rnd(4) && w->config.user_count
				   ? w->users[rnd(w->config.user_count)].id
				   : rnd(w->config.user_count * user_id_step + 4),
		.dport_be = htons(random_port()),
		.proto = rnd(8) ? protos[rnd(6)] : (uint8_t)rnd(256),
	};

	if (!rnd(4) && w->config.wireguard_count)
		q.dst = w->gateway[rnd(2)].addr;
	else if (!rnd(4) && w->config.peer_count)
		q.dst = w->peer_addresses[rnd(w->config.peer_count)][rnd(2)].addr;
	if (!rnd(64))
		q.user_id = (uint32_t)(seed >> 16);
	return q;
}

static void check_answer(const struct world *w, int want, const struct sp_policy_answer *a,
			 unsigned int policy)
{
	const struct sp_config_rule *r;

	if (want <= 0) {
		cr_assert_eq(a->action == SP_ACTION_ALLOW, want == 0,
			     "policy %u: default or gateway", policy);
		cr_assert_eq(a->reason, want ? SP_R_POLICY_DEFAULT : SP_R_NONE);
		cr_assert_eq(a->rule_id, 0);
		return;
	}
	r = &w->rules[want - 1];
	cr_assert_eq(a->rule_id, (uint32_t)want, "policy %u: rule %u, the model says %d", policy,
		     a->rule_id, want);
	cr_assert_eq(a->action, r->allow    ? SP_ACTION_ALLOW
				: r->reject ? SP_ACTION_REJECT
					    : SP_ACTION_DENY);
	cr_assert_eq(a->grace_s, r->grace_s);
	cr_assert_eq(a->hit_id, r->hit_id);
	cr_assert_eq(a->bucket_up, r->bucket_up);
	cr_assert_eq(a->bucket_down, r->bucket_down);
	cr_assert_eq(a->reason, r->allow ? SP_R_NONE : SP_R_POLICY_DENY);
	cr_assert_eq(a->on_change, r->on_change);
	cr_assert_eq(a->log, r->log);
	cr_assert_eq(a->pool_id, r->pool == UINT32_MAX ? 0 : 100 + r->pool);
}

/* Until then the answer stays: just before is still the same rule, and before now it never is. */
static bool check_until(const struct world *w, const struct sp_policy_image *image,
			const struct sp_policy_query *q, const struct sp_policy_answer *a)
{
	struct sp_policy_query later = *q;

	if (!a->until_ns)
		return false;
	cr_assert_gt(a->until_ns, q->now_ns);
	later.now_ns = a->until_ns - 1;
	cr_assert_eq(asked(image, &later).rule_id, a->rule_id, "changed before until_ns");
	return true;
}

Test(policy_compile, agrees_with_the_model_on_random_policies, .timeout = 120)
{
	unsigned int allowed = 0, denied = 0, defaulted = 0, shadowed = 0, bounded = 0;
	struct world *w = malloc(sizeof(*w));

	for (unsigned int p = 0; p < POLICIES; p++) {
		struct sp_policy_image image;

		seed = 1000 + p;
		/* A quarter of them lie around a clock change of both zones. */
		moments_init(p % 4 ? 1790000000 + (int64_t)rnd(1u << 28) : 1793318400 - 86400);
		random_world(w);
		image = compiled(w);
		for (unsigned int i = 0; i < QUERIES; i++) {
			const struct moment *now = &moments[rnd(MOMENTS)];
			struct sp_policy_query q = random_query(w);
			struct sp_policy_answer a;
			int want, shadow;

			q.now_ns = now->now_ns;
			a = asked(&image, &q);
			want = model(&w->config, &q, false, now);
			check_answer(w, want, &a, p);
			shadow = model(&w->config, &q, true, now);
			if (shadow < 0 || (want >= 0 && want < shadow))
				shadow = 0;
			cr_assert_eq(a.shadow_id, (uint32_t)shadow, "policy %u: shadow", p);
			bounded += check_until(w, &image, &q, &a);
			shadowed += shadow > 0;
			allowed += a.reason == SP_R_NONE;
			denied += a.reason == SP_R_POLICY_DENY;
			defaulted += a.reason == SP_R_POLICY_DEFAULT;
		}
		sp_policy_image_fini(&image);
	}
	/* The worlds must be worth asking: every kind of answer is common. */
	cr_assert_gt(allowed, POLICIES * QUERIES / 20);
	cr_assert_gt(denied, POLICIES * QUERIES / 20);
	cr_assert_gt(defaulted, POLICIES * QUERIES / 20);
	cr_assert_gt(shadowed, POLICIES * QUERIES / 50);
	cr_assert_gt(bounded, POLICIES * QUERIES / 20);
	free(w);
}

Test(policy_compile, denies_everything_without_rules)
{
	struct sp_policy_image image;
	struct world w;

	world_small(&w);
	image = compiled(&w);
	cr_expect_eq(ask(&image, 2, "1.1.1.1", 6, 443), -1);
	cr_expect_eq(ask(&image, 2, "10.9.0.1", 1, 0), -1);
	cr_expect_eq(ask(&image, 0, "1.1.1.1", 6, 443), -1);
	sp_policy_image_fini(&image);
}

Test(policy_compile, gives_the_gateway_its_peers_and_nothing_else)
{
	struct sp_policy_image image;
	struct world w;

	world_small(&w);
	rule_add(&w, true)->to_any = true;
	image = compiled(&w);
	cr_expect_eq(ask(&image, 1, "10.9.0.2", 1, 0), 0);
	cr_expect_eq(ask(&image, 1, "fd00:9::2", 58, 0), 0);
	cr_expect_eq(ask(&image, 1, "10.9.0.3", 1, 0), -1, "no peer's address");
	cr_expect_eq(ask(&image, 1, "1.1.1.1", 6, 443), -1);
	cr_expect_eq(ask(&image, 0, "1.1.1.1", 6, 443), -1, "nobody");
	cr_expect_eq(ask(&image, 3, "1.1.1.1", 6, 443), -1, "unknown user");
	cr_expect_eq(ask(&image, UINT32_MAX, "1.1.1.1", 6, 443), -1, "unknown user");
	cr_expect_eq(ask(&image, 2, "1.1.1.1", 6, 443), 1);
	sp_policy_image_fini(&image);
}

Test(policy_compile, keeps_inner_addresses_out_of_any)
{
	struct sp_policy_image image;
	struct world w;

	world_small(&w);
	rule_add(&w, true)->to_any = true;
	rule_add(&w, true)->to_gateway = true;
	rule_to(&w, true, "10.9.0.0/24");
	image = compiled(&w);
	cr_expect_eq(ask(&image, 2, "10.9.0.1", 6, 22), 2, "gateway by its word");
	cr_expect_eq(ask(&image, 2, "fd00:9::1", 6, 22), 2);
	cr_expect_eq(ask(&image, 2, "10.9.0.2", 6, 22), 3, "a peer by its prefix");
	cr_expect_eq(ask(&image, 2, "fd00:9::2", 6, 22), -1, "a peer that nothing names");
	cr_expect_eq(ask(&image, 2, "10.9.0.3", 6, 22), 1, "unused inner space is outside");
	sp_policy_image_fini(&image);
}

Test(policy_compile, holds_the_ends_of_port_ranges)
{
	static const struct {
		uint16_t min, max;
	} rows[] = {{0, 65535}, {1, 65535}, {0, 65534}, {1, 1},	      {80, 80},
		    {0, 15},	{15, 16},   {255, 256}, {4095, 4096}, {65535, 65535}};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sp_policy_image image;
		struct world w;

		world_small(&w);
		rule_service(&w, rule_to(&w, true, "1.1.1.1/32"), 6, rows[i].min, rows[i].max);
		image = compiled(&w);
		for (uint32_t port = 0; port < 65536; port++)
			cr_assert_eq(ask(&image, 2, "1.1.1.1", 6, (uint16_t)port),
				     port >= rows[i].min && port <= rows[i].max ? 1 : -1,
				     "range %u-%u port %u", rows[i].min, rows[i].max, port);
		cr_expect_eq(ask(&image, 2, "1.1.1.1", 17, rows[i].min), -1, "another protocol");
		sp_policy_image_fini(&image);
	}
}

Test(policy_compile, tells_the_families_apart)
{
	struct sp_policy_image image;
	struct world w;

	world_small(&w);
	rule_to(&w, true, "0.0.0.0/0");
	image = compiled(&w);
	cr_expect_eq(ask(&image, 2, "0.0.0.0", 6, 1), 1);
	cr_expect_eq(ask(&image, 2, "255.255.255.255", 6, 1), 1);
	cr_expect_eq(ask(&image, 2, "::", 6, 1), -1);
	cr_expect_eq(ask(&image, 2, "2001:db8::1", 6, 1), -1);
	cr_expect_eq(ask(&image, 2, "::fffe:1.2.3.4", 6, 1), -1, "one bit off the mapped form");
	sp_policy_image_fini(&image);

	world_small(&w);
	rule_to(&w, true, "::/0");
	image = compiled(&w);
	cr_expect_eq(ask(&image, 2, "1.2.3.4", 6, 1), -1);
	cr_expect_eq(ask(&image, 2, "::1", 6, 1), 1);
	cr_expect_eq(ask(&image, 2, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 6, 1), 1);
	sp_policy_image_fini(&image);

	world_small(&w);
	rule_to(&w, true, "102:304::/32");
	image = compiled(&w);
	cr_expect_eq(ask(&image, 2, "1.2.3.4", 6, 1), -1, "same bits, other family");
	sp_policy_image_fini(&image);
}

Test(policy_compile, takes_the_first_match_not_the_longest_prefix)
{
	struct sp_policy_image image;
	struct world w;

	world_small(&w);
	rule_to(&w, false, "192.0.2.7/32");
	rule_to(&w, true, "192.0.2.0/24");
	rule_to(&w, false, "192.0.2.128/25");
	rule_to(&w, false, "192.0.0.0/16");
	image = compiled(&w);
	cr_expect_eq(ask(&image, 2, "192.0.2.7", 6, 1), 1);
	cr_expect_eq(ask(&image, 2, "192.0.2.8", 6, 1), 2);
	cr_expect_eq(ask(&image, 2, "192.0.2.200", 6, 1), 2, "an earlier, shorter prefix wins");
	cr_expect_eq(ask(&image, 2, "192.0.3.1", 6, 1), 4);
	cr_expect_eq(ask(&image, 2, "192.1.0.0", 6, 1), -1);
	sp_policy_image_fini(&image);
}

Test(policy_compile, ignores_ports_of_icmp)
{
	struct sp_policy_image image;
	struct world w;

	world_small(&w);
	rule_service(&w, rule_to(&w, true, "1.1.1.0/24"), IPPROTO_ICMP, 0, 0);
	rule_service(&w, rule_to(&w, true, "1.1.1.0/24"), 0, 53, 53);
	image = compiled(&w);
	cr_expect_eq(ask(&image, 2, "1.1.1.1", IPPROTO_ICMP, 9999), 1);
	cr_expect_eq(ask(&image, 2, "1.1.1.1", IPPROTO_ICMPV6, 53), 1);
	cr_expect_eq(ask(&image, 2, "1.1.1.1", IPPROTO_UDP, 53), 2);
	cr_expect_eq(ask(&image, 2, "1.1.1.1", IPPROTO_TCP, 53), 2);
	cr_expect_eq(ask(&image, 2, "1.1.1.1", IPPROTO_GRE, 53), -1);
	sp_policy_image_fini(&image);
}

Test(policy_compile, refuses_a_user_without_an_id)
{
	struct sp_policy_image image = {0};
	struct world w;

	world_small(&w);
	for (uint32_t id = 0; id < 3; id++) {
		w.users[0].id = id;
		cr_expect_eq(sp_policy_compile(&w.config, ROOM, &image, NULL),
			     id < 2 ? -EINVAL : 0);
	}
	sp_policy_image_fini(&image);
}

Test(policy_compile, refuses_what_does_not_fit_and_says_how_much_it_needs)
{
	struct sp_policy_image image = {0}, untouched = {0};
	uint32_t needed = 0, again = 0;
	struct world w;

	world_small(&w);
	rule_to(&w, true, "1.1.1.1/32");
	rule_to(&w, true, "2001:db8::/32");
	cr_assert_eq(sp_policy_compile(&w.config, 1, &image, &needed), -E2BIG);
	cr_assert(!memcmp(&image, &untouched, sizeof(image)));
	cr_assert_gt(needed, 5);
	cr_assert_eq(sp_policy_compile(&w.config, needed - 1, &image, &again), -E2BIG);
	cr_assert_eq(again, needed);
	cr_assert_eq(sp_policy_compile(&w.config, needed, &image, &again), 0);
	cr_assert_eq(image.count, needed);
	cr_expect_eq(ask(&image, 2, "1.1.1.1", 6, 1), 1);
	sp_policy_image_fini(&image);
}
