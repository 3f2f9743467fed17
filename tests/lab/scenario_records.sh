#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Flow records: who had an outside address and port, now and then, of a stock client and of a plain
# zone; what was denied; a policy learned from what was seen that blocks nothing of it; and a
# candidate that would.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
LAB_MB=1
lab_up two_nic 1
lab_internet
lab_keys gw c1
napi() { # NS DEV: a redirect into a veth needs NAPI at its far end
	ip netns exec "$LAB-$1" ethtool -K "$2" gro off
	ip netns exec "$LAB-$1" ethtool -K "$2" gro on
}
napi rtr to-gw
lab_ns capp
lab_link gw in-app capp eth0
napi capp eth0
addr gw in-app 10.50.0.1/24 fd00:50::1/64
addr capp eth0 10.50.0.2/24 fd00:50::2/64
route capp default via 10.50.0.1
route capp default via fd00:50::1

GW_POLICY='  { name = "no-bad-host"; from = "any"; to = ["bad-host"]; service = "any"; action = "deny"; },
  { name = "all-out"; from = ["staff", "app"]; to = "any"; service = "any"; action = "allow"; egress = "main"; },
  { name = "staff-gateway"; from = ["staff"]; to = ["gateway"]; service = ["ping"]; action = "allow"; }'
GW_EXTRA='zones = ( { name = "app"; interface = "in-app"; prefixes = ["10.50.0.0/24", "fd00:50::/64"]; } );'
gw_config
sed -i 's/{ name = "out0"; roles = \["egress"\]; }/&, { name = "in-app"; roles = ["inside"]; }/' "$T/gw.conf"
cp "$T/gw.conf" "$T/good.conf"
gw_start || { lab_result; exit 1; }
client_up 1
first() { at "c$1" ping -n -c 1 -W 0.3 "$2"; }
check "handshake" within 10 first_ping 1
check "the first echo of the zone" within 5 first app $WEB4

# ------------------------------------------------------------------ who, now
# hold N FAMILY: a connection that stays; HELD is what the server saw, as ADDRESS:PORT.
declare -A HOLD_PID=()
cat >"$T/hold.py" <<'PY'
import socket, sys, time
s = socket.create_connection((sys.argv[1], 80), 5)
s.sendall(b"GET /whoami HTTP/1.1\r\nHost: x\r\n\r\n")
answer = b""
while not answer.partition(b"\r\n\r\n")[2]:
    answer += s.recv(65536)
print(answer.partition(b"\r\n\r\n")[2].decode().strip(), s.getsockname()[1], flush=True)
time.sleep(600)
PY
hold() {
	lab_spawn "$T/hold.$1.$2" nsenter --net="/run/netns/$LAB-c$1" /usr/bin/python3 "$T/hold.py" "$(web_addr "$2")"
	HOLD_PID[$1.$2]=$SPAWNED
	within 5 test -s "$T/hold.$1.$2" || { cat "$T/hold.$1.$2" && return 1; }
}
for who in 1.4 1.6 app.4 app.6; do
	hold "${who%.*}" "${who#*.}" # not inside of check, whose shell would keep the pid
	check "$who: a connection that stays" test -s "$T/hold.$who"
done
# seen N FAMILY: as the server saw it, for the command line; its own port.
seen() {
	local host port own
	read -r host port own <"$T/hold.$1.$2"
	[[ $host == *:* ]] && host="[$host]"
	echo "$host:$port $own"
}
who_is() { # N FAMILY USER DEVICE RULE [who words]: what the command says, against what we know
	local place own want got
	read -r place own < <(seen "$1" "$2")
	want="$3|$4|tcp|$own|$(web "$2"):80|$5"
	got=$(gw_cli who "$place" -j "${@:6}" |
		jq -r '.flows[] | "\(.user)|\(.device)|\(.protocol)|\(.source | sub(".*:"; ""))|\(.destination)|\(.rule)"')
	expect "who $place" "$got" "$want"
}
for f in 4 6; do
	check "v$f: who of the client: user, device, flow" who_is 1 $f user-c1 c1 all-out
	check "v$f: who of the zone" who_is app $f app "" all-out
done
place=$(seen 1 4)
line=$(grep -n '"all-out"' "$T/gw.conf" | cut -d: -f1)
check "in words: user, device, the tunnel's end" shows "user user-c1, device c1, tunnel from $(client_addr4 1)" gw_cli who "${place% *}"
check "the rule with file and line" shows "rule all-out \(.*gw.conf:$line\)" gw_cli who "${place% *}"
check "by protocol: tcp" shows 'user user-c1' gw_cli who "${place% *}" --protocol tcp
check "by protocol: udp is nobody" shows '^nobody' gw_cli who "${place% *}" --protocol udp
check "a port that nobody has: nobody, status 1" shows '^nobody: no flow is open that leaves as 192.0.2.1:1' gw_cli who 192.0.2.1:1
check "no address: usage" shows 'expected ADDRESS:PORT' gw_cli who here
asked() { socat -t 5 - "UNIX-CONNECT:$T/control.sock" <<<"$1"; }
check "the socket, without a port: every port of the address" shows '"ok": ?true.*"port": ?0' \
	asked '{"command": "who", "address": "192.0.2.1"}'
