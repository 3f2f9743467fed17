// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "dataplane/state.h"

static int put(struct sp_dataplane *dp, enum sp_map_id id, const void *key, const void *value)
{
	return bpf_map_update_elem(dp->map_fds[id], key, value, BPF_ANY);
}

static int remove_key(struct sp_dataplane *dp, enum sp_map_id id, const void *key)
{
	int r = bpf_map_delete_elem(dp->map_fds[id], key);

	return r == -ENOENT ? 0 : r;
}

/* value is scratch of the caller's: the library may write a part of it before it fails. */
static int lookup(struct sp_dataplane *dp, enum sp_map_id id, const void *key, void *value)
{
	return bpf_map_lookup_elem(dp->map_fds[id], key, value);
}

/* Always the first key, since the next of one that is gone is the first again. */
static int clear(struct sp_dataplane *dp, enum sp_map_id id)
{
	uint8_t key[64];
	int r = 0;

	_Static_assert(sizeof(key) >= sizeof(struct sp_flow_key), "room for every key");
	while (r == 0 && bpf_map_get_next_key(dp->map_fds[id], NULL, key) == 0)
		r = remove_key(dp, id, key);
	return r;
}

int sp_dataplane_forget(struct sp_dataplane *dp)
{
	static const enum sp_map_id ids[] = {SP_MAP_SESSIONS, SP_MAP_INNER, SP_MAP_LISTENERS};
	int r = 0;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]) && r == 0; i++)
		r = clear(dp, ids[i]);
	return r;
}

static struct sp_lpm_key lpm_key(const struct sp_addr *addr, uint32_t bits)
{
	struct sp_lpm_key key = {.prefixlen = bits};

	memcpy(key.addr, addr->b, sizeof(key.addr));
	return key;
}

int sp_dataplane_session_put(struct sp_dataplane *dp, uint32_t receiver, const struct sp_session *s)
{
	return put(dp, SP_MAP_SESSIONS, &receiver, s);
}

int sp_dataplane_session_remove(struct sp_dataplane *dp, uint32_t receiver)
{
	return remove_key(dp, SP_MAP_SESSIONS, &receiver);
}

int sp_dataplane_session_lookup(struct sp_dataplane *dp, uint32_t receiver, struct sp_session *ret)
{
	struct sp_session session;
	int r = lookup(dp, SP_MAP_SESSIONS, &receiver, &session);

	if (r == 0)
		*ret = session;
	return r;
}

/* The next key is taken before cb runs, so that cb may remove the one it is shown. */
int sp_dataplane_session_each(struct sp_dataplane *dp,
			      int (*cb)(uint32_t, const struct sp_session *, void *), void *arg)
{
	int fd = dp->map_fds[SP_MAP_SESSIONS];
	struct sp_session session;
	uint32_t key, next;
	int r, more = bpf_map_get_next_key(fd, NULL, &next);

	while (more == 0) {
		key = next;
		more = bpf_map_get_next_key(fd, &key, &next);
		if (bpf_map_lookup_elem(fd, &key, &session) < 0)
			continue;
		r = cb(key, &session, arg);
		if (r)
			return r;
	}
	return more == -ENOENT ? 0 : more;
}

int sp_dataplane_inner_put(struct sp_dataplane *dp, const struct sp_prefix *p,
			   const struct sp_inner *v)
{
	struct sp_lpm_key key = lpm_key(&p->addr, p->len);

	int rc = put(dp, SP_MAP_INNER, &key, v);

	atomic_fetch_add_explicit(&dp->inner_seq, 1, memory_order_release);
	return rc;
}

int sp_dataplane_inner_remove(struct sp_dataplane *dp, const struct sp_prefix *p)
{
	struct sp_lpm_key key = lpm_key(&p->addr, p->len);

	int rc = remove_key(dp, SP_MAP_INNER, &key);

	atomic_fetch_add_explicit(&dp->inner_seq, 1, memory_order_release);
	return rc;
}

