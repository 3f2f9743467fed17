// SPDX-License-Identifier: Apache-2.0
/*
 * Cryptokey routing against a naive table: 2,000 peers, IPv4 and IPv6, prefixes that cover each
 * other, look-ups between adds and removes. SP_INNER_LOOKUPS=n does n look-ups instead of the
 * 1,200,000 that fit in a test run.
 */
#include "unit/dataplane/fixture.h"

#include <errno.h>
#include <string.h>

#include "sallyport/core/addr.h"

TestSuite(dataplane_inner, .init = fixture_need_kernel, .timeout = 300);

#define PEERS	 2000
#define PER_PEER 2
#define ROUND	 4000 /* look-ups between two changes of 20 entries */
#define CHANGES	 20

struct entry {
	struct sp_prefix prefix;
	union sp_addr_words net, mask; /* the same, for a fast linear search */
	uint32_t peer;		       /* 0: not in the table */
};

static struct entry table[PEERS * PER_PEER];
static uint64_t state = 0x5a11790472ull;

static uint32_t random32(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

/* 1,024 networks of 256 hosts in each family, so that prefixes often cover each other. */
static struct sp_addr random_addr(bool v4)
{
	struct sp_addr a = {};

	if (v4)
		a = sp_addr_from_v4(0);
	a.b[v4 ? 12 : 0] = v4 ? 10 : 0xfd;
	a.b[v4 ? 13 : 6] = random32() & 31;
	a.b[v4 ? 14 : 7] = random32() & 31;
	a.b[15] = (uint8_t)random32();
	return a;
}

static __u8 random_length(bool v4)
{
	if (v4)
		return (__u8)(96 + 23 + random32() % 10);
	return (__u8)(random32() % 8 ? 120 + random32() % 9 : 63 + random32() % 2);
}

static union sp_addr_words mask_of(unsigned int len)
{
	union sp_addr_words mask = {};

	for (unsigned int bit = 0; bit < len; bit++)
		mask.addr.b[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
	return mask;
}

static uint32_t naive_lookup(const struct sp_addr *a)
{
	const union sp_addr_words w = {.addr = *a};
	const struct entry *best = NULL;

	for (unsigned int i = 0; i < PEERS * PER_PEER; i++) {
		const struct entry *e = &table[i];

		if (((w.w64[0] & e->mask.w64[0]) ^ e->net.w64[0]) |
		    ((w.w64[1] & e->mask.w64[1]) ^ e->net.w64[1]))
			continue;
		if (e->peer && (!best || e->prefix.len > best->prefix.len))
			best = e;
	}
	return best ? best->peer : 0;
}

static bool is_in_table(const struct sp_prefix *p)
{
	for (unsigned int i = 0; i < PEERS * PER_PEER; i++) {
		if (table[i].peer && table[i].prefix.len == p->len &&
		    sp_addr_equal(&table[i].prefix.addr, &p->addr))
			return true;
	}
	return false;
}

static void add(struct sp_dataplane *dp, unsigned int slot)
{
	struct sp_inner value = {.kind = SP_INNER_PEER, .peer_id = 1 + slot / PER_PEER};
	struct entry e = {.peer = value.peer_id};
	struct sp_prefix p = {};
	bool v4;

	do {
		v4 = random32() & 1;
		p.addr = random_addr(v4);
		p.len = random_length(v4);
		e.mask = mask_of(p.len);
		e.net.addr = p.addr;
		e.net.w64[0] &= e.mask.w64[0];
		e.net.w64[1] &= e.mask.w64[1];
		p.addr = e.net.addr;
	} while (is_in_table(&p));
	e.prefix = p;
	table[slot] = e;
	cr_assert_eq(sp_dataplane_inner_put(dp, &p, &value), 0);
}

static void replace(struct sp_dataplane *dp)
{
	unsigned int slot = random32() % (PEERS * PER_PEER);

	if (table[slot].peer)
		cr_assert_eq(sp_dataplane_inner_remove(dp, &table[slot].prefix), 0);
	table[slot].peer = 0;
	if (random32() % 4)
		add(dp, slot);
}

static void compare(struct sp_dataplane *dp, unsigned int *hits)
{
	struct sp_addr a = random_addr(random32() & 1);
	struct sp_inner found = {};
	uint32_t want = naive_lookup(&a);
	int r = sp_dataplane_inner_lookup(dp, &a, &found);

	cr_assert_eq(r, want ? 0 : -ENOENT);
	cr_assert_eq(found.peer_id, want);
	*hits += want != 0;
}

Test(dataplane_inner, trie_and_naive_table_never_differ)
{
	const char *text = getenv("SP_INNER_LOOKUPS");
	unsigned long lookups = text ? strtoul(text, NULL, 10) : 1200000;
	struct sp_dataplane *dp = fixture_open(NULL);
	unsigned int hits = 0;

	for (unsigned int i = 0; i < PEERS * PER_PEER; i++)
		add(dp, i);
	for (unsigned long i = 0; i < lookups; i++) {
		if (i % ROUND == 0) {
			for (unsigned int k = 0; k < CHANGES; k++)
				replace(dp);
		}
		compare(dp, &hits);
	}
	cr_log_info("%lu look-ups, %u of them found a peer", lookups, hits);
	cr_assert_gt(hits, lookups / 5);
	cr_assert_lt(hits, lookups / 5 * 4);
	sp_dataplane_close(dp);
}

Test(dataplane_inner, a_more_specific_peer_takes_over_at_once_and_gives_back)
{
	struct sp_dataplane *dp = fixture_open(NULL);
	struct sp_addr a = sp_addr_from_v4((__be32)(10 | 9 << 8 | 5u << 24));
	struct sp_prefix wide = {.addr = sp_addr_from_v4((__be32)(10 | 9 << 8)), .len = 96 + 24};
	struct sp_prefix host = {.addr = a, .len = 128};
	struct sp_inner first = {.peer_id = 1}, second = {.peer_id = 2}, found = {};

	cr_assert_eq(sp_dataplane_inner_lookup(dp, &a, &found), -ENOENT);
	cr_assert_eq(sp_dataplane_inner_put(dp, &wide, &first), 0);
	cr_assert_eq(sp_dataplane_inner_lookup(dp, &a, &found), 0);
	cr_assert_eq(found.peer_id, 1);
	cr_assert_eq(sp_dataplane_inner_put(dp, &host, &second), 0);
	cr_assert_eq(sp_dataplane_inner_lookup(dp, &a, &found), 0);
	cr_assert_eq(found.peer_id, 2);
	cr_assert_eq(sp_dataplane_inner_remove(dp, &host), 0);
	cr_assert_eq(sp_dataplane_inner_lookup(dp, &a, &found), 0);
	cr_assert_eq(found.peer_id, 1);
	sp_dataplane_close(dp);
}
