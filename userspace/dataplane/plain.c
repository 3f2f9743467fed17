// SPDX-License-Identifier: Apache-2.0
#include "dataplane/plain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/state.h"

#define PORTS_PER_STEP 256

static int put(struct sp_dataplane *dp, enum sp_map_id id, const void *key, const void *value)
{
	return bpf_map_update_elem(dp->map_fds[id], key, value, BPF_ANY);
}

static int remove_key(struct sp_dataplane *dp, enum sp_map_id id, const void *key)
{
	int r = bpf_map_delete_elem(dp->map_fds[id], key);

	return r == -ENOENT ? 0 : r;
}

/* Every key of a map; the next one is taken before cb sees one, so that cb may remove it. */
static int each_key(struct sp_dataplane *dp, enum sp_map_id id,
		    int (*cb)(const void *key, void *arg), void *arg)
{
	_Alignas(8) uint8_t key[64], next[64];
	int fd = dp->map_fds[id];
	int r, more = bpf_map_get_next_key(fd, NULL, next);

	while (more == 0) {
		memcpy(key, next, sizeof(key));
		more = bpf_map_get_next_key(fd, key, next);
		r = cb(key, arg);
		if (r)
			return r;
	}
	return more == -ENOENT ? 0 : more;
}

int sp_dataplane_dev_put(struct sp_dataplane *dp, uint32_t slot, uint32_t ifindex)
{
	return put(dp, SP_MAP_DEVS, &slot, &ifindex);
}

static struct sp_lpm_key route_key(const struct sp_prefix *p)
{
	struct sp_lpm_key key = {.prefixlen = p->len};

	memcpy(key.addr, p->addr.b, sizeof(key.addr));
	return key;
}

int sp_dataplane_route_put(struct sp_dataplane *dp, const struct sp_prefix *p,
			   const struct sp_route_hop *v)
{
	struct sp_lpm_key key = route_key(p);

	return put(dp, SP_MAP_ROUTE_LPM, &key, v);
}

int sp_dataplane_route_remove(struct sp_dataplane *dp, const struct sp_prefix *p)
{
	struct sp_lpm_key key = route_key(p);

	return remove_key(dp, SP_MAP_ROUTE_LPM, &key);
}

struct route_each {
	int (*cb)(const struct sp_prefix *, void *);
	void *arg;
};

static int on_route_key(const void *key, void *arg)
{
	const struct sp_lpm_key *k = key;
	const struct route_each *each = arg;
	struct sp_prefix prefix = {.len = (uint8_t)k->prefixlen};

	memcpy(prefix.addr.b, k->addr, sizeof(prefix.addr.b));
	return each->cb(&prefix, each->arg);
}

int sp_dataplane_route_each(struct sp_dataplane *dp, int (*cb)(const struct sp_prefix *, void *),
			    void *arg)
{
	struct route_each each = {cb, arg};

	return each_key(dp, SP_MAP_ROUTE_LPM, on_route_key, &each);
}

int sp_dataplane_zone_put(struct sp_dataplane *dp, const struct sp_zone_key *k,
			  const struct sp_zone *v)
{
	return put(dp, SP_MAP_ZONES, k, v);
}

int sp_dataplane_zone_remove(struct sp_dataplane *dp, const struct sp_zone_key *k)
{
	return remove_key(dp, SP_MAP_ZONES, k);
}

struct zone_each {
	int (*cb)(const struct sp_zone_key *, void *);
	void *arg;
};

static int on_zone_key(const void *key, void *arg)
{
	const struct zone_each *each = arg;

	return each->cb(key, each->arg);
}

int sp_dataplane_zone_each(struct sp_dataplane *dp, int (*cb)(const struct sp_zone_key *, void *),
			   void *arg)
{
	struct zone_each each = {cb, arg};

	return each_key(dp, SP_MAP_ZONES, on_zone_key, &each);
}

int sp_dataplane_egress_put(struct sp_dataplane *dp, const struct sp_egress_key *k,
			    const struct sp_egress *v)
{
	return put(dp, SP_MAP_EGRESS, k, v);
}

int sp_dataplane_egress_remove(struct sp_dataplane *dp, const struct sp_egress_key *k)
{
	return remove_key(dp, SP_MAP_EGRESS, k);
}

struct egress_each {
	int (*cb)(const struct sp_egress_key *, void *);
	void *arg;
};

static int on_egress_key(const void *key, void *arg)
{
	const struct egress_each *each = arg;

	return each->cb(key, each->arg);
}

int sp_dataplane_egress_each(struct sp_dataplane *dp,
			     int (*cb)(const struct sp_egress_key *, void *), void *arg)
{
	struct egress_each each = {cb, arg};

	return each_key(dp, SP_MAP_EGRESS, on_egress_key, &each);
}

int sp_dataplane_binding_lookup(struct sp_dataplane *dp, const struct sp_binding_key *k,
				struct sp_binding *ret)
{
	struct sp_binding binding;
	int r = bpf_map_lookup_elem(dp->map_fds[SP_MAP_BINDINGS], k, &binding);

	if (r == 0)
		*ret = binding;
	return r;
}

