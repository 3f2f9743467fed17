/* SPDX-License-Identifier: Apache-2.0 */
/* Bindings by the clauses of RFC 4787, 5382 and 5508; docs/nat.md names these tests. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "nat/nat.h"
#include "sallyport/core/addr.h"

static struct sp_addr addr(const char *text)
{
	struct sp_addr a = {0};

	cr_assert_eq(sp_addr_parse(text, &a), 0, "%s", text);
	return a;
}

static struct sp_nat_pools *pools_make(void)
{
	return calloc(1, sizeof(struct sp_nat_pools));
}

static struct sp_nat_pool *pool_add(struct sp_nat_pools *pools)
{
	struct sp_nat_pool *p = &pools->pools[pools->count++];

	p->id = (uint16_t)pools->count;
	p->addresses = calloc(SP_NAT_ADDRESSES_MAX, sizeof(*p->addresses));
	p->excluded = calloc(64, sizeof(*p->excluded));
	return p;
}

static void address_add(struct sp_nat_pool *p, const char *text, uint16_t min, uint16_t max)
{
	p->addresses[p->address_count++] =
		(struct sp_nat_address){.addr = addr(text), .port_min = min, .port_max = max};
}

static struct sp_nat *nat_make(uint32_t worker, uint32_t workers, uint32_t bindings_max,
			       const struct sp_nat_pools *pools)
{
	struct sp_nat *nat = NULL;

	cr_assert_eq(sp_nat_open(worker, workers, bindings_max, &nat), 0);
	cr_assert_eq(sp_nat_apply(nat, pools), 0);
	return nat;
}

/* One worker, one pool, one address of each family. */
static struct sp_nat *nat_simple(uint32_t bindings_max, uint16_t min, uint16_t max)
{
	struct sp_nat_pools *pools = pools_make();
	struct sp_nat_pool *p = pool_add(pools);
	struct sp_nat *nat;

	address_add(p, "203.0.113.1", min, max);
	address_add(p, "2001:db8::1", min, max);
	nat = nat_make(0, 1, bindings_max, pools);
	sp_nat_pools_close(pools);
	return nat;
}

static struct sp_nat_request from(const char *src, uint16_t sport, uint8_t proto)
{
	return (struct sp_nat_request){
		.src = addr(src),
		.dst = addr(strchr(src, ':') ? "2001:db8:ffff::9" : "198.51.100.9"),
		.sport_be = htons(sport),
		.dport_be = htons(53),
		.proto = proto,
		.user_id = 2,
	};
}

static struct sp_nat_binding got(struct sp_nat *nat, const struct sp_nat_request *q)
{
	struct sp_nat_binding b = {0};

	cr_assert_eq(sp_nat_get(nat, q, &b), 0, "port %u proto %u", ntohs(q->sport_be), q->proto);
	return b;
}

static bool same(const struct sp_nat_binding *a, const struct sp_nat_binding *b)
{
	return sp_addr_equal(&a->addr, &b->addr) && a->port_be == b->port_be;
}

static struct sp_nat_stats stats(const struct sp_nat *nat)
{
	struct sp_nat_stats s;

	sp_nat_stats(nat, &s);
	return s;
}

/* RFC 4787 REQ-1, RFC 5382 REQ-1, RFC 5508 REQ-1 a. */
Test(nat, maps_independent_of_the_endpoint)
{
	static const struct {
		const char *src;
		uint8_t proto;
	} rows[] = {{"10.9.0.2", IPPROTO_UDP},	{"10.9.0.2", IPPROTO_TCP},
		    {"10.9.0.2", IPPROTO_ICMP}, {"fd00:9::2", IPPROTO_UDP},
		    {"fd00:9::2", IPPROTO_TCP}, {"fd00:9::2", IPPROTO_ICMPV6}};
	struct sp_nat *nat = nat_simple(64, 40000, 40100);

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* A port outside of the range, so that the mapping is not preserved by chance. */
		struct sp_nat_request q = from(rows[i].src, 5000, rows[i].proto);
		struct sp_nat_binding first = got(nat, &q), second, third;

		q.dst.b[15]++;
		second = got(nat, &q);
		q.dport_be = htons(9999);
		third = got(nat, &q);
		cr_expect(same(&first, &second) && same(&first, &third), "row %u", i);
		cr_expect_eq(first.translated, 1);
		q.sport_be = htons(5001);
		second = got(nat, &q);
		cr_expect(!same(&first, &second), "row %u: another inner port", i);
	}
	sp_nat_close(nat);
}

