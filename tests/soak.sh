#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# soak.sh BUILD NAME...: the long variants of tests, one after the other. A name is a scenario of
# tests/lab/soak_NAME.sh or a program of tests/progrun. Each runs to its end; status 1 if one failed.
set -uo pipefail
build=$1
shift
failed=()
for name in "$@"; do
	start=$SECONDS
	printf -- '-- %s\n' "$name"
	if [ -x "tests/lab/soak_$name.sh" ]; then
		timeout -k 30 "${SOAK_S:-7200}" "tests/lab/soak_$name.sh"
	elif [ -x "$build/tests/progrun/$name" ]; then
		"$build/tests/progrun/$name" --verbose
	else
		echo "soak: no such run: $name" >&2
		false
	fi || failed+=("$name")
	printf -- '   %s: %d s\n' "$name" "$((SECONDS - start))"
done
if [ ${#failed[@]} -gt 0 ]; then
	echo "soak: failed: ${failed[*]}"
	exit 1
fi
echo "soak: ${#} runs passed"
