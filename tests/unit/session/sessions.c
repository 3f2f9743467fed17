/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "session/session.h"

#define PEERS	 4
#define KEYPAIRS 6
#define WORKERS	 2

static struct sp_sessions *open_sessions(void)
{
	struct sp_sessions *s = NULL;

	cr_assert_eq(sp_sessions_open(PEERS, KEYPAIRS, WORKERS, &s), 0);
	return s;
}

static struct sp_peer *add_peer(struct sp_sessions *s, uint32_t id)
{
	struct sp_peer *peer = NULL;

	cr_assert_eq(sp_peer_add(s, id, id + 100, 1, 1420, &peer), 0);
	return peer;
}

static struct sp_keypair *install(struct sp_sessions *s, struct sp_peer *peer, bool initiator)
{
	struct sp_keypair_material m = {.remote_index = 77, .initiator = initiator, .born_ns = 5};
	struct sp_keypair *keypair = NULL;

	memset(&m.send, 0x11, sizeof(m.send));
	memset(&m.receive, 0x22, sizeof(m.receive));
	cr_assert_eq(sp_keypair_reserve_index(s, &m.local_index), 0);
	cr_assert_eq(sp_keypair_install(s, peer, &m, &keypair), 0);
	return keypair;
}

Test(session, peer_is_found_by_id_until_removed)
{
	struct sp_sessions *s = open_sessions();
	struct sp_peer *peer = add_peer(s, 3), *again = peer;

	cr_assert_eq(sp_peer_lookup(s, 3), peer);
	cr_assert_eq(peer->user_id, 103);
	cr_assert_eq(peer->mtu, 1420);
	cr_assert_null(sp_peer_lookup(s, 2));
	cr_assert_null(sp_peer_lookup(s, 0));
	cr_assert_null(sp_peer_lookup(s, PEERS + 1), "an id beyond the table is nobody");
	cr_assert_eq(sp_peer_add(s, 3, 1, 1, 1420, &again), -EEXIST);
	cr_assert_eq(again, peer, "an output is untouched on failure");
	cr_assert_eq(sp_peer_add(s, PEERS + 1, 1, 1, 1420, &again), -ENOSPC);
	cr_assert_eq(sp_peer_add(s, 0, 1, 1, 1420, &again), -ENOSPC);
	sp_peer_remove(s, 3);
	cr_assert_null(sp_peer_lookup(s, 3));
	sp_peer_remove(s, 3);
	add_peer(s, 3);
	sp_sessions_close(s);
}

Test(session, indexes_end_at_the_limit_and_come_back)
{
	struct sp_sessions *s = open_sessions();
	uint32_t index[KEYPAIRS], more = 7;

	for (int i = 0; i < KEYPAIRS; i++) {
		cr_assert_eq(sp_keypair_reserve_index(s, &index[i]), 0);
		for (int j = 0; j < i; j++)
			cr_assert_neq(index[i] & 7, index[j] & 7, "each has a slot of its own");
	}
	cr_assert_eq(sp_keypair_reserve_index(s, &more), -ENOSPC);
	cr_assert_eq(more, 7);
	sp_keypair_release_index(s, index[2] ^ 8); /* same slot, other index */
	cr_assert_eq(sp_keypair_reserve_index(s, &more), -ENOSPC);
	sp_keypair_release_index(s, index[2]);
	sp_keypair_release_index(s, index[2]);
	cr_assert_eq(sp_keypair_reserve_index(s, &more), 0);
	cr_assert_eq(more & 7, index[2] & 7);
	cr_assert_eq(sp_keypair_reserve_index(s, &more), -ENOSPC, "released twice, given once");
	sp_sessions_close(s);
}

Test(session, install_wants_a_reserved_index)
{
	struct sp_sessions *s = open_sessions();
	struct sp_keypair_material m = {.local_index = 1234};
	struct sp_peer *peer = add_peer(s, 1);
	struct sp_keypair *keypair;

	cr_assert_eq(sp_keypair_install(s, peer, &m, &keypair), -EINVAL);
	m.local_index = install(s, peer, true)->local_index;
	cr_assert_eq(sp_keypair_install(s, peer, &m, &keypair), -EINVAL, "carries one already");
	sp_sessions_close(s);
}

Test(session, initiator_sends_at_once_and_responder_when_confirmed)
{
	struct sp_sessions *s = open_sessions();
	struct sp_peer *peer = add_peer(s, 1);
	struct sp_keypair *first = install(s, peer, true), *second = install(s, peer, false);

	cr_assert_eq(peer->sending, first);
	cr_assert_eq(first->reject_ns, 5 + 180ull * 1000000000);
	cr_assert_eq(first->send.raw.b[0], 0x11);
	cr_assert_eq(first->receive.raw.b[0], 0x22);
	cr_assert(sp_keypair_confirm(second), "the first packet makes it current");
	cr_assert_eq(peer->sending, second);
	cr_assert_not(sp_keypair_confirm(second), "said once");
	cr_assert_not(sp_keypair_confirm(first), "an initiator's was confirmed from the start");
	cr_assert_eq(peer->sending, second, "an old keypair never comes back");
	sp_sessions_close(s);
}

