/* SPDX-License-Identifier: Apache-2.0 */
/* Frames changed at random where parsers and NATs have gone wrong before. Tests only, one thread. */
#ifndef SP_TESTS_PROGRUN_MUTATE_H
#define SP_TESTS_PROGRUN_MUTATE_H

#include "progrun/model_compare.h"

static uint64_t dice;

static inline uint32_t roll(uint32_t below)
{
	dice = dice * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((dice >> 33) % below);
}

#define ROLL(list) (list)[roll(sizeof(list) / sizeof((list)[0]))]

static inline void insert(struct frame *f, uint32_t at, const uint8_t *bytes, uint32_t n)
{
	if (f->n + n > FRAME_MAX || at > f->n)
		return;
	memmove(f->b + at + n, f->b + at, f->n - at);
	memcpy(f->b + at, bytes, n);
	f->n += n;
}

static inline bool is_frame_v4(const struct frame *f)
{
	return f->b[f->l3] >> 4 == 4;
}

/* As if nothing had been inserted, or cut. */
static inline void mend_length(struct frame *f)
{
	if (f->n >= f->l3 + 40)
		put16(f->b + f->l3 + (is_frame_v4(f) ? 2 : 4),
		      (uint16_t)(f->n - f->l3 - (is_frame_v4(f) ? 0 : 40)));
}

static inline void change_bytes(struct frame *f)
{
	static const uint16_t edges[] = {0, 1, 8, 20, 40, 0x1fff, 0x2000, 0x4000, 0x7fff, 0xffff};
	uint32_t most = f->n < f->l4 + 72 ? f->n : f->l4 + 72, at = 12 + roll(most - 12);

	switch (roll(3)) {
	case 0:
		f->b[at] ^= (uint8_t)(1u << roll(8));
		break;
	case 1:
		f->b[at] = (uint8_t)roll(256);
		break;
	default:
		if (at + 2 <= f->n)
			put16(f->b + at, ROLL(edges));
	}
}

static inline void change_size(struct frame *f)
{
	uint32_t more = roll(96);

	if (roll(2)) {
		f->n = 14 + roll(f->n - 13);
	} else if (f->n + more <= FRAME_MAX) {
		for (uint32_t i = 0; i < more; i++)
			f->b[f->n + i] = (uint8_t)roll(256);
		f->n += more;
	}
	if (roll(2))
		mend_length(f);
}

static inline void add_tag(struct frame *f)
{
	uint8_t tag[4] = {roll(4) ? 0x81 : 0x88, 0, (uint8_t)(roll(8) << 5),
			  (uint8_t)(roll(2) ? 0 : roll(256))};

	if (tag[0] == 0x88)
		tag[1] = 0xa8;
	insert(f, 12, tag, 4);
	f->l3 += 4;
	f->l4 += 4;
}

static inline void change_address(struct frame *f)
{
	static const char *const v4[] = {"198.51.100.2",   "198.51.100.1",    "198.51.100.3",
					 "10.8.0.1",	   "10.8.0.2",	      "203.0.113.9",
					 "203.0.113.1",	   "255.255.255.255", "10.50.0.2",
					 "198.51.100.255", "127.0.0.1",	      "0.0.0.0",
					 "224.0.0.251",	   "10.50.0.77",      "10.50.1.2",
					 "169.254.169.254"};
	static const char *const v6[] = {
		"2001:db8:1::2", "2001:db8:1::1", "2001:db8:1::3", "fd00:8::1",
		"fd00:8::2",	 "2001:db8:9::9", "2001:db8:9::1", "ff02::1",
		"fd00:50::2",	 "fd00:50::77",	  "fe80::1",	   "::",
		"::1",		 "fd00:51::2",	  "febf::9",	   "::ffff:10.8.0.2"};
	static struct sp_addr known[2][16];
	bool v4_frame = is_frame_v4(f), src = roll(2);
	uint32_t which = roll(16);

	if (!known[0][0].b[15])
		for (int i = 0; i < 16; i++) {
			known[0][i] = addr_of(v4[i]);
			known[1][i] = addr_of(v6[i]);
		}
	if (f->n < f->l3 + 40)
		return;
	if (v4_frame)
		memcpy(f->b + f->l3 + (src ? 12 : 16), known[0][which].b + 12, 4);
	else
		memcpy(f->b + f->l3 + (src ? 8 : 24), known[1][which].b, 16);
}

static inline void change_ports(struct frame *f)
{
	static const uint16_t ports[] = {0,	22,    53,    67,      68,	443,	   PORT,
					 30000, 40000, 50000, NAT_MIN, NAT_MAX, KEPT_PORT, 65535};

	if (f->n >= f->l4 + 8)
		put16(f->b + f->l4 + roll(3) * 2, ROLL(ports));
}

#endif
