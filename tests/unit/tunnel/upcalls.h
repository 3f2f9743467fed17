/* SPDX-License-Identifier: Apache-2.0 */
/* The upcalls of a device in memory: they only write down, and check who owns which index. One thread. */
#ifndef SP_TESTS_TUNNEL_UPCALLS_H
#define SP_TESTS_TUNNEL_UPCALLS_H

#include "side.h"

static void up_send(void *arg, const struct sp_wg_address *to, const void *bytes, size_t len)
{
	struct side *s = arg;
	struct datagram *d = &s->out[s->sent++ % 64];

	cr_assert_leq(len, sizeof(d->bytes));
	memcpy(d->bytes, bytes, len);
	d->len = len;
	d->to = *to;
}

static int up_reserve(void *arg, uint32_t *ret_index)
{
	struct side *s = arg;
	struct slot *slot = s->no_indices ? NULL : slot_find(s, 0);

	if (!slot)
		return -28; /* -ENOSPC */
	*slot = (struct slot){.index = ++s->last_index};
	s->reserved++;
	*ret_index = slot->index;
	return 0;
}

static void up_release(void *arg, uint32_t index)
{
	struct slot *slot = slot_find(arg, index);

	cr_assert(slot && !slot->installed, "index %u released", index);
	memset(slot, 0, sizeof(*slot));
	((struct side *)arg)->reserved--;
}

static void up_install(void *arg, void *peer_arg, const struct sp_wg_transport *t)
{
	struct side *s = arg;
	struct slot *slot = slot_find(s, t->local_index);

	cr_assert(slot && !slot->installed, "index %u installed", t->local_index);
	slot->installed = true;
	slot->confirmed = t->initiator;
	slot->keys = *t;
	s->installs++;
}

static void up_remove(void *arg, void *peer_arg, uint32_t index)
{
	struct side *s = arg;
	struct slot *slot = slot_find(s, index);

	cr_assert(slot && slot->installed, "index %u removed", index);
	memset(slot, 0, sizeof(*slot));
	s->reserved--;
	s->removes++;
	s->removed_ns = *s->now_ns;
}

static void up_keepalive(void *arg, void *peer_arg)
{
	struct side *s = arg;

	s->keepalives++;
	if (s->on_keepalive)
		s->on_keepalive(s);
}

static void up_endpoint(void *arg, void *peer_arg, const struct sp_wg_address *from)
{
	struct side *s = arg;

	s->endpoint = *from;
	s->has_endpoint = true;
	s->moves++;
}

static bool up_where(void *arg, void *peer_arg, struct sp_wg_address *ret)
{
	struct side *s = arg;

	*ret = s->endpoint;
	return s->has_endpoint;
}

static void up_random(void *arg, void *bytes, size_t len)
{
	struct side *s = arg;

	for (size_t i = 0; i < len; i++) {
		s->random = s->random * 6364136223846793005ull + 1442695040888963407ull;
		((uint8_t *)bytes)[i] = (uint8_t)(s->random >> 56);
	}
}

static uint64_t up_realtime(void *arg)
{
	struct side *s = arg;

	return *s->now_ns + (uint64_t)s->wall_ns;
}

static const struct sp_wg_upcalls upcalls = {
	.send = up_send,
	.reserve_index = up_reserve,
	.release_index = up_release,
	.install = up_install,
	.remove = up_remove,
	.keepalive = up_keepalive,
	.endpoint = up_endpoint,
	.where = up_where,
	.random = up_random,
	.realtime_ns = up_realtime,
};

#endif
