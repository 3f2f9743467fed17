#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A peer whose addresses are outside the listener's own networks, as a branch site's are: what the
# gateway itself answers goes into the tunnel and not over its way out, in the clear.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
inner4() { echo "10.20.0.$((1 + $1))"; }
inner6() { printf 'fd00:20::%x\n' "$((1 + $1))"; }
way_is_tun() { shows "dev sallyport0" at gw ip route get "$1"; }
lab_init
lab_up one_nic 2
lab_internet
lab_keys gw c1 c2
gw_config
gw_start || { lab_result; exit 1; }
client_up 1
check "handshake" within 10 first_ping 1
check "v4: the gateway answers inside" ping_ok 1 10.9.0.1
check "v6: the gateway answers inside" ping_ok 1 fd00:9::1
check "its way there is the tunnel" way_is_tun "$(inner4 1)"
GW_PEERS=c2
gw_config
check "the peer is removed by reload" gw_cli reload
check "and the way with it" not way_is_tun "$(inner4 1)"
check "the other peer's stays" way_is_tun "$(inner6 2)"
lab_result
