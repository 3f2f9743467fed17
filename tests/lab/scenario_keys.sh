#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Key change and preshared keys: the right key gets in, every other does not.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
lab_up one_nic 1
lab_internet
lab_keys gw c1
gw_config
gw_start || { lab_result; exit 1; }
client_up 1
check "handshake" within 10 first_ping 1

cp "$T/keys/c1" "$T/keys/old"
lab_keys c1
gw_config
check "the peer gets another public key by reload" gw_cli reload
check "the old key's session is cut at once" not first_ping 1
client_down 1
client_up 1
check "the new key gets in" within 10 first_ping 1
client_down 1
cp "$T/keys/c1" "$T/keys/new" && cp "$T/keys/old" "$T/keys/c1"
client_up 1
check "the old key does not" not within 7 first_ping 1
client_down 1
cp "$T/keys/new" "$T/keys/c1"

(umask 077 && wg genpsk >"$T/keys/psk" && wg genpsk >"$T/keys/other-psk")
GW_PSK=$T/keys/psk
gw_config
check "the peer gets a preshared key by reload" gw_cli reload
client_up 1
check "without it nobody gets in" not within 7 first_ping 1
client_down 1
PSK=$T/keys/other-psk client_up 1
check "with another one neither" not within 7 first_ping 1
client_down 1
PSK=$T/keys/psk client_up 1
check "with the right one the client does" within 10 first_ping 1
check "and its traffic" seen_from_egress 1 4
lab_result
