/* SPDX-License-Identifier: Apache-2.0 */
/* Pools of plain flows: fall-backs, blocks, draining, and who was refused. */
#include "progrun/plain_lab.h"

#define USE	 3 /* cell of pool 1's address */
#define FALLBACK 2

TestSuite(plain_pools, .init = plain_open, .fini = progrun_close);

static void put_pool(const struct family *f, uint16_t key_id, const struct sp_egress *from)
{
	struct sp_egress_key k = {
		.user_id = USER, .pool_id = key_id, .version = f == families ? 4 : 6};

	map_put(MAP_FD(sp_egress), &k, from);
}

/* One pair of ports, and it is ours. */
static struct sp_egress narrow(const struct family *f)
{
	return (struct sp_egress){.addr = addr_of(f->pool),
				  .port_min = KEPT_PORT,
				  .port_max = KEPT_PORT + 1,
				  .slice = 1,
				  .slices = 2,
				  .pool_id = 1,
				  .use_id = USE};
}

static struct sp_egress other(const struct family *f)
{
	struct sp_egress v = narrow(f);

	v.addr = addr_of(f->shared);
	v.port_max = 29999;
	v.pool_id = FALLBACK;
	v.use_id = 0;
	return v;
}

static struct sp_egress_use use(void)
{
	struct sp_egress_use v = {0};
	uint32_t k = USE;

	cr_assert_eq(bpf_map_lookup_elem(MAP_FD(sp_egress_use), &k, &v), 0);
	return v;
}

static void refused(const struct family *f, uint16_t sport, enum sp_reason reason, const char *name)
{
	struct spec s = plain_spec(f, 1, sport);
	struct frame in = frame_of(&s);

	expect_drop(&in, SP_DIR_UP, reason, name);
}

/* Sent as that address. */
static void leaves_as(const struct family *f, uint16_t sport, const char *as)
{
	struct spec s = plain_spec(f, 1, sport);
	struct frame in = frame_of(&s);
	struct outcome o = expect(&in, XDP_REDIRECT, SP_DIR_HOST, SP_R_NONE, f->name);
	struct sp_addr a = addr_of(as);
	uint32_t bytes = f == families ? 4 : 16;

	cr_assert_eq(memcmp(o.b + in.l3 + (f == families ? 12 : 8), a.b + 16 - bytes, bytes), 0,
		     "%s: another address than %s", f->name, as);
}

Test(plain_pools, exhausted_is_a_drop_of_its_own_user_and_never_another_address)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct sp_egress v = narrow(f), free_one = other(f);
		uint64_t before = use().refused;

		put_pool(f, 0, &v);
		put_pool(f, FALLBACK, &free_one); /* there, but nobody says so */
		leaves_as(f, KEPT_PORT, f->pool);
		leaves_as(f, KEPT_PORT + 1, f->pool);
		refused(f, 50123, SP_R_NAT_EXHAUSTED, f->name);
		refused(f, 50124, SP_R_NAT_EXHAUSTED, f->name);
		cr_assert_eq(use().refused, before + 2);
		cr_assert_gt(use().refused_ns, 0);
	}
}

Test(plain_pools, falls_back_where_the_pool_says_so_and_no_further)
{
	users[USER].flow_max = 0;
	for (const struct family *f = families; f < families + 2; f++) {
		struct sp_egress v = narrow(f), second = other(f);

		v.fallback = FALLBACK;
		second.port_max = second.port_min + 1;
		put_pool(f, 0, &v);
		put_pool(f, FALLBACK, &second);
		leaves_as(f, KEPT_PORT, f->pool);
		leaves_as(f, KEPT_PORT + 1, f->pool);
		leaves_as(f, 50123, f->shared);
		leaves_as(f, 50124, f->shared);
		leaves_as(f, 50123, f->shared);
		refused(f, 50125, SP_R_NAT_EXHAUSTED, "both are full");
	}
}

/* What the daemon writes for a user whose addresses all drain: no port, and perhaps a fall-back. */
Test(plain_pools, a_pool_that_drains_begins_nothing_and_ends_nothing)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct sp_egress v = narrow(f), second = other(f);

		put_pool(f, 0, &v);
		put_pool(f, FALLBACK, &second);
		leaves_as(f, KEPT_PORT, f->pool);
		v = (struct sp_egress){.pool_id = 1, .slice = 1, .slices = 2};
		put_pool(f, 0, &v);
		refused(f, 50123, SP_R_NAT_NO_POOL, "no fall-back");
		v.fallback = FALLBACK;
		put_pool(f, 0, &v);
		leaves_as(f, 50123, f->shared);
		leaves_as(f, KEPT_PORT, f->pool);
	}
}

/* A zone's block is XDP's alone: no slice of it is a worker's. */
Test(plain_pools, a_block_is_used_whole)
{
	uint64_t seen = 0;

	users[USER].flow_max = 0;
	for (uint16_t i = 0; i < 20; i++) {
		struct sp_egress v = narrow(families);
		uint16_t port;

		v.port_min = 20000;
		v.port_max = 20063;
		v.slice = 0;
		v.slices = 1;
		put_pool(families, 0, &v);
		port = plain_send(families, 1, (uint16_t)(50000 + i));
		cr_assert(port >= 20000 && port <= 20063, "port %u", port);
		seen |= 1ull << (port - 20000);
	}
	cr_assert_eq(__builtin_popcountll(seen), 20, "each flow its own");
}

/* RFC 4787 REQ-9, not offered: by its outside address and port nobody is reached from inside. */
Test(plain_pools, no_binding_is_reachable_from_inside_by_its_outside_address)
{
	for (const struct family *f = families; f < families + 2; f++) {
		uint16_t port = plain_send(f, 1, KEPT_PORT);
		struct spec s = plain_spec(f, 1, 50200);
		struct frame in;

		s.dst = f->pool;
		s.dport = port;
		in = frame_of(&s);
		expect_drop(&in, SP_DIR_DOWN, SP_R_NO_FLOW, f->name);
	}
}
