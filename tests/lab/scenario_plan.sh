#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Reload that cannot hurt: plan names the flows that a reload then cuts, and no others; the
# configuration's own tests, a full disk and bad files refuse it; what nobody confirms goes back by
# itself; rollback and history, over restarts too; a reload that fails half way loses no packet.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
lab_up one_nic 2
lab_internet
lab_keys gw c1 c2 c3
GW_EXTRA='tests = (
  { as = "user-c1"; to = "tcp 203.0.113.10:80"; expect = "allow"; rule = "staff-out"; },
  { name = "no-bad"; as = "user-c2"; to = "udp 203.0.113.66:53"; expect = "deny"; },
  { as = "user-c1"; to = "tcp [2001:db8:203::10]:22"; expect = "deny"; }
);'
gw_config
mkdir -p "$T/state"
# A small disk of its own, seen by the gateway alone.
at gw mount -t tmpfs -o size=8m,mode=755 tmpfs "$T/state" || exit 2
gw_start || { lab_result; exit 1; }
client_up 1
client_up 2
check "handshakes" within 10 first_ping 1
check "handshakes" within 10 first_ping 2

generation() { gw_cli status -j | jq .generation; }
source_of() { gw_cli status -j | jq -r .running.source; }
newest() { gw_cli history -j | jq -r ".[0].$1"; }
running_entry() { gw_cli history -j | jq -r '.[] | select(.running) | .entry'; }
exits() { # CODE command...
	local want=$1 rc=0
	shift
	"$@" >"$T/out" 2>&1 || rc=$?
	[ "$rc" = "$want" ] || { echo "status $rc, expected $want" && cat "$T/out" && return 1; }
}
refuses() { # CODE PATTERN command...: with that in its message, and the policy stays
	local code=$1 pattern=$2 before
	shift 2
	before=$(generation)
	exits "$code" "$@" || return 1
	grep -qE -- "$pattern" "$T/out" || { cat "$T/out" && return 1; }
	expect generation "$(generation)" "$before"
}
slow() { # N: a download that runs for a minute; its growing file is $T/slow.N
	lab_spawn "$T/slow.$1" nsenter --net="/run/netns/$LAB-c$1" curl -sSN "http://$WEB4/slow/600"
	SLOW_PID[$1]=$SPAWNED
	within 5 test -s "$T/slow.$1"
}
declare -a SLOW_PID=()
grows() {
	local a
	a=$(stat -c %s "$T/slow.$1")
	sleep 1
	[ "$(stat -c %s "$T/slow.$1")" -gt "$a" ]
}
# In front of the policy: client 2 may go nowhere.
deny_c2() {
	sed 's/^policy = (/&\n  { name = "c2-out"; from = ["user-c2"]; to = "any"; service = "any"; action = "deny"; },/' \
		"$T/good.conf"
}
cp "$T/gw.conf" "$T/good.conf"

say "plan"
check "the same file: nothing changes, status 0" exits 0 gw_cli plan
slow 1
slow 2
deny_c2 >"$T/gw.conf"
check "a new deny: status 5" exits 5 gw_cli plan -j
cp "$T/out" "$T/plan.json"
cuts() { jq -r '[.affected_flows[] | select(.effect == "cut" and .protocol == "tcp") | .user] | unique | join(",")' "$T/plan.json"; }
check "it would cut client 2 and nobody else" expect users "$(cuts)" user-c2
line=$(grep -n c2-out "$T/gw.conf" | cut -d: -f1)
check "it names the rule with file and line" expect rule \
	"$(jq -r '[.affected_flows[] | select(.effect == "cut") | .rule_after | "\(.name) \(.file):\(.line)"] | unique[0]' "$T/plan.json")" \
	"c2-out $T/gw.conf:$line"
