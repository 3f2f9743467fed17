#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# criterion.sh PROGRAM...: runs every one of these test programs, whatever the others do, then says
# what was skipped and why, what failed, and the sums. Status 1 when a test failed, or none ran.
set -uo pipefail
tap=$(mktemp) out=$(mktemp)
trap 'rm -f "$tap" "$out"' EXIT
trap 'exit 130' INT TERM
passed=0 failed=0 skipped=0 broken=() skips=()
for program in "$@"; do
	: >"$tap"
	"$program" --tap="$tap" >"$out" 2>&1
	rc=$?
	p=$(grep -c '^ok' "$tap") f=$(grep -c '^not ok' "$tap") s=$(grep -ciE '^ok .*# skip' "$tap")
	passed=$((passed + p - s)) failed=$((failed + f)) skipped=$((skipped + s))
	mapfile -t -O ${#skips[@]} skips < <(grep -iE '^ok .*# skip' "$tap" | sed 's/^ok - //')
	# AddressSanitizer's leaks do not fail a criterion run by themselves.
	if [ $rc -ne 0 ] || [ "$f" -gt 0 ] || grep -q LeakSanitizer "$out"; then
		broken+=("$program")
		cat "$out"
		printf '  FAIL    %s (status %d)\n' "$program" $rc
	else
		printf '  ok      %-50s %3d passed%s\n' "${program##*/tests/}" $((p - s)) \
			"$([ "$s" -eq 0 ] || printf ', %d skipped' "$s")"
	fi
done
for s in "${skips[@]}"; do
	printf '  skipped %s\n' "$s"
done
if [ ${#broken[@]} -gt 0 ]; then
	printf 'failed: %s\n' "${broken[@]}"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ ${#broken[@]} -eq 0 ] && [ $passed -gt 0 ]
