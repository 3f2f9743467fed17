#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# cookbook.sh BUILD: every case of sallyport-cookbook(7), taken out of the page, is a file for conf.d
# beside configs/examples/cookbook.conf without a mistake, and its own tests pass. A case without
# tests, or one whose tests could not fail, fails here: each expect turned round must be refused.
set -uo pipefail
build=$1
page=docs/man/sallyport-cookbook.7
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
(umask 077 && head -c 32 /dev/urandom | base64 >"$dir/wg0.key") || exit 2
cp configs/examples/cookbook.conf "$dir/gw.conf" && mkdir "$dir/conf.d" || exit 2
printf '192.0.2.66\n' >"$dir/conf.d/bad.txt"

# Each literal display under a section "N. title" goes to cases/N.conf, as groff would print it.
mkdir "$dir/cases"
awk -v dir="$dir/cases" '
	/^\.Ss [0-9]+\./ { n = $2; sub(/\./, "", n) }
	/^\.Bd -literal/ { inside = 1; next }
	/^\.Ed/ { inside = 0 }
	inside && n { gsub(/\\\(dq/, "\""); gsub(/\\-/, "-"); gsub(/\\&/, ""); print >(dir "/" n ".conf") }
' "$page"
check() { "$build/sallyport" -c "$dir/gw.conf" check 2>&1; }
cases=0 failed=0
bad() { echo "cookbook: case $1: $2" && failed=$((failed + 1)); }
for file in "$dir"/cases/*.conf; do
	n=$(basename "$file" .conf)
	cases=$((cases + 1))
	cp "$file" "$dir/conf.d/case.conf"
	out=$(check) || { bad "$n" "$out" && continue; }
	grep -q warning <<<"$out" && bad "$n" "$out"
	# The number of tests stands in the summary.
	grep -qE ' [1-9][0-9]* tests?\)' <<<"$out" || bad "$n" "no tests: $out"
	sed 's/expect = "allow"/expect = "turned"/g; s/expect = "deny"/expect = "allow"/g
		s/expect = "turned"/expect = "deny"/g' "$file" >"$dir/conf.d/case.conf"
	turned=$(check) && bad "$n" "its tests pass turned round, too"
	want=$(grep -o 'expect = ' "$file" | wc -l)
	found=$(grep -c 'tests\.' <<<"$turned")
	[ "$found" -ge "$want" ] || bad "$n" "only $found of $want tests failed when turned round"
done
if command -v mandoc >/dev/null; then
	mandoc -T lint -W warning "$page" | grep -v 'STYLE' && bad page "mandoc complains"
fi
[ $cases -ge 15 ] || bad page "only $cases cases"
echo "cookbook: $cases cases, $failed failed"
[ $failed -eq 0 ]
