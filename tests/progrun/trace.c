/* SPDX-License-Identifier: Apache-2.0 */
/* What sp_trace says of a packet is what the program then does with it, and saying it changes nothing. */
#include "progrun/trace_lab.h"

#include "sallyport/core/bucket.h"

#define ROUNDS	  6000
#define CANDIDATE 6 /* generation */

TestSuite(trace, .init = trace_open, .fini = trace_close);

static enum sp_reason reason_of(const struct sp_drop_cell *before)
{
	for (int i = 0; i < SP_DROP_STRIDE; i++) {
		if (drops_of(i).packets != before[i].packets)
			return i % (SP_DROP_STRIDE / 4);
	}
	return SP_R_NONE;
}

static uint32_t action_of(enum sp_verdict v)
{
	return v == SP_V_PASS ? XDP_PASS : v == SP_V_DROP ? XDP_DROP : XDP_REDIRECT;
}

/* The new source of what left is what was said, or, of a port that is any, one that was free. */
static void compare_nat(const struct frame *in, const struct outcome *o,
			const struct sp_trace *said, const char *row)
{
	bool v4 = in->b[in->l3] >> 4 == 4,
	     echo = said->key.proto != SP_PROTO_TCP && said->key.proto != SP_PROTO_UDP;
	uint32_t at = in->l4 + (echo ? 4 : 0);

	cr_assert_eq(memcmp(o->b + in->l3 + (v4 ? 12 : 8), said->nat_addr.b + (v4 ? 12 : 0),
			    v4 ? 4 : 16),
		     0, "%s: address", row);
	if (said->has_binding || ntohs(said->nat_port_be) == get16(in->b + at))
		cr_assert_eq(get16(o->b + at), ntohs(said->nat_port_be), "%s: port", row);
	else
		cr_assert_neq(get16(o->b + at), get16(in->b + at), "%s: port", row);
}

/* A drop whose sender is told comes back to him. */
static bool is_told(const struct frame *f, const struct sp_trace *said, const struct outcome *o)
{
	return said->verdict == SP_V_DROP && o->action == XDP_REDIRECT &&
	       (said->reason == SP_R_TTL_EXPIRED || said->reason == SP_R_TOO_BIG) &&
	       !memcmp(o->b, f->b + 6, 6);
}

/* One frame: asked, then sent. */
static struct sp_trace compare(const struct frame *f, const char *row)
{
	struct sp_drop_cell before[SP_DROP_STRIDE];
	uint64_t world = world_sum();
	struct sp_trace said = trace_wire(f);
	struct outcome o;

	cr_assert_eq(world_sum(), world, "%s: to ask has changed something", row);
	for (int i = 0; i < SP_DROP_STRIDE; i++)
		before[i] = drops_of(i);
	o = progrun(f);
	cr_assert(o.action == action_of(said.verdict) || is_told(f, &said, &o),
		  "%s: action %u, said verdict %u reason %u", row, o.action, said.verdict,
		  said.reason);
	cr_assert_eq(reason_of(before), said.reason, "%s: reason %u, said %u", row,
		     reason_of(before), said.reason);
	if (said.verdict == SP_V_REDIRECT && said.has_nat && said.direction == SP_DIR_UP)
		compare_nat(f, &o, &said, row);
	return said;
}

Test(trace, says_stage_by_stage_what_becomes_of_a_first_packet)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = plain_spec(f, 1, KEPT_PORT);
		struct frame in = frame_of(&s);
		struct sp_addr pool = addr_of(f->pool);
		struct sp_trace said;

		users[USER].bucket_up = 40;
		sp_bucket_set(&buckets[40], 1000000, 100000);
		said = compare(&in, f->name);
		cr_assert_eq(said.verdict, SP_V_REDIRECT);
		cr_assert_eq(said.direction, SP_DIR_UP);
		cr_assert_eq(said.roles, SP_ROLE_INSIDE);
		cr_assert_eq(said.identity, USER);
		cr_assert_eq(said.has_flow, 0);
		cr_assert_eq(said.policy.asked, 1);
		cr_assert_eq(said.policy.action, SP_ACTION_ALLOW);
		cr_assert_eq(said.policy.rule_id, 1);
		cr_assert_eq(said.bucket_count, 1);
		cr_assert_eq(said.buckets[0].id, 40);
		cr_assert_eq(said.buckets[0].conforms, 1);
		cr_assert_eq(said.buckets[0].rate_bps, 1000000);
		cr_assert_eq(said.has_nat, 1);
		cr_assert_eq(said.has_binding, 0);
		cr_assert(sp_addr_equal(&said.nat_addr, &pool));
		cr_assert_eq(said.nat_port_be, htons(KEPT_PORT));
		cr_assert_eq(said.hop_id, HOP);
		cr_assert_eq(said.hop_ifindex, EGRESS_IFINDEX);
		said = compare(&in, f->name); /* now there is a flow */
		cr_assert_eq(said.has_flow, 1);
		cr_assert_eq(said.flow.rule_id, 1);
		cr_assert_eq(said.flow.packets, 1);
		cr_assert_eq(said.policy.asked, 0);
	}
}

