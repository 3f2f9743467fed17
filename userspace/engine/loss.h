/* SPDX-License-Identifier: Apache-2.0 */
/* What ends in a worker, counted and told of, and what passes. Its worker's thread. */
#ifndef SP_ENGINE_LOSS_H
#define SP_ENGINE_LOSS_H

#include "engine/worker.h"

/* A packet that ends here, and what is known of it by then: zero where nothing is. */
struct sp_loss {
	uint8_t *data; /* its frame goes back */
	uint32_t bytes;
	enum sp_direction direction;
	enum sp_reason reason;
	uint32_t ifindex;
	uint32_t user_id, peer_id, rule_id, hit_id;
	const struct sp_entry *entry;	 /* whose flow; before the four above */
	const struct sp_packet *ip;	 /* as it was read; or */
	const struct sp_endpoint *outer; /* a tunnel packet that was not opened; or */
	bool is_ip;			 /* data is an IP header that can be read */
};

/* Counted, told at its pace, and its frame given back. */
void sp_worker_drop(struct sp_worker *w, const struct sp_loss *loss);
/* What was let through. */
void sp_worker_forward(struct sp_worker *w, enum sp_flow_kind kind, bool up, uint32_t bytes);

#endif
