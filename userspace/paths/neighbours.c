// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "paths/state.h"
#include "sallyport/core/addr.h"
#include "sallyport/core/seqlock.h"

/*
 * A next hop keeps its id for as long as flows may hold it: a link address that changes is written
 * into the same slot. A slot that became free rests for a while before it means another address,
 * unless it never had a link address, so that nobody sent by it.
 *
 *   gateway       in use while a route leads there; asked again every REFRESH
 *   on-link       made by sp_paths_resolve or learned from the kernel; gone after IDLE without use
 *   not resolved  asked again every RETRY; an on-link one only for INSIST after somebody asked for
 *                 it, since the kernel's table is small, and then it is gone after GIVE_UP
 */
#define REFRESH_NS (15 * SP_NS_PER_S)
#define RETRY_NS   (1 * SP_NS_PER_S)
#define RECENT_NS  (30 * SP_NS_PER_S)
#define IDLE_NS	   (300 * SP_NS_PER_S)
#define INSIST_NS  (3 * SP_NS_PER_S)
#define GIVE_UP_NS (30 * SP_NS_PER_S)
#define REST_NS	   (300 * SP_NS_PER_S)

#define ASKS_PER_TICK 256
#define LEARNED_MAX   (SP_NEXTHOP_MAX / 2)   /* the rest is for those that are asked for */
#define ASKED_MAX     (SP_NEXTHOP_MAX - 512) /* and this rest for the gateways of routes */

#define NUD_USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT)

bool sp_addr_is_multicast(const struct sp_addr *addr)
{
	if (sp_addr_is_v4(addr))
		return addr->b[12] >= 224;
	return addr->b[0] == 0xff;
}

bool sp_addr_is_link_local(const struct sp_addr *addr)
{
	return addr->b[0] == 0xfe && (addr->b[1] & 0xc0) == 0x80;
}

static bool is_unspecified(const struct sp_addr *addr)
{
	static const struct sp_addr zero;

	return sp_addr_equal(addr, &zero) || (sp_addr_is_v4(addr) && sp_addr_v4(addr) == 0);
}

static uint64_t since(uint64_t then_ns, uint64_t now_ns)
{
	return then_ns > now_ns ? 0 : now_ns - then_ns;
}

/* Workers and XDP write used_ns; 0 is never. */
static uint64_t unused_for(const struct sp_paths *p, uint32_t id, uint64_t now_ns)
{
	uint64_t used_ns = __atomic_load_n(&p->shared->nexthops[id].used_ns, __ATOMIC_RELAXED);

	return used_ns ? since(used_ns, now_ns) : UINT64_MAX;
}

static struct sp_neighbour_key neighbour_key(const struct sp_hop *hop)
{
	return (struct sp_neighbour_key){.addr = hop->addr, .ifindex = hop->ifindex};
}

uint32_t sp_hop_find(const struct sp_paths *p, uint32_t ifindex, const struct sp_addr *addr)
{
	for (uint32_t id = 1; id < SP_NEXTHOP_MAX; id++) {
		if (p->hops[id].ifindex == ifindex && sp_addr_equal(&p->hops[id].addr, addr))
			return id;
	}
	return 0;
}

/* used_ns belongs to those who send; everything else is written here. */
static void write_slot(struct sp_paths *p, uint32_t id, enum sp_nexthop_state state,
		       const uint8_t *dmac)
{
	struct sp_nexthop *slot = &p->shared->nexthops[id];
	const struct sp_link *link = sp_link_find(p, p->hops[id].ifindex);

	sp_seq_write_begin(&slot->seq);
	slot->addr = p->hops[id].addr;
	slot->ifindex = p->hops[id].ifindex;
	if (link) {
		slot->slot = link->iface.slot;
		slot->mtu = link->iface.mtu;
		memcpy(slot->smac, link->iface.mac, sizeof(slot->smac));
	}
	if (dmac)
		memcpy(slot->dmac, dmac, sizeof(slot->dmac));
	slot->state = state;
	sp_seq_write_end(&slot->seq);
	p->hops[id].was_ready |= state == SP_NEXTHOP_READY;
}

static void hop_free(struct sp_paths *p, uint32_t id)
{
	struct sp_nexthop *slot = &p->shared->nexthops[id];
	struct sp_neighbour_key key = neighbour_key(&p->hops[id]);

	/* First the way to the slot, then the slot: a crash between them leaves no wrong way. */
	(void)sp_dataplane_neighbour_remove(p->dp, &key);
	sp_seq_write_begin(&slot->seq);
	slot->state = SP_NEXTHOP_FREE;
	memset(slot->dmac, 0, sizeof(slot->dmac));
	sp_seq_write_end(&slot->seq);
	p->hops[id] = (struct sp_hop){.freed_ns = p->hops[id].was_ready ? sp_clock_now_ns() : 0};
	p->hop_count--;
}

