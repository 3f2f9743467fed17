/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers that look up, confirm and seal while the daemon replaces keypairs and peers. A plain
 * program, since criterion does not start under ThreadSanitizer: `make unit MOD=session SAN=thread`.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/session.h"

#define WORKERS 3
#define ROUNDS	20000
#define MARK	0x5a

static struct sp_sessions *sessions;
static _Atomic uint32_t newest; /* local index */
static _Atomic bool stop;
static _Atomic uint64_t reads, confirms, bad;

static void use(struct sp_keypair *keypair)
{
	struct sp_endpoint endpoint;

	/* A freed keypair is wiped first. */
	if (keypair->send.raw.b[31] != MARK || keypair->peer->id != 1)
		atomic_fetch_add(&bad, 1);
	if (sp_keypair_confirm(keypair))
		atomic_fetch_add(&confirms, 1);
	atomic_fetch_add(&keypair->send_counter, 1);
	memset(&endpoint, (int)(keypair->local_index & 0x7f), sizeof(endpoint));
	sp_peer_endpoint_set(keypair->peer, &endpoint);
	if (sp_peer_endpoint_get(keypair->peer, &endpoint) &&
	    endpoint.remote.b[0] != endpoint.smac[5])
		atomic_fetch_add(&bad, 1); /* torn */
	atomic_fetch_add(&reads, 1);
}

static void *worker(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg;

	sp_epoch_online(sessions, me);
	for (uint64_t i = 0; !atomic_load(&stop); i++) {
		struct sp_keypair *keypair = sp_keypair_lookup(sessions, atomic_load(&newest));
		struct sp_peer *peer = sp_peer_lookup(sessions, 1);
		struct sp_keypair *sending = peer ? atomic_load(&peer->sending) : NULL;

		if (keypair)
			use(keypair);
		if (sending)
			use(sending);
		sp_epoch_quiescent(sessions, me);
		if (i % 64 == 0) {
			sp_epoch_offline(sessions, me);
			sp_epoch_online(sessions, me);
		}
	}
	sp_epoch_offline(sessions, me);
	return NULL;
}

static void replace(struct sp_peer **peer, uint32_t round)
{
	struct sp_keypair_material m = {.remote_index = round, .initiator = round & 1};
	uint32_t old = atomic_load(&newest);

	memset(&m.send, MARK, sizeof(m.send));
	if (round % 100 == 0) {
		sp_peer_remove(sessions, 1);
		if (sp_peer_add(sessions, 1, 2, 1, 1420, peer))
			abort();
	}
	if (sp_keypair_reserve_index(sessions, &m.local_index) ||
	    sp_keypair_install(sessions, *peer, &m, NULL))
		abort();
	atomic_store(&newest, m.local_index);
	sp_keypair_remove(sessions, old);
	sp_epoch_reclaim(sessions);
}

int main(void)
{
	pthread_t threads[WORKERS];
	struct sp_peer *peer = NULL;

	if (sp_sessions_open(1, 4, WORKERS, &sessions) ||
	    sp_peer_add(sessions, 1, 2, 1, 1420, &peer))
		return 1;
	for (uintptr_t i = 0; i < WORKERS; i++) {
		if (pthread_create(&threads[i], NULL, worker, (void *)i))
			return 1;
	}
	for (uint32_t round = 1; round <= ROUNDS; round++)
		replace(&peer, round);
	atomic_store(&stop, true);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	sp_sessions_close(sessions);
	printf("session race: %lu uses of %d keypairs, %lu confirmed by a packet, %lu wrong\n",
	       (unsigned long)reads, ROUNDS, (unsigned long)confirms, (unsigned long)bad);
	return bad || !reads;
}