Test(trace, names_the_bucket_that_is_empty)
{
	struct spec s = plain_spec(families, 0, KEPT_PORT);
	struct frame in = frame_of(&s);
	struct sp_trace said;

	users[USER].bucket_up = 41;
	sp_bucket_set(&buckets[41], 1000, 3028);
	buckets[41].tat_ns = now_ns() + buckets[41].burst_ns;
	said = compare(&in, "empty");
	cr_assert_eq(said.verdict, SP_V_DROP);
	cr_assert_eq(said.reason, SP_R_LIMIT_UP);
	cr_assert_eq(said.bucket_count, 1);
	cr_assert_eq(said.buckets[0].conforms, 0);
}

Test(trace, asks_the_half_not_in_force)
{
	struct spec s = plain_spec(families, 1, KEPT_PORT);
	struct frame in = frame_of(&s);
	struct sp_trace asked = {.as = SP_TRACE_USER,
				 .flags = SP_TRACE_FRESH | SP_TRACE_POLICY,
				 .user_id = USER,
				 .generation = CANDIDATE,
				 .now_ns = now_ns()};
	struct sp_trace said;

	said = trace_frame(&in, asked);
	cr_assert_eq(said.policy.reason, SP_R_POLICY_DEFAULT, "nothing stands there yet");
	put_policy(CANDIDATE, DENY, 0);
	said = trace_frame(&in, asked);
	cr_assert_eq(said.verdict, SP_V_DROP);
	cr_assert_eq(said.policy.reason, SP_R_POLICY_DENY);
	cr_assert_eq(said.policy.rule_id, 2);
	asked.generation = 0;
	said = trace_frame(&in, asked);
	cr_assert_eq(said.policy.rule_id, 1, "what is in force allows");
	asked.user_id = USER + 1;
	said = trace_frame(&in, asked);
	cr_assert_eq(said.reason, SP_R_POLICY_DEFAULT, "nobody named");
}

Test(trace, tells_a_users_path_and_limits)
{
	struct spec s = plain_spec(families, 1, 50000);
	struct sp_trace asked = {.as = SP_TRACE_USER, .user_id = USER, .now_ns = now_ns()};
	struct frame in = frame_of(&s);
	struct sp_trace said;
	uint64_t world;

	users[USER].bucket_up = 41;
	sp_bucket_set(&buckets[41], 1000, 3028);
	world = world_sum();
	said = trace_frame(&in, asked);
	cr_assert_eq(said.verdict, SP_V_WORKER, "reason %u", said.reason);
	cr_assert_eq(said.hop_id, HOP);
	cr_assert_eq(said.bucket_count, 1);
	put_hop(SP_NEXTHOP_PENDING);
	said = trace_frame(&in, asked);
	cr_assert_eq(said.reason, SP_R_NO_NEIGHBOUR);
	put_hop(SP_NEXTHOP_READY);
	s.dst = families[0].client;
	in = frame_of(&s);
	said = trace_frame(&in, asked);
	cr_assert_eq(said.verdict, SP_V_WORKER);
	cr_assert_eq(said.has_inner, 1);
	cr_assert_eq(said.peer_id, PEER);
	cr_assert_eq(world_sum(), world);
}

/* --- random: worlds and frames --- */

static uint32_t chance(uint64_t *seed, uint32_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (uint32_t)(*seed >> 33) % below;
}