/* Round the table, so that an id that was freed comes back as late as possible. */
static int hop_reserve(struct sp_paths *p, uint64_t now_ns, uint32_t *ret_id)
{
	static struct sp_log_limit limit;

	for (uint32_t i = 0; i < SP_NEXTHOP_MAX - 1; i++) {
		uint32_t id = 1 + (p->hop_cursor + i) % (SP_NEXTHOP_MAX - 1);
		const struct sp_hop *hop = &p->hops[id];

		if (hop->ifindex || (hop->freed_ns && now_ns - hop->freed_ns < REST_NS))
			continue;
		p->hop_cursor = id;
		*ret_id = id;
		return 0;
	}
	sp_log_limited(&limit, SP_LOG_ERROR, "paths: failed to add a next hop: all %d are in use",
		       SP_NEXTHOP_MAX - 1);
	return -ENOSPC;
}

static int hop_make(struct sp_paths *p, uint32_t ifindex, const struct sp_addr *addr,
		    uint32_t *ret_id)
{
	uint64_t now_ns = sp_clock_now_ns();
	struct sp_neighbour_key key;
	struct sp_neighbour value = {};
	uint32_t id;
	int r = hop_reserve(p, now_ns, &id);

	if (r < 0)
		return r;
	p->hops[id] = (struct sp_hop){.ifindex = ifindex, .addr = *addr, .asked_ns = now_ns};
	p->hop_count++;
	__atomic_store_n(&p->shared->nexthops[id].used_ns, 0, __ATOMIC_RELAXED);
	write_slot(p, id, SP_NEXTHOP_PENDING, NULL);
	key = neighbour_key(&p->hops[id]);
	value.nexthop_id = id;
	r = sp_dataplane_neighbour_put(p->dp, &key, &value);
	if (r < 0) {
		hop_free(p, id);
		return r;
	}
	*ret_id = id;
	return 0;
}

int sp_hop_get(struct sp_paths *p, uint32_t ifindex, const struct sp_addr *addr, uint32_t *ret_id)
{
	uint32_t id = sp_hop_find(p, ifindex, addr);
	int r;

	if (id == 0) {
		r = hop_make(p, ifindex, addr, &id);
		if (r < 0)
			return r;
		sp_hop_ask(p, id);
	}
	*ret_id = id;
	return 0;
}

/* What the kernel learns by itself is published too: it saves the first packet. */
static bool is_worth_learning(const struct sp_paths *p, const struct sp_addr *addr)
{
	return !sp_addr_is_multicast(addr) && !sp_addr_is_link_local(addr) &&
	       !is_unspecified(addr) && p->hop_count < LEARNED_MAX;
}

static void hop_update(struct sp_paths *p, uint32_t id, const uint8_t *dmac)
{
	const struct sp_nexthop *slot = &p->shared->nexthops[id];

	if (!dmac) {
		if (slot->state != SP_NEXTHOP_PENDING)
			write_slot(p, id, SP_NEXTHOP_PENDING, NULL);
	} else if (slot->state != SP_NEXTHOP_READY || memcmp(slot->dmac, dmac, 6) != 0) {
		write_slot(p, id, SP_NEXTHOP_READY, dmac);
	}
}

int sp_hop_on_message(const struct nlmsghdr *nlh, void *paths)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	const uint8_t *dmac = NULL;
	struct sp_paths *p = paths;
	struct sp_attrs attrs;
	struct sp_addr addr;
	uint32_t id;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ndm) ||
	    (ndm->ndm_family != AF_INET && ndm->ndm_family != AF_INET6) || ndm->ndm_ifindex <= 0 ||
	    !sp_link_find(p, (uint32_t)ndm->ndm_ifindex) || (ndm->ndm_flags & NTF_PROXY))
		return MNL_CB_OK;
	sp_attrs_parse(nlh, sizeof(*ndm), &attrs);
	if (!sp_attr_addr(attrs.at[NDA_DST], ndm->ndm_family, &addr))
		return MNL_CB_OK;
	if ((ndm->ndm_state & NUD_USABLE) && attrs.at[NDA_LLADDR] &&
	    mnl_attr_get_payload_len(attrs.at[NDA_LLADDR]) == 6)
		dmac = mnl_attr_get_payload(attrs.at[NDA_LLADDR]);
	id = sp_hop_find(p, (uint32_t)ndm->ndm_ifindex, &addr);
	if (nlh->nlmsg_type == RTM_DELNEIGH) {
		/* Forgotten, not refuted: what was true stands until the kernel was asked again. */
		if (id)
			p->hops[id].ask_due = true;
		return MNL_CB_OK;
	}
	if (id == 0 && (!dmac || !is_worth_learning(p, &addr) ||
			hop_make(p, (uint32_t)ndm->ndm_ifindex, &addr, &id) < 0))
		return MNL_CB_OK;
	hop_update(p, id, dmac);
	return MNL_CB_OK;
}

int sp_hops_read(struct sp_paths *p)
{
	int r = sp_netlink_dump(p, RTM_GETNEIGH, AF_INET, sp_hop_on_message);

	if (r == 0)
		r = sp_netlink_dump(p, RTM_GETNEIGH, AF_INET6, sp_hop_on_message);
	return r;
}

