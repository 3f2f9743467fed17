/* SPDX-License-Identifier: Apache-2.0 */
/* Moments on the clocks of several zones, and an image asked at one of them. Tests only, one thread. */
#ifndef SP_TESTS_POLICY_MOMENTS_H
#define SP_TESTS_POLICY_MOMENTS_H

#include <time.h>

#include "sallyport/core/policy.h"
#include "unit/policy/world.h"

#define ROOM	(1u << 20)
#define MOMENTS 12

/* Compiled at moment 0; the others come later, each as the zones' clocks show it. */
static const char *const zones[] = {"Europe/Berlin", "America/St_Johns", "UTC"};
static struct sp_policy_time compiled_at;
static struct moment {
	uint64_t now_ns;
	int64_t time_s;
	uint32_t weekday[3], minute[3]; /* 0 = Monday */
	bool unclear;
} moments[MOMENTS];

/* An hour that the clock shows twice, or skips, is no hour by which a reader could tell. */
static inline bool is_near_change(int64_t time_s)
{
	time_t before = (time_t)(time_s - 3600), after = (time_t)(time_s + 3600);
	struct tm a, b;

	localtime_r(&before, &a);
	localtime_r(&after, &b);
	return a.tm_gmtoff != b.tm_gmtoff;
}

static inline void moment_init(struct moment *m, int64_t time_s)
{
	m->now_ns = compiled_at.now_ns + (uint64_t)time_s * 1000000000ull - compiled_at.realtime_ns;
	m->time_s = time_s;
	for (uint32_t z = 0; z < 3; z++) {
		time_t t = (time_t)time_s;
		struct tm tm;

		setenv("TZ", zones[z], 1);
		tzset();
		localtime_r(&t, &tm);
		m->weekday[z] = (uint32_t)(tm.tm_wday + 6) % 7;
		m->minute[z] = (uint32_t)(tm.tm_hour * 60 + tm.tm_min);
		m->unclear |= is_near_change(time_s);
	}
	unsetenv("TZ");
	tzset();
}

/* Moments around a change of any of the clocks are moved behind it. */
static inline void moments_init(int64_t start_s)
{
	compiled_at = (struct sp_policy_time){.now_ns = 5000000000000ull,
					      .realtime_ns = (uint64_t)start_s * 1000000000ull};
	for (uint32_t m = 0; m < MOMENTS; m++) {
		int64_t time_s = start_s + (m ? rnd(3 * 86400) : 0);

		do {
			moments[m].unclear = false;
			moment_init(&moments[m], time_s);
			time_s += 3600;
		} while (moments[m].unclear);
	}
}

static inline struct sp_policy_image compiled(const struct world *w)
{
	struct sp_policy_image image = {0};

	cr_assert_eq(sp_policy_compile_at(&w->config, &compiled_at, ROOM, &image, NULL), 0);
	return image;
}

static inline struct sp_policy_answer asked(const struct sp_policy_image *image,
					    const struct sp_policy_query *q)
{
	struct sp_policy_answer a;
	struct sp_policy_view view;

	sp_policy_view_init(&view, image->nodes, image->count);
	cr_assert_eq(view.count, image->count);
	sp_policy_walk(&view, q, &a);
	return a;
}

static inline uint8_t place_of(const struct sp_policy_image *image, const struct sp_addr *outer)
{
	struct sp_policy_view view;

	sp_policy_view_init(&view, image->nodes, image->count);
	return (uint8_t)sp_policy_place(&view, outer);
}

/* The rule's number that decides: -1 the default, 0 the gateway itself. */
static inline int ask(const struct sp_policy_image *image, uint32_t user_id, const char *dst,
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

/* What a policy is asked about, where from and when. */
struct circumstances {
	const struct moment *now;
	const struct sp_addr *outer; /* NULL: no tunnel */
};

#endif
