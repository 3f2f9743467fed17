/* SPDX-License-Identifier: Apache-2.0 */
#include "session/epoch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int sp_epoch_init(struct sp_epoch *epoch, uint32_t readers)
{
	size_t bytes = readers * sizeof(*epoch->reader);
	struct sp_epoch_reader *reader;

	reader = aligned_alloc(_Alignof(struct sp_epoch_reader), bytes ? bytes : 64);
	if (!reader)
		return -ENOMEM;
	memset(reader, 0, bytes);
	*epoch = (struct sp_epoch){.now = 1, .readers = readers, .reader = reader};
	epoch->last = &epoch->first;
	return 0;
}

static struct sp_epoch_node *pop(struct sp_epoch *epoch)
{
	struct sp_epoch_node *node = epoch->first;

	epoch->first = node->next;
	if (!epoch->first)
		epoch->last = &epoch->first;
	return node;
}

static void push(struct sp_epoch *epoch, struct sp_epoch_node *node)
{
	/* Sequentially consistent, so that whoever reads the new epoch also sees the unlinking. */
	node->epoch = atomic_fetch_add(&epoch->now, 1) + 1;
	node->next = NULL;
	*epoch->last = node;
	epoch->last = &node->next;
}

void sp_epoch_fini(struct sp_epoch *epoch)
{
	while (epoch->first) {
		struct sp_epoch_node *node = pop(epoch);

		node->destroy(node);
	}
	free(epoch->reader);
	epoch->reader = NULL;
}

void sp_epoch_retire(struct sp_epoch *epoch, struct sp_epoch_node *node)
{
	node->last_look = !node->unlink;
	push(epoch, node);
}

static uint64_t oldest_seen(struct sp_epoch *epoch)
{
	uint64_t oldest = UINT64_MAX;

	for (uint32_t i = 0; i < epoch->readers; i++) {
		uint64_t seen = atomic_load(&epoch->reader[i].seen);

		if (seen && seen < oldest)
			oldest = seen;
	}
	return oldest;
}

void sp_epoch_collect(struct sp_epoch *epoch)
{
	uint64_t oldest = oldest_seen(epoch);

	while (epoch->first && epoch->first->epoch <= oldest) {
		struct sp_epoch_node *node = pop(epoch);

		if (node->last_look) {
			node->destroy(node);
			continue;
		}
		/* Nobody can put it back now, but somebody may have just taken it. */
		node->last_look = true;
		node->unlink(node);
		push(epoch, node);
		if (oldest == UINT64_MAX)
			continue;
		oldest = oldest_seen(epoch);
	}
}
