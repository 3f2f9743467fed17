// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/log.h"
#include "paths/state.h"
#include "sallyport/core/addr.h"

static int add_address(struct sp_paths *p, const struct sp_address *address)
{
	uint32_t room = p->address_room ? 2 * p->address_room : 64;
	struct sp_address *list;

	if (p->address_count == p->address_room) {
		if (room > SP_PATHS_ADDRESSES_MAX)
			return -ENOSPC;
		list = realloc(p->addresses, room * sizeof(*list));
		if (!list)
			return -ENOMEM;
		p->addresses = list;
		p->address_room = room;
	}
	p->addresses[p->address_count++] = *address;
	return 0;
}

/* The mask counts for the address on our side; a peer address has no broadcast. */
static void find_broadcast(const struct ifaddrmsg *msg, const struct sp_addr *network,
			   struct sp_address *address)
{
	uint32_t host;

	if (msg->ifa_family != AF_INET || msg->ifa_prefixlen > 30 || msg->ifa_prefixlen == 0 ||
	    !sp_addr_equal(network, &address->addr))
		return;
	host = UINT32_MAX >> msg->ifa_prefixlen;
	address->broadcast = sp_addr_from_v4(sp_addr_v4(&address->addr) | htonl(host));
	address->has_broadcast = true;
}

static int on_address(const struct nlmsghdr *nlh, void *paths)
{
	const struct ifaddrmsg *msg = mnl_nlmsg_get_payload(nlh);
	static struct sp_log_limit limit;
	struct sp_paths *p = paths;
	struct sp_address address = {};
	struct sp_addr network;
	struct sp_attrs attrs;

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg) ||
	    (msg->ifa_family != AF_INET && msg->ifa_family != AF_INET6) ||
	    (msg->ifa_flags & IFA_F_DADFAILED))
		return MNL_CB_OK;
	sp_attrs_parse(nlh, sizeof(*msg), &attrs);
	if (!sp_attr_addr(attrs.at[IFA_ADDRESS], msg->ifa_family, &network))
		return MNL_CB_OK;
	if (!sp_attr_addr(attrs.at[IFA_LOCAL], msg->ifa_family, &address.addr))
		address.addr = network;
	find_broadcast(msg, &network, &address);
	address.is_global = msg->ifa_scope < RT_SCOPE_LINK;
	address.ifindex = msg->ifa_index;
	if (add_address(p, &address) < 0)
		sp_log_limited(&limit, SP_LOG_ERROR,
			       "paths: failed to keep an address: more than %d in this namespace",
			       SP_PATHS_ADDRESSES_MAX);
	return MNL_CB_OK;
}

int sp_locals_read(struct sp_paths *p)
{
	p->address_count = 0;
	return sp_netlink_dump(p, RTM_GETADDR, AF_UNSPEC, on_address);
}

/* A set of local addresses, sorted by address once it is complete. */
struct local_entry {
	struct sp_addr addr;
	struct sp_local local;
};
struct local_set {
	struct local_entry *list;
	uint32_t count, room;
};

static void set_fini(struct local_set *set)
{
	free(set->list);
}

static int set_add(struct local_set *set, const struct sp_addr *addr, const struct sp_local *local)
{
	struct local_entry *list;
	uint32_t room = set->room ? 2 * set->room : 64;

	if (set->count == set->room) {
		list = realloc(set->list, room * sizeof(*list));
		if (!list)
			return -ENOMEM;
		set->list = list;
		set->room = room;
	}
	set->list[set->count++] = (struct local_entry){.addr = *addr, .local = *local};
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	return memcmp(((const struct local_entry *)a)->addr.b,
		      ((const struct local_entry *)b)->addr.b, sizeof(struct sp_addr));
}

static bool is_kernel_address(const struct sp_paths *p, const struct sp_addr *addr)
{
	for (uint32_t i = 0; i < p->address_count; i++) {
		if (sp_addr_equal(&p->addresses[i].addr, addr))
			return true;
	}
	return false;
}

static bool is_inner(const struct sp_paths *p, const struct sp_addr *addr)
{
	for (uint32_t i = 0; i < p->inner_count; i++) {
		if (sp_addr_equal(&p->inner[i], addr))
			return true;
	}
	return false;
}

/* An address in two pools has one range that covers both. */
static bool find_pool(const struct sp_paths *p, const struct sp_addr *addr, struct sp_local *local)
{
	bool found = false;

	for (uint32_t i = 0; i < p->pool_count; i++) {
		const struct sp_paths_pool_address *a = &p->pool[i];

		if (!sp_addr_equal(&a->addr, addr))
			continue;
		if (!found || a->port_min < local->port_min)
			local->port_min = a->port_min;
		if (!found || a->port_max > local->port_max)
			local->port_max = a->port_max;
		found = true;
	}
	return found;
}

static struct sp_local judge(const struct sp_paths *p, const struct sp_addr *addr)
{
	bool kernel = is_kernel_address(p, addr);
	struct sp_local local = {.kind = SP_LOCAL_HOST};

	if (is_inner(p, addr))
		local.kind = SP_LOCAL_INNER;
	else if (find_pool(p, addr, &local))
		local.kind = kernel ? SP_LOCAL_SHARED : SP_LOCAL_POOL;
	else if (!kernel)
		local.kind = SP_LOCAL_SUBNET;
	return local;
}

