/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/recent.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "sallyport/core/addr.h"

/*
 * Each record is in three rings: of all records by time, of its user's by time, and either of the
 * kept ones, the newest SP_RECENT_KEPT of each user, or of the spare ones, which go first when a
 * place is needed. Ends of rings are places behind the records'.
 */
enum ring {
	RING_TIME,
	RING_USER,
	RING_CLASS,
	RINGS
};
enum {
	END_TIME = SP_RECENT_MAX,
	END_KEPT,
	END_SPARE,
	END_USERS /* + user */
};

struct link {
	uint32_t newer, older;
};

struct node {
	struct link links[RINGS];
	bool spare;
	struct sp_recent_drop drop;
};

struct user {
	struct link ends;  /* RING_USER: newer is the oldest record, older the newest */
	uint32_t boundary; /* the oldest of its kept ones */
	uint32_t kept;
};

struct sp_recent {
	struct node nodes[SP_RECENT_MAX];
	struct link ends[END_USERS - SP_RECENT_MAX];
	uint32_t count;
	uint32_t users_max;
	struct user users[];
};

static struct link *link_of(struct sp_recent *r, enum ring ring, uint32_t at)
{
	if (at < SP_RECENT_MAX)
		return &r->nodes[at].links[ring];
	if (at < END_USERS)
		return &r->ends[at - SP_RECENT_MAX];
	return &r->users[at - END_USERS].ends;
}

static void ring_init(struct sp_recent *r, uint32_t end)
{
	*link_of(r, RING_TIME, end) = (struct link){end, end};
}

static void ring_add(struct sp_recent *r, enum ring ring, uint32_t end, uint32_t at)
{
	struct link *last = link_of(r, ring, end);

	*link_of(r, ring, at) = (struct link){.newer = end, .older = last->older};
	link_of(r, ring, last->older)->newer = at;
	last->older = at;
}

static void ring_remove(struct sp_recent *r, enum ring ring, uint32_t at)
{
	struct link *l = link_of(r, ring, at);

	link_of(r, ring, l->newer)->older = l->older;
	link_of(r, ring, l->older)->newer = l->newer;
}

static uint32_t user_of(const struct sp_recent *r, uint32_t user_id)
{
	return user_id < r->users_max ? user_id : 0;
}

int sp_recent_open(uint32_t users_max, struct sp_recent **ret_recent)
{
	struct sp_recent *r;

	if (!users_max || users_max > UINT32_MAX - END_USERS)
		return -EINVAL;
	r = calloc(1, sizeof(*r) + users_max * sizeof(*r->users));
	if (!r)
		return -ENOMEM;
	r->users_max = users_max;
	for (uint32_t end = SP_RECENT_MAX; end < END_USERS + users_max; end++)
		ring_init(r, end);
	*ret_recent = r;
	return 0;
}

void sp_recent_close(struct sp_recent *recent)
{
	free(recent);
}

/* A record leaves the kept ones of its user, which has others there or none at all. */
static void unkeep(struct sp_recent *r, struct user *user, uint32_t at)
{
	if (user->boundary == at)
		user->boundary = r->nodes[at].links[RING_USER].newer;
	user->kept--;
	ring_remove(r, RING_CLASS, at);
}

static void keep(struct sp_recent *r, struct user *user, uint32_t at)
{
	uint32_t oldest;

	r->nodes[at].spare = false;
	ring_add(r, RING_CLASS, END_KEPT, at);
	if (user->kept++ == 0)
		user->boundary = at;
	if (user->kept <= SP_RECENT_KEPT)
		return;
	oldest = user->boundary;
	unkeep(r, user, oldest);
	r->nodes[oldest].spare = true;
	ring_add(r, RING_CLASS, END_SPARE, oldest);
}

static struct user *owner_of(struct sp_recent *r, uint32_t at)
{
	return &r->users[user_of(r, r->nodes[at].drop.event.user_id)];
}

static uint32_t take_place(struct sp_recent *r)
{
	uint32_t at;

	if (r->count < SP_RECENT_MAX)
		return r->count++;
	at = link_of(r, RING_CLASS, END_SPARE)->newer;
	if (at == END_SPARE)
		at = link_of(r, RING_CLASS, END_KEPT)->newer;
	if (r->nodes[at].spare)
		ring_remove(r, RING_CLASS, at);
	else
		unkeep(r, owner_of(r, at), at);
	ring_remove(r, RING_TIME, at);
	ring_remove(r, RING_USER, at);
	return at;
}

static bool is_alike(const struct sp_drop_event *a, const struct sp_drop_event *b)
{
	return a->reason == b->reason && a->direction == b->direction && a->proto == b->proto &&
	       a->user_id == b->user_id && a->peer_id == b->peer_id && a->rule_id == b->rule_id &&
	       a->hit_id == b->hit_id && a->generation == b->generation &&
	       a->dport_be == b->dport_be && a->ifindex == b->ifindex &&
	       sp_addr_equal(&a->src, &b->src) && sp_addr_equal(&a->dst, &b->dst);
}

/* Among the kept ones of its user, the newest first. */
static uint32_t find_alike(struct sp_recent *r, uint32_t end, const struct sp_drop_event *event)
{
	uint32_t at = link_of(r, RING_USER, end)->older;

	while (at != end && !r->nodes[at].spare) {
		if (is_alike(&r->nodes[at].drop.event, event))
			return at;
		at = r->nodes[at].links[RING_USER].older;
	}
	return end;
}

struct sp_recent_drop *sp_recent_add(struct sp_recent *r, const struct sp_drop_event *event)
{
	uint32_t end = END_USERS + user_of(r, event->user_id);
	uint32_t at = find_alike(r, end, event);
	struct user *user = &r->users[end - END_USERS];
	struct sp_recent_drop *drop;

	if (at == end) {
		at = take_place(r);
		r->nodes[at].drop = (struct sp_recent_drop){.first_ns = event->at_ns};
	} else {
		unkeep(r, user, at);
		ring_remove(r, RING_TIME, at);
		ring_remove(r, RING_USER, at);
	}
	drop = &r->nodes[at].drop;
	drop->event = *event;
	drop->count++;
	drop->left_out += event->waited;
	ring_add(r, RING_TIME, END_TIME, at);
	ring_add(r, RING_USER, end, at);
	keep(r, user, at);
	return drop;
}

int sp_recent_each(const struct sp_recent *recent, uint32_t user_id,
		   int (*cb)(const struct sp_recent_drop *drop, void *arg), void *arg)
{
	struct sp_recent *r = (struct sp_recent *)recent; /* read only */
	bool all = user_id == SP_RECENT_ALL;
	enum ring ring = all ? RING_TIME : RING_USER;
	uint32_t end = all ? END_TIME : END_USERS + user_of(r, user_id);
	uint32_t at = link_of(r, ring, end)->older;
	int rc = 0;

	for (; at != end && !rc; at = link_of(r, ring, at)->older)
		rc = cb(&r->nodes[at].drop, arg);
	return rc;
}

uint32_t sp_recent_count(const struct sp_recent *recent)
{
	return recent->count;
}
