/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mutated frames through the loaded program beside an independent model of the stages: the same
 * verdict, reason and bytes for each, and never XDP_ABORTED. SP_SOAK: 50 million frames.
 */
#include "progrun/mutate_headers.h"
#include "sallyport/abi/fragment.h"

#define FRAMES	       (getenv("SP_SOAK") ? 50000000u : 600000u)
#define TEMPLATES      256
#define ROUND	       4096	  /* frames until the records of fragments are forgotten */
#define REFRESH	       (1u << 18) /* ... until the flows are young again */
#define FOREVER_NS     (1ull << 62)
#define SHARED_PORT    30000
#define POOL_PORT      40000
#define CLIENT_PORT    50000
#define IS_ICMP(proto) ((proto) == 2)

static struct frame templates[TEMPLATES];
static uint32_t template_count;

static struct {
	struct sp_flow_key key;
	struct sp_flow flow;
} kept[2 * MODEL_FLOWS];
static uint32_t kept_count;

static void template(const struct frame *f)
{
	cr_assert_lt(template_count, TEMPLATES);
	templates[template_count++] = *f;
}

static void template_of(struct spec s)
{
	struct frame f;

	s.bytes = s.bytes ? s.bytes : 40;
	f = frame_of(&s);
	template(&f);
}

/* --- flows --- */

static uint8_t proto_of(const struct family *f, int proto)
{
	return proto == 0 ? SP_PROTO_UDP : proto == 1 ? SP_PROTO_TCP : f->icmp;
}

/* Templates: its answer, and an ICMP error about what left by it. */
static void answers_of(const struct family *f, const char *to, int proto, uint16_t rport,
		       uint16_t port)
{
	struct spec s = {.src = f->remote,
			 .dst = to,
			 .proto = proto_of(f, proto),
			 .sport = IS_ICMP(proto) ? f->answer : rport,
			 .dport = port,
			 .tcp_flags = 0x12,
			 .bytes = 64};
	struct frame about, error;

	template_of(s);
	s.src = to;
	s.dst = f->remote;
	s.sport = IS_ICMP(proto) ? f->ask : port;
	s.dport = IS_ICMP(proto) ? port : rport;
	about = frame_of(&s);
	error = frame_error(f->router, to, f->unreachable, &about, about.n - about.l3);
	template(&error);
	error = frame_error(f->router, to, f->too_big, &about, f->ip_bytes + 8);
	template(&error);
}

static void know_flow(const struct sp_flow_key *answer, const struct sp_flow_key *request,
		      const struct sp_flow *back)
{
	struct model_flow *m = &lab.flows[lab.flow_count++];

	*m = (struct model_flow){.answer = *answer,
				 .request = *request,
				 .plain = back->kind == SP_FLOW_PLAIN,
				 .translated = back->translated,
				 .iport = ntohs(back->nat_port_be)};
	memcpy(m->inside, back->nat_addr.b, 16);
	kept[kept_count].key = *answer;
	kept[kept_count++].flow = *back;
	kept[kept_count].key = *request;
	cr_assert(flow_there(request, &kept[kept_count++].flow));
}

static void tunnel_flow(const struct family *f, const char *nat, int proto, uint16_t nport)
{
	struct binding b = {.f = f,
			    .nat = nat,
			    .proto = proto_of(f, proto),
			    .rport = IS_ICMP(proto) ? 0 : 443,
			    .nport = nport,
			    .cport = CLIENT_PORT};
	struct sp_flow_key answer = reply_key(&b), request = original_key(&b);
	struct sp_flow back;

	put_flow(&b, SP_FLOW_REPLY, 0);
	put_flow(&b, SP_FLOW_ORIGINAL, 0);
	back = flow_of(&b);
	know_flow(&answer, &request, &back);
	answers_of(f, nat ? nat : f->client, proto, 443, nat ? nport : CLIENT_PORT);
}

static void plain_flow(const struct family *f, int proto)
{
	struct sp_flow_key request = plain_key(f, (unsigned int)proto, KEPT_PORT), answer;
	struct spec s = plain_spec(f, (unsigned int)proto, KEPT_PORT);
	struct sp_flow back;
	struct frame about, error;

	plain_send(f, (unsigned int)proto, KEPT_PORT);
	answer = (struct sp_flow_key){.src = request.dst,
				      .dst = addr_of(f->pool),
				      .sport_be = request.dport_be,
				      .dport_be = htons(KEPT_PORT),
				      .proto = request.proto};
	cr_assert(flow_there(&answer, &back));
	know_flow(&answer, &request, &back);
	answers_of(f, f->pool, proto, 443, KEPT_PORT);
	s.payload = NULL;
	s.bytes = 64;
	template_of(s);
	s.tcp_flags = 0x02;
	template_of(s);
	s.bytes = 1400;
	template_of(s);
	/* The workload refuses an answer: its error goes out. */
	s = (struct spec){.src = f->remote,
			  .dst = workload(f),
			  .proto = proto_of(f, proto),
			  .sport = IS_ICMP(proto) ? f->answer : 443,
			  .dport = KEPT_PORT,
			  .bytes = 40};
	about = frame_of(&s);
	error = frame_error(workload(f), f->remote, f->unreachable, &about, about.n - about.l3);
	template(&error);
}

/* --- what the host and the tunnels get --- */

