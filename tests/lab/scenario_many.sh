#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fifty clients at once, each with its own user, all downloading together.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
N=${LAB_CLIENTS:-50}
LAB_MB=${LAB_MANY_MB:-4}
lab_up one_nic "$N"
lab_internet
# shellcheck disable=SC2046 # a list of words
lab_keys gw $(seq -f 'c%g' "$N")
gw_config
gw_start || { lab_result; exit 1; }
for ((n = 1; n <= N; n++)); do
	client_up "$n" || fail "client $n"
done
everyone() { # FAMILY: all at the same time
	local n pids=() bad=0
	for ((n = 1; n <= N; n++)); do
		download "$n" "$1" >"$T/many.$n" 2>&1 &
		pids+=($!)
	done
	for n in "${!pids[@]}"; do
		wait "${pids[n]}" || { bad=$((bad + 1)) && echo "c$((n + 1)): $(cat "$T/many.$((n + 1))")"; }
	done
	return $((bad > 0))
}
check "$N clients download $LAB_MB MB each, all checksums right (v4)" everyone 4
check "$N clients download $LAB_MB MB each, all checksums right (v6)" everyone 6
check "$N peers are up" expect peers "$(gw_cli show peers -j | jq '[.[] | select(.state == "up")] | length')" "$N"
mixed_up() { # flows whose user is not the owner of the source address
	gw_cli show flows -j | jq -c '.[] | select(.source | startswith("10.9.0.")) |
		select(.user != "user-c\((.source | split(":")[0] | split(".")[3] | tonumber) - 1)")'
}
check "no flow is booked on another user" expect flows "$(mixed_up)" ""
check "each has flows" test "$(gw_cli show flows -j | jq '[.[].user] | unique | length')" = "$N"
lab_result