static int add_judged(const struct sp_paths *p, struct local_set *set, const struct sp_addr *addr)
{
	struct sp_local local = judge(p, addr);

	return set_add(set, addr, &local);
}

static int wanted_set(const struct sp_paths *p, struct local_set *set)
{
	uint32_t kept = 0;
	int r = 0;

	for (uint32_t i = 0; i < p->address_count && r == 0; i++) {
		r = add_judged(p, set, &p->addresses[i].addr);
		if (r == 0 && p->addresses[i].has_broadcast)
			r = add_judged(p, set, &p->addresses[i].broadcast);
	}
	for (uint32_t i = 0; i < p->pool_count && r == 0; i++)
		r = add_judged(p, set, &p->pool[i].addr);
	for (uint32_t i = 0; i < p->inner_count && r == 0; i++)
		r = add_judged(p, set, &p->inner[i]);
	if (r < 0 || set->count == 0)
		return r;
	qsort(set->list, set->count, sizeof(*set->list), compare_entries);
	/* The same address judged twice was judged the same. */
	for (uint32_t i = 1; i < set->count; i++) {
		if (compare_entries(&set->list[kept], &set->list[i]) != 0)
			set->list[++kept] = set->list[i];
	}
	set->count = kept + 1;
	return 0;
}

static int collect(const struct sp_addr *addr, const struct sp_local *local, void *arg)
{
	return set_add(arg, addr, local);
}

static const struct local_entry *find_entry(const struct local_set *set,
					    const struct local_entry *entry)
{
	return set->count ? bsearch(entry, set->list, set->count, sizeof(*entry), compare_entries)
			  : NULL;
}

/* What errors about packets of this link's come from: the first global address, else any. */
static struct sp_addr choose_source(const struct sp_paths *p, uint32_t ifindex, bool v4)
{
	struct sp_addr chosen = {0};
	bool found = false;

	for (uint32_t i = 0; i < p->address_count; i++) {
		const struct sp_address *a = &p->addresses[i];

		if (a->ifindex != ifindex || sp_addr_is_v4(&a->addr) != v4 ||
		    (found && !a->is_global))
			continue;
		chosen = a->addr;
		found = true;
		if (a->is_global)
			break;
	}
	return chosen;
}

static int publish_sources(struct sp_paths *p)
{
	int r = 0;

	for (int i = 0; i < SP_IFACE_MAX && r == 0; i++) {
		struct sp_link *link = &p->links[i];
		struct sp_addr v4 = choose_source(p, link->ifindex, true);
		struct sp_addr v6 = choose_source(p, link->ifindex, false);

		if (!link->ifindex || (sp_addr_equal(&link->iface.addr4, &v4) &&
				       sp_addr_equal(&link->iface.addr6, &v6)))
			continue;
		link->iface.addr4 = v4;
		link->iface.addr6 = v6;
		r = sp_dataplane_iface_put(p->dp, link->ifindex, &link->iface);
	}
	return r;
}

/* What the map holds is compared with what it should: entries of an earlier run go this way. */
int sp_locals_publish(struct sp_paths *p)
{
	_cleanup_(set_fini) struct local_set wanted = {}, found = {};
	const struct local_entry *e;
	bool changed = false;
	int r = wanted_set(p, &wanted);

	if (r == 0)
		r = sp_dataplane_local_each(p->dp, collect, &found);
	if (r < 0)
		return r;
	if (found.count)
		qsort(found.list, found.count, sizeof(*found.list), compare_entries);
	for (uint32_t i = 0; i < wanted.count; i++) {
		e = find_entry(&found, &wanted.list[i]);
		if (e && memcmp(&e->local, &wanted.list[i].local, sizeof(e->local)) == 0)
			continue;
		r = sp_dataplane_local_put(p->dp, &wanted.list[i].addr, &wanted.list[i].local);
		if (r < 0)
			return r;
		changed = true;
	}
	for (uint32_t i = 0; i < found.count; i++) {
		if (find_entry(&wanted, &found.list[i]))
			continue;
		r = sp_dataplane_local_remove(p->dp, &found.list[i].addr);
		if (r < 0)
			return r;
		changed = true;
	}
	if (changed && p->upcalls.on_address)
		p->upcalls.on_address(p->arg);
	return publish_sources(p);
}

static int import_local(const struct sp_addr *addr, const struct sp_local *local, void *arg)
{
	struct sp_paths *p = arg;

	if ((local->kind != SP_LOCAL_POOL && local->kind != SP_LOCAL_SHARED) ||
	    p->pool_count == SP_PATHS_ADDRESSES_MAX / 2)
		return 0;
	p->pool[p->pool_count++] = (struct sp_paths_pool_address){
		.addr = *addr, .port_min = local->port_min, .port_max = local->port_max};
	return 0;
}

int sp_locals_import(struct sp_paths *p)
{
	p->pool = calloc(SP_PATHS_ADDRESSES_MAX / 2, sizeof(*p->pool));
	return p->pool ? sp_dataplane_local_each(p->dp, import_local, p) : -ENOMEM;
}
