#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The guest's process 1: takes base64 command lines from the virtio port "ctl", answers with their
# output and then a line "@@RC status". QUIT powers off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
mkdir -p /lib/modules /dev/shm /dev/pts
mount --bind "$(sed -n 's/.*vmmod=\([^ ]*\).*/\1/p' /proc/cmdline)" /lib/modules
ln -sfn /proc/self/fd /dev/fd
mount -t bpf b /sys/fs/bpf
mount -t tmpfs t /dev/shm
mount -t devpts d /dev/pts
hostname vm
ip link set lo up
for p in /sys/class/virtio-ports/*; do
	[ "$(cat "$p/name")" = ctl ] && port=/dev/${p##*/}
done
exec 3<>"$port"
echo "up $(cut -d' ' -f1 /proc/uptime) $(uname -r)" >&3
while IFS= read -r line <&3; do
	[ "$line" = QUIT ] && break
	bash -c "$(base64 -d <<<"$line")" </dev/null 2>&1 | cat >&3
	echo "@@RC ${PIPESTATUS[0]}" >&3
done
# No external command from here on: the root file system is going down already.
echo o >/proc/sysrq-trigger
while :; do :; done