/* RFC 4787 REQ-2: "paired", over all ports, protocols and workers. */
Test(nat, pairs_a_user_with_one_address_on_every_worker)
{
	struct sp_nat_pools *pools = pools_make();
	struct sp_nat_pool *p = pool_add(pools);
	struct sp_nat *nat[2];
	unsigned int spread[8] = {0};
	char text[32];

	for (unsigned int i = 0; i < 8; i++) {
		snprintf(text, sizeof(text), "203.0.113.%u", i + 1);
		address_add(p, text, 1024, 65535);
	}
	nat[0] = nat_make(0, 2, 10000, pools);
	nat[1] = nat_make(1, 2, 10000, pools);
	for (uint32_t user = 2; user < 402; user++) {
		struct sp_nat_request q = from("10.9.0.2", 2000, IPPROTO_UDP);
		struct sp_nat_binding b, first = {0};

		q.user_id = user;
		for (uint16_t k = 0; k < 20; k++) {
			q.sport_be = htons(2000 + k);
			q.proto = k % 2 ? IPPROTO_TCP : IPPROTO_UDP;
			b = got(nat[k % 3 == 0], &q);
			if (!k)
				first = b;
			cr_assert(sp_addr_equal(&b.addr, &first.addr), "user %u", user);
		}
		spread[first.addr.b[15] - 1]++;
	}
	for (unsigned int i = 0; i < 8; i++)
		cr_expect(spread[i] > 20 && spread[i] < 90, "address %u has %u of 400 users", i + 1,
			  spread[i]);
	sp_nat_close(nat[0]);
	sp_nat_close(nat[1]);
	sp_nat_pools_close(pools);
}

/* RFC 4787 REQ-3: no port overloading; REQ-2: no silent move to the other address. */
Test(nat, never_gives_a_port_twice_and_refuses_when_all_are_taken)
{
	struct sp_nat_pools *pools = pools_make();
	struct sp_nat_pool *p = pool_add(pools);
	bool seen[65536] = {0};
	struct sp_nat_binding b, untouched;
	struct sp_nat *nat;

	address_add(p, "203.0.113.1", 40000, 40099);
	address_add(p, "203.0.113.2", 40000, 40099);
	nat = nat_make(0, 1, 1000, pools);
	for (uint16_t i = 0; i < 100; i++) {
		struct sp_nat_request q = from("10.9.0.2", 40090 + i, IPPROTO_TCP);

		b = got(nat, &q);
		cr_assert(!seen[ntohs(b.port_be)], "port %u twice", ntohs(b.port_be));
		seen[ntohs(b.port_be)] = true;
		cr_assert(ntohs(b.port_be) >= 40000 && ntohs(b.port_be) <= 40099);
	}
	untouched = b;
	{
		struct sp_nat_request q = from("10.9.0.3", 1, IPPROTO_TCP);

		cr_expect_eq(sp_nat_get(nat, &q, &b), -ENOSPC);
		cr_expect(!memcmp(&b, &untouched, sizeof(b)), "output touched on failure");
		cr_expect_eq(stats(nat).exhausted, 1);
		q.proto = IPPROTO_UDP;
		cr_expect_eq(sp_nat_get(nat, &q, &b), 0, "UDP ports are others");
	}
	sp_nat_close(nat);
	sp_nat_pools_close(pools);
}

