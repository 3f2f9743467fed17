/* SPDX-License-Identifier: Apache-2.0 */
/* What rules count, tell and remember about plain flows. */
#include "progrun/plain_lab.h"

#include "sallyport/core/flow.h"

#define SHADOW	    5 /* nodes of the image */
#define HITS_ALLOW  4
#define HITS_DENY   5
#define HITS_SHADOW 6

TestSuite(plain_hits, .init = plain_open, .fini = progrun_close);

static struct sp_policy_node *half(void)
{
	return policy + (gateway->generation & 1) * POLICY_NODES;
}

/* The next policy: the zone's flows get this node; with a rule in shadow mode before it or not. */
static void judge(uint32_t node, bool log, bool shadow)
{
	reload(node, 0);
	half()[ALLOW].rule.rule_id = 2;
	half()[DENY].rule.rule_id = 3;
	half()[ALLOW].rule.hit_id = HITS_ALLOW;
	half()[DENY].rule.hit_id = HITS_DENY;
	half()[ALLOW].rule.log = half()[DENY].rule.log = log;
	/* Verdict n stands in node 1 + n: the shadow rule is the first. */
	if (shadow) {
		half()[5] = half()[4];
		for (int i = 0; i < 16; i++)
			half()[5].branch.slot[i] = 2;
		half()[3] = half()[ALLOW];
		half()[2] = (struct sp_policy_node){.kind = SP_POLICY_RULE};
		half()[2].rule = (struct sp_policy_rule){.rule_id = 1,
							 .action = SP_ACTION_REJECT,
							 .hit_id = HITS_SHADOW,
							 .log = log};
		for (int i = 0; i < 16; i++)
			half()[4].branch.slot[i] = 3;
		half()[0].header.count = 6;
		half()[0].header.shadow_root = 5;
	}
}

static struct sp_rule_hit sum(uint32_t hit_id)
{
	struct sp_rule_hit s = {0};

	for (int lane = 0; lane < libbpf_num_possible_cpus(); lane++) {
		const struct sp_rule_hit *h = &hits[lane * (RULES + 1) + (int)hit_id];

		s.packets += h->packets;
		s.flows += h->flows;
		s.first_ns = h->first_ns && (!s.first_ns || h->first_ns < s.first_ns) ? h->first_ns
										      : s.first_ns;
		s.last_ns = h->last_ns > s.last_ns ? h->last_ns : s.last_ns;
	}
	return s;
}

static void expect_hits(uint32_t hit_id, uint64_t flows, uint64_t packets, const char *row)
{
	struct sp_rule_hit h = sum(hit_id);

	cr_assert_eq(h.flows, flows, "%s: %llu flows", row, h.flows);
	cr_assert_eq(h.packets, packets, "%s: %llu packets", row, h.packets);
}

Test(plain_hits, flows_and_packets_of_the_rule_that_decides)
{
	uint64_t flows = 0, start_ns = now_ns();

	judge(ALLOW, false, false);
	for (const struct family *f = families; f < families + 2; f++)
		for (unsigned int proto = 0; proto < 3; proto++) {
			plain_send(f, proto, KEPT_PORT);
			plain_send(f, proto, KEPT_PORT);
			flows++;
			expect_hits(HITS_ALLOW, flows, 2 * flows, f->name);
		}
	cr_assert_geq(sum(HITS_ALLOW).first_ns, start_ns);
	cr_assert_geq(sum(HITS_ALLOW).last_ns, sum(HITS_ALLOW).first_ns);
	expect_hits(HITS_DENY, 0, 0, "another rule");
	expect_hits(0, 0, 0, "the default");
}

Test(plain_hits, a_refusal_is_one_decision_for_a_second)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 1, KEPT_PORT);
		struct frame in = frame_of(&s), other;
		uint64_t flows = (uint64_t)(f - families);

		judge(DENY, false, false);
		expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DENY, f->name);
		expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DENY, f->name);
		expect_hits(HITS_DENY, 2 * flows + 1, 3 * flows + 2, f->name);
		s.dport = 444;
		other = frame_of(&s);
		expect_drop(&other, SP_DIR_UP, SP_R_POLICY_DENY, "another flow");
		expect_hits(HITS_DENY, 2 * flows + 2, 3 * flows + 3, f->name);
		judge(ALLOW, false, false);
		plain_send(f, 1, KEPT_PORT);
		judge(NOTHING, false, false);
		s.dport = 445;
		in = frame_of(&s);
		expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DEFAULT, f->name);
		expect_hits(0, flows + 1, flows + 1, "the default at the end");
	}
}