static void wireguard_templates(const struct family *f)
{
	static const struct {
		uint8_t type, receiver;
		uint32_t bytes;
	} rows[] = {{1, 0, 148}, {2, 0, 92}, {3, 0, 64}, {4, 0, 32}, {4, 0, 96},
		    {4, 1, 96},	 {4, 2, 96}, {4, 9, 96}, {5, 0, 64}};
	static uint8_t payload[9][148];

	for (int i = 0; i < 9; i++) {
		uint32_t to = RECEIVER + rows[i].receiver;

		payload[i][0] = rows[i].type;
		memcpy(payload[i] + 4, &to, 4);
		template_of((struct spec){.src = f->remote,
					  .dst = i % 2 ? f->host : f->shared,
					  .proto = SP_PROTO_UDP,
					  .sport = 4500,
					  .dport = PORT,
					  .payload = payload[i],
					  .bytes = rows[i].bytes});
	}
}

static void host_templates(const struct family *f)
{
	static const uint8_t protos[] = {SP_PROTO_TCP, SP_PROTO_UDP, 50, 51, 47, 1, 58, 132};
	const char *const to[] = {f->host, f->shared, f->pool, f->gateway, f->client, f->broadcast};
	struct frame arp = {.n = 60, .l3 = 14, .l4 = 34};

	for (int i = 0; i < 8; i++)
		template_of((struct spec){.src = i % 3 ? f->remote : workload(f),
					  .dst = to[i % 6],
					  .proto = protos[i],
					  .sport = i == 5   ? 0x0800
						   : i == 6 ? 0x8700
							    : 40001,
					  .dport = i % 2 ? NAT_MIN : 22,
					  .hops = i == 6 ? 255 : 64});
	template_of((struct spec){.src = families[0].router,
				  .dst = "198.51.100.77",
				  .proto = SP_PROTO_UDP,
				  .sport = 67,
				  .dport = 68});
	put16(arp.b + 12, 0x0806);
	template(&arp);
}

/* --- the lab --- */

static void mutants_open(void)
{
	cpu_set_t here;
	uint32_t receiver = RECEIVER;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	cr_assert_eq(sched_setaffinity(0, sizeof(here), &here), 0);
	plain_open();
	put_session(receiver, SP_SESSION_FULL, FOREVER_NS);
	put_session(receiver + 1, SP_SESSION_BLOCKED, FOREVER_NS);
	put_session(receiver + 2, SP_SESSION_FULL, 1);
	gateway->handshake_cost_ns = 0;
	for (const struct family *f = families; f < families + 2; f++) {
		for (int proto = 0; proto < 3; proto++) {
			tunnel_flow(f, f->shared, proto, SHARED_PORT);
			tunnel_flow(f, f->pool, proto, POOL_PORT);
			plain_flow(f, proto);
		}
		tunnel_flow(f, NULL, 1, 0);
		wireguard_templates(f);
	}
	host_templates(&families[0]);
	host_templates(&families[1]);
	put_policy(gateway->generation, DENY, 0);
}

static void forget_records(void)
{
	while (lab.record_count) {
		struct model_record *r = &lab.records[--lab.record_count];
		struct sp_fragment_key k = {.id = r->id, .proto = (uint8_t)r->of};

		memcpy(k.src.b, r->src, 16);
		memcpy(k.dst.b, r->dst, 16);
		cr_assert_eq(bpf_map_delete_elem(MAP_FD(sp_fragments), &k), 0,
			     "the program has no record of a fragment that the model has");
	}
}

static void refresh_flows(void)
{
	for (uint32_t i = 0; i < kept_count; i++) {
		kept[i].flow.seen_ns = now_ns();
		map_put(MAP_FD(sp_flows), &kept[i].key, &kept[i].flow);
	}
}

static void next_roles(void)
{
	static const uint32_t roles[] = {TUNNEL, SP_ROLE_INSIDE, SP_ROLE_EGRESS,
					 TUNNEL | SP_ROLE_INSIDE};

	lab.roles = ROLL(roles);
	lab.open = roll(16) != 0;
	put_iface(lab.roles, 1);
	gateway->open = lab.open;
}

TestSuite(mutants, .init = mutants_open, .fini = progrun_close);

Test(mutants, each_meets_the_verdict_and_the_bytes_of_the_model, .timeout = 7200)
{
	static const char *const labels[] = {
#define SP_X(number, name, label, text) [number] = label,
		SP_REASONS(SP_X)
#undef SP_X
	};
	uint32_t frames = FRAMES, reasons = 0;

	dice = 20261128;
	for (uint32_t i = 0; i < frames; i++) {
		struct frame f;

		if (i % ROUND == 0) {
			forget_records();
			next_roles();
		}
		if (i % REFRESH == 0)
			refresh_flows();
		f = templates[roll(template_count)];
		mutate(&f);
		compare_frame(&f);
	}
	for (int r = 0; r < SP_R_COUNT; r++)
		if (met.reasons[r]) {
			reasons++;
			cr_log_info("%-20s %lu", labels[r], met.reasons[r]);
		}
	cr_log_info("%lu frames: %lu passed, %lu to a worker, %lu answers, %lu forwarded",
		    met.frames, met.passed, met.workers, met.carried, met.forwarded);
	/* Worth it only when every way through the program is common. */
	cr_assert_gt(met.passed, frames / 200);
	cr_assert_gt(met.workers, frames / 200);
	cr_assert_gt(met.carried, frames / 200);
	cr_assert_gt(met.forwarded, frames / 200);
	cr_assert_gt(met.told, 100);
	cr_assert_geq(reasons, 20);
}