/* RFC 4787 section 4.2.1, port preservation where nobody is hurt by it. */
Test(nat, preserves_the_port_where_it_is_free)
{
	struct sp_nat *nat = nat_simple(64, 1024, 65535);
	struct sp_nat_request q = from("10.9.0.2", 5060, IPPROTO_UDP);
	struct sp_nat_binding b = got(nat, &q);

	cr_expect_eq(ntohs(b.port_be), 5060);
	q.src = addr("10.9.0.3");
	b = got(nat, &q);
	cr_expect_neq(ntohs(b.port_be), 5060, "taken by another");
	q = from("10.9.0.2", 5060, IPPROTO_TCP);
	cr_expect_eq(ntohs(got(nat, &q).port_be), 5060, "another protocol's port");
	q = from("10.9.0.2", 1024, IPPROTO_UDP);
	cr_expect_eq(ntohs(got(nat, &q).port_be), 1024);
	q = from("10.9.0.2", 65535, IPPROTO_UDP);
	cr_expect_eq(ntohs(got(nat, &q).port_be), 65535);
	q = from("10.9.0.2", 80, IPPROTO_UDP);
	cr_expect_geq(ntohs(got(nat, &q).port_be), 1024, "outside of the range");
	q = from("10.9.0.2", 0, IPPROTO_ICMP);
	cr_expect_geq(ntohs(got(nat, &q).port_be), 1024, "identifier 0 is not in the range");
	sp_nat_close(nat);
}

/* RFC 4787 REQ-4. */
Test(nat, keeps_the_parity_of_udp_ports_while_it_can)
{
	struct sp_nat *nat = nat_simple(256, 40000, 40099);

	for (uint16_t i = 0; i < 50; i++) {
		struct sp_nat_request q = from("10.9.0.2", 2 * i + 1, IPPROTO_UDP);

		cr_assert_eq(ntohs(got(nat, &q).port_be) % 2, 1, "binding %u", i);
	}
	for (uint16_t i = 0; i < 49; i++) {
		struct sp_nat_request q = from("10.9.0.2", 2 * i + 2, IPPROTO_UDP);

		cr_assert_eq(ntohs(got(nat, &q).port_be) % 2, 0, "binding %u", i);
	}
	{
		struct sp_nat_request q = from("10.9.0.2", 3001, IPPROTO_UDP);

		cr_expect_eq(ntohs(got(nat, &q).port_be) % 2, 0, "parity yields before failing");
	}
	sp_nat_close(nat);
}

/* RFC 6056: what is not preserved cannot be guessed from the one before. */
Test(nat, spreads_ports_at_random)
{
	struct sp_nat *nat = nat_simple(1024, 30000, 60000);
	unsigned int near = 0, low = 0;
	uint16_t last = 0;

	for (uint16_t i = 0; i < 500; i++) {
		struct sp_nat_request q = from("10.9.0.2", i + 1, IPPROTO_TCP);
		uint16_t port = ntohs(got(nat, &q).port_be);

		near += abs(port - last) < 50;
		low += port < 45000;
		last = port;
	}
	cr_expect_lt(near, 20, "%u of 500 close to the one before", near);
	cr_expect(low > 175 && low < 325, "%u of 500 in the lower half", low);
	sp_nat_close(nat);
}

Test(nat, never_gives_out_excluded_ports)
{
	struct sp_nat_pools *pools = pools_make();
	struct sp_nat_pool *p = pool_add(pools);
	struct sp_nat_request q;
	struct sp_nat_binding b;
	struct sp_nat *nat;

	address_add(p, "203.0.113.1", 0, 9);
	p->excluded[p->excluded_count++] = 5;
	p->excluded[p->excluded_count++] = 9;
	nat = nat_make(0, 1, 100, pools);
	q = from("10.9.0.2", 5, IPPROTO_UDP);
	for (uint16_t i = 0; i < 7; i++) {
		uint16_t port;

		q.sport_be = htons(5 + 4 * i);
		port = ntohs(got(nat, &q).port_be);
		cr_assert(port != 5 && port != 9 && port != 0 && port < 10, "got %u", port);
	}
	q.sport_be = htons(60);
	cr_expect_eq(sp_nat_get(nat, &q, &b), -ENOSPC, "1 2 3 4 6 7 8 are seven");
	sp_nat_close(nat);
	sp_nat_pools_close(pools);
}

