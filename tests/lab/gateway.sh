#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The gateway of the lab: its configuration, its daemon, its command line. Sourced by lib.sh.
# shellcheck disable=SC2034,SC2153,SC2154 # variables come from lib.sh and go to the scenarios

# gw_config [FILE]: writes it for the topology that is up. What a scenario changes, it sets first:
#   GW_POLICY      rules in order (default: staff may reach the web host with any protocol)
#   GW_USER_LIMIT  for each user, libconfig text such as: limit = { up = "20M"; down = "20M"; };
#   GW_PEERS       names (default c1..cN); GW_PSK: preshared_key_file for all of them
#   GW_POOL4, GW_POOL6, GW_PORTS, GW_MTU, GW_EXTRA
gw_config() {
	local file=${1:-$T/gw.conf} n name
	mkdir -p "$T/state"
	{
		cat <<-CONF
		gateway = {
		  name = "$LAB"; control = "$T/control.sock"; state_dir = "$T/state";
		  metrics = "127.0.0.1:9586"; ${GW_GATEWAY:-}
		};
		CONF
		if [ "$TOPOLOGY" = two_nic ]; then
			echo 'interfaces = ( { name = "tun0"; roles = ["tunnel"]; }, { name = "out0"; roles = ["egress"]; } );'
		else
			echo 'interfaces = ( { name = "out0"; roles = ["tunnel", "egress"]; } );'
		fi
		cat <<-CONF
		wireguard = ( { name = "wg0"; port = 51820; private_key_file = "$T/keys/gw";
		  addresses = ["10.9.0.1/24", "fd00:9::1/64"]; mtu = ${GW_MTU:-1420}; } );
		groups = ( { name = "staff"; } );
		CONF
		gw_config_list users gw_config_user
		gw_config_list peers gw_config_peer
		cat <<-CONF
		destinations = (
		  { name = "web-host"; prefixes = ["$WEB4/32", "$WEB6/128"]; },
		  { name = "bad-host"; prefixes = ["$EVIL4/32", "$EVIL6/128"]; },
		  { name = "clients"; prefixes = ["10.9.0.0/24", "fd00:9::/64"]; }
		);
		services = (
		  { name = "web"; protocol = "tcp"; ports = [80, 443]; },
		  { name = "measure"; protocol = "tcp"; ports = [5201]; },
		  { name = "udp"; protocol = "udp"; },
		  { name = "ping"; protocol = "icmp"; }
		);
		egress = ( { name = "main"; interface = "out0";
		  addresses = ["${GW_POOL4:-$EGRESS4}", "${GW_POOL6:-$EGRESS6}"]; ports = "${GW_PORTS:-20000-29999}"; } );
		policy = (
		${GW_POLICY:-$(gw_policy_default)}
		);
		${GW_EXTRA:-}
		CONF
	} >"$file"
}
gw_policy_default() {
	cat <<-CONF
	  { name = "no-bad-host"; from = "any"; to = ["bad-host"]; service = "any"; action = "deny"; },
	  { name = "staff-out"; from = ["staff"]; to = ["web-host"];
	    service = ["web", "measure", "udp", "ping"]; action = "allow"; egress = "main"; },
	  { name = "staff-gateway"; from = ["staff"]; to = ["gateway"]; service = ["ping"]; action = "allow"; }
	CONF
}
gw_peers() {
	local n
	if [ -n "${GW_PEERS:-}" ]; then
		tr ' ' '\n' <<<"$GW_PEERS"
	else
		for ((n = 1; n <= CLIENTS; n++)); do echo "c$n"; done
	fi
}
# libconfig wants commas between entries of a list.
gw_config_list() { # KEY FUNCTION
	local name comma=""
	echo "$1 = ("
	while read -r name; do
		printf '%s' "$comma"
		$2 "$name"
		comma=$',\n'
	done < <(gw_peers)
	printf '\n);\n'
}
gw_config_user() {
	printf '  { name = "user-%s"; groups = ["staff"]; %s }' "$1" "${GW_USER_LIMIT:-}"
}
gw_config_peer() {
	printf '  { name = "%s"; user = "user-%s"; public_key = "%s"; addresses = ["%s", "%s"]; %s }' \
		"$1" "$1" "$(pub "$1")" "$(inner4 "${1#c}")" "$(inner6 "${1#c}")" \
		"${GW_PSK:+preshared_key_file = \"$GW_PSK\";}"
}

gw_start() { # [daemon words]
	[ -x "$BUILD/sallyportd" ] || { echo "$BUILD/sallyportd is not built" >&2 && exit 2; }
	lab_spawn "$T/gw.log" nsenter --net="/run/netns/$LAB-gw" --mount="/proc/$GW_HOLDER/ns/mnt" -- \
		"$BUILD/sallyportd" -c "${GW_CONF:-$T/gw.conf}" "$@"
	GW_PID=$SPAWNED
	if ! within 15 gw_answers; then
		fail "the daemon starts and answers"
		tail -n 20 "$T/gw.log" | sed 's/^/     /'
		return 1
	fi
}
gw_answers() { kill -0 "$GW_PID" && gw_cli status; }
gw_stop() { lab_kill "$GW_PID" "${1:-TERM}"; }
gw_cli() { at gw "$BUILD/sallyport" -c "$T/gw.conf" -s "$T/control.sock" "$@"; }

# Numbers out of the command line's JSON.
gw_drops() { # REASON...: packets dropped for these reasons, all directions
	local r sum=0 n json
	json=$(gw_cli show drops -j) || return 1
	for r in "$@"; do
		n=$(jq --arg r "$r" '[.[] | select(.reason == $r) | .packets] | add // 0' <<<"$json")
		sum=$((sum + n))
	done
	echo "$sum"
}
gw_drops_above() { # BEFORE REASON...
	local before=$1 n
	shift
	n=$(gw_drops "$@") || return 1
	[ "$n" -gt "$before" ] || { echo "$*: still $n" && return 1; }
}
gw_peer() { # NAME FIELD
	gw_cli show peers -j | jq -r --arg n "$1" ".[] | select(.name == \$n) | .$2"
}
gw_dump() { # MAP: as a newcomer would look at it
	at gw bpftool map dump pinned "$(gw_pin "$1")"
}
gw_pin() { at gw find /sys/fs/bpf/sallyport -name "$1" | head -n 1; }