static void random_world(uint64_t *seed)
{
	static const uint32_t roles[] = {SP_ROLE_INSIDE, SP_ROLE_EGRESS,
					 SP_ROLE_INSIDE | SP_ROLE_EGRESS,
					 SP_ROLE_INSIDE | SP_ROLE_EGRESS | SP_ROLE_TUNNEL};
	static const uint32_t nodes[] = {ALLOW, ALLOW, ALLOW, DENY, NOTHING};

	put_iface(roles[chance(seed, 4)], 1);
	if (!chance(seed, 3))
		reload(nodes[chance(seed, 5)], (uint8_t)chance(seed, 3));
	put_hop(chance(seed, 8) ? SP_NEXTHOP_READY : SP_NEXTHOP_PENDING);
	put_egress(families, 20000, chance(seed, 8) ? 29999 : 20003);
	gateway->route_seq += 2 * chance(seed, 2);
	users[USER].flow_max = chance(seed, 6) ? 20 : 2;
	users[USER].bucket_up = chance(seed, 2) ? 40 + chance(seed, 4) : 0;
	users[USER].bucket_down = chance(seed, 2) ? 40 + chance(seed, 4) : 0;
	for (uint32_t i = 40; i < 44; i++) {
		sp_bucket_set(&buckets[i], 1000, 4000);
		buckets[i].tat_ns = now_ns() + chance(seed, 3) * buckets[i].burst_ns / 2;
	}
}

static void clear_map(int fd)
{
	_Alignas(8) uint8_t key[64];

	while (bpf_map_get_next_key(fd, NULL, key) == 0)
		cr_assert_eq(bpf_map_delete_elem(fd, key), 0);
}

static void forget_flows(void)
{
	clear_map(MAP_FD(sp_flows));
	clear_map(MAP_FD(sp_bindings));
	clear_map(MAP_FD(sp_ports));
	users[USER].plain_flows = 0;
}

static struct frame random_frame(uint64_t *seed)
{
	static const uint8_t protos[] = {SP_PROTO_UDP, SP_PROTO_TCP, 47};
	const struct family *f = &families[chance(seed, 2)];
	const char *const sources[] = {workload(f), workload(f), workload(f),
				       f->remote,   f->client,	 f->host};
	const char *const targets[] = {f->remote, f->remote, f->pool,	 f->shared,
				       f->host,	  f->client, f->gateway, f->broadcast};
	uint32_t kind = chance(seed, 5);
	struct spec s = {.src = sources[chance(seed, 6)],
			 .dst = targets[chance(seed, 8)],
			 .proto = kind < 3 ? protos[kind] : f->icmp,
			 .sport = (uint16_t)(chance(seed, 2) ? 20000 + chance(seed, 6) : 443),
			 .dport = (uint16_t)(chance(seed, 2) ? 20000 + chance(seed, 6) : 443),
			 .tcp_flags = (uint8_t)chance(seed, 64),
			 .payload = "some bytes",
			 .hops = (uint8_t)(chance(seed, 8) ? 64 : 1),
			 .bytes = 10};
	struct frame frame;

	if (kind >= 3)
		s.sport = chance(seed, 4) ? f->ask : f->answer;
	if (!chance(seed, 10))
		s.dport = PORT;
	if (!chance(seed, 12) && s.proto == SP_PROTO_UDP)
		s.fragment = 0x2000, s.id = (uint16_t)chance(seed, 4);
	frame = frame_of(&s);
	if (!chance(seed, 12)) {
		struct frame about = frame;

		frame = frame_error(f->remote, workload(f), f->unreachable, &about, 48);
	}
	for (uint32_t i = chance(seed, 8) ? 0 : 1 + chance(seed, 3); i; i--)
		frame.b[chance(seed, frame.n)] = (uint8_t)chance(seed, 256);
	return frame;
}

Test(trace, equals_the_program_on_random_frames, .timeout = 120)
{
	uint64_t seed = 0x5a11790427ull;
	uint32_t verdicts[5] = {0};
	char row[64];

	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct frame f = random_frame(&seed);

		if (i % 8 == 0)
			random_world(&seed);
		if (i % 64 == 0)
			forget_flows();
		snprintf(row, sizeof(row), "round %u", i);
		verdicts[compare(&f, row).verdict]++;
	}
	for (uint32_t v = SP_V_PASS; v <= SP_V_REDIRECT; v++)
		if (v != SP_V_WORKER)
			cr_assert_gt(verdicts[v], ROUNDS / 50, "verdict %u: only %u", v,
				     verdicts[v]);
}

Test(trace, ten_thousand_questions_take_less_than_a_second)
{
	struct spec s = plain_spec(families, 1, KEPT_PORT);
	struct sp_trace asked = {.as = SP_TRACE_USER,
				 .flags = SP_TRACE_FRESH | SP_TRACE_POLICY,
				 .user_id = USER,
				 .now_ns = now_ns()};
	struct frame in = frame_of(&s);
	uint64_t start_ns = now_ns();

	for (int i = 0; i < 10000; i++)
		trace_frame(&in, asked);
	cr_log_info("10000 questions: %llu us", (unsigned long long)(now_ns() - start_ns) / 1000);
	cr_assert_lt(now_ns() - start_ns, 1000000000ull);
}