/* Two pools offer one address with ranges that overlap; still no port on two workers. */
Test(nat, slices_never_meet)
{
	static uint8_t owner[65536];
	struct sp_nat_pools *pools = pools_make();
	unsigned int total = 0;

	address_add(pool_add(pools), "203.0.113.1", 1000, 1999);
	address_add(pool_add(pools), "203.0.113.1", 1500, 2600);
	for (uint32_t w = 0; w < 3; w++) {
		struct sp_nat *nat = nat_make(w, 3, 4000, pools);
		struct sp_nat_binding b;

		for (uint32_t i = 0; i < 4000; i++) {
			struct sp_nat_request q = from("10.9.0.2", (uint16_t)i, IPPROTO_UDP);

			q.pool_id = (uint16_t)(1 + i % 2);
			if (sp_nat_get(nat, &q, &b))
				continue;
			cr_assert_eq(owner[ntohs(b.port_be)], 0, "port %u on workers %u and %u",
				     ntohs(b.port_be), owner[ntohs(b.port_be)] - 1u, w);
			owner[ntohs(b.port_be)] = (uint8_t)(w + 1);
			total++;
		}
		sp_nat_close(nat);
	}
	cr_expect_eq(total, 1601, "every port of 1000-2600 has exactly one owner");
	sp_nat_pools_close(pools);
}

Test(nat, holds_a_binding_until_its_last_flow_is_gone)
{
	struct sp_nat *nat = nat_simple(8, 40000, 40001);
	struct sp_nat_request q = from("10.9.0.2", 40000, IPPROTO_UDP);
	struct sp_nat_request other = from("10.9.0.3", 40000, IPPROTO_UDP);
	struct sp_nat_binding a = got(nat, &q), b = got(nat, &q), c;

	cr_expect_eq(a.handle, b.handle);
	cr_expect_eq(stats(nat).bindings, 1);
	sp_nat_put(nat, a.handle);
	cr_expect_eq(stats(nat).bindings, 1);
	c = got(nat, &other);
	cr_expect_eq(ntohs(c.port_be), 40001, "40000 is still held");
	sp_nat_put(nat, b.handle);
	cr_expect_eq(stats(nat).bindings, 1);
	sp_nat_put(nat, b.handle);
	sp_nat_put(nat, 0);
	sp_nat_put(nat, 9);
	sp_nat_put(nat, UINT32_MAX);
	cr_expect_eq(stats(nat).bindings, 1, "puts without a get change nothing");
	sp_nat_close(nat);
}

Test(nat, lets_a_freed_port_cool_and_takes_the_oldest_first)
{
	struct sp_nat *nat = nat_simple(64, 40000, 40015); /* 16 ports, 4 may cool */
	struct sp_nat_request q = from("10.9.0.2", 40003, IPPROTO_TCP), other;
	struct sp_nat_binding b = got(nat, &q), held[16];

	sp_nat_put(nat, b.handle);
	cr_expect_eq(stats(nat).bindings, 0);
	other = from("10.9.0.3", 40003, IPPROTO_TCP);
	b = got(nat, &other);
	cr_expect_neq(ntohs(b.port_be), 40003, "just freed, and wanted by a stranger");
	sp_nat_put(nat, b.handle);
	b = got(nat, &q);
	cr_expect_eq(ntohs(b.port_be), 40003, "its old owner gets it back");
	for (uint16_t i = 0; i < 14; i++) {
		other = from("10.9.0.4", (uint16_t)(100 + i), IPPROTO_TCP);
		held[i] = got(nat, &other);
	}
	/* 15 held, one cools: the port that 10.9.0.3 let go of */
	other = from("10.9.0.5", 7, IPPROTO_TCP);
	held[14] = got(nat, &other);
	other.sport_be = htons(8);
	cr_expect_eq(sp_nat_get(nat, &other, &b), -ENOSPC);
	sp_nat_put(nat, held[3].handle);
	sp_nat_put(nat, held[7].handle);
	other = from("10.9.0.6", 9, IPPROTO_TCP);
	b = got(nat, &other);
	cr_expect_eq(b.port_be, held[3].port_be, "the one that was freed first");
	sp_nat_close(nat);
}

