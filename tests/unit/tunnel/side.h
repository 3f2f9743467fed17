/* SPDX-License-Identifier: Apache-2.0 */
/* One WireGuard device in memory: what it sent, which indices and keys it has. One thread. */
#ifndef SP_TESTS_TUNNEL_SIDE_H
#define SP_TESTS_TUNNEL_SIDE_H

#include <criterion/criterion.h>
#include <string.h>

#include "tunnel/wireguard/wireguard.h"

#define MS    1000000ull
#define S     (1000 * MS)
#define BEGIN (1000 * S) /* the fake monotonic clock at the start of a test */

struct datagram {
	uint8_t bytes[256];
	size_t len;
	struct sp_wg_address to;
};

struct slot {
	uint32_t index; /* 0 = free */
	bool installed, confirmed;
	struct sp_wg_transport keys;
};
#define SLOTS 16

struct side {
	struct sp_wg_device *device;
	struct sp_wg_peer *peer;
	struct sp_key private_key, public_key;
	struct sp_wg_address address; /* where the other one sees us */
	struct sp_wg_address endpoint;
	bool has_endpoint;
	struct datagram out[64];
	unsigned int sent, delivered; /* of out, modulo 64 */
	struct slot slots[SLOTS];
	unsigned int reserved, installs, removes, keepalives, moves;
	bool no_indices;
	uint64_t random, *now_ns;
	int64_t wall_ns; /* wall clock less the fake clock */
	uint32_t last_index;
	uint64_t removed_ns;
	struct sp_wg_traffic traffic;
	void (*on_keepalive)(struct side *);
};

struct pair {
	uint64_t now_ns;
	struct side initiator, responder;
};

static inline struct slot *slot_find(struct side *s, uint32_t index)
{
	for (int i = 0; i < SLOTS; i++)
		if (s->slots[i].index == index)
			return &s->slots[i];
	return NULL;
}

#endif
