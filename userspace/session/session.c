/* SPDX-License-Identifier: Apache-2.0 */
#include "session/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "session/epoch.h"

/* Retries of an endpoint's reader: a writer holds it for some 20 ns, unless it lost its CPU. */
#define ENDPOINT_TRIES 1000
#define ENDPOINT_WORDS (sizeof(struct sp_endpoint) / sizeof(uint64_t))
_Static_assert(sizeof(struct sp_endpoint) % sizeof(uint64_t) == 0, "copied word by word");

struct keypair_box {
	struct sp_epoch_node node;
	struct keypair_box *next; /* of its peer */
	struct sp_keypair keypair;
};

struct peer_box {
	struct sp_epoch_node node;
	struct keypair_box *keypairs;
	struct sp_peer peer;
};

/* One local index: free, reserved (box NULL) or installed. */
struct slot {
	_Atomic(struct sp_keypair *) keypair;
	uint32_t index;
	bool reserved;
};

struct sp_sessions {
	struct sp_epoch epoch;
	uint32_t peers_max;
	_Atomic(struct sp_peer *) *peers; /* by id */
	uint32_t slot_mask;
	struct slot *slots;
	uint32_t *free_slots; /* ring: what was free longest is used first */
	uint32_t free_head, free_count;
	uint64_t serial;
};

#define container(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static struct keypair_box *box_of(struct sp_keypair *keypair)
{
	return container(keypair, struct keypair_box, keypair);
}

static struct peer_box *peer_box_of(struct sp_peer *peer)
{
	return container(peer, struct peer_box, peer);
}

static uint32_t round_up_pow2(uint32_t n)
{
	uint32_t size = 1;

	while (size < n)
		size <<= 1;
	return size;
}

int sp_sessions_open(uint32_t peers_max, uint32_t keypairs_max, uint32_t workers,
		     struct sp_sessions **ret_sessions)
{
	struct sp_sessions *s;
	uint32_t slots;

	if (!peers_max || !keypairs_max || keypairs_max > 1u << 24)
		return -EINVAL;
	slots = round_up_pow2(keypairs_max);
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->peers_max = peers_max;
	s->slot_mask = slots - 1;
	s->peers = calloc((size_t)peers_max + 1, sizeof(*s->peers));
	s->slots = calloc(slots, sizeof(*s->slots));
	s->free_slots = calloc(slots, sizeof(*s->free_slots));
	if (!s->peers || !s->slots || !s->free_slots || sp_epoch_init(&s->epoch, workers)) {
		free(s->peers);
		free(s->slots);
		free(s->free_slots);
		free(s);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < keypairs_max; i++)
		s->free_slots[i] = i;
	s->free_count = keypairs_max;
	*ret_sessions = s;
	return 0;
}

void sp_sessions_close(struct sp_sessions *s)
{
	if (!s)
		return;
	for (uint32_t id = 1; id <= s->peers_max; id++)
		sp_peer_remove(s, id);
	sp_epoch_fini(&s->epoch);
	free(s->peers);
	free(s->slots);
	free(s->free_slots);
	free(s);
}

static void destroy_peer(struct sp_epoch_node *node)
{
	free(container(node, struct peer_box, node));
}

/* Its keypairs wait for two epochs and point to it, so it does too, behind them. */
static void unlink_peer(struct sp_epoch_node *node)
{
	atomic_store(&container(node, struct peer_box, node)->peer.sending, NULL);
}

int sp_peer_add(struct sp_sessions *s, uint32_t id, uint32_t user_id, uint32_t listener_id,
		uint32_t mtu, struct sp_peer **ret_peer)
{
	struct peer_box *box;

	if (id == 0 || id > s->peers_max)
		return -ENOSPC;
	if (atomic_load(&s->peers[id]))
		return -EEXIST;
	box = calloc(1, sizeof(*box));
	if (!box)
		return -ENOMEM;
	box->node.unlink = unlink_peer;
	box->node.destroy = destroy_peer;
	box->peer.id = id;
	box->peer.user_id = user_id;
	box->peer.listener_id = listener_id;
	box->peer.mtu = mtu;
	atomic_store_explicit(&s->peers[id], &box->peer, memory_order_release);
	*ret_peer = &box->peer;
	return 0;
}

void sp_peer_remove(struct sp_sessions *s, uint32_t id)
{
	struct sp_peer *peer = sp_peer_lookup(s, id);

	if (!peer)
		return;
	atomic_store(&s->peers[id], NULL);
	while (peer_box_of(peer)->keypairs)
		sp_keypair_remove(s, peer_box_of(peer)->keypairs->keypair.local_index);
	sp_epoch_retire(&s->epoch, &peer_box_of(peer)->node);
}

