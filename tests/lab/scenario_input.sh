#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Bad input to a running daemon: half a configuration, none, a binary file, feeds too large, wrong or
# missing, tests that fail. What runs stays, and each message names the place and says what to do.
# Then feeds on their own, while the main file is being edited.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh" || exit 2
# shellcheck source=tests/lab/zones.sh
. "$LAB_DIR/zones.sh" || exit 2
lab_init
lab_up two_nic 0
zones_up app:50
GW_POLICY='  { name = "no-listed"; from = "any"; to = ["listed"]; action = "deny"; },
  { name = "app-out"; from = ["app"]; to = "any"; action = "allow"; }'
zones_config
sed -i 's|{ name = "bad-host"|{ name = "listed"; prefixes = ["198.51.100.99/32", "@bad.txt"]; }, &|' "$T/gw.conf"
echo "198.51.100.77" >"$T/bad.txt"
cp "$T/gw.conf" "$T/good.conf"
gw_start || { lab_result; exit 1; }
check "the first echo" within 5 zone_ping app $WEB4
generation() { gw_cli status -j | jq .generation; }
GENERATION=$(generation)

# refused WHAT PATTERN...: a reload that fails, with all of these in what it says.
refused() {
	local out rc=0 pattern
	out=$(gw_cli "${RELOAD[@]:-reload}" 2>&1) || rc=$?
	grep -q "nothing has changed" <<<"$out" || { echo "$out" && return 1; }
	[ $rc -eq 3 ] || [ $rc -eq 1 ] || { echo "status $rc: $out" && return 1; }
	for pattern in "$@"; do
		grep -qE -- "$pattern" <<<"$out" || { printf '%s\nwithout: %s\n' "$out" "$pattern" && return 1; }
	done
	expect generation "$(generation)" "$GENERATION"
}
RELOAD=(reload)

head -c "$(($(stat -c %s "$T/good.conf") / 2))" "$T/good.conf" >"$T/gw.conf"
check "half a configuration: refused, with its place" refused "gw.conf:[0-9]+: "
: >"$T/gw.conf"
check "an empty file: refused" refused "gw.conf.*expected"
head -c 8192 /dev/urandom >"$T/gw.conf"
check "a binary file: refused" refused "gw.conf.*(binary file|expected text)"
rm "$T/gw.conf"
check "no file: refused" refused "gw.conf.*expected a file"
mkdir "$T/gw.conf"
check "a directory: refused" refused "gw.conf.*directory"
rmdir "$T/gw.conf"
{ cat "$T/good.conf" && printf 'tests = ( { name = "t"; as = "app"; to = "tcp 198.51.100.77:443"; expect = "allow"; } );\n'; } >"$T/gw.conf"
check "a test of its own that fails: refused, with the rule that decided" \
	refused "gw.conf:[0-9]+: tests.*app to tcp 198.51.100.77:443: found deny by rule \"no-listed\" \(.*gw.conf:[0-9]+\), expected allow"
cp "$T/good.conf" "$T/gw.conf"

# ------------------------------------------------------------------ feeds
yes 192.0.2.0/24 | head -c 200M >"$T/bad.txt"
check "a feed of 200 MB: refused, and what to do" refused "bad.txt: found 209715200 bytes, expected at most 67108864.*split"
for ((i = 0; i < 25; i++)); do printf '203.0.113.%d\nword-%d\n' "$i" "$i"; done >"$T/bad.txt"
check "a feed with bad lines: the lines" refused "bad.txt:2: found \"word-0\"" "bad.txt:40: " "5 more lines"
printf '203.0.113.7/24\n' >"$T/bad.txt"
check "a prefix with bits behind its length: named" refused "bad.txt:1: found \"203.0.113.7/24\""
head -c 4096 /dev/urandom >"$T/bad.txt"
check "a binary feed: refused" refused "bad.txt: found a binary file"
rm "$T/bad.txt"
check "a missing feed: refused" refused "bad.txt: .*expected a file"
RELOAD=(reload --feeds)
check "a missing feed, on its own: refused" refused "bad.txt: .*expected a file"
printf 'word\n' >"$T/bad.txt"
check "a bad line, on its own: refused" refused "bad.txt:1: found \"word\""

check "and still the host is reached" zone_ping app $WEB4
echo "nonsense" >"$T/gw.conf"
printf '198.51.100.77\n%s\n%s\n' $WEB4 $WEB6 >"$T/bad.txt"
check "the web host is reached" zone_ping app $WEB4
check "feeds are taken over while the main file is half edited" gw_cli reload --feeds
check "the policy is another" test "$(generation)" -gt "$GENERATION"
check "and the listed host is not reached any more" not zone_ping app $WEB4
check "nor over IPv6" not zone_ping app $WEB6
check "the listed prefix of the configuration still counts" shows "listed" gw_cli show rules
check "the history has no entry of it" test "$(gw_cli history -j | jq length)" -eq 1
GENERATION=$(generation)
RELOAD=(reload)
check "the main file is still what it is" refused "gw.conf"
printf '198.51.100.77\n' >"$T/bad.txt"
check "the list without the host" gw_cli reload --feeds
check "opens it again" within 3 zone_ping app $WEB4
cp "$T/good.conf" "$T/gw.conf"
{ cat "$T/good.conf" && printf 'tests = ( { as = "app"; to = "tcp 198.51.100.78:443"; expect = "allow"; } );\n'; } >"$T/gw.conf"
check "a configuration with a test" gw_cli reload
GENERATION=$(generation)
printf '198.51.100.78\n' >"$T/bad.txt"
RELOAD=(reload --feeds)
check "a feed that breaks it: refused" refused "tests.*198.51.100.78:443: found deny by rule \"no-listed\""
echo "198.51.100.77" >"$T/bad.txt"
check "a trial" gw_cli reload --confirm 60
GENERATION=$(generation)
check "no feeds during it" refused "sallyport confirm"
check "the trial's end" gw_cli confirm
lab_result
