/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled image against a slow and obvious model of what the rules say. */
#include <stdio.h>

#include "unit/policy/model.h"
#include "unit/policy/random.h"

#define POLICIES 240
#define QUERIES	 20000

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

Test(policy_oracle, agrees_with_the_model_on_random_policies, .timeout = 120)
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
			struct sp_addr outer = random_addr();
			struct circumstances in = {.now = &moments[rnd(MOMENTS)], .outer = &outer};
			struct sp_policy_query q = random_query(w);
			struct sp_policy_answer a;
			int want, shadow;

			q.now_ns = in.now->now_ns;
			q.place = place_of(&image, &outer);
			a = asked(&image, &q);
			want = model(&w->config, &q, false, &in);
			check_answer(w, want, &a, p);
			shadow = model(&w->config, &q, true, &in);
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

/* Two answers that nobody could tell apart by what happens to packets. */
static bool same_answer(const struct sp_policy_answer *a, const struct sp_policy_answer *b)
{
	bool same = a->action == b->action && a->log == b->log &&
		    (a->reason == SP_R_POLICY_DEFAULT) == (b->reason == SP_R_POLICY_DEFAULT);

	return same && (a->action != SP_ACTION_ALLOW ||
			(a->pool_id == b->pool_id && a->on_change == b->on_change &&
			 a->grace_s == b->grace_s));
}

static void check_without(struct world *w, uint32_t rule, const struct sp_policy_image *with)
{
	struct sp_policy_image without;
	bool from_any = w->rules[rule].from_any;
	uint32_t users = w->rules[rule].user_count, groups = w->rules[rule].group_count;

	w->rules[rule].from_any = false;
	w->rules[rule].user_count = w->rules[rule].group_count = 0;
	without = compiled(w);
	for (unsigned int i = 0; i < 4000; i++) {
		struct sp_policy_query q = random_query(w);
		struct sp_addr outer = random_addr();
		struct sp_policy_answer a, b;

		q.now_ns = moments[rnd(MOMENTS)].now_ns;
		q.place = place_of(with, &outer);
		a = asked(with, &q);
		q.place = place_of(&without, &outer);
		b = asked(&without, &q);
		cr_assert(same_answer(&a, &b), "world %lu: rule %u is not redundant", seed,
			  rule + 1);
	}
	w->rules[rule].from_any = from_any;
	w->rules[rule].user_count = users;
	w->rules[rule].group_count = groups;
	sp_policy_image_fini(&without);
}

Test(policy_oracle, what_is_called_redundant_can_go, .timeout = 120)
{
	struct world *w = malloc(sizeof(*w));
	unsigned int found = 0;

	for (unsigned int p = 0; p < 400; p++) {
		struct sp_policy_image image;
		struct sp_policy_warnings warnings;

		seed = 50000 + p;
		/* Now, since warnings are about now. */
		moments_init((int64_t)time(NULL));
		random_world(w);
		for (uint32_t i = 0; i < w->config.rule_count; i++) {
			w->rules[i].source = (struct sp_config_source){"w", i + 1};
			w->rules[i].pool = UINT32_MAX;
			w->rules[i].log = false;
			w->rules[i].on_change = SP_ON_CHANGE_KILL;
			w->rules[i].grace_s = 0;
		}
		image = compiled(w);
		cr_assert_eq(sp_policy_warn(&w->config, ROOM, &warnings), 0);
		for (uint32_t i = 0; i < warnings.count; i++) {
			uint32_t line = 0;

			if (!strstr(warnings.list[i], "redundant"))
				continue;
			cr_assert_eq(sscanf(warnings.list[i], "w:%u:", &line), 1);
			check_without(w, line - 1, &image);
			found++;
		}
		sp_policy_warnings_fini(&warnings);
		sp_policy_image_fini(&image);
	}
	cr_assert_gt(found, 30);
	free(w);
}
