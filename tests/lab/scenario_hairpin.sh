#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two clients talk to each other through the gateway, by policy only.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
lab_init
GW_POLICY='  { name = "one-way"; from = ["user-c1"]; to = ["clients"]; service = ["web", "ping", "udp"]; action = "allow"; }'
lab_up one_nic 2
lab_internet
lab_keys gw c1 c2
gw_config
gw_start || { lab_result; exit 1; }
client_up 1
client_up 2
check "first client" within 10 handshake_after_ping 1
check "second client" within 10 handshake_after_ping 2
handshake_done 1 && handshake_done 2 || { lab_result; exit 1; }
lab_spawn "$T/web2.log" nsenter --net="/run/netns/$LAB-c2" \
	/usr/bin/python3 "$LAB_DIR/web.py" "$T/www" 80 7 "$(inner4 2)" "$(inner6 2)"
lab_spawn "$T/web1.log" nsenter --net="/run/netns/$LAB-c1" \
	/usr/bin/python3 "$LAB_DIR/web.py" "$T/www" 80 7 "$(inner4 1)"
within 5 at c2 curl -sf "http://[$(inner6 2)]/whoami"
within 5 at c1 curl -sf "http://$(inner4 1)/whoami"
inner_download() { # HOST: with checksum
	expect sha256 "$(at c1 curl -sS --connect-timeout 5 -m 60 "http://$1/file" | sha256sum | cut -d' ' -f1)" "$SUM"
}
inner_source() { # HOST WANTED: between clients nothing is translated
	expect "source at the other client" "$(at c1 curl -sS -m 5 "http://$1/whoami" | cut -d' ' -f1)" "$2"
}
check "v4: the other client answers" ping_ok 1 "$(inner4 2)"
check "v6: the other client answers" ping_ok 1 "$(inner6 2)"
check "v4: it sees the real inner address" inner_source "$(inner4 2)" "$(inner4 1)"
check "v6: it sees the real inner address" inner_source "[$(inner6 2)]" "$(inner6 1)"
check "v4: $LAB_MB MB from client to client" inner_download "$(inner4 2)"
check "v6: $LAB_MB MB from client to client" inner_download "[$(inner6 2)]"
before=$(gw_drops policy_default)
check "the other way round is not allowed" denied_tcp 2 "$(inner4 1)"
check "and counted" gw_drops_above "$before" policy_default
lab_result
