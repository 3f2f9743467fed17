/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule says beside allow and deny, on plain flows: hours, grace, limits, and echo requests. */
#include "progrun/plain_lab.h"

#include "sallyport/core/bucket.h"
#include "sallyport/core/flow.h"

#define CHOICE	    5
#define AN_HOUR_NS  (3600 * SP_NS_PER_S)
#define GRACE_S	    3600
#define BUCKET_UP   40
#define BUCKET_DOWN 41

TestSuite(plain_rules, .init = plain_open, .fini = progrun_close);

static struct sp_policy_node *half_in_force(void)
{
	return policy + (gateway->generation & 1) * POLICY_NODES;
}

/* The rule that allows holds until then. */
static void put_hours(uint64_t until_ns)
{
	struct sp_policy_node *half = half_in_force();

	half[CHOICE] = (struct sp_policy_node){.kind = SP_POLICY_CHOICE};
	half[CHOICE].choice.verdict = ALLOW;
	half[CHOICE].choice.windows[0] = (struct sp_policy_window){.until_ns = until_ns};
	half[0].header.count = CHOICE + 1;
	half[0].header.choice_count = 1;
	for (int i = 0; i < 16; i++)
		half[4].branch.slot[i] = CHOICE;
}

static struct sp_flow flow_of_side(const struct family *f, bool reply)
{
	struct sp_flow_key k = plain_key(f, 1, KEPT_PORT), back;
	struct sp_flow flow = {0};

	sp_flow_key_reverse(&k, &back);
	back.dst = addr_of(f->pool);
	cr_assert(flow_there(reply ? &back : &k, &flow), "%s: side %d", f->name, reply);
	return flow;
}

static void put_until(const struct family *f, uint64_t until_ns)
{
	struct sp_flow_key k = plain_key(f, 1, KEPT_PORT), back;
	struct sp_flow flow;

	sp_flow_key_reverse(&k, &back);
	back.dst = addr_of(f->pool);
	for (int i = 0; i < 2; i++) {
		flow = flow_of_side(f, i);
		flow.until_ns = until_ns;
		map_put(MAP_FD(sp_flows), i ? &back : &k, &flow);
	}
}

/* The next packet is dropped, and neither entry is left. */
static void expect_end(const struct family *f, bool answer, enum sp_reason reason)
{
	struct spec s = plain_spec(f, 1, KEPT_PORT);
	struct sp_flow_key k = plain_key(f, 1, KEPT_PORT), back;
	struct frame up = frame_of(&s), down = plain_answer(f, 1, f->pool, KEPT_PORT, 64);
	struct sp_flow flow;

	put_iface(answer ? SP_ROLE_EGRESS : SP_ROLE_INSIDE, 1);
	expect_drop(answer ? &down : &up, answer ? SP_DIR_DOWN : SP_DIR_UP, reason, f->name);
	put_iface(SP_ROLE_INSIDE, 1);
	sp_flow_key_reverse(&k, &back);
	back.dst = addr_of(f->pool);
	cr_assert_not(flow_there(&k, &flow));
	cr_assert_not(flow_there(&back, &flow));
}

static void expect_answer(const struct family *f)
{
	struct frame down = plain_answer(f, 1, f->pool, KEPT_PORT, 64);
	struct frame want = plain_answer(f, 1, workload(f), KEPT_PORT, 63);

	put_iface(SP_ROLE_EGRESS, 1);
	expect_out(&down, &want, f->name);
	put_iface(SP_ROLE_INSIDE, 1);
}

Test(plain_rules, an_hour_that_is_over_ends_a_flow_either_way)
{
	for (const struct family *f = families; f < families + 2; f++)
		for (int answer = 0; answer < 2; answer++) {
			uint64_t end_ns = now_ns() + AN_HOUR_NS;

			put_hours(end_ns);
			plain_send(f, 1, KEPT_PORT);
			cr_assert_eq(flow_of_side(f, false).until_ns, end_ns);
			cr_assert_eq(flow_of_side(f, true).until_ns, end_ns);
			put_hours(now_ns());
			plain_send(f, 1, KEPT_PORT); /* it need not ask before its hour is over */
			put_until(f, now_ns());
			expect_end(f, answer, SP_R_POLICY_DEFAULT);
		}
}

