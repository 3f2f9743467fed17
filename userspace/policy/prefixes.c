/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/prefixes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/image.h"
#include "sallyport/core/addr.h"

#define ROOM_FIRST 8u
#define V4_BITS	   96u

/* Sorted prefixes of one family; digits count from its first bit. */
struct build {
	struct sp_diagram *d;
	const struct sp_prefix *list;
	uint32_t skip_bits; /* of the 128-bit form */
	uint32_t child;
};

static void add(struct sp_diagram *d, struct sp_prefix **list, uint32_t *count, uint32_t *room,
		const struct sp_prefix *prefix)
{
	if (*count == *room) {
		uint32_t more = *room ? *room * 2 : ROOM_FIRST;
		struct sp_prefix *bigger = reallocarray(*list, more, sizeof(*bigger));

		if (!bigger) {
			d->error = -ENOMEM;
			return;
		}
		*list = bigger;
		*room = more;
	}
	(*list)[(*count)++] = *prefix;
}

void sp_policy_prefixes_add(struct sp_diagram *d, struct sp_policy_prefixes *set,
			    const struct sp_prefix *prefix)
{
	if (d->error)
		return;
	if (prefix->len >= V4_BITS && sp_addr_is_v4(&prefix->addr))
		add(d, &set->v4, &set->v4_count, &set->v4_room, prefix);
	else
		add(d, &set->v6, &set->v6_count, &set->v6_room, prefix);
}

void sp_policy_prefixes_fini(struct sp_policy_prefixes *set)
{
	free(set->v4);
	free(set->v6);
	*set = (struct sp_policy_prefixes){0};
}

/* By address and then by length: what holds others stands before them. */
static int compare(const void *a, const void *b)
{
	const struct sp_prefix *x = a, *y = b;
	int order = memcmp(&x->addr, &y->addr, sizeof(x->addr));

	return order ? order : x->len - y->len;
}

static uint32_t digit_of(const struct build *b, uint32_t i, uint32_t depth)
{
	uint32_t bit = b->skip_bits + 4 * depth;
	uint8_t byte = b->list[i].addr.b[bit / 8];

	return bit % 8 ? byte & 15 : byte >> 4;
}

/* Prefixes first .. last-1 agree in the first depth digits, and none ends before them. */
static uint32_t build(const struct build *b, uint32_t first, uint32_t last, uint32_t depth)
{
	uint32_t bits = b->skip_bits + 4 * depth, slot[16] = {0};

	if (first == last)
		return 0;
	if (b->list[first].len <= bits)
		return b->child;
	for (uint32_t i = first; i < last;) {
		uint32_t digit = digit_of(b, i, depth), width = 1, end = i + 1;

		if (b->list[i].len < bits + 4)
			width = 1u << (bits + 4 - b->list[i].len);
		digit &= 16 - width;
		while (end < last && digit_of(b, end, depth) < digit + width)
			end++;
		slot[digit] = width > 1 ? b->child : build(b, i, end, depth + 1);
		for (uint32_t k = 1; k < width; k++)
			slot[digit + k] = b->child;
		i = end;
	}
	return sp_diagram_branch(b->d, SP_POLICY_LEVEL_DST + depth, slot);
}

static uint32_t total(struct sp_diagram *d, struct sp_prefix *list, uint32_t count,
		      uint32_t skip_bits, uint32_t child)
{
	struct build b = {.d = d, .list = list, .skip_bits = skip_bits, .child = child};

	if (!count || !child)
		return 0;
	qsort(list, count, sizeof(*list), compare);
	return build(&b, 0, count, 0);
}

uint32_t sp_policy_prefixes_v4(struct sp_diagram *d, struct sp_policy_prefixes *set, uint32_t child)
{
	return total(d, set->v4, set->v4_count, V4_BITS, child);
}

uint32_t sp_policy_prefixes_v6(struct sp_diagram *d, struct sp_policy_prefixes *set, uint32_t child)
{
	return total(d, set->v6, set->v6_count, 0, child);
}