int sp_dataplane_binding_remove(struct sp_dataplane *dp, const struct sp_binding_key *k)
{
	return remove_key(dp, SP_MAP_BINDINGS, k);
}

int sp_dataplane_port_put(struct sp_dataplane *dp, const struct sp_port_key *k,
			  const struct sp_port *v)
{
	return put(dp, SP_MAP_PORTS, k, v);
}

int sp_dataplane_port_remove(struct sp_dataplane *dp, const struct sp_port_key *k)
{
	return remove_key(dp, SP_MAP_PORTS, k);
}

int sp_dataplane_port_step(struct sp_dataplane *dp, struct sp_port_walk *walk,
			   int (*cb)(const struct sp_port_key *, const struct sp_port *, void *),
			   void *arg)
{
	int r, fd = dp->map_fds[SP_MAP_PORTS];
	struct sp_port_key key;
	struct sp_port port;

	if (!walk->begun) {
		r = bpf_map_get_next_key(fd, NULL, &walk->next);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
		walk->begun = true;
	}
	for (int i = 0; i < PORTS_PER_STEP; i++) {
		int more;

		key = walk->next;
		more = bpf_map_get_next_key(fd, &key, &walk->next);
		if (bpf_map_lookup_elem(fd, &key, &port) == 0) {
			r = cb(&key, &port, arg);
			if (r < 0)
				return r;
		}
		if (more < 0)
			return more == -ENOENT ? 0 : more;
	}
	return 1;
}

int sp_dataplane_plain_remove(struct sp_dataplane *dp, const struct sp_flow_key *original,
			      const struct sp_flow_key *reply)
{
	int fd = dp->map_fds[SP_MAP_FLOWS];
	int r = remove_key(dp, SP_MAP_FLOWS, reply);

	if (r < 0)
		return r;
	r = bpf_map_delete_elem(fd, original);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : 1;
}

static int on_sample(void *ctx, void *data, size_t bytes)
{
	struct sp_dataplane *dp = ctx;

	if (bytes >= sizeof(struct sp_event))
		dp->plain_upcalls.on_event(data, dp->plain_arg);
	return 0;
}

static int on_decision(void *ctx, void *data, size_t bytes)
{
	struct sp_dataplane *dp = ctx;

	if (bytes >= sizeof(struct sp_decision))
		dp->plain_upcalls.on_decision(data, dp->plain_arg);
	return 0;
}

int sp_dataplane_events_open(struct sp_dataplane *dp, const struct sp_plain_upcalls *upcalls,
			     void *arg)
{
	if (dp->events)
		return -EALREADY;
	dp->plain_upcalls = *upcalls;
	dp->plain_arg = arg;
	dp->events = ring_buffer__new(dp->map_fds[SP_MAP_EVENTS], on_sample, dp, NULL);
	if (!dp->events)
		return -errno;
	return ring_buffer__add(dp->events, dp->map_fds[SP_MAP_DECISIONS], on_decision, dp);
}

int sp_dataplane_event_fd(struct sp_dataplane *dp)
{
	return ring_buffer__epoll_fd(dp->events);
}

int sp_dataplane_events(struct sp_dataplane *dp)
{
	int r = ring_buffer__consume(dp->events);

	return r < 0 ? r : 0;
}

static void add_pace(struct sp_pace *sum, const struct sp_pace *lane)
{
	sum->log_lost += lane->log_lost;
	for (int k = 0; k < SP_NOTICE_KINDS; k++) {
		sum->answers[k] += lane->answers[k];
		sum->answers_lost[k] += lane->answers_lost[k];
	}
}

int sp_dataplane_plain_pace(struct sp_dataplane *dp, struct sp_pace *ret_sum)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct sp_pace *lanes =
		cpus > 0 ? calloc((size_t)cpus, sizeof(*lanes)) : NULL;
	struct sp_pace sum = {0};
	uint32_t zero = 0;
	int r;

	if (!lanes)
		return -ENOMEM;
	r = bpf_map_lookup_elem(dp->map_fds[SP_MAP_PLAIN_PACE], &zero, lanes);
	if (r < 0)
		return r;
	for (int i = 0; i < cpus; i++)
		add_pace(&sum, &lanes[i]);
	*ret_sum = sum;
	return 0;
}

/* libbpf stops at a negative answer, with that sample consumed. */
static int on_record_sample(void *ctx, void *data, size_t bytes)
{
	struct sp_dataplane *dp = ctx;

	if (bytes >= sizeof(struct sp_record))
		dp->on_record(data, dp->on_record_arg);
	return --dp->records_left ? 0 : -EAGAIN;
}

int sp_dataplane_records_open(struct sp_dataplane *dp,
			      void (*cb)(const struct sp_record *record, void *arg), void *arg)
{
	if (dp->records)
		return -EALREADY;
	dp->on_record = cb;
	dp->on_record_arg = arg;
	dp->records = ring_buffer__new(dp->map_fds[SP_MAP_RECORDS], on_record_sample, dp, NULL);
	return dp->records ? 0 : -errno;
}

uint32_t sp_dataplane_records(struct sp_dataplane *dp, uint32_t max)
{
	if (!dp->records || !max)
		return 0;
	dp->records_left = max;
	ring_buffer__consume(dp->records);
	return max - dp->records_left;
}