Test(session, late_confirmation_does_not_replace_a_newer_keypair)
{
	struct sp_sessions *s = open_sessions();
	struct sp_peer *peer = add_peer(s, 1);
	struct sp_keypair *older = install(s, peer, false), *newer = install(s, peer, true);

	cr_assert(older->serial < newer->serial);
	cr_assert(sp_keypair_confirm(older));
	cr_assert_eq(peer->sending, newer);
	sp_sessions_close(s);
}

Test(session, lookup_compares_the_whole_index)
{
	struct sp_sessions *s = open_sessions();
	struct sp_keypair *keypair = install(s, add_peer(s, 1), true);
	uint32_t index = keypair->local_index;

	cr_assert_eq(sp_keypair_lookup(s, index), keypair);
	cr_assert_null(sp_keypair_lookup(s, index ^ 0x80000000), "same slot, other random bits");
	sp_keypair_remove(s, index);
	cr_assert_null(sp_keypair_lookup(s, index));
	sp_keypair_remove(s, index);
	sp_sessions_close(s);
}

Test(session, removed_keypair_is_readable_until_every_worker_let_go)
{
	struct sp_sessions *s = open_sessions();
	struct sp_peer *peer = add_peer(s, 1);
	struct sp_keypair *held;

	sp_epoch_online(s, 0);
	sp_epoch_online(s, 1);
	held = install(s, peer, true);
	sp_keypair_remove(s, held->local_index);
	cr_assert_null(peer->sending, "nothing is sealed with it any more");
	for (int i = 0; i < 4; i++) {
		sp_epoch_quiescent(s, 0); /* worker 1 still holds it */
		sp_epoch_reclaim(s);
	}
	cr_assert_eq(held->send.raw.b[0], 0x11, "freed keys would be wiped");
	/* It confirms what was removed meanwhile: that must not outlive the keypair. */
	atomic_store(&held->confirmed, false);
	cr_assert(sp_keypair_confirm(held));
	cr_assert_eq(peer->sending, held);
	sp_epoch_quiescent(s, 0);
	sp_epoch_quiescent(s, 1);
	sp_epoch_reclaim(s);
	cr_assert_null(peer->sending);
	cr_assert_eq(held->send.raw.b[0], 0x11, "a worker may have read it a moment ago");
	sp_epoch_quiescent(s, 0);
	sp_epoch_offline(s, 1);
	sp_epoch_reclaim(s);
	sp_sessions_close(s);
}

Test(session, sleeping_workers_hold_nothing)
{
	struct sp_sessions *s = open_sessions();
	struct sp_peer *peer = add_peer(s, 1);
	struct sp_keypair *keypair = install(s, peer, true);

	sp_epoch_online(s, 0);
	sp_epoch_offline(s, 0);
	sp_keypair_remove(s, keypair->local_index);
	sp_epoch_reclaim(s); /* under AddressSanitizer a second free would be seen */
	sp_peer_remove(s, 1);
	sp_epoch_reclaim(s);
	sp_sessions_close(s);
}

Test(session, removing_a_peer_removes_its_keypairs)
{
	struct sp_sessions *s = open_sessions();
	struct sp_peer *peer = add_peer(s, 1);
	uint32_t first = install(s, peer, true)->local_index;
	uint32_t second = install(s, peer, false)->local_index;
	uint32_t other = install(s, add_peer(s, 2), true)->local_index;

	sp_peer_remove(s, 1);
	cr_assert_null(sp_keypair_lookup(s, first));
	cr_assert_null(sp_keypair_lookup(s, second));
	cr_assert_not_null(sp_keypair_lookup(s, other));
	sp_sessions_close(s);
}

Test(session, endpoint_is_unknown_until_set)
{
	struct sp_sessions *s = open_sessions();
	struct sp_peer *peer = add_peer(s, 1);
	struct sp_endpoint in = {.remote_port_be = 7, .slot = 3, .dmac = {1, 2, 3, 4, 5, 6}}, out;

	cr_assert_not(sp_peer_endpoint_get(peer, &out));
	in.remote.b[15] = 9;
	sp_peer_endpoint_set(peer, &in);
	cr_assert(sp_peer_endpoint_get(peer, &out));
	cr_assert_eq(memcmp(&in, &out, sizeof(in)), 0);
	sp_sessions_close(s);
}

Test(session, endpoint_writer_that_is_stopped_stops_nobody)
{
	struct sp_sessions *s = open_sessions();
	struct sp_peer *peer = add_peer(s, 1);
	struct sp_endpoint endpoint = {.slot = 1};

	sp_peer_endpoint_set(peer, &endpoint);
	atomic_fetch_add(&peer->endpoint_seq, 1); /* somebody is inside */
	endpoint.slot = 2;
	sp_peer_endpoint_set(peer, &endpoint);
	cr_assert_not(sp_peer_endpoint_get(peer, &endpoint));
	atomic_fetch_add(&peer->endpoint_seq, 1);
	cr_assert(sp_peer_endpoint_get(peer, &endpoint));
	cr_assert_eq(endpoint.slot, 1, "the lost race changed nothing");
	sp_sessions_close(s);
}