struct sp_peer *sp_peer_lookup(struct sp_sessions *s, uint32_t id)
{
	if (id > s->peers_max)
		return NULL;
	return atomic_load_explicit(&s->peers[id], memory_order_acquire);
}

int sp_keypair_reserve_index(struct sp_sessions *s, uint32_t *ret_local_index)
{
	uint32_t random, number, index;

	if (!s->free_count)
		return -ENOSPC;
	number = s->free_slots[s->free_head & s->slot_mask];
	do {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return -EIO;
		index = (random & ~s->slot_mask) | number;
	} while (index == 0);
	s->free_head++;
	s->free_count--;
	s->slots[number].index = index;
	s->slots[number].reserved = true;
	*ret_local_index = index;
	return 0;
}

static struct slot *slot_of(struct sp_sessions *s, uint32_t local_index)
{
	struct slot *slot = &s->slots[local_index & s->slot_mask];

	return slot->reserved && slot->index == local_index ? slot : NULL;
}

static void give_back(struct sp_sessions *s, struct slot *slot)
{
	slot->reserved = false;
	s->free_slots[(s->free_head + s->free_count) & s->slot_mask] = (uint32_t)(slot - s->slots);
	s->free_count++;
}

void sp_keypair_release_index(struct sp_sessions *s, uint32_t local_index)
{
	struct slot *slot = slot_of(s, local_index);

	if (slot && !atomic_load(&slot->keypair))
		give_back(s, slot);
}

static void forget_sending(struct sp_keypair *keypair)
{
	struct sp_keypair *expected = keypair;

	atomic_compare_exchange_strong(&keypair->peer->sending, &expected, NULL);
}

static void unlink_keypair(struct sp_epoch_node *node)
{
	forget_sending(&container(node, struct keypair_box, node)->keypair);
}

static void destroy_keypair(struct sp_epoch_node *node)
{
	struct keypair_box *box = container(node, struct keypair_box, node);

	sp_secret_wipe(box, sizeof(*box));
	free(box);
}

/* Make it the sending one unless a newer one is. A removed keypair counts as older. */
static void offer_sending(struct sp_keypair *keypair)
{
	struct sp_keypair *old = atomic_load(&keypair->peer->sending);

	while (!old || old->serial < keypair->serial) {
		if (atomic_compare_exchange_weak(&keypair->peer->sending, &old, keypair))
			return;
	}
}

static struct keypair_box *keypair_box_open(const struct sp_keypair_material *m,
					    struct sp_peer *peer, uint64_t serial)
{
	struct keypair_box *box = aligned_alloc(64, (sizeof(*box) + 63) & ~(size_t)63);
	struct sp_keypair *k;

	if (!box)
		return NULL;
	memset(box, 0, sizeof(*box));
	box->node.unlink = unlink_keypair;
	box->node.destroy = destroy_keypair;
	k = &box->keypair;
	k->local_index = m->local_index;
	k->remote_index = m->remote_index;
	k->serial = serial;
	k->peer = peer;
	k->initiator = m->initiator;
	k->born_ns = m->born_ns;
	k->reject_ns = m->born_ns + SP_SESSION_REJECT_AFTER_NS;
	k->receive = (struct sp_aead_key){SP_AEAD_CHACHA20_POLY1305, m->receive};
	k->send = (struct sp_aead_key){SP_AEAD_CHACHA20_POLY1305, m->send};
	atomic_init(&k->confirmed, m->initiator);
	sp_replay_init(&k->replay);
	return box;
}

int sp_keypair_install(struct sp_sessions *s, struct sp_peer *peer,
		       const struct sp_keypair_material *material, struct sp_keypair **ret_keypair)
{
	struct slot *slot = slot_of(s, material->local_index);
	struct peer_box *owner = peer_box_of(peer);
	struct keypair_box *box;

	if (!slot || atomic_load(&slot->keypair))
		return -EINVAL;
	box = keypair_box_open(material, peer, ++s->serial);
	if (!box)
		return -ENOMEM;
	box->next = owner->keypairs;
	owner->keypairs = box;
	atomic_store_explicit(&slot->keypair, &box->keypair, memory_order_release);
	if (material->initiator)
		offer_sending(&box->keypair);
	if (ret_keypair)
		*ret_keypair = &box->keypair;
	return 0;
}

void sp_keypair_remove(struct sp_sessions *s, uint32_t local_index)
{
	struct slot *slot = slot_of(s, local_index);
	struct sp_keypair *keypair = slot ? atomic_load(&slot->keypair) : NULL;
	struct keypair_box **at;

	if (!keypair)
		return;
	atomic_store(&slot->keypair, NULL);
	forget_sending(keypair);
	give_back(s, slot);
	for (at = &peer_box_of(keypair->peer)->keypairs; *at; at = &(*at)->next) {
		if (*at == box_of(keypair)) {
			*at = (*at)->next;
			break;
		}
	}
	sp_epoch_retire(&s->epoch, &box_of(keypair)->node);
}

