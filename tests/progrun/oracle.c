/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random policies, compiled and loaded, against the slow model of what rules mean: every packet a
 * workload's. SP_SOAK: 1,000 policies and 10 million packets instead of a few.
 */
#include "progrun/oracle_packet.h"

#define POLICIES      (getenv("SP_SOAK") ? 1000u : 100u)
#define PACKETS	      (getenv("SP_SOAK") ? 10000u : 2500u)
#define KEPT	      24    /* flows of each policy that live to see the next one */
#define HALF_MINUTE_S 30    /* no schedule begins or ends there: they know minutes */
#define A_WHILE_S     86400 /* nothing ends while one policy is asked */

TestSuite(oracle, .init = oracle_open, .fini = progrun_close);

static struct {
	uint64_t allowed, denied, defaulted, spoofed, other, kept, killed, spared;
} seen;

/* Other rules, at times for other users and zones too. Now as another hour, in which no rule's time begins or ends for the next 29 seconds. */
static void random_now(struct world *w, bool other_world)
{
	int64_t start_s = 1790000000 + (int64_t)rnd(1u << 28);

	start_s += HALF_MINUTE_S - start_s % 60;
	moments_init(start_s);
	start_s = moments[0].time_s;
	if (other_world)
		random_world(w);
	else
		random_rules(w);
	for (uint32_t i = 0; i < w->config.user_count; i++)
		w->users[i].id = 2 + (i * 7 + first_user_id) % 20;
	for (uint32_t i = 0; i < w->config.rule_count; i++) {
		struct sp_config_rule *r = &w->rules[i];

		r->bucket_up = r->bucket_down = 0;
		if (r->expires_s > start_s && r->expires_s < start_s + 600)
			r->expires_s += A_WHILE_S;
	}
	compiled_at.now_ns = now_ns();
	compiled_at.realtime_ns = (uint64_t)start_s * 1000000000ull;
}

/* The rule that decides by the model: -1 none, and *ret_reason what a denial counts as. */
static int decide(const struct world *w, const struct sp_flow_key *k, enum sp_reason *ret_reason)
{
	struct circumstances in = {.now = &moments[0]};
	struct sp_policy_query q = {.dst = k->dst,
				    .user_id = model_zone(w, &k->src),
				    .dport_be = k->dport_be,
				    .proto = k->proto,
				    .icmp = k->proto == SP_PROTO_ICMP ? 8 << 8 : 128 << 8};
	int rule;

	*ret_reason = SP_R_NONE;
	if (!is_icmp(k->proto) && k->proto != SP_PROTO_TCP && k->proto != SP_PROTO_UDP) {
		*ret_reason = SP_R_PROTOCOL;
		return -1;
	}
	if (!q.user_id) {
		*ret_reason = SP_R_SPOOFED_SOURCE;
		return -1;
	}
	rule = model(&w->config, &q, false, &in);
	if (rule < 0)
		*ret_reason = SP_R_POLICY_DEFAULT;
	else if (!w->rules[rule - 1].allow)
		*ret_reason = SP_R_POLICY_DENY;
	return rule;
}

static void count(enum sp_reason reason)
{
	seen.allowed += reason == SP_R_NONE;
	seen.denied += reason == SP_R_POLICY_DENY;
	seen.defaulted += reason == SP_R_POLICY_DEFAULT;
	seen.spoofed += reason == SP_R_SPOOFED_SOURCE;
	seen.other += reason == SP_R_PROTOCOL;
}

/* A reject rule may answer; its packet counts as denied all the same. */
static void expect_denied(const struct world *w, const struct sp_flow_key *k, int rule,
			  enum sp_reason reason)
{
	bool reject = rule > 0 && w->rules[rule - 1].reject;
	uint64_t before = drops_up(reason);
	struct frame f = packet_frame(k);
	struct outcome o = progrun(&f);
	struct sp_flow flow;

	cr_assert(o.action == XDP_DROP ||
			  (reject && o.action == XDP_REDIRECT && !memcmp(o.b, f.b + 6, 6)),
		  "policy %u: action %u, the model drops for %d", gateway->generation, o.action,
		  reason);
	cr_assert_eq(drops_up(reason), before + 1, "policy %u: reason %u, the model says %d",
		     gateway->generation, last_reason(), reason);
	cr_assert_not(flow_there(k, &flow), "policy %u: a denied packet left a flow",
		      gateway->generation);
}

/* It leaves by the rule's pool, and both entries say which rule that was. */
static void expect_allowed(const struct world *w, const struct sp_flow_key *k, int rule)
{
	const struct sp_config_rule *r = &w->rules[rule - 1];
	uint32_t pool = FIRST_POOL + (r->pool == UINT32_MAX ? 0 : r->pool);
	struct frame f = packet_frame(k);
	struct outcome o = progrun(&f);
	bool v4 = sp_addr_is_v4(&k->src);
	struct sp_addr as = is_routed(pool) ? k->src : pool_address(pool, v4);
	struct sp_flow flow;

	cr_assert_eq(o.action, XDP_REDIRECT, "policy %u: action %u, the model allows by rule %d",
		     gateway->generation, o.action, rule);
	cr_assert_eq(memcmp(o.b + (v4 ? 26 : 22), as.b + (v4 ? 12 : 0), v4 ? 4 : 16), 0,
		     "policy %u: rule %d leaves by another pool", gateway->generation, rule);
	cr_assert(flow_there(k, &flow));
	cr_assert_eq(flow.rule_id, (uint32_t)rule, "policy %u: rule %u, the model says %d",
		     gateway->generation, flow.rule_id, rule);
	cr_assert_eq(flow.user_id, model_zone(w, &k->src));
	cr_assert_eq(flow.on_change, r->on_change);
	cr_assert_eq(flow.hit_id, r->hit_id);
}

