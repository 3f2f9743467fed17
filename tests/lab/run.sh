#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [SCENARIO...]: each scenario on its own, then the sums. Without names: all of them.
set -uo pipefail
dir=$(cd "$(dirname "$0")" && pwd)
[ "$(id -u)" -eq 0 ] || { echo "the lab needs root" >&2 && exit 2; }
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
	names=(core core_offload plain plain_rules siege input paths egress why limits reload rules plan roaming restart records keys mtu fragments hairpin
		remove former ports site strangers many)
fi
out=$(mktemp)
trap 'rm -f "$out"' EXIT
trap 'exit 130' INT TERM
passed=0 failed=0 skipped=0 broken=()
for name in "${names[@]}"; do
	printf -- '-- %s\n' "$name"
	start=$SECONDS
	timeout -k 30 "${LAB_SCENARIO_S:-900}" "$dir/scenario_$name.sh" 2>&1 | tee "$out"
	rc=${PIPESTATUS[0]}
	last=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$out" | tail -n 1)
	if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
		skipped=$((skipped + BASH_REMATCH[3]))
	fi
	# A scenario that died half way has passed nothing.
	if [ "$rc" -ne 0 ]; then
		broken+=("$name")
	fi
	printf -- '   %s: %d s, status %d\n' "$name" "$((SECONDS - start))" "$rc"
done
echo "lab: ${#names[@]} scenarios: $passed passed, $failed failed, $skipped skipped"
if [ ${#broken[@]} -gt 0 ]; then
	echo "lab: failed: ${broken[*]}"
	exit 1
fi
