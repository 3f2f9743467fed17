/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled image against a slow and obvious model of what the rules say. */
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
