/* SPDX-License-Identifier: Apache-2.0 */
/* Options, extension headers, fragments, protocols: what stands between IP and ports. Tests only. */
#ifndef SP_TESTS_PROGRUN_MUTATE_HEADERS_H
#define SP_TESTS_PROGRUN_MUTATE_HEADERS_H

#include "progrun/mutate.h"

static inline void add_options(struct frame *f)
{
	uint8_t options[40];
	uint32_t n = 4 + roll(10) * 4;

	for (uint32_t i = 0; i < n; i++)
		options[i] = (uint8_t)(roll(3) ? 1 : roll(256));
	insert(f, f->l3 + 20, options, n);
	f->b[f->l3] = (uint8_t)(f->b[f->l3] + n / 4);
	f->l4 += n;
	mend_length(f);
}

static inline void add_extension(struct frame *f, uint8_t kind)
{
	uint8_t header[24] = {f->b[f->l3 + 6], (uint8_t)(kind == 44 ? 0 : roll(3))};
	uint32_t n = 8 + 8u * (kind == 44 ? 0 : header[1]);

	if (kind == 43)
		header[3] = (uint8_t)(roll(3) == 0);
	if (kind == 44)
		put16(header + 2, (uint16_t)(roll(3) == 0 ? roll(4) << 3 | roll(2) : roll(2)));
	if (kind == 44)
		header[7] = (uint8_t)roll(3);
	insert(f, f->l3 + 40, header, n);
	f->b[f->l3 + 6] = kind;
	f->l4 += n;
	mend_length(f);
}

static inline void change_headers(struct frame *f)
{
	static const uint8_t kinds[] = {0, 43, 44, 60, 60, 60};
	uint32_t chain = 1 + (roll(8) == 0) * roll(7);

	if (f->n < f->l3 + 40)
		return;
	if (is_frame_v4(f)) {
		add_options(f);
		return;
	}
	for (uint32_t i = 0; i < chain; i++)
		add_extension(f, ROLL(kinds));
}

static inline void change_fragment(struct frame *f)
{
	static const uint16_t fields[] = {0x2000, 0x2000, 0x2001, 0x0001, 0x0002, 0x0003, 0x2004,
					  0x0005, 0x0009, 0x2009, 0x1fff, 0x3ffe, 0x4000, 0xa000};

	if (f->n < f->l3 + 40)
		return;
	if (!is_frame_v4(f)) {
		add_extension(f, 44);
		return;
	}
	put16(f->b + f->l3 + 4, (uint16_t)roll(4));
	put16(f->b + f->l3 + 6, ROLL(fields));
}

static inline void change_kind(struct frame *f)
{
	static const uint8_t protos[] = {50, 51, 47, 6, 17, 1, 58, 44, 0, 43, 60, 59, 132};
	static const uint8_t hops[] = {0, 1, 2, 64, 255};
	static const uint8_t types[] = {0, 3, 4, 5, 8, 11, 12, 13, 1, 2, 128, 129, 133, 135, 137};

	if (f->n < f->l4 + 20 || f->n < f->l3 + 40)
		return;
	switch (roll(5)) {
	case 0:
		f->b[f->l3 + (is_frame_v4(f) ? 9 : 6)] = ROLL(protos);
		break;
	case 1:
		f->b[f->l3 + (is_frame_v4(f) ? 8 : 7)] = ROLL(hops);
		break;
	case 2:
		f->b[f->l4] = ROLL(types);
		break;
	case 3:
		f->b[f->l4 + 12] = (uint8_t)(roll(16) << 4);
		break;
	default:
		f->b[f->l4 + 13] = (uint8_t)roll(256);
	}
}

/* A SYN whose options may be anything. */
static inline void change_options(struct frame *f)
{
	static const uint8_t kinds[] = {1, 1, 1, 2, 2, 3, 4, 8, 0, 30};
	uint32_t words = 1 + roll(10);

	if (f->n < f->l4 + 60)
		return;
	f->b[f->l4 + 12] = (uint8_t)((5 + words) << 4);
	f->b[f->l4 + 13] = 0x02;
	for (uint32_t i = f->l4 + 20; i < f->l4 + 20 + words * 4; i++)
		f->b[i] = roll(2) ? ROLL(kinds) : (uint8_t)roll(6);
	if (roll(2)) {
		uint32_t at = f->l4 + 20 + roll(words * 4 - 3);

		memset(f->b + f->l4 + 20, 1, at - f->l4 - 20);
		memcpy(f->b + at, "\x02\x04\x05\xb4", 4);
	}
}

static inline void mutate(struct frame *f)
{
	static void (*const ways[])(
		struct frame *) = {change_bytes,    change_bytes, change_size,	  add_tag,
				   change_address,  change_ports, change_headers, change_fragment,
				   change_fragment, change_kind,  change_options};

	for (uint32_t i = roll(4); i > 0; i--)
		ROLL(ways)(f);
	if (f->n < 14)
		f->n = 14;
}

#endif