Test(plain_rules, a_verdict_that_still_holds_is_renewed)
{
	for (const struct family *f = families; f < families + 2; f++) {
		uint64_t end_ns = now_ns() + AN_HOUR_NS;

		put_hours(end_ns);
		plain_send(f, 1, KEPT_PORT);
		put_until(f, now_ns());
		expect_answer(f);
		cr_assert_eq(flow_of_side(f, false).until_ns, end_ns);
		cr_assert_eq(flow_of_side(f, true).until_ns, end_ns);
	}
}

Test(plain_rules, grace_lets_a_denied_flow_go_on_for_its_time)
{
	for (const struct family *f = families; f < families + 2; f++)
		for (int answer = 0; answer < 2; answer++) {
			uint64_t before_ns, until_ns;

			put_policy(gateway->generation, ALLOW, SP_FLOW_GRACE);
			half_in_force()[ALLOW].rule.grace_s = GRACE_S;
			half_in_force()[ALLOW].rule.bucket_down = BUCKET_DOWN;
			plain_send(f, 1, KEPT_PORT);
			before_ns = now_ns();
			reload(DENY, 0);
			if (answer)
				expect_answer(f);
			else
				plain_send(f, 1, KEPT_PORT);
			until_ns = flow_of_side(f, false).until_ns;
			cr_assert_geq(until_ns, before_ns + GRACE_S * SP_NS_PER_S);
			cr_assert_leq(until_ns, now_ns() + GRACE_S * SP_NS_PER_S);
			for (int side = 0; side < 2; side++) {
				struct sp_flow flow = flow_of_side(f, side);

				cr_assert_eq(flow.on_change, SP_FLOW_ENDING);
				cr_assert_eq(flow.until_ns, until_ns);
				cr_assert_eq(flow.bucket_down, 0, "not on the rule's account");
			}
			reload(DENY, 0);
			plain_send(f, 1, KEPT_PORT);
			cr_assert_eq(flow_of_side(f, true).until_ns, until_ns, "no second grace");
			put_until(f, now_ns());
			expect_end(f, answer, SP_R_POLICY_DENY);
		}
}

Test(plain_rules, the_rate_of_the_rule_holds_both_ways)
{
	const struct family *f = families;
	struct spec s = plain_spec(f, 1, KEPT_PORT);
	struct frame up = frame_of(&s), down = plain_answer(f, 1, f->pool, KEPT_PORT, 64);

	sp_bucket_set(&buckets[BUCKET_UP], 8000, 4096);
	sp_bucket_set(&buckets[BUCKET_DOWN], 8000, 4096);
	half_in_force()[ALLOW].rule.bucket_up = BUCKET_UP;
	half_in_force()[ALLOW].rule.bucket_down = BUCKET_DOWN;
	plain_send(f, 1, KEPT_PORT);
	expect_answer(f);
	buckets[BUCKET_UP].tat_ns = now_ns() + AN_HOUR_NS;
	expect_drop(&up, SP_DIR_UP, SP_R_LIMIT_RULE, "above it");
	expect_answer(f);
	buckets[BUCKET_UP].tat_ns = 0;
	buckets[BUCKET_DOWN].tat_ns = now_ns() + AN_HOUR_NS;
	plain_send(f, 1, KEPT_PORT);
	put_iface(SP_ROLE_EGRESS, 1);
	expect_drop(&down, SP_DIR_DOWN, SP_R_LIMIT_RULE, "above it");
}

Test(plain_rules, echo_requests_are_asked_about_by_their_type)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct sp_policy_branch *branch = &half_in_force()[4].branch;
		struct spec s = plain_spec(f, 1, KEPT_PORT);
		struct frame other = frame_of(&s);

		branch->word = SP_POLICY_WORD_SERVICE;
		branch->mask = 0xffff00;
		branch->match = (uint64_t)f->icmp << 16 | f->ask;
		plain_send(f, 2, KEPT_PORT);
		expect_drop(&other, SP_DIR_UP, SP_R_POLICY_DEFAULT, f->name);
	}
}

Test(plain_rules, a_rejection_is_a_denial_that_is_told)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 1, KEPT_PORT);
		struct frame up = frame_of(&s);

		put_policy(gateway->generation, DENY, 0);
		half_in_force()[DENY].rule.action = SP_ACTION_REJECT;
		(void)expect(&up, ANSWERED, SP_DIR_UP, SP_R_POLICY_DENY, f->name);
	}
}
