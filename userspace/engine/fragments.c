/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/fragments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define BUCKETS (2 * SP_DATAGRAMS_MAX)

int sp_fragments_init(struct sp_fragments *f, uint32_t users_max)
{
	struct sp_fragments fresh = {.users_max = users_max};

	if (getrandom(&fresh.seed, sizeof(fresh.seed), 0) != sizeof(fresh.seed) ||
	    getrandom(fresh.ids, sizeof(fresh.ids), 0) != sizeof(fresh.ids))
		return -EIO;
	fresh.datagrams = calloc(SP_DATAGRAMS_MAX + 1, sizeof(*fresh.datagrams));
	fresh.buckets = calloc(BUCKETS, sizeof(*fresh.buckets));
	fresh.users = calloc(users_max, sizeof(*fresh.users));
	if (!fresh.datagrams || !fresh.buckets || !fresh.users) {
		sp_fragments_fini(&fresh);
		return -ENOMEM;
	}
	*f = fresh;
	return 0;
}

void sp_fragments_fini(struct sp_fragments *f)
{
	free(f->datagrams);
	free(f->buckets);
	free(f->users);
	*f = (struct sp_fragments){0};
}

static uint32_t *bucket_of(struct sp_fragments *f, const struct sp_fragment_key *key)
{
	return &f->buckets[XXH3_64bits_withSeed(key, sizeof(*key), f->seed) % BUCKETS];
}

/* The same addresses in another peer's tunnel are another datagram: nobody touches a stranger's. */
static struct sp_datagram *lookup(struct sp_fragments *f, const struct sp_fragment_key *key,
				  uint32_t peer_id)
{
	for (uint32_t at = *bucket_of(f, key); at; at = f->datagrams[at].next) {
		struct sp_datagram *d = &f->datagrams[at];

		if (d->peer_id == peer_id && !memcmp(&d->key, key, sizeof(*key)))
			return d;
	}
	return NULL;
}

static void leave_user(struct sp_fragments *f, struct sp_datagram *d)
{
	struct sp_datagram_user *user = &f->users[d->user_id];

	if (d->older)
		f->datagrams[d->older].newer = d->newer;
	else
		user->oldest = d->newer;
	if (d->newer)
		f->datagrams[d->newer].older = d->older;
	else
		user->newest = d->older;
	user->count--;
}

static void remove_datagram(struct sp_fragments *f, struct sp_datagram *d)
{
	uint32_t number = (uint32_t)(d - f->datagrams);
	uint32_t *at = bucket_of(f, &d->key);

	while (*at != number)
		at = &f->datagrams[*at].next;
	*at = d->next;
	leave_user(f, d);
	d->next = f->first_free;
	f->first_free = number;
	f->count--;
}

/* A place, at the cost of whoever may be forgotten first: this user's own oldest. */
static uint32_t take_place(struct sp_fragments *f, const struct sp_datagram_user *user)
{
	uint32_t number;

	if (user->count >= SP_DATAGRAMS_USER_MAX ||
	    (f->count == SP_DATAGRAMS_MAX && user->count > 0)) {
		remove_datagram(f, &f->datagrams[user->oldest]);
	} else if (f->count == SP_DATAGRAMS_MAX) {
		f->victim = f->victim % SP_DATAGRAMS_MAX + 1;
		remove_datagram(f, &f->datagrams[f->victim]);
	}
	number = f->first_free;
	if (!number)
		return ++f->high;
	f->first_free = f->datagrams[number].next;
	return number;
}

static void insert(struct sp_fragments *f, const struct sp_datagram *fresh)
{
	struct sp_datagram_user *user = &f->users[fresh->user_id];
	uint32_t number = take_place(f, user);
	struct sp_datagram *d = &f->datagrams[number];
	uint32_t *bucket = bucket_of(f, &fresh->key);

	*d = *fresh;
	d->next = *bucket;
	*bucket = number;
	d->older = user->newest;
	if (user->newest)
		f->datagrams[user->newest].newer = number;
	else
		user->oldest = number;
	user->newest = number;
	user->count++;
	f->count++;
}

enum sp_reason sp_fragments_begin(struct sp_fragments *f, const struct sp_sender *from,
				  const struct sp_packet *ip, uint32_t outside_id)
{
	struct sp_datagram fresh = {
		.peer_id = from->peer_id, .user_id = from->user_id, .outside_id = outside_id};
	bool is_confused = false;
	struct sp_datagram *there;

	if (from->user_id >= f->users_max)
		return SP_R_FRAGMENT;
	sp_fragment_key_of(ip, &fresh.key);
	sp_fragment_first(ip, ip->sport_be, ip->dport_be, from->now_ns, &fresh.fragment);
	there = lookup(f, &fresh.key, from->peer_id);
	if (there) {
		is_confused = !sp_fragment_is_old(&there->fragment, from->now_ns) &&
			      !sp_fragment_is_same(&there->fragment, &fresh.fragment);
		remove_datagram(f, there);
	}
	if (is_confused)
		return SP_R_FRAGMENT;
	insert(f, &fresh);
	return SP_R_NONE;
}

enum sp_reason sp_fragments_follow(struct sp_fragments *f, const struct sp_sender *from,
				   struct sp_packet *ip)
{
	struct sp_fragment_key key;
	struct sp_datagram *d;
	enum sp_reason r;

	sp_fragment_key_of(ip, &key);
	d = lookup(f, &key, from->peer_id);
	if (!d)
		return SP_R_FRAGMENT;
	r = sp_fragment_check(&d->fragment, ip, from->now_ns);
	if (r)
		return r;
	ip->proto = d->fragment.proto;
	ip->sport_be = d->fragment.sport_be;
	ip->dport_be = d->fragment.dport_be;
	if (ip->version == 4)
		ip->fragment_id = d->outside_id;
	if (sp_fragment_take(&d->fragment, ip))
		remove_datagram(f, d);
	return SP_R_NONE;
}

uint16_t sp_fragments_id(struct sp_fragments *f, const struct sp_addr *src,
			 const struct sp_packet *ip, uint32_t worker, uint32_t workers)
{
	struct sp_fragment_key key = {.src = *src, .dst = ip->dst, .proto = ip->proto};
	uint16_t *next = &f->ids[XXH3_64bits_withSeed(&key, sizeof(key), f->seed) % SP_IP_IDS];
	uint32_t share = 0x10000 / workers, turn = *next % share;

	*next = (uint16_t)((turn + 1) % share);
	return sp_swap16((uint16_t)(turn * workers + worker));
}