Test(plain_hits, a_refusal_ends_with_its_hour)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 1, KEPT_PORT);
		struct frame in = frame_of(&s);
		uint64_t opens_ns = now_ns() + 200000000;

		judge(ALLOW, false, false);
		half()[5] = (struct sp_policy_node){.kind = SP_POLICY_CHOICE, .miss = DENY};
		half()[5].choice.verdict = ALLOW;
		half()[5].choice.windows[0] = (struct sp_policy_window){
			.from_ns = opens_ns, .until_ns = opens_ns + 3600 * SP_NS_PER_S};
		half()[0].header.count = 6;
		half()[0].header.choice_count = 1;
		for (int i = 0; i < 16; i++)
			half()[4].branch.slot[i] = 5;
		expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DENY, "before it");
		while (now_ns() < opens_ns)
			usleep(1000);
		plain_send(f, 1, KEPT_PORT);
	}
}

Test(plain_hits, a_refusal_is_of_its_interface_only)
{
	struct spec s = plain_spec(families, 1, KEPT_PORT);
	struct sp_iface v = {.roles = SP_ROLE_INSIDE, .slot = 2, .queues = 1, .mtu = 1500};
	struct frame in = frame_of(&s);
	uint32_t k = LOOPBACK;

	judge(DENY, false, false);
	expect_drop(&in, SP_DIR_UP, SP_R_POLICY_DENY, "where its zone is");
	map_put(MAP_FD(sp_ifaces), &k, &v);
	expect_drop(&in, SP_DIR_UP, SP_R_SPOOFED_SOURCE, "where it is not");
}

Test(plain_hits, a_shadow_rule_counts_and_does_nothing)
{
	for (const struct family *f = families; f < families + 2; f++) {
		uint64_t n = (uint64_t)(f - families) + 1;

		judge(ALLOW, false, true);
		plain_send(f, 1, KEPT_PORT);
		plain_send(f, 1, KEPT_PORT);
		expect_hits(HITS_SHADOW, n, 0, "would have");
		expect_hits(HITS_ALLOW, n, 2 * n, "has");
	}
}

struct told {
	struct sp_decision last[4];
	uint32_t n;
};

static int on_decision(void *ctx, void *data, size_t bytes)
{
	struct told *t = ctx;

	cr_assert_eq(bytes, sizeof(struct sp_decision));
	if (t->n < 4)
		memcpy(&t->last[t->n], data, bytes);
	t->n++;
	return 0;
}

static void consume(struct told *t)
{
	struct ring_buffer *ring = ring_buffer__new(MAP_FD(sp_decisions), on_decision, t, NULL);

	*t = (struct told){0};
	cr_assert_not_null(ring);
	cr_assert_geq(ring_buffer__consume(ring), 0);
	ring_buffer__free(ring);
}

static uint64_t lost(void)
{
	static struct sp_pace lanes_of[LANES];
	uint32_t zero = 0;
	uint64_t n = 0;

	cr_assert_eq(bpf_map_lookup_elem(MAP_FD(sp_plain_pace), &zero, lanes_of), 0);
	for (int i = 0; i < libbpf_num_possible_cpus(); i++)
		n += lanes_of[i].log_lost;
	return n;
}

Test(plain_hits, decisions_with_a_log_mark_are_told)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct sp_flow_key k = plain_key(f, 1, KEPT_PORT);
		struct told t;

		judge(ALLOW, true, true);
		plain_send(f, 1, KEPT_PORT);
		plain_send(f, 1, KEPT_PORT);
		consume(&t);
		cr_assert_eq(t.n, 2, "%s: one of each rule, not one a packet: %u", f->name, t.n);
		for (uint32_t i = 0; i < 2; i++) {
			cr_assert_eq(memcmp(&t.last[i].key, &k, sizeof(k)), 0, "%s", f->name);
			cr_assert_eq(t.last[i].user_id, USER);
			cr_assert_eq(t.last[i].shadow, i);
			cr_assert_eq(t.last[i].rule_id, i ? 1 : 2);
			cr_assert_eq(t.last[i].hit_id, i ? HITS_SHADOW : HITS_ALLOW);
			cr_assert_eq(t.last[i].action, i ? SP_ACTION_REJECT : SP_ACTION_ALLOW);
		}
	}
}

Test(plain_hits, what_is_told_has_a_pace_and_the_rest_is_counted)
{
	struct spec s = plain_spec(families, 1, KEPT_PORT);
	uint32_t before = 600;
	struct told t;

	judge(DENY, true, false);
	for (uint16_t i = 0; i < before; i++) {
		struct frame in;

		s.dport = (uint16_t)(1000 + i);
		in = frame_of(&s);
		(void)progrun(&in);
	}
	consume(&t);
	cr_assert_geq(t.n, 200, "%u", t.n);
	cr_assert_leq(t.n, 200u * (uint32_t)libbpf_num_possible_cpus() + 100, "%u", t.n);
	cr_assert_eq(t.n + lost(), before, "none is forgotten");
	expect_hits(HITS_DENY, before, before, "and all are counted");
}
