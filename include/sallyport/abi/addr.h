/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Addresses and prefixes as map keys hold them: 128 bits, IPv4 as ::ffff:a.b.c.d. Any thread. */
#ifndef SALLYPORT_ABI_ADDR_H
#define SALLYPORT_ABI_ADDR_H

#include "sallyport/abi/base.h"

struct sp_addr {
	__u8 b[16];
} __attribute__((aligned(8)));
SP_ABI_SIZE(struct sp_addr, 16);

/* len counts bits of the 128-bit form: an IPv4 /24 is 96 + 24 = 120. */
struct sp_prefix {
	struct sp_addr addr;
	__u8 len;
	__u8 pad[7];
};
SP_ABI_SIZE(struct sp_prefix, 24);

/* Key of every LPM trie: the kernel wants the length first. */
struct sp_lpm_key {
	__u32 prefixlen;
	__u8 addr[16];
};
_Static_assert(sizeof(struct sp_lpm_key) == 20, "LPM key: length and 128 bits");

#endif
