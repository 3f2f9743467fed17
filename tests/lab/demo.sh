#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The story of `make demo`: two stock WireGuard clients leave through the gateway. Every step is
# checked. Then all of it stays up to play with, until Ctrl-C. CHECK=1: no playing, status 1 when a
# step failed.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
bold=$(tput bold 2>/dev/null) dim=$(tput dim 2>/dev/null) plain=$(tput sgr0 2>/dev/null)
[ -t 1 ] || bold='' dim='' plain=''
STEP=0
step() { STEP=$((STEP + 1)) && printf '\n%s%d. %s%s\n' "$bold" $STEP "$*" "$plain"; }
tell() { printf '   %s\n' "$*"; }
ok() { PASSED=$((PASSED + 1)) && printf '   ok    %s\n' "$*"; }
fail() { FAILED=$((FAILED + 1)) && printf '   %sFAIL  %s%s\n' "$bold" "$*" "$plain"; }
show() { sed "s/^/   $dim| /; s/\$/$plain/"; }
STARTED=$(now_ms)

# configs/demo.conf as it stands, in a folder of its own with keys made now.
demo_config() {
	local n user
	mkdir -p "$T/etc/conf.d"
	cp "$ROOT_DIR/configs/demo.conf" "$T/etc/sallyport.conf"
	lab_keys gw c1 c2
	install -m 600 "$T/keys/gw" "$T/etc/wg0.key"
	for n in 1 2; do
		user=$([ $n = 1 ] && echo alice || echo bob)
		printf 'peers = ( { name = "%s-laptop"; user = "%s"; public_key = "%s"; addresses = ["%s", "%s"]; } );\n' \
			"$user" "$user" "$(pub c$n)" "$(inner4 $n)" "$(inner6 $n)" >"$T/etc/conf.d/$user.conf"
	done
	GW_CONF=$T/etc/sallyport.conf
}
gw_cli() { at gw "$BUILD/sallyport" -c "$T/etc/sallyport.conf" "$@"; }
LAB_MB=${LAB_MB:-64}

step "A lab of network namespaces: two clients, a router, the gateway with one NIC, an internet host"
lab_init
lab_up one_nic 2
lab_internet
demo_config
tell "clients $(client_addr4 1), $(client_addr4 2)   gateway $ENDPOINT4   web server $WEB4, forbidden host $EVIL4"
tell "configuration: configs/demo.conf, with keys made now in $T/etc"
check "sallyport check finds no mistake in it" gw_cli check "$T/etc/sallyport.conf"

step "The gateway starts"
gw_start && ok "sallyportd is up"
[ "$FAILED" -eq 0 ] || { lab_result; exit 1; }
gw_cli status | head -n 14 | show

step "Stock clients connect: wireguard-go and wg, nothing of ours"
client_up 1 "$ENDPOINT4"
client_up 2 "$ENDPOINT6"
check "alice: handshake over IPv4" within 10 first_ping 1
check "bob: handshake over IPv6" within 10 first_ping 2
gw_cli show peers | show

step "Allowed traffic leaves from the gateway's egress address"
for family in 4 6; do
	check "IPv$family: the web server sees $(egress $family)" seen_from_egress 1 $family
	check "IPv$family: a download of $LAB_MB MB arrives whole" download 1 $family
	check "IPv$family: an echo request is answered" ping_ok 1 "$(web_addr $family)"
	rate=$(udp_rate 1 $family 8 2)
	check "IPv$family: UDP, 8 Mbit/s sent, $(printf %.1f "$rate") arrived" between "$rate" 7.8 8.2
done
gw_cli show flows | head -n 8 | show

step "A denied destination is refused, with reason and rule"
before=$(gw_drops policy_deny)
check "alice does not reach $EVIL4" denied_tcp 1 $EVIL4
check "nor $EVIL6" denied_tcp 1 $EVIL6
check "counted as policy_deny" gw_drops_above "$before" policy_deny
rule_named() { gw_cli show rules -j | jq -e 'any(.[]; .name == "no-forbidden" and .action == "deny")'; }
check "by the rule no-forbidden" rule_named
before=$(gw_drops policy_default)
check "what no rule names is denied too (port 8080)" denied_tcp 1 $WEB4 8080
check "counted as policy_default" gw_drops_above "$before" policy_default
gw_cli show drops | show

