#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Workloads of zones: a host behind an inside interface of the gateway's each. After lib.sh and lab_up.
# shellcheck disable=SC2034,SC2154 # variables come from lib.sh and go to the scenarios

# A redirect into a veth needs NAPI at its far end; there GRO brings it, when switched on while up.
zone_napi() { # NS DEV
	ip netns exec "$LAB-$1" ethtool -K "$2" gro off
	ip netns exec "$LAB-$1" ethtool -K "$2" gro on
}
# zones_up NAME:NET...: namespace cNAME at 10.NET.0.2 and fd00:NET::2 behind in-NAME, and GW_ZONES.
zones_up() {
	local z name net comma=""
	lab_internet
	lab_keys gw
	zone_napi rtr to-gw
	GW_ZONES=""
	for z in "$@"; do
		name=${z%:*} net=${z#*:}
		lab_ns "c$name"
		lab_link gw "in-$name" "c$name" eth0
		zone_napi "c$name" eth0
		addr gw "in-$name" "10.$net.0.1/24" "fd00:$net::1/64"
		addr "c$name" eth0 "10.$net.0.2/24" "fd00:$net::2/64"
		route "c$name" default via "10.$net.0.1"
		route "c$name" default via "fd00:$net::1"
		GW_ZONES+="$comma{ name = \"$name\"; interface = \"in-$name\"; prefixes = [\"10.$net.0.0/24\", \"fd00:$net::/64\"]; }"
		comma=", "
		ZONE_NAMES+=("$name")
	done
}
declare -a ZONE_NAMES=()
# zones_config [FILE]: gw_config with the zones in it.
zones_config() {
	local name file=${1:-$T/gw.conf} extra=${GW_EXTRA:-}
	GW_EXTRA="zones = ( $GW_ZONES ); $extra"
	gw_config "$file"
	GW_EXTRA=$extra
	for name in "${ZONE_NAMES[@]}"; do
		sed -i "s/{ name = \"out0\"; roles = \[[^]]*\]; }/&, { name = \"in-$name\"; roles = [\"inside\"]; }/" "$file"
	done
}
# One ping that is answered.
zone_ping() { at "c$1" ping -n -c 1 -W 0.4 "$2"; }
