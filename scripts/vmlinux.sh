#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Make vmlinux.h anew from a kernel's BTF: only the types named here, in its order.
# Needs bpftool and a machine with BTF; building the gateway needs neither. All of them are part of
# the kernel's user-space ABI, so no relocation is wanted and one file serves every kernel.
# Usage: scripts/vmlinux.sh [BTF file] > vmlinux.h
set -eu
btf=${1:-/sys/kernel/btf/vmlinux}
bpftool=$(command -v bpftool || echo /usr/sbin/bpftool)

# Types by name; an unnamed enum by one of its members.
wanted='__u8 __u16 __u32 __u64 __s8 __s16 __s32 __s64 __be16 __be32 __be64 __le16 __le32 __sum16
__wsum bool false xdp_md xdp_action bpf_map_type BPF_ANY BPF_F_NO_PREALLOC
BPF_RB_AVAIL_DATA BPF_RB_NO_WAKEUP'
wanted=$(echo "$wanted" | tr '\n' ' ')

cat <<'HEAD'
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel types that the XDP program uses. Made by scripts/vmlinux.sh; do not edit. */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__
HEAD

"$bpftool" btf dump file "$btf" format c | awk -v wanted="$wanted" '
function define(name) {
	if (!(name in block_of))
		block_of[name] = blocks
}
function finish_block(   i, n, words) {
	if (text == "")
		return
	blocks++
	block[blocks] = text
	n = split(text, words, /[^A-Za-z0-9_]+/)
	if (text ~ /^typedef/) {
		for (i = n; i > 0 && words[i] == ""; i--)
			;
		define(words[i])
	} else if (text ~ /^enum \{/) {
		for (i = 2; i <= n; i++)
			define(words[i])
	} else if (text ~ /^(struct|union|enum) [A-Za-z0-9_]+ \{/) {
		define(words[2])
	}
	text = ""
}
/^(#|$)/ { finish_block(); next }
{ text = text == "" ? $0 : text "\n" $0 }
END {
	finish_block()
	n = split(wanted, names, / +/)
	for (i = 1; i <= n; i++) {
		if (names[i] == "")
			continue
		if (!(names[i] in block_of)) {
			print "vmlinux.sh: no type " names[i] " in this BTF" > "/dev/stderr"
			exit 1
		}
		keep[block_of[names[i]]] = 1
	}
	for (i = 1; i <= blocks; i++)
		if (i in keep)
			print "\n" block[i]
}'
printf '\n#endif\n'