Test(nat, drains_bindings_of_an_address_that_is_gone)
{
	struct sp_nat_pools *one = pools_make(), *two = pools_make();
	struct sp_nat_request q = from("10.9.0.2", 5000, IPPROTO_UDP), other;
	struct sp_nat_binding before, after, again;
	struct sp_nat *nat;

	address_add(pool_add(one), "203.0.113.1", 1024, 65535);
	address_add(pool_add(two), "203.0.113.2", 1024, 65535);
	nat = nat_make(0, 1, 100, one);
	before = got(nat, &q);
	cr_assert_eq(sp_nat_apply(nat, two), 0);
	cr_expect_eq(stats(nat).bindings, 1, "its flow still runs");
	after = got(nat, &q);
	cr_expect(!sp_addr_equal(&before.addr, &after.addr),
		  "new flows leave from the new address");
	cr_assert_eq(sp_nat_apply(nat, one), 0);
	other = from("10.9.0.3", 5000, IPPROTO_UDP);
	again = got(nat, &other);
	cr_expect(!same(&again, &before), "the old flow still has port 5000 of it");
	sp_nat_put(nat, before.handle);
	sp_nat_put(nat, after.handle);
	sp_nat_put(nat, again.handle);
	cr_expect_eq(stats(nat).bindings, 0);
	other = from("10.9.0.4", 5000, IPPROTO_UDP);
	again = got(nat, &other);
	cr_expect(same(&again, &before), "drained, so port 5000 is free");
	sp_nat_close(nat);
	sp_nat_pools_close(one);
	sp_nat_pools_close(two);
}

Test(nat, keeps_bindings_over_a_reload_that_keeps_their_address)
{
	struct sp_nat_pools *one = pools_make(), *two = pools_make();
	struct sp_nat_request q = from("10.9.0.2", 80, IPPROTO_UDP);
	struct sp_nat_binding before, after;
	struct sp_nat_pool *p;
	struct sp_nat *nat;
	unsigned int moved = 0;

	address_add(pool_add(one), "203.0.113.1", 2000, 3000);
	p = pool_add(two);
	address_add(p, "203.0.113.9", 2000, 3000);
	address_add(p, "203.0.113.1", 2000, 3000);
	nat = nat_make(0, 1, 4000, one);
	before = got(nat, &q);
	cr_assert_eq(sp_nat_apply(nat, two), 0);
	after = got(nat, &q);
	cr_expect(same(&before, &after), "same inner endpoint, same outside one");
	for (uint32_t user = 3; user < 203; user++) {
		q.user_id = user;
		moved += got(nat, &q).addr.b[15] == 9;
	}
	cr_expect(moved > 60 && moved < 140, "half of the users move, not %u of 200", moved);
	/* A range that leaves the port out ends the mapping, not the flow. */
	one->pools[0].addresses[0].port_min = one->pools[0].addresses[0].port_max = 5000;
	cr_assert_eq(sp_nat_apply(nat, one), 0);
	q.user_id = 2;
	after = got(nat, &q);
	cr_expect_eq(ntohs(after.port_be), 5000);
	sp_nat_close(nat);
	sp_nat_pools_close(one);
	sp_nat_pools_close(two);
}

static uint8_t address_of_user(struct sp_nat *nat, uint32_t user, uint16_t sport)
{
	struct sp_nat_request q = from("10.9.0.2", sport, IPPROTO_UDP);

	q.user_id = user;
	return got(nat, &q).addr.b[15];
}

