#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034
# One virtual machine in software emulation. Sourced by run.sh, which sets VM_DIR and VM_SRC.
#   vm_start KERNEL NETNS qemu-words...   g 'command in the guest'   vm_stop

vm_start() {
	local k=$1 ns=$2 libs=$VM_DIR/qemu/usr/lib/x86_64-linux-gnu
	shift 2
	VM_TMP=$(mktemp -d "${TMPDIR:-/tmp}/sallyport-vm.XXXXXX")
	mkfifo "$VM_TMP/ctl.in" "$VM_TMP/ctl.out"
	trap '' PIPE
	LD_LIBRARY_PATH=$libs:$VM_DIR/qemu/lib/x86_64-linux-gnu nsenter --net="/run/netns/$ns" \
		timeout -k 5 "${VM_TIME_S:-900}" "$VM_DIR/qemu/usr/bin/qemu-system-x86_64" \
		-L "$VM_DIR/qemu/usr/share/qemu" -L "$VM_DIR/qemu/usr/share/seabios" \
		-accel tcg,thread=multi -cpu max -smp 2 -m "${VM_MIB:-2048}" -M q35 \
		-nodefaults -nographic -no-reboot -serial "file:$VM_TMP/console" \
		-kernel "$VM_DIR/$k/vmlinuz" -initrd "$VM_DIR/$k/initrd" \
		-append "console=ttyS0 quiet panic=-1 oops=panic vmagent=$VM_SRC/agent.sh vmmod=$VM_DIR/$k/lib/modules" \
		-virtfs local,path=/,mount_tag=rootfs,security_model=none,readonly=on,multidevs=remap \
		-chardev "pipe,id=ctl,path=$VM_TMP/ctl" -device virtio-serial-pci \
		-device virtserialport,chardev=ctl,name=ctl -device virtio-rng-pci "$@" \
		>"$VM_TMP/qemu.log" 2>&1 &
	VM_PID=$!
	exec 7<>"$VM_TMP/ctl.in" 8<>"$VM_TMP/ctl.out"
	if ! read -t 120 -r VM_UP <&8; then
		echo "vm: the guest did not boot"
		cat "$VM_TMP/qemu.log"
		tail -n 30 "$VM_TMP/console"
		return 1
	fi
}
# g COMMAND: its output as it comes, its status at the end. VM_QUIET_S without a line: status 124.
g() {
	local line
	base64 -w0 <<<"$*" >&7
	echo >&7
	while IFS= read -t "${VM_QUIET_S:-180}" -r line <&8; do
		case $line in
		*"@@RC "*) return "${line##*@@RC }" ;;
		*) printf '%s\n' "$line" ;;
		esac
		kill -0 "$VM_PID" 2>/dev/null || return 125
	done
	return 124
}
# Fails when the kernel complained, whatever the tests say.
vm_stop() {
	local rc=0
	[ -n "${VM_PID:-}" ] || return 0
	echo QUIT >&7
	wait "$VM_PID" || rc=$?
	VM_PID=
	exec 7>&- 8<&-
	if grep -aE 'BUG:|WARNING:|Oops|Call Trace|Kernel panic' "$VM_TMP/console"; then
		grep -aE -A 25 'BUG:|WARNING:|Oops' "$VM_TMP/console" | head -n 60
		rc=1
	fi
	rm -rf "$VM_TMP"
	return $rc
}
# A virtio NIC with two queue pairs on a tap of the namespace: vm_nic TAP MAC, as qemu words.
vm_nic() {
	printf '%s\n' -netdev "tap,id=$1,ifname=$1,script=no,downscript=no,vhost=off,queues=2" \
		-device "virtio-net-pci,netdev=$1,mac=$2,mq=on,vectors=6,romfile="
}