step "A user's rate limit holds: bob may download at 20 Mbit/s and upload at 10"
rate=$(udp_rate 2 4 40 5 -R | awk '{ print $1 * 1228 / 1200 }')
check "download: 20 asked for, $(printf %.2f "$rate") Mbit/s measured" between "$rate" 19.6 20.4
rate=$(udp_rate 2 4 20 5 | awk '{ print $1 * 1228 / 1200 }')
check "upload: 10 asked for, $(printf %.2f "$rate") Mbit/s measured" between "$rate" 9.8 10.2
rate=$(udp_rate 1 4 40 3 -R)
check "alice has no limit: 40 Mbit/s sent, $(printf %.1f "$rate") arrived" between "$rate" 38 41

step "A reload changes the policy under a running download"
lab_spawn "$T/slow" nsenter --net="/run/netns/$LAB-c2" curl -sSN "http://$WEB4/slow/900"
within 5 test -s "$T/slow"
grows() {
	local a
	a=$(stat -c %s "$T/slow")
	sleep 1
	[ "$(stat -c %s "$T/slow")" -gt "$a" ]
}
check "bob's download is running" grows
printf 'nonsense = 1;\n' >"$T/etc/conf.d/99-mistake.conf"
check "a file with a mistake is refused" not gw_cli reload
gw_cli reload 2>&1 | head -n 3 | show
rm "$T/etc/conf.d/99-mistake.conf"
check "and the download goes on" grows
sed -i 's/^policy = (/&\n\t{ name = "bob-stops"; from = "bob"; to = "internet-host"; action = "deny"; },/' \
	"$T/etc/sallyport.conf"
diff "$ROOT_DIR/configs/demo.conf" "$T/etc/sallyport.conf" | grep '^[<>]' | show
check "a reload with one more rule" gw_cli reload
sleep 1
check "cuts bob's download" not grows
check "alice is not touched" seen_from_egress 1 4
cp "$ROOT_DIR/configs/demo.conf" "$T/etc/sallyport.conf"
check "the old file opens it again" gw_cli reload
check "bob is back" within 5 seen_from_egress 2 6

step "What is in the maps reads like a table: bpftool map dump"
for pair in "sp_sessions SP_SESSION_FULL" "sp_flows SP_FLOW_TUNNEL" "sp_drops SP_R_POLICY_DENY"; do
	read -r map word <<<"$pair"
	check "$map" within 3 shows "$word" gw_dump "$map"
	gw_dump "$map" | head -n 14 | show
done

tell ""
tell "$PASSED checks passed, $FAILED failed, in $((($(now_ms) - STARTED) / 1000)) s."
if [ -n "${CHECK:-}" ]; then
	lab_result
	exit
fi
cat <<PLAY

${bold}Everything stays up. In another terminal, as root:${plain}

   gw()    { nsenter --net=/run/netns/$LAB-gw --mount=/proc/$GW_HOLDER/ns/mnt -- "\$@"; }
   alice() { nsenter --net=/run/netns/$LAB-c1 -- "\$@"; }
   bob()   { nsenter --net=/run/netns/$LAB-c2 -- "\$@"; }

   alice curl http://$WEB4/whoami          # what the internet sees: $EGRESS4
   alice ping $WEB6
   alice curl -m 3 http://$EVIL4/          # denied
   bob iperf3 -u -R -b 100M -l 1200 -c $WEB4   # 20 Mbit/s and no more
   gw $BUILD/sallyport -c $T/etc/sallyport.conf status
   gw $BUILD/sallyport -c $T/etc/sallyport.conf show flows
   gw $BUILD/sallyport -c $T/etc/sallyport.conf show drops
   gw bpftool map dump pinned $(gw_pin sp_sessions)
   \${EDITOR:-vi} $T/etc/sallyport.conf; gw $BUILD/sallyport -c $T/etc/sallyport.conf reload

${bold}Ctrl-C ends it and removes everything.${plain}
PLAY
trap 'echo; exit 0' INT TERM
while :; do sleep 1; done
