/* SPDX-License-Identifier: Apache-2.0 */
/* Quiescent-state reclamation: what workers may hold is freed after each has let go. Daemon thread. */
#ifndef SP_SESSION_EPOCH_H
#define SP_SESSION_EPOCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* First member of an object that is freed after an epoch. */
struct sp_epoch_node {
	struct sp_epoch_node *next;
	uint64_t epoch;
	bool last_look; /* unlink was called; one more epoch to go */
	/* After one epoch: take out what a late worker may have put back. Optional. */
	void (*unlink)(struct sp_epoch_node *node);
	void (*destroy)(struct sp_epoch_node *node);
};

struct sp_epoch_reader {
	_Alignas(64) _Atomic uint64_t seen; /* 0 = offline */
};

struct sp_epoch {
	_Atomic uint64_t now; /* 1 .. */
	uint32_t readers;
	struct sp_epoch_reader *reader;
	struct sp_epoch_node *first, **last; /* oldest first */
};

int sp_epoch_init(struct sp_epoch *epoch, uint32_t readers);
/* No reader may be online any more. Destroys whatever still waits. */
void sp_epoch_fini(struct sp_epoch *epoch);
/* The object is out of sight for readers that come now. */
void sp_epoch_retire(struct sp_epoch *epoch, struct sp_epoch_node *node);
/* Destroys, oldest first, what every reader has let go of. */
void sp_epoch_collect(struct sp_epoch *epoch);

#endif