check "the socket, a time beyond the end of time: refused" shows '"ok": ?false.*expected an address' \
	asked '{"command": "who", "address": "192.0.2.1", "at_ms": 9223372036854775807, "span_ms": 9}'

# ------------------------------------------------------------------ who, then
sleep 1
then=$(date +%H:%M:%S)
sleep 1
lab_kill "${HOLD_PID[1.4]}"
lab_kill "${HOLD_PID[app.4]}"
for f in 4 6; do
	check "v$f: at $then it was the client" who_is 1 $f user-c1 c1 all-out --at "$then"
	check "v$f: at $then it was the zone" who_is app $f app "" all-out --at "$then"
done
check "an hour ago it was nobody" shows '^nobody: no flow left at that time' gw_cli who "${place% *}" --at -1h
# A reload cuts the flow, so its end is there at once.
sed 's/^policy = (/&\n  { name = "cut"; from = ["staff", "app"]; to = "any"; service = ["web"]; action = "deny"; },/' "$T/good.conf" >"$T/gw.conf"
check "a policy that cuts them" gw_cli reload
is_past() { # N FAMILY: nobody now, and who it was last with its end
	local place own
	read -r place own < <(seen "$1" "$2")
	gw_cli who "$place" -j >"$T/who.json" # status 1: nobody has it
	jq -e '(.flows | length) == 0 and .last[0].ended != null and .last[0].packets > 2 and .last[0].back_packets > 2' "$T/who.json"
}
lab_kill "${HOLD_PID[1.6]}" # whose last words are judged, and end the flows
lab_kill "${HOLD_PID[app.6]}"
check "the client's flow is past, with its numbers" within 10 is_past 1 6
check "the zone's, which XDP has ended" within 10 is_past app 6
for n in 1 app; do
	check "c$n: a new one is denied" denied_tcp $n $WEB4
done
cp "$T/good.conf" "$T/gw.conf"
check "the old policy again" gw_cli reload
check "at $then: still the same answer" who_is 1 4 user-c1 c1 all-out --at "$then"
check "status shows the records" shows 'records +[0-9]+ written, 0 lost' gw_cli status
check "nothing lost in the metrics" shows 'sallyport_records_lost_total\{where="ring"\} 0' gw_cli metrics

# ------------------------------------------------------------------ learn, apply, replay
exits() { # CODE command...
	local want=$1 rc=0
	shift
	"$@" >"$T/out" 2>&1 || rc=$?
	[ "$rc" = "$want" ] || { echo "status $rc, expected $want" && cat "$T/out" && return 1; }
}
for n in 1 app; do
	for family in 4 6; do
		check "c$n: v$family: web" seen_from_egress $n $family
		check "c$n: v$family: a datagram and its echo" udp_echo $n $family
		check "c$n: v$family: ping" ping_ok $n "$(web_addr $family)"
	done
