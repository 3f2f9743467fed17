#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A user's rate limit holds within 2 %, each direction for itself, and another user is not touched.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
LIMIT=20
GW_USER_LIMIT='limit = { up = "20 Mbit/s"; down = "20 Mbit/s"; };'
lab_up one_nic 2
lab_internet
lab_keys gw c1 c2
gw_config
# The second user has no limit.
sed -i '/user-c2.*limit/s/limit = {[^}]*};//' "$T/gw.conf"
gw_start || { lab_result; exit 1; }
client_up 1
client_up 2
check "handshake" within 10 first_ping 1
check "handshake of the other" within 10 first_ping 2

# Limits count IP packets: 1200 bytes of payload make 1228 in IPv4 and 1248 in IPv6.
measure() { # FAMILY up|down
	local family=$1 words=() header=28 before rate reason=limit_$2
	[ "$2" = down ] && words=(-R)
	[ "$family" = 6 ] && header=48
	before=$(gw_drops "$reason")
	rate=$(udp_rate 1 "$family" $((LIMIT * 2)) 6 "${words[@]}" |
		awk -v h=$header '{ printf "%.2f", $1 * (1200 + h) / 1200 }')
	check "v$family $2: $LIMIT Mbit/s asked for, $rate measured" \
		between "$rate" "$(awk "BEGIN { print $LIMIT * 0.98 }")" "$(awk "BEGIN { print $LIMIT * 1.02 }")"
	check "v$family $2: the rest is counted as $reason" gw_drops_above "$before" "$reason"
}
for family in 4 6; do
	measure $family up
	measure $family down
done
rate=$(udp_rate 2 4 $((LIMIT * 3)) 3)
check "the user without a limit gets all of $((LIMIT * 3)) Mbit/s: $rate" \
	between "$rate" $((LIMIT * 3 - 1)) $((LIMIT * 3 + 1))
# A bucket drops, it does not queue: the default burst leaves TCP room to find the rate.
for words in "" -R; do
	# shellcheck disable=SC2086 # no word, or one
	rate=$(at c1 timeout 30 iperf3 -J $words -c $WEB4 -p 5201 -t 8 -O 2 |
		jq '.end.sum_received.bits_per_second / 1000000')
	check "TCP lives with the limit ${words:-up}: $rate Mbit/s" \
		between "$rate" $((LIMIT * 80 / 100)) "$LIMIT"
done
lab_result
