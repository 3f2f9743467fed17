/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies exchanged while packets are judged (case T37): each packet obeys one of them, whole. Two
 * policies of different size, so that no node of one is where the other has it, are put in force in
 * turn as fast as a thread can; meanwhile flows begin and go on. SP_SOAK: a minute instead of 2 s.
 */
#include <pthread.h>

#include "progrun/oracle_packet.h"

#define RUN_NS	 (getenv("SP_SOAK") ? 60000000000ull : 2000000000ull)
#define HOSTS	 8
#define MARK(i)	 (1000u + (i)) /* hits of policy i go there */
#define GRACE(i) (77u + (i))

static struct world worlds[2];
static struct sp_policy_image images[2];
static _Atomic bool over;
static _Atomic unsigned int applied;

/* Policy 0 decides by its second rule, policy 1 by its 31st; each says which it is. */
static void make(unsigned int which)
{
	struct world *w = &worlds[which];
	unsigned int before = which ? 30 : 1;

	world_small(w);
	w->users[0].id = USER;
	for (unsigned int i = 0; i < before; i++) {
		struct sp_config_rule *r = rule_add(w, false);

		/* Not for these packets. */
		r->to_any = true;
		if (!i) {
			rule_service(w, r, SP_PROTO_UDP, 9000, 9100);
			continue;
		}
		r->service_any = false;
		r->services[r->service_count++] = 0;
	}
	rule_add(w, true)->to_any = true;
	for (unsigned int i = 0; i < w->config.rule_count; i++) {
		w->rules[i].hit_id = MARK(which);
		w->rules[i].grace_s = GRACE(which);
	}
	compiled_at = (struct sp_policy_time){.now_ns = now_ns(), .realtime_ns = 1ull << 60};
	images[which] = compiled(w);
}

static void apply(void)
{
	uint32_t next = gateway->generation + 1;
	struct sp_policy_node *half = policy + (next & 1) * POLICY_NODES;

	if (sp_policy_apply(&images[next & 1], next, half, POLICY_NODES))
		abort();
	__atomic_store_n(&gateway->generation, next, __ATOMIC_RELEASE);
	applied++;
}

static void generations_open(void)
{
	plain_open();
	make(0);
	make(1);
	apply();
	users[USER].flow_max = 0;
}

TestSuite(generations, .init = generations_open, .fini = progrun_close);

static void *exchange(void *arg)
{
	while (!over) {
		apply();
		/* The daemon waits for the workers; without that a half would be filled while read. */
		usleep(100);
	}
	return arg;
}

static void expect_whole(const struct sp_flow_key *k)
{
	struct sp_flow flow;
	unsigned int which;

	cr_assert(flow_there(k, &flow));
	which = flow.generation & 1;
	cr_assert_eq(flow.hit_id, MARK(which), "generation %u with another's hits: %u",
		     flow.generation, flow.hit_id);
	cr_assert_eq(flow.grace_s, GRACE(which));
	cr_assert_eq(flow.rule_id, which ? 31 : 2, "generation %u, rule %u", flow.generation,
		     flow.rule_id);
}

Test(generations, each_packet_obeys_one_of_them_whole, .timeout = 300)
{
	uint64_t end_ns = now_ns() + RUN_NS;
	unsigned int packets = 0, lost = 0, late = 0;
	uint64_t closed;
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, exchange, NULL), 0);
	while (now_ns() < end_ns) {
		struct sp_flow_key k = {.src = addr_of(workload(families)),
					.dst = addr_of("203.0.113.9"),
					.proto = SP_PROTO_TCP,
					.sport_be =
						htons((uint16_t)(20002 + 4 * (packets % HOSTS))),
					.dport_be = htons(443)};
		struct frame f = packet_frame(&k);

		/* Every eighth begins anew, the others are judged again when the policy is another. */
		if (packets++ % (8 * HOSTS) < HOSTS)
			forget_flow(&k);
		closed = drops_up(SP_R_CLOSED);
		if (progrun(&f).action != XDP_REDIRECT)
			late += drops_up(SP_R_CLOSED) > closed, lost++;
		else
			expect_whole(&k);
	}
	over = true;
	pthread_join(thread, NULL);
	cr_log_info("%u packets, %u policies, %u lost", packets, applied, lost);
	/* Only when this thread slept inside the program for two exchanges: then the half is refilled. */
	cr_assert_leq(late, 5);
	cr_assert_eq(lost, late, "%u of %u packets that both policies allow were lost", lost,
		     packets);
	cr_assert_gt(applied, 1000);
	cr_assert_gt(packets, 10000);
}