/* Another order, and one address more: who moves, moves to the new one. */
Test(nat, moves_users_only_to_an_address_that_is_new)
{
	struct sp_nat_pools *before = pools_make(), *after = pools_make();
	struct sp_nat_pool *p = pool_add(before);
	unsigned int moved = 0;
	uint8_t had[300];
	struct sp_nat *nat;

	address_add(p, "203.0.113.1", 1024, 65535);
	address_add(p, "203.0.113.2", 1024, 65535);
	address_add(p, "203.0.113.3", 1024, 65535);
	p = pool_add(after);
	address_add(p, "203.0.113.9", 1024, 65535);
	address_add(p, "203.0.113.3", 1024, 65535);
	address_add(p, "203.0.113.1", 1024, 65535);
	address_add(p, "203.0.113.2", 1024, 65535);
	nat = nat_make(0, 1, 4000, before);
	for (uint32_t user = 2; user < 300; user++)
		had[user] = address_of_user(nat, user, 5000);
	cr_assert_eq(sp_nat_apply(nat, after), 0);
	for (uint32_t user = 2; user < 300; user++) {
		uint8_t has = address_of_user(nat, user, 5001);

		cr_expect(has == had[user] || has == 9, "user %u from %u to %u", user, had[user],
			  has);
		moved += has != had[user];
	}
	cr_expect(moved > 40 && moved < 110, "about a quarter, not %u of 298", moved);
	sp_nat_close(nat);
	sp_nat_pools_close(before);
	sp_nat_pools_close(after);
}

Test(nat, says_why_there_is_no_binding)
{
	struct sp_nat_pools *pools = pools_make();
	struct sp_nat_request q = from("10.9.0.2", 80, IPPROTO_UDP);
	struct sp_nat_binding b;
	struct sp_nat *nat = NULL;

	cr_assert_eq(sp_nat_open(0, 1, 10, &nat), 0);
	cr_expect_eq(sp_nat_get(nat, &q, &b), -ENOENT, "no pool at all");
	address_add(pool_add(pools), "203.0.113.1", 1024, 65535);
	cr_assert_eq(sp_nat_apply(nat, pools), 0);
	cr_expect_eq(sp_nat_get(nat, &q, &b), 0);
	q.pool_id = 2;
	cr_expect_eq(sp_nat_get(nat, &q, &b), -ENOENT, "unknown pool");
	q = from("fd00:9::2", 80, IPPROTO_UDP);
	cr_expect_eq(sp_nat_get(nat, &q, &b), -ENOENT, "no address of that family");
	q = from("10.9.0.2", 0, IPPROTO_GRE);
	cr_expect_eq(sp_nat_get(nat, &q, &b), -EPROTONOSUPPORT);
	q = from("10.9.0.2", 0, IPPROTO_ICMPV6);
	cr_expect_eq(sp_nat_get(nat, &q, &b), -EPROTONOSUPPORT, "ICMPv6 over IPv4");
	cr_expect_eq(sp_nat_open(2, 2, 10, &nat), -EINVAL);
	cr_expect_eq(sp_nat_open(0, 0, 10, &nat), -EINVAL);
	sp_nat_close(nat);
	sp_nat_close(NULL);
	sp_nat_pools_close(pools);
	sp_nat_pools_close(NULL);
}

Test(nat, leaves_routed_ipv6_as_it_is)
{
	struct sp_nat_pools *pools = pools_make();
	struct sp_nat_pool *p = pool_add(pools);
	struct sp_nat_request q = from("2001:db8:9::2", 80, IPPROTO_SCTP);
	struct sp_nat_binding b;
	struct sp_nat *nat;

	address_add(p, "203.0.113.1", 1024, 65535);
	p->route_ipv6 = 1;
	nat = nat_make(0, 1, 1, pools);
	b = got(nat, &q);
	cr_expect_eq(b.translated, 0);
	cr_expect(sp_addr_equal(&b.addr, &q.src));
	cr_expect_eq(b.port_be, q.sport_be);
	cr_expect_eq(stats(nat).bindings, 0);
	sp_nat_put(nat, b.handle);
	q = from("10.9.0.2", 80, IPPROTO_TCP);
	cr_expect_eq(got(nat, &q).translated, 1, "IPv4 of the same pool is translated");
	sp_nat_close(nat);
	sp_nat_pools_close(pools);
}

