#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The lab without Sallyport: wireguard-go and nftables stand in for the gateway. What fails here is
# a fault of the lab, not of the gateway.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
for topology in one_nic two_nic; do
	say "$topology"
	lab_up "$topology" 2
	lab_internet
	lab_keys gw c1 c2
	lab_spawn "$T/standin.log" env WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1 \
		nsenter --net="/run/netns/$LAB-gw" unshare --mount --propagation private \
		sh -c 'mount -t tmpfs tmpfs /run && exec wireguard-go -f wg0'
	standin=$SPAWNED
	gwi() { nsenter --net="/run/netns/$LAB-gw" --mount="/proc/$standin/ns/mnt" -- "$@"; }
	within 10 gwi test -S /run/wireguard/wg0.sock
	gwi wg set wg0 listen-port 51820 private-key "$T/keys/gw" \
		peer "$(pub c1)" allowed-ips "$(inner4 1),$(inner6 1)" \
		peer "$(pub c2)" allowed-ips "$(inner4 2),$(inner6 2)"
	ip -n "$LAB-gw" link set wg0 mtu 1420 up
	addr gw wg0 10.9.0.1/24 fd00:9::1/64
	gwi sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	gwi nft -f - <<-NFT
	table inet standin {
	  chain post { type nat hook postrouting priority 100; oifname out0 masquerade; }
	  chain forbid { type filter hook forward priority 0; ip daddr $EVIL4 drop; ip6 daddr $EVIL6 drop; }
	}
	NFT
	client_up 1 "$ENDPOINT4"
	client_up 2 "$ENDPOINT6"
	for f in 4 6; do
		check "$topology v$f: the server sees the egress address" seen_from_egress 1 $f
		check "$topology v$f: download" download 1 $f
		check "$topology v$f: upload" upload 1 $f
		check "$topology v$f: udp echo" udp_echo 2 $f 1300
		check "$topology v$f: ping" ping_ok 2 "$(web_addr $f)"
	done
	check "$topology: handshakes" handshake_done 1
	check "$topology: denied" denied_tcp 1 "$EVIL4"
	check "$topology: denied v6" denied_tcp 1 "$EVIL6"
	check "$topology: rate is measured" between "$(udp_rate 1 4 20 2)" 19 21
	steady_start 1 4 probe
	sleep 1
	steady_stop probe
	check "$topology: a steady flow loses nothing ($SENT sent)" test "$LOST" = 0 -a "$SENT" -gt 150
	lab_clear
done
lab_result
