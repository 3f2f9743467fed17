#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The main job, on one NIC and on two, in IPv4 and IPv6: allowed traffic leaves from the egress
# address whole, denied traffic does not leave and is counted with its reason. TOPOLOGIES chooses,
# LAB_MB says how much each transfer carries.
LAB_MB=${LAB_MB:-1024}
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init

start() { # TOPOLOGY
	lab_up "$1" 2
	lab_internet
	lab_keys gw c1 c2
	gw_config
	check "$1: the configuration is right" "$BUILD/sallyport" check "$T/gw.conf"
	gw_start || return 1
	client_up 1 "$ENDPOINT4"
	client_up 2 "$ENDPOINT6"
}
allowed() { # TOPOLOGY FAMILY
	local w="$1 v$2"
	check "$w: the server sees the egress address" seen_from_egress 1 "$2"
	check "$w: $LAB_MB MB download, checksum right" download 1 "$2"
	check "$w: $LAB_MB MB upload, checksum right" upload 1 "$2"
	check "$w: UDP there and back" udp_echo 1 "$2" 1200
	check "$w: echo request and reply" ping_ok 1 "$(web_addr "$2")"
	check "$w: the second client too" seen_from_egress 2 "$2"
}
denied() { # TOPOLOGY FAMILY
	local w="$1 v$2" before e=$EVIL4
	[ "$2" = 6 ] && e=$EVIL6
	before=$(gw_drops policy_deny)
	check "$w: a denied destination is not reached" denied_tcp 1 "$e"
	check "$w: and counted as policy_deny" gw_drops_above "$before" policy_deny
	before=$(gw_drops policy_default)
	check "$w: what no rule allows is not reached" denied_tcp 1 "$(web_addr "$2")" 8080
	check "$w: and counted as policy_default" gw_drops_above "$before" policy_default
}
gateway_itself() { # TOPOLOGY
	check "$1: the gateway's inner address answers" ping_ok 1 10.9.0.1
	check "$1: and in IPv6" ping_ok 1 fd00:9::1
	check "$1: it answers when the TTL ends" ttl_ends 4
	check "$1: and the hop limit" ttl_ends 6
	for dev in "${GW_IFS[@]}"; do
		check "$1: the kernel forwards nothing on $dev" expect forwarding \
			"$(at gw cat "/proc/sys/net/ipv4/conf/$dev/forwarding")" 0
	done
}
ttl_ends() {
	shows 'time to live|hop limit' at c1 ping -n -c 1 -W 2 -t 1 "$(web_addr "$1")"
}
seen_by_operator() { # TOPOLOGY
	check "$1: bpftool shows the session" shows SP_SESSION_FULL gw_dump sp_sessions
	check "$1: bpftool shows the flows" shows SP_FLOW_TUNNEL gw_dump sp_flows
	check "$1: bpftool shows the drops" within 3 shows SP_R_POLICY_DENY gw_dump sp_drops
	check "$1: show peers names the client's endpoint" \
		grep -q "$(client_addr4 1)" <<<"$(gw_peer c1 endpoint)"
	check "$1: show flows names user and rule" flow_listed user-c1 staff-out
	check "$1: native XDP" expect mode \
		"$(gw_cli show interfaces -j | jq -r '[.[].mode] | unique | join(" ")')" native
	check "$1: promtool accepts the metrics" metrics_right
}
flow_listed() {
	gw_cli show flows -j | jq -e --arg u "$1" --arg r "$2" \
		'any(.[]; .user == $u and .rule == $r and .packets_up > 0 and .packets_down > 0)'
}
metrics_right() {
	at gw curl -sS -m 5 http://127.0.0.1:9586/metrics >"$T/metrics" || return 1
	grep -q '^sallyport_' "$T/metrics" && promtool check metrics <"$T/metrics"
}
closed_when_stopped() { # TOPOLOGY
	gw_stop
	check "$1: without the daemon nothing leaves" not ping_ok 1 "$WEB4"
	check "$1: a clean stop leaves no pin" expect pins \
		"$(at gw find /sys/fs/bpf/sallyport ! -type d 2>/dev/null)" ""
	check "$1: and no program on ${GW_IFS[*]}" not at gw sh -c "ip link show | grep -q prog/xdp"
}

for topology in ${TOPOLOGIES:-one_nic two_nic}; do
	if start "$topology"; then
		check "$topology: IPv4 handshake" within 10 first_ping 1 || break
		check "$topology: IPv6 handshake" within 10 first_ping 2 || break
		for family in 4 6; do
			allowed "$topology" $family
			denied "$topology" $family
		done
		gateway_itself "$topology"
		seen_by_operator "$topology"
		closed_when_stopped "$topology"
	fi
	[ "$FAILED" -eq 0 ] || break
	lab_clear
done
lab_result
