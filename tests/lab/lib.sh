#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The lab: network namespaces for clients, a router, the gateway and the internet, all with real
# programs in them. Sourced by the scenarios and the demo; nothing of the machine itself is touched.
#
#   one_nic:  c1..cN --- rtr --- gw (out0)          two_nic:  c1..cN --- rtr --- gw (tun0, out0)
#                         |                                               |
#                        net                                             net
#
# The router forwards, as an internet would. Outer addresses are documentation prefixes.
# shellcheck disable=SC2034,SC2174 # most variables are for those who source this
set -uo pipefail

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT_DIR=$(cd "$LAB_DIR/../.." && pwd)
BUILD=${BUILD:-$ROOT_DIR/build}
[[ $BUILD == /* ]] || BUILD=$ROOT_DIR/$BUILD
LAB_MB=${LAB_MB:-64}           # size of the file that clients download and upload
LAB_OFFLOAD=${LAB_OFFLOAD:-off} # gso, tso, gro of every test interface
LAB_QUEUES=${LAB_QUEUES:-1}    # queue pairs of the gateway's interfaces
LAB_NIC=${LAB_NIC:-veth}       # of the gateway; virtio: in a virtual machine, see tests/vm
LAB_CLIENT=${LAB_CLIENT:-go}   # go: wireguard-go; kernel: the kernel's WireGuard
PASSED=0 FAILED=0 SKIPPED=0

# ------------------------------------------------------------------ results
ok() { PASSED=$((PASSED + 1)) && echo "ok $*"; }
fail() { FAILED=$((FAILED + 1)) && echo "FAIL $*"; }
skip() { SKIPPED=$((SKIPPED + 1)) && echo "skip $*"; }
say() { printf '# %s\n' "$*"; }
# check "promise" command...: ok when the command succeeds; its output is shown when it does not.
check() {
	local promise=$1 out rc=0
	shift
	out=$("$@" 2>&1) || rc=$?
	if [ $rc -eq 0 ]; then
		ok "$promise"
	else
		fail "$promise"
		sed 's/^/     /' <<<"$out" | tail -n 12
	fi
	return $rc
}
not() { ! "$@"; }
# shows PATTERN command...: its output has the pattern, however it ends.
shows() {
	local pattern=$1 out
	shift
	out=$("$@" 2>&1)
	grep -qiE -- "$pattern" <<<"$out" || { echo "$out" && return 1; }
}
# within SECONDS command...: until it succeeds. LAB_SLOW stretches it where all is slow.
within() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000 * ${LAB_SLOW:-1}))
	shift
	until "$@" >/dev/null 2>&1; do
		((${EPOCHREALTIME/./} < end)) || return 1
		sleep 0.05
	done
}
now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# ------------------------------------------------------------------ life and death
LAB_NS=() LAB_PIDS=()
lab_init() {
	[ "$(id -u)" -eq 0 ] || { echo "the lab needs root" >&2 && exit 2; }
	LAB=sp$$
	T=$(mktemp -d "${TMPDIR:-/tmp}/sallyport-lab.XXXXXX")
	chmod 755 "$T"
	trap lab_down EXIT
	trap 'exit 130' INT TERM HUP
}

# lab_spawn LOGFILE command...: in the background, ended by lab_down; the pid is in SPAWNED.
lab_spawn() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 </dev/null &
	SPAWNED=$!
	LAB_PIDS+=("$SPAWNED")
}
# lab_kill PID [SIGNAL]: end one process of ours and wait for it.
lab_kill() {
	local pid=$1 p kept=()
	kill -s "${2:-TERM}" "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	for p in "${LAB_PIDS[@]}"; do
		[ "$p" = "$pid" ] || kept+=("$p")
	done
	LAB_PIDS=("${kept[@]}")
}
lab_down() {
	local rc=$?
	trap '' INT TERM HUP
	trap - EXIT
	lab_clear
	if [ -n "${LAB_KEEP:-}" ]; then
		echo "# kept: $T"
	else
		rm -rf "$T"
	fi
	exit $rc
}
# lab_clear: end every process and namespace of this lab, so that another one can come up.
lab_clear() {
	local p ns
	for p in "${LAB_PIDS[@]}"; do
		kill "$p" 2>/dev/null
	done
	for p in "${LAB_PIDS[@]}"; do
		timeout 5 tail --pid="$p" -f /dev/null 2>/dev/null || kill -9 "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	for ns in "${LAB_NS[@]}"; do
		# A program that put itself in the background lives in our own namespace: it is ours.
		ip netns pids "$ns" 2>/dev/null | xargs -r kill -9 2>/dev/null
		ip netns del "$ns" 2>/dev/null
	done
	LAB_PIDS=() LAB_NS=() CLIENT_PID=()
}
# Last line of a scenario.
lab_result() {
	echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
	if [ "$FAILED" -gt 0 ] && [ -s "$T/gw.log" ]; then
		echo "# the gateway's last lines:"
		tail -n "${LAB_LOG_LINES:-15}" "$T/gw.log" | sed 's/^/     /'
	fi
	[ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
}

# ------------------------------------------------------------------ namespaces
# at NAME command...: run it in that namespace. The gateway's has its own /sys and bpffs too, so
# that several labs on one machine never see each other's pins.
at() {
	local name=$1
	shift
	if [ "$name" = gw ]; then
		nsenter --net="/run/netns/$LAB-gw" --mount="/proc/$GW_HOLDER/ns/mnt" -- "$@"
	else
		nsenter --net="/run/netns/$LAB-$name" -- "$@"
	fi
}
lab_ns() {
	ip netns add "$LAB-$1" || exit 2
	LAB_NS+=("$LAB-$1")
	ip -n "$LAB-$1" link set lo up
	nsenter --net="/run/netns/$LAB-$1" sysctl -qw net.ipv4.ping_group_range='0 2147483647' \
		net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv4.conf.all.promote_secondaries=1
}
# lab_gw_mounts: what the gateway sees under /sys and /run is its own.
lab_gw_mounts() {
	lab_spawn "$T/holder.log" nsenter --net="/run/netns/$LAB-gw" unshare --mount --propagation private \
		sh -c 'mount -t tmpfs tmpfs /run && mount -t sysfs sysfs /sys && mount -t bpf bpf /sys/fs/bpf &&
			exec sleep infinity'
	GW_HOLDER=$SPAWNED
	within 5 nsenter --mount="/proc/$GW_HOLDER/ns/mnt" test -w /sys/fs/bpf -a -e /sys/class/net/lo ||
		{ cat "$T/holder.log" && exit 2; }
	within 5 lab_holder_ready || { cat "$T/holder.log" && exit 2; }
}
lab_holder_ready() {
	[ "$(nsenter --mount="/proc/$GW_HOLDER/ns/mnt" stat -f -c %T /sys/fs/bpf)" = bpf_fs ]
}
# lab_link NS_A IF_A NS_B IF_B: a cable. Checksums are always finished before the wire, since
# AF_XDP sees what the wire sees; GRO at the far end gives it the NAPI that XDP redirect needs.
lab_link() {
	local q=$LAB_QUEUES side
	ip -n "$LAB-$1" link add "$2" numtxqueues "$q" numrxqueues "$q" type veth \
		peer name "$4" netns "$LAB-$3" numtxqueues "$q" numrxqueues "$q" || exit 2
	for side in "$1 $2" "$3 $4"; do
		# shellcheck disable=SC2086 # two words: namespace and interface
		lab_link_side $side
	done
}
# lab_cable I NS_A IF_A gw IF_B: the same, but between two virtio NICs that are joined outside.
lab_cable() {
	local i=$1
	if [ "$LAB_NIC" = veth ]; then
		lab_link "$4" "$5" "$2" "$3"
		return
	fi
	lab_take_nic "52:54:00:00:0$i:01" "$2" "$3"
	lab_take_nic "52:54:00:00:0$i:02" "$4" "$5"
}
lab_take_nic() { # MAC NS NAME
	local dev
	dev=$(ip -br link | awk -v mac="$1" '$3 == mac { print $1 }')
	[ -n "$dev" ] || { echo "no NIC with address $1" >&2 && exit 2; }
	ip link set "$dev" netns "$LAB-$2" name "$3" || exit 2
	ip netns exec "$LAB-$2" ethtool -L "$3" combined "$LAB_QUEUES" >/dev/null 2>&1
	lab_link_side "$2" "$3"
}
lab_link_side() {
	local ns=$1 dev=$2 gro=$LAB_OFFLOAD
	[ "$ns" = rtr ] && gro=on
	ip netns exec "$LAB-$ns" ethtool -K "$dev" tx off gso "$LAB_OFFLOAD" tso "$LAB_OFFLOAD" \
		gro "$gro" >/dev/null 2>&1
	ip -n "$LAB-$ns" link set "$dev" mtu 1500 up
}
addr() { # NS DEV ADDRESS...
	local ns=$1 dev=$2 a
	shift 2
	for a in "$@"; do
		if [[ $a == *:* ]]; then
			ip -n "$LAB-$ns" addr add "$a" dev "$dev" nodad
		else
			ip -n "$LAB-$ns" addr add "$a" dev "$dev"
		fi
	done
}
route() { # NS route words...
	local ns=$1
	shift
	ip -n "$LAB-$ns" route replace "$@"
}

# lab_up one_nic|two_nic [CLIENTS]
lab_up() {
	local n
	TOPOLOGY=$1
	CLIENTS=${2:-1}
	for n in rtr gw net; do
		lab_ns "$n"
	done
	lab_gw_mounts
	ip -n "$LAB-rtr" link add access type bridge
	ip -n "$LAB-rtr" link set access up
	addr rtr access 198.51.100.129/25 2001:db8:c::1/64
	lab_cable 0 rtr to-gw gw out0
	addr gw out0 192.0.2.1/24 2001:db8:2::1/64
	addr rtr to-gw 192.0.2.254/24 2001:db8:2::fe/64
	route gw default via 192.0.2.254
	route gw default via 2001:db8:2::fe
	lab_link net net0 rtr to-net
	addr net net0 203.0.113.10/24 203.0.113.66/24 2001:db8:203::10/64 2001:db8:203::66/64
	addr rtr to-net 203.0.113.254/24 2001:db8:203::fe/64
	route net default via 203.0.113.254
	route net default via 2001:db8:203::fe
	GW_IFS=(out0)
	ENDPOINT4=192.0.2.1 ENDPOINT6=2001:db8:2::1
	EGRESS4=192.0.2.1 EGRESS6=2001:db8:2::1
	if [ "$TOPOLOGY" = two_nic ]; then
		lab_cable 1 rtr to-tun gw tun0
		addr gw tun0 198.51.100.1/25 2001:db8:51::1/64
		addr rtr to-tun 198.51.100.126/25 2001:db8:51::fe/64
		route gw 198.51.100.128/25 via 198.51.100.126
		route gw 2001:db8:c::/64 via 2001:db8:51::fe
		GW_IFS=(tun0 out0)
		ENDPOINT4=198.51.100.1 ENDPOINT6=2001:db8:51::1
	fi
	at rtr sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	for ((n = 1; n <= CLIENTS; n++)); do
		lab_client_host "$n"
	done
}
client_addr4() { echo "198.51.100.$((129 + $1))"; }
client_addr6() { printf '2001:db8:c::1:%x\n' "$1"; }
lab_client_host() {
	local n=$1
	lab_ns "c$n"
	lab_link "c$n" eth0 rtr "to-c$n"
	ip -n "$LAB-rtr" link set "to-c$n" master access
	addr "c$n" eth0 "$(client_addr4 "$n")/25" "$(client_addr6 "$n")/64"
	route "c$n" default via 198.51.100.129
	route "c$n" default via 2001:db8:c::1
}

# ------------------------------------------------------------------ the internet host
WEB4=203.0.113.10 WEB6=2001:db8:203::10 EVIL4=203.0.113.66 EVIL6=2001:db8:203::66
lab_internet() {
	mkdir -p "$T/www"
	openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null |
		head -c "$((LAB_MB << 20))" >"$T/www/file"
	SUM=$(sha256sum <"$T/www/file" | cut -d' ' -f1)
	lab_spawn "$T/web.log" nsenter --net="/run/netns/$LAB-net" \
		/usr/bin/python3 "$LAB_DIR/web.py" "$T/www" 80 7 $WEB4 $WEB6 $EVIL4 $EVIL6
	for a in $WEB4 $WEB6; do
		lab_spawn "$T/iperf.$a.log" nsenter --net="/run/netns/$LAB-net" iperf3 -s -B "$a" -p 5201
	done
	# The last address is bound last.
	within 5 at net curl -sfo /dev/null "http://[$EVIL6]/whoami" || { cat "$T/web.log" && exit 2; }
}

# ------------------------------------------------------------------ keys and clients
# lab_keys NAME...: a key pair each in $T/keys.
lab_keys() {
	local n
	mkdir -p -m 700 "$T/keys"
	for n in "$@"; do
		(umask 077 && wg genkey >"$T/keys/$n" && wg pubkey <"$T/keys/$n" >"$T/keys/$n.pub")
	done
}
pub() { cat "$T/keys/$1.pub"; }
inner4() { echo "10.9.0.$((1 + $1))"; }
inner6() { printf 'fd00:9::%x\n' "$((1 + $1))"; }

# client_up N [ENDPOINT]: a stock client; all but the way to the gateway goes into the tunnel.
client_up() {
	local n=$1 endpoint=${2:-$ENDPOINT4} ns=$LAB-c$1 port=${PORT:-51820}
	client_device "$n" || return 1
	[[ $endpoint == *:* ]] && endpoint="[$endpoint]"
	at_client "$n" wg set wg0 private-key "$T/keys/c$n" peer "$(pub gw)" \
		${PSK:+preshared-key "$PSK"} allowed-ips 0.0.0.0/0,::/0 \
		endpoint "$endpoint:$port" ${KEEPALIVE:+persistent-keepalive "$KEEPALIVE"} || return 1
	# A TUN device gets a link-local address that kernel WireGuard does not, and talks from it.
	ip -n "$ns" link set wg0 mtu "${MTU:-1420}" addrgenmode none
	ip -n "$ns" link set wg0 up
	addr "c$n" wg0 "$(inner4 "$n")/32" "$(inner6 "$n")/128"
	route "c$n" "$ENDPOINT4" via 198.51.100.129
	route "c$n" "$ENDPOINT6" via 2001:db8:c::1
	route "c$n" 0.0.0.0/1 dev wg0
	route "c$n" 128.0.0.0/1 dev wg0
	route "c$n" ::/1 dev wg0
	route "c$n" 8000::/1 dev wg0
}
client_device() {
	local n=$1
	if [ "$LAB_CLIENT" = kernel ]; then
		ip -n "$LAB-c$n" link add wg0 type wireguard
		return
	fi
	# wireguard-go's control socket is named after the interface: each client has its own /run.
	lab_spawn "$T/c$n.log" env WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1 \
		LOG_LEVEL="${LAB_CLIENT_LOG:-error}" \
		nsenter --net="/run/netns/$LAB-c$n" unshare --mount --propagation private \
		sh -c 'mount -t tmpfs tmpfs /run && exec wireguard-go -f wg0'
	CLIENT_PID[n]=$SPAWNED
	within 10 at_client "$n" test -S /run/wireguard/wg0.sock || { cat "$T/c$n.log" && return 1; }
}
declare -a CLIENT_PID=()
client_down() {
	local n=$1
	if [ "$LAB_CLIENT" = kernel ]; then
		ip -n "$LAB-c$n" link del wg0
	else
		lab_kill "${CLIENT_PID[n]}"
		CLIENT_PID[n]=
	fi
}
# at_client N command...: in client N's namespaces, so that wg(8) finds its interface.
at_client() {
	local n=$1
	shift
	if [ "$LAB_CLIENT" = kernel ] || [ -z "${CLIENT_PID[n]:-}" ]; then
		at "c$n" "$@"
	else
		nsenter --net="/run/netns/$LAB-c$n" --mount="/proc/${CLIENT_PID[n]}/ns/mnt" -- "$@"
	fi
}
handshake_done() { [ "$(at_client "$1" wg show wg0 latest-handshakes | cut -f2)" -gt 0 ]; }

# shellcheck source=tests/lab/traffic.sh
. "$LAB_DIR/traffic.sh"
# shellcheck source=tests/lab/gateway.sh
. "$LAB_DIR/gateway.sh"