struct sp_keypair *sp_keypair_lookup(struct sp_sessions *s, uint32_t local_index)
{
	struct slot *slot = &s->slots[local_index & s->slot_mask];
	struct sp_keypair *k = atomic_load_explicit(&slot->keypair, memory_order_acquire);

	return k && k->local_index == local_index ? k : NULL;
}

void sp_peer_fetch_slot(const struct sp_sessions *s, uint32_t id)
{
	if (id <= s->peers_max)
		__builtin_prefetch(&s->peers[id]);
}

void sp_peer_fetch(const struct sp_sessions *s, uint32_t id)
{
	const struct sp_peer *peer =
		id <= s->peers_max ? atomic_load_explicit(&s->peers[id], memory_order_acquire)
				   : NULL;

	for (size_t at = 0; peer && at < sizeof(*peer); at += 64)
		__builtin_prefetch((const uint8_t *)peer + at, 1);
}

void sp_keypair_fetch_slot(const struct sp_sessions *s, uint32_t local_index)
{
	__builtin_prefetch(&s->slots[local_index & s->slot_mask]);
}

void sp_keypair_fetch(const struct sp_sessions *s, uint32_t local_index, uint64_t counter)
{
	const struct slot *slot = &s->slots[local_index & s->slot_mask];
	const struct sp_keypair *k = atomic_load_explicit(&slot->keypair, memory_order_acquire);

	if (!k)
		return;
	__builtin_prefetch(k);
	__builtin_prefetch(&k->receive);
	__builtin_prefetch(&k->confirmed);
	__builtin_prefetch(&k->replay.words[counter / SP_REPLAY_BITS % SP_REPLAY_SLOTS]);
}

bool sp_keypair_confirm(struct sp_keypair *keypair)
{
	if (atomic_exchange(&keypair->confirmed, true))
		return false;
	offer_sending(keypair);
	return true;
}

static void copy_words(_Atomic uint64_t *to, const uint64_t *from)
{
	for (size_t i = 0; i < ENDPOINT_WORDS; i++)
		atomic_store_explicit(&to[i], from[i], memory_order_relaxed);
}

void sp_peer_endpoint_set(struct sp_peer *peer, const struct sp_endpoint *endpoint)
{
	uint32_t seq = atomic_load_explicit(&peer->endpoint_seq, memory_order_relaxed);
	uint64_t words[ENDPOINT_WORDS];

	if ((seq & 1) || !atomic_compare_exchange_strong(&peer->endpoint_seq, &seq, seq + 1))
		return;
	atomic_thread_fence(memory_order_release);
	memcpy(words, endpoint, sizeof(words));
	copy_words((_Atomic uint64_t *)&peer->endpoint, words);
	/* 0 means "none yet", so a counter that wraps skips it. */
	atomic_store_explicit(&peer->endpoint_seq, seq + 2 ? seq + 2 : 2, memory_order_release);
}

bool sp_peer_endpoint_get(struct sp_peer *peer, struct sp_endpoint *ret_endpoint)
{
	_Atomic uint64_t *from = (_Atomic uint64_t *)&peer->endpoint;
	uint64_t words[ENDPOINT_WORDS];

	for (int tries = 0; tries < ENDPOINT_TRIES; tries++) {
		uint32_t seq = atomic_load_explicit(&peer->endpoint_seq, memory_order_acquire);

		if (seq == 0)
			return false;
		if (seq & 1)
			continue;
		for (size_t i = 0; i < ENDPOINT_WORDS; i++)
			words[i] = atomic_load_explicit(&from[i], memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&peer->endpoint_seq, memory_order_relaxed) != seq)
			continue;
		memcpy(ret_endpoint, words, sizeof(words));
		return true;
	}
	return false;
}

void sp_epoch_quiescent(struct sp_sessions *s, uint32_t worker)
{
	atomic_store(&s->epoch.reader[worker].seen, atomic_load(&s->epoch.now));
	/* Nothing read later may have been read before: an acquire load could pass the store. */
	atomic_thread_fence(memory_order_seq_cst);
}

void sp_epoch_offline(struct sp_sessions *s, uint32_t worker)
{
	atomic_store(&s->epoch.reader[worker].seen, 0);
}

void sp_epoch_online(struct sp_sessions *s, uint32_t worker)
{
	sp_epoch_quiescent(s, worker);
}

void sp_epoch_reclaim(struct sp_sessions *s)
{
	sp_epoch_collect(&s->epoch);
}
