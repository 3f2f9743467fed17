/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Fixed-width types and assertions for every struct that crosses the kernel border. Any thread. */
#ifndef SALLYPORT_ABI_BASE_H
#define SALLYPORT_ABI_BASE_H

#ifdef __bpf__
#include "vmlinux.h"
#else
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>
#endif

/* Bumped whenever a map's key, value or meaning changes; pins stand in a folder of this number. */
#define SP_ABI_VERSION 2

#define SP_ABI_SIZE(type, bytes)                                                                \
	_Static_assert(sizeof(type) == (bytes), "size of " #type " is part of the map schema"); \
	_Static_assert((bytes) % 8 == 0, #type " must fill whole 8-byte map slots")

#define SP_NAME_BYTES 32 /* names of users, rules, pools in maps, NUL-terminated */

#endif