static bool check_packet(const struct world *w, const struct sp_flow_key *k)
{
	enum sp_reason reason;
	int rule = decide(w, k, &reason);

	count(reason);
	if (reason != SP_R_NONE)
		expect_denied(w, k, rule, reason);
	else
		expect_allowed(w, k, rule);
	return reason == SP_R_NONE;
}

/* A flow of the policy before: its next packet obeys this one, or what its old rule said of that. */
static void check_kept(const struct world *w, const struct sp_flow_key *k)
{
	struct sp_flow flow;
	enum sp_reason reason;
	uint32_t user_id = model_zone(w, &k->src);
	struct frame f;
	int rule;

	cr_assert(flow_there(k, &flow));
	rule = decide(w, k, &reason);
	if (user_id != flow.user_id)
		reason = SP_R_SPOOFED_SOURCE;
	if (reason == SP_R_SPOOFED_SOURCE ||
	    (reason != SP_R_NONE && flow.on_change == SP_FLOW_KILL)) {
		seen.killed++;
		expect_denied(w, k, rule, reason);
		return;
	}
	if (reason == SP_R_NONE) {
		seen.kept++;
	} else {
		seen.spared++;
		rule = (int)flow.rule_id;
	}
	f = packet_frame(k);
	cr_assert_eq(progrun(&f).action, XDP_REDIRECT, "policy %u: a flow was cut",
		     gateway->generation);
	cr_assert(flow_there(k, &flow));
	cr_assert_eq(flow.rule_id, (uint32_t)rule);
	cr_assert_eq(flow.generation, gateway->generation);
}

static void forget_killed(const struct sp_flow_key *k, const struct sp_flow *flow)
{
	struct sp_binding_key binding = {.src = k->src,
					 .user_id = flow->user_id,
					 .sport_be = k->sport_be,
					 .proto = k->proto,
					 .pool_id = (uint8_t)flow->pool_id};
	struct sp_port_key port = {
		.addr = flow->nat_addr, .port_be = flow->nat_port_be, .proto = k->proto};

	(void)bpf_map_delete_elem(MAP_FD(sp_bindings), &binding);
	(void)bpf_map_delete_elem(MAP_FD(sp_ports), &port);
}

static void check_all_kept(const struct world *w, const struct sp_flow_key *kept, uint32_t n)
{
	struct sp_flow flow;

	for (uint32_t i = 0; i < n; i++) {
		if (!flow_there(&kept[i], &flow))
			continue; /* drawn twice */
		check_kept(w, &kept[i]);
		forget_flow(&kept[i]);
		if (flow.translated)
			forget_killed(&kept[i], &flow);
	}
}

/* How many flows of them live on, and which. */
static uint32_t check_packets(const struct world *w, uint32_t packets, struct sp_flow_key *ret_kept)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < packets; i++) {
		struct sp_flow_key k = random_packet(w);
		struct sp_flow flow;

		/* Of a flow that lives already, or its answer, it would be no first packet. */
		if (n && flow_there(&k, &flow))
			continue;
		if (!check_packet(w, &k))
			continue;
		if (n < KEPT)
			ret_kept[n++] = k;
		else
			forget_flow(&k);
	}
	return n;
}

Test(oracle, the_loaded_program_agrees_with_the_model, .timeout = 7200)
{
	struct world *w = calloc(1, sizeof(*w));
	struct sp_flow_key kept[KEPT];
	uint32_t n = 0, policies = POLICIES, packets = PACKETS;

	for (uint32_t p = 0; p < policies; p++) {
		seed = 70000 + p;
		put_zones(w, false);
		random_now(w, p % 3 == 0);
		put_zones(w, true);
		oracle_apply(w);
		check_all_kept(w, kept, n);
		n = check_packets(w, packets, kept);
	}
	cr_log_info(
		"allowed %lu, denied %lu, default %lu, spoofed %lu, other %lu; of flows %lu went "
		"on, %lu were cut, %lu spared",
		seen.allowed, seen.denied, seen.defaulted, seen.spoofed, seen.other, seen.kept,
		seen.killed, seen.spared);
	cr_assert_gt(seen.allowed, (uint64_t)policies * packets / 50);
	cr_assert_gt(seen.denied, (uint64_t)policies * packets / 50);
	cr_assert_gt(seen.defaulted, (uint64_t)policies * packets / 50);
	cr_assert_gt(seen.spoofed, (uint64_t)policies * packets / 50);
	cr_assert_gt(seen.kept, policies / 4);
	cr_assert_gt(seen.killed, policies / 4);
	cr_assert_gt(seen.spared, policies / 4);
	free(w);
}