Test(nat, stops_at_bindings_max_but_not_because_of_cooling_ones)
{
	struct sp_nat *nat = nat_simple(4, 1024, 65535);
	struct sp_nat_request q = from("10.9.0.2", 2000, IPPROTO_UDP);
	struct sp_nat_binding b[5];

	for (unsigned int round = 0; round < 3; round++) {
		for (uint16_t i = 0; i < 4; i++) {
			q.sport_be = htons((uint16_t)(2000 + 10 * round + i));
			q.proto = i % 2 ? IPPROTO_UDP : IPPROTO_TCP;
			b[i] = got(nat, &q);
		}
		q.sport_be = htons(9);
		cr_expect_eq(sp_nat_get(nat, &q, &b[4]), -ENOMEM, "round %u", round);
		cr_expect_eq(stats(nat).exhausted, round + 1);
		for (uint16_t i = 0; i < 4; i++)
			sp_nat_put(nat, b[i].handle);
	}
	cr_expect_eq(stats(nat).bindings, 0);
	sp_nat_close(nat);
}

/* --- long and at random, against a list of what must hold --------------------------------- */

#define HELD_MAX 600

struct held {
	struct sp_nat_request q;
	struct sp_nat_binding b;
};

static uint64_t seed = 3;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((seed >> 33) % below);
}

static struct sp_nat_request random_request(void)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};
	struct sp_nat_request q = from("10.9.0.2", (uint16_t)(3000 + rnd(60)), protos[rnd(3)]);

	q.src.b[15] = (uint8_t)(2 + rnd(6));
	q.user_id = q.src.b[15];
	q.pool_id = (uint16_t)rnd(3);
	return q;
}

/* Equal inner endpoints share, unequal ones never do. */
static void check_held(const struct held *held, uint32_t n, const struct held *fresh, bool reloaded)
{
	for (uint32_t i = 0; i < n; i++) {
		bool endpoint = sp_addr_equal(&held[i].q.src, &fresh->q.src) &&
				held[i].q.sport_be == fresh->q.sport_be &&
				held[i].q.proto == fresh->q.proto &&
				(held[i].q.pool_id ? held[i].q.pool_id : 1) ==
					(fresh->q.pool_id ? fresh->q.pool_id : 1);
		bool outside = same(&held[i].b, &fresh->b) && held[i].q.proto == fresh->q.proto;

		cr_assert(!outside || endpoint, "one outside endpoint for two inner ones");
		cr_assert(reloaded || !endpoint || outside, "two outside endpoints for one");
	}
}

Test(nat, holds_its_promises_in_a_long_run, .timeout = 60)
{
	struct sp_nat_pools *a = pools_make(), *b = pools_make();
	static struct held held[HELD_MAX];
	uint32_t n = 0, refused = 0;
	bool reloaded = false;
	struct sp_nat *nat;

	address_add(pool_add(a), "203.0.113.1", 3000, 3063);
	address_add(pool_add(a), "203.0.113.1", 3032, 3100);
	address_add(&a->pools[1], "203.0.113.2", 3000, 3063);
	address_add(pool_add(b), "203.0.113.2", 3000, 3031);
	address_add(pool_add(b), "203.0.113.3", 3000, 3063);
	nat = nat_make(0, 1, 300, a);
	for (uint32_t step = 0; step < 60000; step++) {
		if (n == HELD_MAX || (n && rnd(100) < 49)) {
			uint32_t i = rnd(n);

			sp_nat_put(nat, held[i].b.handle);
			held[i] = held[--n];
		} else {
			struct held fresh = {.q = random_request()};
			int r = sp_nat_get(nat, &fresh.q, &fresh.b);

			cr_assert(!r || r == -ENOSPC || r == -ENOMEM, "%d", r);
			refused += r != 0;
			if (!r) {
				check_held(held, n, &fresh, reloaded);
				held[n++] = fresh;
			}
		}
		if (step % 20000 == 19999) {
			cr_assert_eq(sp_nat_apply(nat, step % 40000 == 19999 ? b : a), 0);
			reloaded = true;
		}
	}
	cr_expect_gt(refused, 0, "the run must reach the limit");
	while (n)
		sp_nat_put(nat, held[--n].b.handle);
	cr_expect_eq(stats(nat).bindings, 0);
	sp_nat_close(nat);
	sp_nat_pools_close(a);
	sp_nat_pools_close(b);
}
