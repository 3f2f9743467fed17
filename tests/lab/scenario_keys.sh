#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Key change and preshared keys: the right key gets in, every other does not.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
ping_at_once() { at "c$1" ping -c 3 -i 0.2 -W 1 "$WEB4"; }

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

# A reload that cannot have a port changes nothing, though it would change a key besides.
(umask 077 && wg genkey >"$T/keys/gw")
(umask 077 && wg genkey >"$T/keys/gw2")
sed -i 's|mtu = 1420; } );|mtu = 1420; }, { name = "wg1"; port = 53000; private_key_file = "'"$T"'/keys/gw2"; addresses = ["10.8.0.1/24"]; } );|' "$T/gw.conf"
sed -i 's|name = "c1";|name = "c1"; wireguard = "wg0";|' "$T/gw.conf"
at gw /usr/bin/python3 -c 'import socket, time
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 53000))
time.sleep(15)' &
HOLDER=$!
within 5 shows ":53000" at gw ss -Hlun
check "a port that is taken refuses the reload" shows "failed to listen on UDP port 53000" gw_cli reload
check "and the client does not notice" ping_at_once 1
kill "$HOLDER"
lab_result
