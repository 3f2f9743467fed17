/* SPDX-License-Identifier: Apache-2.0 */
/* Flows of a worker that begin, end or are denied, told to the daemon for its records. Its worker's thread. */
#ifndef SP_ENGINE_RECORD_H
#define SP_ENGINE_RECORD_H

#include "engine/worker.h"

/* Each is one copy into a ring; nothing when no records are kept. */
void sp_record_begun(struct sp_worker *w, const struct sp_entry *entry);
/* Before its halves leave sp_flows: one look-up of the reply's numbers. mate may be NULL. */
void sp_record_ended(struct sp_worker *w, const struct sp_entry *entry,
		     const struct sp_entry *mate);

struct sp_denial {
	const struct sp_flow_key *key;
	enum sp_flow_kind kind;
	uint32_t peer_id, user_id;
};
/* Sampled: at most one each SP_RECORD_PACE_NS. */
void sp_record_denied(struct sp_worker *w, const struct sp_denial *denial,
		      const struct sp_policy_answer *answer);

#endif
