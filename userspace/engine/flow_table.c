/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/flow_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

int sp_flow_table_init(struct sp_flow_table *table, uint32_t max)
{
	struct sp_flow_table t = {.max = max};
	uint32_t slots = 2;

	if (max == 0 || max > 1u << 28)
		return -EINVAL;
	/* At most half full, so that a probe ends soon. */
	while (slots < 2 * max)
		slots <<= 1;
	if (getrandom(&t.seed, sizeof(t.seed), 0) != sizeof(t.seed))
		return -EIO;
	t.mask = slots - 1;
	t.slots = calloc(slots, sizeof(*t.slots));
	t.entries = calloc((size_t)max + 1, sizeof(*t.entries));
	if (!t.slots || !t.entries) {
		free(t.slots);
		free(t.entries);
		return -ENOMEM;
	}
	*table = t;
	return 0;
}

void sp_flow_table_fini(struct sp_flow_table *table)
{
	free(table->slots);
	free(table->entries);
	*table = (struct sp_flow_table){0};
}

uint32_t sp_flow_table_hash(const struct sp_flow_table *table, const struct sp_flow_key *key)
{
	return (uint32_t)XXH3_64bits_withSeed(key, sizeof(*key), table->seed);
}

struct sp_entry *sp_flow_table_lookup(const struct sp_flow_table *table,
				      const struct sp_flow_key *key)
{
	const struct sp_flow_name name = {*key, sp_flow_table_hash(table, key)};

	return sp_flow_table_lookup_name(table, &name);
}

struct sp_entry *sp_flow_table_lookup_name(const struct sp_flow_table *table,
					   const struct sp_flow_name *name)
{
	uint32_t hash = name->hash;

	for (uint32_t at = hash & table->mask; table->slots[at].entry;
	     at = (at + 1) & table->mask) {
		struct sp_entry *entry = &table->entries[table->slots[at].entry];

		if (table->slots[at].hash == hash &&
		    !memcmp(&entry->key, &name->key, sizeof(name->key)))
			return entry;
	}
	return NULL;
}

void sp_flow_table_fetch_slot(const struct sp_flow_table *table, const struct sp_flow_name *name)
{
	__builtin_prefetch(&table->slots[name->hash & table->mask]);
}

void sp_flow_table_fetch(const struct sp_flow_table *table, const struct sp_flow_name *name)
{
	const struct sp_flow_slot *slot = &table->slots[name->hash & table->mask];
	const struct sp_entry *entry = &table->entries[slot->entry];

	if (!slot->entry)
		return;
	for (size_t at = 0; at < sizeof(*entry); at += 64)
		__builtin_prefetch((const uint8_t *)entry + at, 1);
}

static uint32_t take_free(struct sp_flow_table *table)
{
	uint32_t number = table->first_free;

	if (number) {
		table->first_free = table->entries[number].next_free;
		return number;
	}
	return table->high < table->max ? ++table->high : 0;
}

struct sp_entry *sp_flow_table_insert(struct sp_flow_table *table, const struct sp_flow_key *key)
{
	uint32_t hash = sp_flow_table_hash(table, key);
	uint32_t number = take_free(table);
	uint32_t at = hash & table->mask;
	struct sp_entry *entry;

	if (!number)
		return NULL;
	while (table->slots[at].entry)
		at = (at + 1) & table->mask;
	table->slots[at] = (struct sp_flow_slot){hash, number};
	entry = &table->entries[number];
	*entry = (struct sp_entry){.key = *key, .hash = hash, .used = true};
	table->count++;
	return entry;
}

/* Close the gap: whatever was pushed past it by a collision moves back (Knuth 6.4, algorithm R). */
static void close_gap(struct sp_flow_table *table, uint32_t gap)
{
	uint32_t at = gap;

	for (;;) {
		uint32_t home;

		table->slots[gap] = (struct sp_flow_slot){0, 0};
		do {
			at = (at + 1) & table->mask;
			if (!table->slots[at].entry)
				return;
			home = table->slots[at].hash & table->mask;
		} while (((at - home) & table->mask) < ((at - gap) & table->mask));
		table->slots[gap] = table->slots[at];
		gap = at;
	}
}

void sp_flow_table_remove(struct sp_flow_table *table, struct sp_entry *entry)
{
	uint32_t number = sp_entry_number(table, entry);
	uint32_t at = entry->hash & table->mask;

	while (table->slots[at].entry != number)
		at = (at + 1) & table->mask;
	close_gap(table, at);
	table->count--;
	table->refusals -= entry->refused;
	entry->used = false;
	entry->next_free = table->first_free;
	table->first_free = number;
}
