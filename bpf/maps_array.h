/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How the maps that user space reads without a system call are declared. XDP only. */
#ifndef SP_BPF_MAPS_ARRAY_H
#define SP_BPF_MAPS_ARRAY_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

/* An array that user space maps into its memory. */
#define SP_SHARED_ARRAY(name, entries, value_type) \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, entries);      \
		__type(key, __u32);                \
		__type(value, value_type);         \
	} name SEC(".maps")

#endif
