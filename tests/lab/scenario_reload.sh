#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Reload under load: a bad file changes nothing and names its mistakes; a rule that now denies cuts
# a running download; a flow that the change does not touch loses no packet.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
lab_up one_nic 2
lab_internet
lab_keys gw c1 c2
gw_config
gw_start || { lab_result; exit 1; }
client_up 1
client_up 2
check "handshakes" within 10 first_ping 1
check "handshakes" within 10 first_ping 2

steady_start 1 4 untouched
steady_start 1 6 untouched6
lab_spawn "$T/slow" nsenter --net="/run/netns/$LAB-c2" curl -sSN "http://$WEB4/slow/600"
slow=$SPAWNED
within 5 test -s "$T/slow"
generation() { gw_cli status -j | jq .generation; }
grows() { # the running download
	local a
	a=$(stat -c %s "$T/slow")
	sleep 1
	[ "$(stat -c %s "$T/slow")" -gt "$a" ]
}

cp "$T/gw.conf" "$T/good.conf"
old=$(generation)
printf 'nonsense = 1;\n' >>"$T/gw.conf"
sed -i 's/to = \["web-host"\]/to = ["no-such-host"]/' "$T/gw.conf"
bad() {
	local out
	out=$(gw_cli reload 2>&1) && { echo "accepted" && return 1; }
	grep -q "gw.conf:$(grep -n nonsense "$T/gw.conf" | cut -d: -f1):" <<<"$out" &&
		grep -q no-such-host <<<"$out" || { echo "$out" && return 1; }
}
check "a bad file is refused, both mistakes named with file and line" bad
check "the old policy stays" expect generation "$(generation)" "$old"
kill -HUP "$GW_PID"
sleep 0.5
check "HUP with a bad file changes nothing either" expect generation "$(generation)" "$old"
check "the download goes on" grows

for ((i = 0; i < 20; i++)); do
	cp "$T/good.conf" "$T/gw.conf"
	gw_cli reload >/dev/null || fail "reload $i"
done
check "20 good reloads move the generation" test "$(generation)" -gt "$old"
check "the download survives them" grows

# Denying the second user: the first rule that matches wins.
sed 's/^policy = (/&\n  { name = "c2-out"; from = ["user-c2"]; to = "any"; service = "any"; action = "deny"; },/' \
	"$T/good.conf" >"$T/gw.conf"
check "a reload with a new deny" gw_cli reload
sleep 1
check "cuts the running download" not grows
check "which is counted as policy_deny" gw_drops_above 0 policy_deny
lab_kill "$slow"
cp "$T/good.conf" "$T/gw.conf"
kill -HUP "$GW_PID"
check "HUP with the old file opens it again" within 5 seen_from_egress 2 4
for f in untouched untouched6; do
	steady_stop $f
	check "$f: $SENT packets through all of this, lost: $LOST" test "$LOST" = 0 -a "$SENT" -gt 500
done
lab_result
