/* SPDX-License-Identifier: Apache-2.0 */
/* Fragments as a receiver collects them, put together either way of those in use. Tests only. */
#ifndef SP_TESTS_PROGRUN_REASSEMBLE_H
#define SP_TESTS_PROGRUN_REASSEMBLE_H

#include "progrun/plain_lab.h"

#define WHOLE_MAX 512
#define HEAP_MAX  64

static uint64_t dice, met_whole;

static inline uint32_t roll(uint32_t below)
{
	dice = dice * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((dice >> 33) % below);
}

struct attack {
	const char *src, *dst;
	uint8_t proto;
	uint16_t id;
};

/* What has come through, in order. */
struct heap {
	struct {
		uint32_t from, bytes;
		bool more;
		uint8_t b[WHOLE_MAX];
	} pieces[HEAP_MAX];
	uint32_t count;
};

/* The fragmentable part of a packet as it left; extension headers in front are stepped over. */
static inline void heap_add(struct heap *heap, const struct outcome *o, uint32_t l3)
{
	const uint8_t *ip = o->b + l3;
	uint32_t at = l3 + (ip[0] & 15u) * 4, end = l3 + get16(ip + 2), field = get16(ip + 6);
	uint8_t next = ip[6];

	cr_assert_lt(heap->count, HEAP_MAX);
	heap->pieces[heap->count].from = (field & 0x1fff) * 8;
	heap->pieces[heap->count].more = field & 0x2000;
	if (ip[0] >> 4 == 6) {
		at = l3 + 40;
		end = l3 + 40 + get16(ip + 4);
		heap->pieces[heap->count].from = 0;
		heap->pieces[heap->count].more = false;
		while (next == 0 || next == 60 || next == 44) {
			if (next == 44) {
				heap->pieces[heap->count].from = get16(o->b + at + 2) & 0xfff8u;
				heap->pieces[heap->count].more = o->b[at + 3] & 1;
			}
			next = o->b[at];
			at += next != 44 && o->b[at + 1] ? 8 + 8u * o->b[at + 1] : 8;
			if (heap->pieces[heap->count].from)
				break;
		}
	}
	cr_assert_leq(end - at, WHOLE_MAX);
	heap->pieces[heap->count].bytes = end - at;
	memcpy(heap->pieces[heap->count].b, o->b + at, end - at);
	heap->count++;
}

/* late: of bytes that came twice the later ones count. 0: it is not whole. */
static inline uint32_t reassemble(const struct heap *heap, bool late, uint8_t whole[WHOLE_MAX])
{
	bool there[WHOLE_MAX] = {false};
	uint32_t total = 0;

	for (uint32_t i = 0; i < heap->count; i++) {
		uint32_t from = heap->pieces[i].from, end = from + heap->pieces[i].bytes;

		if (!heap->pieces[i].more && (late || !total))
			total = end;
		for (uint32_t k = from; k < end && k < WHOLE_MAX; k++) {
			if (!there[k] || late)
				whole[k] = heap->pieces[i].b[k - from];
			there[k] = true;
		}
	}
	for (uint32_t k = 0; k < total; k++)
		if (!there[k])
			return 0;
	return total;
}

#endif
