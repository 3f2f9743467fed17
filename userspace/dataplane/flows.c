// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>

#include "dataplane/plain.h"
#include "dataplane/state.h"

#define EACH_BATCH     256 /* flows read at once, grown when a bucket holds more */
#define EACH_BATCH_MAX 65536

/* Before 5.6 the kernel says -EINVAL to an unknown command and 524 to a map without batches. */
static bool is_no_batch(int r)
{
	return r == -EINVAL || r == -ENOSYS || r == -EOPNOTSUPP || r == -524;
}

static int put_singly(int fd, const struct sp_flow_key *keys, const struct sp_flow *flows,
		      unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		int r = bpf_map_update_elem(fd, &keys[i], &flows[i], BPF_ANY);

		if (r < 0)
			return i ? (int)i : r;
	}
	return (int)n;
}

int sp_dataplane_flow_put(struct sp_dataplane *dp, const struct sp_flow_key *keys,
			  const struct sp_flow *flows, unsigned int n)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	int r, fd = dp->map_fds[SP_MAP_FLOWS];
	uint32_t done = n;

	if (n == 0 || n > INT32_MAX)
		return n ? -EINVAL : 0;
	if (dp->batch_refused)
		return put_singly(fd, keys, flows, n);
	r = bpf_map_update_batch(fd, keys, flows, &done, &opts);
	if (r == 0)
		return (int)n;
	if (is_no_batch(r)) {
		dp->batch_refused = true;
		return put_singly(fd, keys, flows, n);
	}
	/* A call that fails before its first element leaves the count as it was (before 6.8). */
	return done > 0 && done < n ? (int)done : r;
}

int sp_dataplane_flow_renew(struct sp_dataplane *dp, const struct sp_flow_key *key,
			    const struct sp_flow *flow)
{
	return bpf_map_update_elem(dp->map_fds[SP_MAP_FLOWS], key, flow, BPF_EXIST);
}

static int remove_singly(int fd, const struct sp_flow_key *keys, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		int r = bpf_map_delete_elem(fd, &keys[i]);

		if (r < 0 && r != -ENOENT)
			return i ? (int)i : r;
	}
	return (int)n;
}

/* A batch stops at the first key that is absent: step over it and go on. */
int sp_dataplane_flow_remove(struct sp_dataplane *dp, const struct sp_flow_key *keys,
			     unsigned int n)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	int r, fd = dp->map_fds[SP_MAP_FLOWS];
	unsigned int done = 0;

	if (n > INT32_MAX)
		return -EINVAL;
	if (dp->batch_refused)
		return remove_singly(fd, keys, n);
	while (done < n) {
		uint32_t count = n - done;

		r = bpf_map_delete_batch(fd, keys + done, &count, &opts);
		if (r == 0)
			return (int)n;
		if (is_no_batch(r)) {
			dp->batch_refused = true;
			r = remove_singly(fd, keys + done, n - done);
			return r < 0 && done == 0 ? r : (int)done + (r > 0 ? r : 0);
		}
		if (count >= n - done)
			count = 0;
		done += count;
		if (r != -ENOENT)
			return done ? (int)done : r;
		done++;
	}
	return (int)n;
}

int sp_dataplane_flow_lookup(struct sp_dataplane *dp, const struct sp_flow_key *key,
			     struct sp_flow *ret_flow)
{
	struct sp_flow flow;
	int r = bpf_map_lookup_elem(dp->map_fds[SP_MAP_FLOWS], key, &flow);

	if (r == 0)
		*ret_flow = flow;
	return r;
}

typedef int (*flow_cb)(const struct sp_flow_key *, const struct sp_flow *, void *);

static int each_singly(int fd, flow_cb cb, void *arg)
{
	struct sp_flow_key key, next;
	struct sp_flow flow;
	int r, more = bpf_map_get_next_key(fd, NULL, &next);

	while (more == 0) {
		key = next;
		more = bpf_map_get_next_key(fd, &key, &next);
		if (bpf_map_lookup_elem(fd, &key, &flow) < 0)
			continue;
		r = cb(&key, &flow, arg);
		if (r)
			return r;
	}
	return more == -ENOENT ? 0 : more;
}

struct flow_batch {
	uint32_t room;
	struct sp_flow_key *keys;
	struct sp_flow *flows;
};

static void batch_fini(struct flow_batch *batch)
{
	free(batch->keys);
	free(batch->flows);
}

static int batch_grow(struct flow_batch *batch)
{
	uint32_t room = batch->room ? 2 * batch->room : EACH_BATCH;
	void *p;

	if (room > EACH_BATCH_MAX)
		return -ENOSPC;
	p = realloc(batch->keys, room * sizeof(*batch->keys));
	if (!p)
		return -ENOMEM;
	batch->keys = p;
	p = realloc(batch->flows, room * sizeof(*batch->flows));
	if (!p)
		return -ENOMEM;
	batch->flows = p;
	batch->room = room;
	return 0;
}

/* One batch from walk->position on. 1: more, 0: that was all. */
static int step(int fd, struct sp_flow_walk *walk, struct flow_batch *batch, flow_cb cb, void *arg)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t count, next = 0;
	int status, r = batch->room ? 0 : batch_grow(batch);

	for (;;) {
		if (r < 0)
			return r;
		count = batch->room;
		status = bpf_map_lookup_batch(fd, walk->begun ? &walk->position : NULL, &next,
					      batch->keys, batch->flows, &count, &opts);
		if (status != -ENOSPC)
			break;
		r = batch_grow(batch); /* one hash bucket holds more than there is room for */
	}
	if (status < 0 && status != -ENOENT)
		return status;
	for (uint32_t i = 0; i < count && r >= 0; i++)
		r = cb(&batch->keys[i], &batch->flows[i], arg);
	walk->position = next;
	walk->begun = true;
	if (r < 0)
		return r;
	return status == -ENOENT ? 0 : 1;
}

int sp_dataplane_flow_step(struct sp_dataplane *dp, struct sp_flow_walk *walk, flow_cb cb,
			   void *arg)
{
	_cleanup_(batch_fini) struct flow_batch batch = {};

	return step(dp->map_fds[SP_MAP_FLOWS], walk, &batch, cb, arg);
}

int sp_dataplane_flow_each(struct sp_dataplane *dp, flow_cb cb, void *arg)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	_cleanup_(batch_fini) struct flow_batch batch = {};
	int status, r, fd = dp->map_fds[SP_MAP_FLOWS];
	uint32_t count, position, next;
	bool first = true;

	if (dp->batch_refused)
		return each_singly(fd, cb, arg);
	r = batch_grow(&batch);
	while (r == 0) {
		count = batch.room;
		status = bpf_map_lookup_batch(fd, first ? NULL : &position, &next, batch.keys,
					      batch.flows, &count, &opts);
		if (status == -ENOSPC) { /* one hash bucket holds more than there is room for */
			r = batch_grow(&batch);
			continue;
		}
		if (first && is_no_batch(status)) {
			dp->batch_refused = true;
			return each_singly(fd, cb, arg);
		}
		if (status < 0 && status != -ENOENT)
			return status;
		for (uint32_t i = 0; i < count && r == 0; i++)
			r = cb(&batch.keys[i], &batch.flows[i], arg);
		if (r || status == -ENOENT)
			return r;
		position = next;
		first = false;
	}
	return r;
}