uint64_t sp_dataplane_inner_seq(const struct sp_dataplane *dp)
{
	return atomic_load_explicit(&dp->inner_seq, memory_order_acquire) + 1;
}

int sp_dataplane_inner_lookup(struct sp_dataplane *dp, const struct sp_addr *a,
			      struct sp_inner *ret)
{
	struct sp_lpm_key key = lpm_key(a, 128);
	struct sp_inner inner;
	int r = lookup(dp, SP_MAP_INNER, &key, &inner);

	if (r == 0)
		*ret = inner;
	return r;
}

int sp_dataplane_local_put(struct sp_dataplane *dp, const struct sp_addr *a,
			   const struct sp_local *v)
{
	return put(dp, SP_MAP_LOCALS, a, v);
}

int sp_dataplane_local_remove(struct sp_dataplane *dp, const struct sp_addr *a)
{
	return remove_key(dp, SP_MAP_LOCALS, a);
}

int sp_dataplane_local_each(struct sp_dataplane *dp,
			    int (*cb)(const struct sp_addr *, const struct sp_local *, void *),
			    void *arg)
{
	int fd = dp->map_fds[SP_MAP_LOCALS];
	struct sp_addr key, next;
	struct sp_local local;
	int r, more = bpf_map_get_next_key(fd, NULL, &next);

	while (more == 0) {
		key = next;
		more = bpf_map_get_next_key(fd, &key, &next);
		if (bpf_map_lookup_elem(fd, &key, &local) < 0)
			continue;
		r = cb(&key, &local, arg);
		if (r)
			return r;
	}
	return more == -ENOENT ? 0 : more;
}

int sp_dataplane_listener_put(struct sp_dataplane *dp, __be16 port_be, const struct sp_listener *v)
{
	struct sp_listener_key key = {.port_be = port_be};

	return put(dp, SP_MAP_LISTENERS, &key, v);
}

int sp_dataplane_listener_remove(struct sp_dataplane *dp, __be16 port_be)
{
	struct sp_listener_key key = {.port_be = port_be};

	return remove_key(dp, SP_MAP_LISTENERS, &key);
}

int sp_dataplane_iface_put(struct sp_dataplane *dp, uint32_t ifindex, const struct sp_iface *v)
{
	return put(dp, SP_MAP_IFACES, &ifindex, v);
}

int sp_dataplane_iface_remove(struct sp_dataplane *dp, uint32_t ifindex)
{
	return remove_key(dp, SP_MAP_IFACES, &ifindex);
}

int sp_dataplane_neighbour_put(struct sp_dataplane *dp, const struct sp_neighbour_key *k,
			       const struct sp_neighbour *v)
{
	return put(dp, SP_MAP_NEIGHBOURS, k, v);
}

int sp_dataplane_neighbour_remove(struct sp_dataplane *dp, const struct sp_neighbour_key *k)
{
	return remove_key(dp, SP_MAP_NEIGHBOURS, k);
}

int sp_dataplane_neighbour_lookup(struct sp_dataplane *dp, const struct sp_neighbour_key *k,
				  struct sp_neighbour *ret)
{
	struct sp_neighbour neighbour;
	int r = lookup(dp, SP_MAP_NEIGHBOURS, k, &neighbour);

	if (r == 0)
		*ret = neighbour;
	return r;
}

int sp_dataplane_xsk_put(struct sp_dataplane *dp, uint32_t index, int xsk_fd)
{
	/* An XSK map is an array of slots: a delete of an empty one is -EINVAL, and is no fault. */
	if (xsk_fd < 0) {
		int r = bpf_map_delete_elem(dp->map_fds[SP_MAP_XSKS], &index);

		return r == -ENOENT || (r == -EINVAL && index < SP_IFACE_MAX * SP_QUEUE_MAX) ? 0
											     : r;
	}
	return put(dp, SP_MAP_XSKS, &index, &xsk_fd);
}