/* Start resolving, then read what the kernel already knows: an entry in use sends no message. */
void sp_hop_ask(struct sp_paths *p, uint32_t id)
{
	struct sp_hop *hop = &p->hops[id];

	hop->ask_due = false;
	hop->tried_ns = sp_clock_now_ns();
	if (sp_netlink_use_neighbour(p, hop->ifindex, &hop->addr) < 0)
		hop_update(p, id, NULL); /* the link is down or gone */
	else
		(void)sp_netlink_get_neighbour(p, hop->ifindex, &hop->addr, sp_hop_on_message);
}

/* The slots of an earlier run keep their ids: adopted flows hold them. */
void sp_hops_import(struct sp_paths *p)
{
	uint64_t now_ns = sp_clock_now_ns();

	for (uint32_t id = 1; id < SP_NEXTHOP_MAX; id++) {
		struct sp_nexthop *slot = &p->shared->nexthops[id];
		struct sp_neighbour value = {.nexthop_id = id};
		struct sp_neighbour_key key;

		if (slot->seq & 1) /* the writer died inside */
			sp_seq_write_end(&slot->seq);
		if (slot->state == SP_NEXTHOP_FREE || slot->ifindex == 0 ||
		    sp_hop_find(p, slot->ifindex, &slot->addr))
			continue;
		p->hops[id] = (struct sp_hop){.ifindex = slot->ifindex,
					      .addr = slot->addr,
					      .asked_ns = now_ns,
					      .was_ready = true};
		p->hop_count++;
		p->hop_cursor = id;
		key = neighbour_key(&p->hops[id]);
		(void)sp_dataplane_neighbour_put(p->dp, &key, &value);
	}
}

void sp_hops_on_link(struct sp_paths *p, const struct sp_link *link, bool lost)
{
	for (uint32_t id = 1; id < SP_NEXTHOP_MAX; id++) {
		enum sp_nexthop_state state = p->shared->nexthops[id].state;

		if (p->hops[id].ifindex == link->ifindex)
			write_slot(p, id, lost ? SP_NEXTHOP_PENDING : state, NULL);
	}
}

/* ifindex 0: of every interface that is not ours any more. */
void sp_hops_free_link(struct sp_paths *p, uint32_t ifindex)
{
	for (uint32_t id = 1; id < SP_NEXTHOP_MAX; id++) {
		uint32_t on = p->hops[id].ifindex;

		if (on && (ifindex ? on == ifindex : !sp_link_find(p, on)))
			hop_free(p, id);
	}
}

void sp_hops_ask_due(struct sp_paths *p)
{
	for (uint32_t id = 1; id < SP_NEXTHOP_MAX; id++) {
		struct sp_hop *hop = &p->hops[id];

		if (!hop->ifindex || !hop->ask_due)
			continue;
		hop->ask_due = false;
		if (hop->gateway || unused_for(p, id, sp_clock_now_ns()) < RECENT_NS)
			sp_hop_ask(p, id);
		else
			hop_update(p, id, NULL);
	}
}

int sp_paths_resolve(struct sp_paths *p, uint32_t ifindex, const struct sp_addr *addr)
{
	uint32_t id;
	int r;

	if (ifindex == 0 || !sp_link_find(p, ifindex))
		return -ENODEV;
	if (sp_addr_is_multicast(addr) || is_unspecified(addr))
		return -EINVAL;
	id = sp_hop_find(p, ifindex, addr);
	if (id == 0) {
		if (p->hop_count >= ASKED_MAX)
			return -ENOSPC;
		r = hop_make(p, ifindex, addr, &id);
		if (r < 0)
			return r;
	}
	p->hops[id].asked_ns = sp_clock_now_ns();
	if (p->shared->nexthops[id].state != SP_NEXTHOP_READY)
		sp_hop_ask(p, id);
	return 0;
}

/* True when the kernel was asked. */
static bool tick_hop(struct sp_paths *p, uint32_t id, uint64_t now_ns)
{
	const struct sp_nexthop *slot = &p->shared->nexthops[id];
	const struct sp_hop *hop = &p->hops[id];
	uint64_t unused_ns = unused_for(p, id, now_ns);
	uint64_t unasked_ns = since(hop->asked_ns, now_ns);
	bool ready = slot->state == SP_NEXTHOP_READY;

	if (!hop->gateway && unasked_ns > (ready ? IDLE_NS : GIVE_UP_NS) && unused_ns > IDLE_NS) {
		hop_free(p, id);
		return false;
	}
	if (!hop->gateway && unused_ns > RECENT_NS && (ready || unasked_ns > INSIST_NS))
		return false;
	if (since(hop->tried_ns, now_ns) < (ready ? REFRESH_NS : RETRY_NS))
		return false;
	sp_hop_ask(p, id);
	return true;
}

void sp_paths_tick(struct sp_paths *p, uint64_t now_ns)
{
	unsigned int asked = 0;

	for (uint32_t i = 0; i < SP_NEXTHOP_MAX - 1 && asked < ASKS_PER_TICK; i++) {
		uint32_t id = 1 + p->tick_cursor;

		p->tick_cursor = (p->tick_cursor + 1) % (SP_NEXTHOP_MAX - 1);
		if (p->hops[id].ifindex)
			asked += tick_hop(p, id, now_ns);
	}
}
