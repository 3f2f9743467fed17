#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# initrd.sh FOLDER/KERNEL: writes FOLDER/KERNEL/initrd. It mounts this machine's own file system
# read-only over 9p, with a layer of memory above it, and hands over to agent.sh.
set -euo pipefail
kernel=$(readlink -f "$1")
version=$(ls "$kernel/lib/modules")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp"/{bin,proc,sys,dev,m,lower,rw,new}
cp -L "$(command -v busybox)" "$tmp/bin/busybox"

# In the order in which modprobe would load them, each once.
n=100
for m in virtio_pci 9p 9pnet_virtio overlay virtio_console virtio-rng; do
	modprobe -D -d "$kernel" -S "$version" "$m" 2>/dev/null || true
done | sed -n 's/^insmod //p' | awk '!seen[$1]++ { print $1 }' >"$tmp/list"
while read -r f; do
	cp "$f" "$tmp/m/$((n++))-${f##*/}"
done <"$tmp/list"
rm "$tmp/list"

cat >"$tmp/init" <<'INIT'
#!/bin/busybox sh
B=/bin/busybox
$B mount -t proc p /proc
$B mount -t sysfs s /sys
$B mount -t devtmpfs d /dev
for m in /m/*.ko; do $B insmod $m; done
O=trans=virtio,version=9p2000.L,msize=262144
$B mount -t 9p -o $O,cache=loose,ro rootfs /lower || $B sh
$B mount -t tmpfs t /rw
$B mkdir /rw/u /rw/w
$B mount -t overlay -o lowerdir=/lower,upperdir=/rw/u,workdir=/rw/w o /new
for d in proc sys dev; do $B mount --move /$d /new/$d; done
$B mount -t tmpfs t /new/run
agent=$($B sed -n 's/.*vmagent=\([^ ]*\).*/\1/p' /new/proc/cmdline)
exec $B switch_root /new /bin/bash "$agent" </dev/console >/dev/console 2>&1
INIT
chmod +x "$tmp/init"
(cd "$tmp" && find . | cpio -o -H newc --quiet) >"$kernel/initrd"