check "and the change in words" shows "added +policy c2-out \(.*gw.conf:$line\)" gw_cli plan
check "the text names user and destination" shows "cut +user-c2 +tcp +10.9.0.3:[0-9]+ +$WEB4:80 +staff-out" gw_cli plan
cp "$T/gw.conf" "$T/other.conf"
cp "$T/good.conf" "$T/gw.conf"
check "another file can be asked about" exits 5 gw_cli plan "$T/other.conf"
check "the daemon's own has no change" exits 0 gw_cli plan
check "client 2 downloads all the while" grows 2
sed 's/action = "allow"; egress = "main"/& ; on_change = "keep"/; s/= "staff-gateway"; from = \["staff"\]/= "staff-gateway"; from = ["user-c1"]/' "$T/good.conf" >"$T/gw.conf"
check "changes in words: an option more" shows 'changed +policy staff-out .*: on_change: now keep' gw_cli plan
check "changes in words: another source" shows 'changed +policy staff-gateway .*from: staff -> user-c1' gw_cli plan
sed 's/handshakes_per_s = 20/&/; s/^gateway = {/& workers = 2;/' "$T/good.conf" >"$T/gw.conf"
check "what needs a restart is said" shows 'gateway workers .*at the next restart' gw_cli plan

say "reload does what plan said"
deny_c2 >"$T/gw.conf"
check "reload" exits 0 gw_cli reload
sleep 1
check "client 2 is cut" not grows 2
check "client 1 is not" grows 1
check "no flow of user-c2 is left to be cut" exits 0 gw_cli plan
check "history says who: uid 0" expect uid "$(newest uid)" 0
check "and what: one rule more" shows 'policy 1 added' gw_cli history

say "rollback"
lab_kill "${SLOW_PID[2]}"
check "rollback" exits 0 gw_cli rollback
check "client 2 gets out again" within 5 seen_from_egress 2 4
check "status says that the files are not what runs" shows 'NOT what the files say' gw_cli status
check "the history too" expect result "$(gw_cli history -j | jq -r '.[1].result')" "rolled back"
gw_stop
gw_start
check "a restart does not take over the file that was rolled back" expect source "$(source_of)" history
check "client 2 gets out after the restart" within 15 seen_from_egress 2 4
check "an explicit reload does" exits 0 gw_cli reload
check "so the file runs" expect source "$(source_of)" file
first=$(gw_cli history -j | jq '[.[].entry] | min')
check "rollback to entry $first by number" exits 0 gw_cli rollback "$first"
check "client 2 gets out" within 5 seen_from_egress 2 4
check "an entry that is not there is refused" refuses 1 'there is none' gw_cli rollback 999

say "confirm"
slow 1
check "reload --confirm 3" exits 0 gw_cli reload --confirm 3
check "status says that it is on trial" shows 'on trial.*taken back in' gw_cli status
check "another reload has to wait" refuses 1 'sallyport confirm' gw_cli reload
back() { [ "$(gw_cli status -j | jq .trial)" = null ]; }
check "nobody confirms: it is taken back" within 8 back
check "what ran before runs" expect source "$(source_of)" history
check "client 2 gets out" within 5 seen_from_egress 2 4
check "client 1 never noticed" grows 1
check "confirm without a trial is refused" refuses 1 'no configuration waits' gw_cli confirm
cp "$T/good.conf" "$T/gw.conf"
sed -i 's/\["web", "measure", "udp", "ping"\]/["web", "udp", "ping"]/' "$T/gw.conf"
check "reload --confirm 60" exits 0 gw_cli reload --confirm 60
check "confirm" exits 0 gw_cli confirm
check "history says so" expect result "$(newest result)" confirmed
check "reload --confirm, then rollback at once" exits 0 gw_cli reload --confirm 60
check "rollback" exits 0 gw_cli rollback
check "the trial is over" back
deny_c2 >"$T/gw.conf"
check "a trial" exits 0 gw_cli reload --confirm 60
gw_stop KILL
at gw rm -f "$T/control.sock"
gw_start
check "a crash during a trial ends it: the confirmed one runs" expect source "$(source_of)" history
check "client 2 gets out" within 15 seen_from_egress 2 4
check "client 1 too" within 15 seen_from_egress 1 4

