#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two ways out: a tunnel's user and a workload leave each by the path of its rule, as an address of
# that path, whatever the routing table says; a path that is down is not replaced by another unless
# the rule names one; what comes back comes back where it left.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
lab_up two_nic 1
lab_internet
lab_keys gw c1
napi() { # NS DEV: what a redirect into a veth needs at its far end
	ip netns exec "$LAB-$1" ethtool -K "$2" gro off
	ip netns exec "$LAB-$1" ethtool -K "$2" gro on
}
napi rtr to-gw
# The second provider: another interface, another router, its own way to the same internet host.
lab_ns isp2
lab_link isp2 to-gw gw out1
napi isp2 to-gw
addr gw out1 192.0.2.130/28 2001:db8:22::1/64
addr isp2 to-gw 192.0.2.129/28 2001:db8:22::fe/64
lab_link net net1 isp2 to-net
addr net net1 203.0.113.130/30 2001:db8:203:2::1/64
addr isp2 to-net 203.0.113.129/30 2001:db8:203:2::2/64
route isp2 203.0.113.10/32 via 203.0.113.130
route isp2 2001:db8:203::10/128 via 2001:db8:203:2::1
route net 192.0.2.128/28 via 203.0.113.129
route net 2001:db8:22::/64 via 2001:db8:203:2::2
at isp2 sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
# The lab's first network is 192.0.2.0/24: its router must not answer for the second one's part.
route rtr blackhole 192.0.2.128/28
lab_ns capp
lab_link gw in-app capp eth0
napi capp eth0
addr gw in-app 10.50.0.1/24 fd00:50::1/64
addr capp eth0 10.50.0.2/24 fd00:50::2/64
route capp default via 10.50.0.1
route capp default via fd00:50::1

user_path='"isp2"' app_path='"isp1"'
configure() {
	GW_POLICY="  { name = \"users\"; from = [\"staff\"]; to = [\"web-host\"]; action = \"allow\"; path = $user_path; },
  { name = \"apps\"; from = [\"app\"]; to = [\"web-host\"]; action = \"allow\"; path = $app_path; },
  { name = \"ping\"; from = [\"staff\"]; to = [\"gateway\"]; action = \"allow\"; }"
	GW_EXTRA='paths = (
  { name = "isp1"; interface = "out0"; nexthop = "192.0.2.254"; nexthop6 = "2001:db8:2::fe"; },
  { name = "isp2"; interface = "out1"; nexthop = "192.0.2.129"; nexthop6 = "2001:db8:22::fe"; egress = "second"; } );
zones = ( { name = "app"; interface = "in-app"; prefixes = ["10.50.0.0/24", "fd00:50::/64"]; } );'
	gw_config
	sed -i 's/{ name = "out0"; roles = \["egress"\]; }/&, { name = "out1"; roles = ["egress"]; }, { name = "in-app"; roles = ["inside"]; }/
		s|^egress = (|& { name = "second"; interface = "out1"; addresses = ["192.0.2.130", "2001:db8:22::1"]; ports = "20000-29999"; },|' "$T/gw.conf"
}
configure
gw_start || { lab_result; exit 1; }
check "a stock client connects" client_up 1
check "its first ping comes back" within 15 first_ping 1

leaves_as() { # HOST FAMILY ADDRESS
	local from
	from=$(at "c$1" curl -sS -m 5 "http://$(web "$2")/whoami") || return 1
	expect "source at the server" "${from% *}" "$3"
}
within_leaves() { within 5 leaves_as "$@" || leaves_as "$@"; }
SECOND4=192.0.2.130 SECOND6=2001:db8:22::1
second() { [ "$1" = 6 ] && echo $SECOND6 || echo $SECOND4; }
for f in 4 6; do
	check "v$f: the user leaves by the second provider, as its address" within_leaves 1 $f "$(second $f)"
	check "v$f: the workload by the first" within_leaves app $f "$(egress $f)"
	check "v$f: a whole file over the tunnel" download 1 $f
	check "v$f: and past it" download app $f
done
# ------------------------------------------------------------------ the other way round
user_path='"isp1"' app_path='"isp2"'
configure
check "a reload that exchanges the paths" gw_cli reload
for f in 4 6; do
	check "v$f: the user leaves by the first" within_leaves 1 $f "$(egress $f)"
	check "v$f: the workload by the second" within_leaves app $f "$(second $f)"
done
check "v4: a whole file from the workload" download app 4
# ------------------------------------------------------------------ down
ip -n "$LAB-gw" link set out1 down
sleep 0.5
before=$(gw_drops path_down)
check "the second provider's link is down: the workload is not let out elsewhere" \
	not leaves_as app 4 "$EGRESS4"
check "counted as path_down" gw_drops_above "$before" path_down
check "the user, on the first, does not notice" leaves_as 1 4 "$EGRESS4"
app_path='["isp2", "isp1"]'
configure
check "a rule that names a second choice" gw_cli reload
check "lets the workload out by that, as its address" within_leaves app 4 "$EGRESS4"
check "show paths names it" shows 'isp2.*down' gw_cli show paths
ip -n "$LAB-gw" link set out1 up
addr gw out1 2001:db8:22::1/64 2>/dev/null
check "the link is up again: what begins goes by the first choice" within 10 leaves_as app 4 $SECOND4
check "show paths says so" within 5 shows 'isp2.*up' gw_cli show paths
# ------------------------------------------------------------------ what may not be
sed 's/path = "isp1"; }/path = "isp1"; egress = "second"; }/' "$T/gw.conf" >"$T/wrong.conf"
check "a pool of another interface is refused, with its line" \
	shows 'wrong.conf:[0-9]+: policy.users.egress: found pool second of interface out1' "$BUILD/sallyport" check "$T/wrong.conf"
lab_result
