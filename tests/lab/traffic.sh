#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What clients do and what must come of it. Each function is 0 when the promise held, and says what
# it saw. Sourced by lib.sh. N is the client's number, FAMILY is 4 or 6.
# shellcheck disable=SC2034,SC2153,SC2154 # variables come from lib.sh and go to the scenarios

web() { [ "$1" = 6 ] && echo "[$WEB6]" || echo "$WEB4"; }
web_addr() { [ "$1" = 6 ] && echo "$WEB6" || echo "$WEB4"; }
evil() { [ "$1" = 6 ] && echo "[$EVIL6]" || echo "$EVIL4"; }
egress() { [ "$1" = 6 ] && echo "$EGRESS6" || echo "$EGRESS4"; }
expect() { # WHAT FOUND WANTED
	[ "$2" = "$3" ] && return
	echo "$1: found '$2', expected '$3'"
	return 1
}

# The server saw the egress address, nothing of the client's own.
seen_from_egress() { # N FAMILY
	local from
	from=$(at "c$1" curl -sS -m 10 "http://$(web "$2")/whoami") || return 1
	expect "source at the server" "${from% *}" "$(egress "$2")"
}
download() { # N FAMILY [FILE]
	local sum
	sum=$(at "c$1" curl -sS --connect-timeout 5 -y 10 -Y 1 -m "${LAB_TIMEOUT:-120}" "http://$(web "$2")/${3:-file}" |
		sha256sum | cut -d' ' -f1) || return 1
	expect sha256 "$sum" "$SUM"
}
upload() { # N FAMILY
	local answer
	answer=$(at "c$1" curl -sS --connect-timeout 5 -y 10 -Y 1 -m "${LAB_TIMEOUT:-120}" -T "$T/www/file" "http://$(web "$2")/up") ||
		return 1
	expect "size and sha256" "$answer" "$((LAB_MB << 20)) $SUM"
}
# A datagram and its echo, which carries the address the server saw.
udp_echo() { # N FAMILY [BYTES]
	at "c$1" /usr/bin/python3 - "$(web_addr "$2")" "$(egress "$2")" "${3:-100}" <<-'PY'
	import socket, sys
	host, egress, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
	s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
	s.settimeout(1)
	data = bytes(i * 7 % 251 for i in range(size))
	for attempt in range(3):
	    s.sendto(data, (host, 7))
	    try:
	        got = s.recv(65536)
	        break
	    except TimeoutError:
	        continue
	else:
	    sys.exit("no echo in three attempts")
	address, _, body = got.split(b" ", 2)
	if address.decode() != egress or body != data:
	    sys.exit(f"echo of {len(body)} bytes, source seen: {address.decode()}, expected {egress}")
	PY
}
ping_ok() { # N ADDRESS [ping words]
	local n=$1 a=$2
	shift 2
	at "c$n" ping -n -c 3 -i 0.2 -W 2 "$@" "$a" | grep -q ' 3 received'
}
denied_tcp() { # N ADDRESS [PORT]: nothing is connected, whatever the client is told
	not at "c$1" nc -n -z -w 2 "$2" "${3:-80}"
}
# Megabits of payload a second that arrived, of MBIT sent: udp_rate N FAMILY MBIT SECONDS [-R].
# The first second is left out: in it a bucket gives its burst away.
udp_rate() {
	at "c$1" timeout "$(($4 + 10))" iperf3 -J -u -l "${LAB_UDP_BYTES:-1200}" -c "$(web_addr "$2")" \
		-p 5201 -b "$3M" -t "$4" -O 1 "${@:5}" | jq '.end.sum_received.bits_per_second / 1000000'
}
# between VALUE LOW HIGH, as decimal numbers
between() {
	awk -v v="$1" -v l="$2" -v h="$3" 'BEGIN { exit !(v != "" && v >= l && v <= h) }' && return
	echo "found $1, expected $2 to $3"
	return 1
}

# A flow that must not notice: numbered UDP echoes, one each 5 ms; prints "sent lost".
steady_start() { # N FAMILY NAME
	lab_spawn "$T/steady.$3" nsenter --net="/run/netns/$LAB-c$1" \
		/usr/bin/python3 "$LAB_DIR/steady.py" "$(web_addr "$2")" 7
	STEADY[$3]=$SPAWNED
	within 5 grep -q started "$T/steady.$3"
}
steady_stop() { # NAME: sets SENT and LOST
	lab_kill "${STEADY[$1]}" INT
	read -r SENT LOST < <(tail -n 1 "$T/steady.$1")
}
declare -A STEADY=()
# The first packet through a tunnel: it makes the handshake happen.
first_ping() { at "c$1" ping -n -c 1 -W 1 "$WEB4" | grep -q ' 1 received'; }
handshake_after_ping() { at "c$1" ping -n -c 1 -W 0.2 "$WEB4"; handshake_done "$1"; }
