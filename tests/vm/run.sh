#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [KERNEL...]: the core scenario of the lab inside a stock Debian kernel (6.1 and 6.12 unless named; newest: of backports), with
# kernel WireGuard as the client and virtio_net in native XDP mode as the gateway's interfaces. All
# namespaces are in the guest; two of its NICs make one cable, through a bridge of taps out here.
# Software emulation: it says what is right, never what is fast.
set -uo pipefail
VM_SRC=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$VM_SRC/../.." && pwd)
BUILD=${BUILD:-$root/build}
[[ $BUILD == /* ]] || BUILD=$root/$BUILD
VM_DIR=${VM_DIR:-$BUILD/vm}
# shellcheck source=tests/vm/rig.sh
. "$VM_SRC/rig.sh"
[ "$(id -u)" -eq 0 ] || { echo "the virtual machine's cables need root" >&2 && exit 2; }
kernels=("$@")
[ ${#kernels[@]} -gt 0 ] || kernels=(6.1 6.12)
ns=spvm$$
VM_PID=

cleanup() {
	trap - EXIT
	if [ -n "$VM_PID" ]; then
		kill "$VM_PID" 2>/dev/null
		wait "$VM_PID" 2>/dev/null
		rm -rf "$VM_TMP"
	fi
	ip netns del $ns 2>/dev/null
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# Cable I joins NICs ...:I:01 (the router's end) and ...:I:02 (the gateway's end).
cables() {
	local i end
	ip netns add $ns
	words=()
	for i in 0 1; do
		ip -n $ns link add "cable$i" type bridge mcast_snooping 0
		for end in 1 2; do
			ip -n $ns tuntap add dev "t$i$end" mode tap vnet_hdr multi_queue
			ip -n $ns link set "t$i$end" master "cable$i" up
			mapfile -t -O ${#words[@]} words < <(vm_nic "t$i$end" "52:54:00:00:0$i:0$end")
		done
		ip -n $ns link set "cable$i" up
	done
}
run_in() { # KERNEL
	local k=$1 rc
	printf -- '-- kernel %s\n' "$k"
	"$VM_SRC/get.sh" "$VM_DIR" "$k" || return 1
	[ -e "$VM_DIR/$k/initrd" ] || "$VM_SRC/initrd.sh" "$VM_DIR/$k" || return 1
	vm_start "$k" $ns "${words[@]}" || return 1
	echo "# $VM_UP"
	g "modprobe -a virtio_net wireguard veth bridge tun" || return 1
	g "cd $root && BUILD=$BUILD LAB_NIC=virtio LAB_CLIENT=kernel LAB_MB=${VM_MB:-4} \
		LAB_QUEUES=${VM_QUEUES:-1} LAB_SLOW=4 TOPOLOGIES='${TOPOLOGIES:-one_nic two_nic}' ${VM_COMMAND:-tests/lab/scenario_core.sh}"
	rc=$?
	vm_stop || { echo "vm: kernel $k complained, or did not stop" && rc=1; }
	return $rc
}

cables
failed=()
for k in "${kernels[@]}"; do
	start=$SECONDS
	run_in "$k" || failed+=("$k")
	printf -- '   kernel %s: %d s\n' "$k" "$((SECONDS - start))"
done
if [ ${#failed[@]} -gt 0 ]; then
	echo "vm: failed on ${failed[*]}"
	exit 1
fi
echo "vm: passed on ${kernels[*]}"