say "tests of the configuration's own"
slow 1
sed 's/to = \["web-host"\]/to = ["bad-host"]/' "$T/good.conf" >"$T/gw.conf"
tline=$(grep -n 'tcp 203.0.113.10:80' "$T/gw.conf" | cut -d: -f1)
failing="gw.conf:$tline: tests.\[0\]: user-c1 to tcp 203.0.113.10:80: found deny by the default at the end.*expected allow by rule \"staff-out\" \(.*gw.conf:[0-9]+\)"
check "check refuses, offline" refuses 3 "$failing" "$BUILD/sallyport" check "$T/gw.conf"
check "plan refuses" refuses 3 "$failing" gw_cli plan
check "reload refuses" refuses 3 "$failing" gw_cli reload
sed '/^policy = (/,/^)/s/action = "deny"/action = "allow"/' "$T/good.conf" >"$T/gw.conf"
check "a deny that became an allow is met too" refuses 3 \
	'tests.no-bad: user-c2 to udp 203.0.113.66:53: found allow by rule "no-bad-host" \(.*gw.conf:[0-9]+\), expected deny' gw_cli reload

say "bad files"
head -c "$(($(stat -c %s "$T/good.conf") / 2))" "$T/good.conf" >"$T/gw.conf"
check "half a file" refuses 3 'gw.conf' gw_cli reload
head -c 5000 /dev/urandom >"$T/gw.conf"
check "a binary file" refuses 3 'expected text' gw_cli reload
: >"$T/gw.conf"
check "an empty file" refuses 3 'interfaces: found none' gw_cli reload
rm "$T/gw.conf"
check "no file" refuses 3 'No such file' gw_cli reload
cp "$T/good.conf" "$T/gw.conf"
at gw dd if=/dev/zero of="$T/state/full" bs=1k 2>/dev/null
check "a full disk" refuses 1 'failed to write to .*No space left.*make room' gw_cli reload
at gw rm "$T/state/full"
at gw chmod 500 "$T/state/history"
check "a directory that cannot be written" refuses 1 'failed to write to .*Permission denied' gw_cli reload
at gw chmod 700 "$T/state/history"
check "the file is taken over when there is room" exits 0 gw_cli reload
check "none of this stopped client 1" grows 1
count=$(gw_cli history -j | jq length)
for ((i = 0; i < 25; i++)); do
	sed "s/GWNAME/x/; s/^gateway = {/& handshakes_per_s = $((30 + i));/" "$T/good.conf" >"$T/gw.conf"
	gw_cli reload >/dev/null || fail "reload $i"
done
check "25 more: the history holds 20 (had $count)" expect entries "$(gw_cli history -j | jq length)" 20
check "on disk too" expect files "$(at gw ls "$T/state/history" | wc -l)" 20
check "its directory is closed to others" expect mode "$(at gw stat -c %a "$T/state/history")" 700
check "no key is in it" not at gw grep -rqF -e "$(cat "$T/keys/gw")" "$T/state/history"

say "a reload that fails half way"
sed 's/, "fd00:9::1\/64"\]/]/' "$T/good.conf" >"$T/gw.conf"
check "the gateway gives up its IPv6 inner address" exits 0 gw_cli reload
at gw sysctl -qw net.ipv6.conf.sallyport0.disable_ipv6=1
steady_start 1 4 untouched
sleep 0.5
# Client 2 goes, client 3 comes, and then the address cannot be added.
sed "s#public_key = \"$(pub c2)\"#public_key = \"$(pub c3)\"#" "$T/good.conf" >"$T/gw.conf"
check "is refused" refuses 1 'failed to apply the configuration' gw_cli reload
check "client 2 still has its session" ping_ok 2 "$WEB4"
check "the history has nothing of it" expect source "$(running_entry)" "$(newest entry)"
at gw sysctl -qw net.ipv6.conf.sallyport0.disable_ipv6=0
check "and goes through once the reason is gone" exits 0 gw_cli reload
check "client 2 is out now" not at c2 ping -n -c 1 -W 2 "$WEB4"
sleep 0.5
steady_stop untouched
check "client 1: $SENT packets through it, lost: $LOST" test "$LOST" = 0 -a "$SENT" -gt 200

say "a broken entry"
entry=$(newest entry)
at gw truncate -s -20 "$T/state/history/$(printf %010d "$entry").entry"
gw_stop
gw_start
check "is left out with a warning" grep -q "left out: it is not whole" "$T/gw.log"
check "the others are there" test "$(gw_cli history -j | jq length)" -ge 19
check "client 1 gets out" within 15 seen_from_egress 1 4
lab_result
