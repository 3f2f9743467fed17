#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Either side restarts, cleanly or killed, and traffic comes back by itself.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
# Short enough that the client finds out soon: 10 s + 5 s without an answer, then a handshake.
KEEPALIVE=1
lab_up one_nic 1
lab_internet
lab_keys gw c1
gw_config
gw_start || { lab_result; exit 1; }
client_up 1
check "handshake" within 10 first_ping 1

client_down 1
client_up 1
check "the client restarts: back within 5 s" within 5 first_ping 1
check "and its traffic too" seen_from_egress 1 4

back() {
	local start
	start=$(now_ms)
	within 25 first_ping 1 && echo "# back after $(($(now_ms) - start)) ms"
}
gw_stop
check "the gateway is stopped: nothing leaves" not first_ping 1
gw_start && check "the gateway restarts: back within 25 s" back
check "download after it" download 1 4
gw_stop KILL
gw_start && check "the gateway was killed: back within 25 s" back
check "download after it" download 1 6
lab_result