done
check "c1: ping to the gateway" ping_ok 1 10.9.0.1
mkdir -p "$T/new/conf.d" "$T/candidate"
check "learn the zone" exits 0 gw_cli learn --zone app --last 1h --out "$T/new/conf.d/60-app.conf"
check "learn the user" exits 0 gw_cli learn --user user-c1 --last 1h --out "$T/new/conf.d/61-c1.conf"
check "a file that is there is left alone" exits 1 gw_cli learn --zone app --out "$T/new/conf.d/60-app.conf"
learn_watching() { # what comes while it watches, and what is still open then
	gw_cli learn --user user-c1 --for 3s >"$T/watched.conf" &
	sleep 1
	ping_ok 1 $WEB4
	wait $!
	expect "tests of the ping" "$(grep -c 'to = "icmp 203.0.113.10"' "$T/watched.conf")" 1
}
check "learn --for: what comes from now on" learn_watching
check "a user who is none is refused" exits 2 gw_cli learn --user nobody-here
check "it names what let them out until now" grep -q "Let out until now by: all-out ($T/gw.conf:" "$T/new/conf.d/60-app.conf"
# The whole configuration with the wide rule, and then without it.
sed '/"all-out"/d' "$T/good.conf" >"$T/new/gw.conf"
cp -r "$T/new" "$T/wide"
cp "$T/good.conf" "$T/wide/gw.conf"
check "beside the rule that was wider it passes check" exits 0 "$BUILD/sallyport" check "$T/wide/gw.conf"
check "without it, too, with its own tests" exits 0 "$BUILD/sallyport" check "$T/new/gw.conf"
replay() { gw_cli replay "$@" -j >"$T/replay.json"; }
check "replay of the policy in force: status 5, for what another one had denied" exits 5 replay "$T/gw.conf" --last 1h
check "which is all that would change" expect was \
	"$(jq -r '[.blocked[].was, (.allowed[].was | sub(" \\(.*"; ""))] | unique | join(",")' "$T/replay.json")" "deny by cut"
replay "$T/new/gw.conf" --last 1h
check "replay of the learned one: nothing newly blocked" expect blocked "$(jq .blocked_flows "$T/replay.json")" 0
check "of more than ten flows" test "$(jq .flows "$T/replay.json")" -gt 10
check "and of denials" test "$(jq .denials "$T/replay.json")" -ge 2
cp -r "$T/new/conf.d" "$T/conf.d"
cp "$T/new/gw.conf" "$T/gw.conf"
check "taken over" exits 0 gw_cli reload
for n in 1 app; do
	check "c$n: what was seen goes on" seen_from_egress $n 4
	check "c$n: so do datagrams" udp_echo $n 6
	check "c$n: another port does not" denied_tcp $n $WEB4 5201
done
sed '/"all-out"/s/service = "any"/service = ["udp", "ping"]/' "$T/good.conf" >"$T/candidate/gw.conf"
line=$(grep -n '"all-out"' "$T/good.conf" | cut -d: -f1)
check "replay of one without web: status 5" exits 5 replay "$T/candidate/gw.conf" --last 1h
check "it would block tcp of both, by the default" expect blocked \
	"$(jq -r '[.blocked[] | "\(.user) \(.protocol) \(.would)"] | unique | join(",")' "$T/replay.json")" \
	"app tcp deny by default,user-c1 tcp deny by default"
check "in words" shows "would newly block [0-9]+ flows of 2 users" gw_cli replay "$T/candidate/gw.conf" --last 1h
check "by which rule they left" shows "allow by all-out \(.*gw.conf:$line\)" gw_cli replay "$T/candidate/gw.conf" --last 1h
sed '/"no-bad-host"/d' "$T/good.conf" >"$T/candidate/gw.conf"
check "something denied" denied_tcp 1 $EVIL4
sleep 1.2
check "replay of one that lets it out: status 5" exits 5 replay "$T/candidate/gw.conf" --last 1h
check "it would newly allow it, by all-out" expect allowed \
	"$(jq -r --arg to "$EVIL4:80" '.allowed[] | select(.destination == $to) | "\(.user) \(.was | sub(" \\(.*"; "")) \(.would | sub(" \\(.*"; ""))"' "$T/replay.json")" \
	"user-c1 deny by no-bad-host allow by all-out"
printf 'policy = (' >"$T/candidate/gw.conf"
check "a candidate with mistakes: status 3" exits 3 replay "$T/candidate/gw.conf"
rm -r "$T/conf.d"
cp "$T/good.conf" "$T/gw.conf"
check "the old policy again" gw_cli reload

# ------------------------------------------------------------------ over a restart, and a crash
gw_stop
gw_start
check "a restart remembers" who_is 1 4 user-c1 c1 all-out --at "$then"
check "and has no flow without an end" test "$(gw_cli who $EGRESS4 --at "$then" -j | jq '[.flows[] | select(.ended == null)] | length')" = 0
gw_stop KILL
at gw rm -f "$T/control.sock"
printf 'not a database, not a database' | at gw dd of="$T/state/records.db" conv=notrunc 2>/dev/null
at gw rm -f "$T/state/records.db-wal"
gw_start
check "a broken file is set aside" within 10 at gw test -s "$T/state/records.db.broken"
check "and traffic goes on" within 15 seen_from_egress 1 4

# ------------------------------------------------------------------ without records
gw_stop
sed 's/^gateway = {/& records = { enabled = false; };/' "$T/good.conf" >"$T/gw.conf"
gw_start
check "traffic without records" within 15 seen_from_egress 1 4
rm -f "$T/hold.1.4"
hold 1 4
check "who is answered from the flows" who_is 1 4 user-c1 c1 all-out
check "the past is not known, and that is said" shows 'no flow records are kept' gw_cli who $EGRESS4:1 --at -1h
check "nor now, when nobody has it" shows 'past is not known' gw_cli who $EGRESS4:1
check "status says so" shows 'records +none are kept' gw_cli status
lab_result
