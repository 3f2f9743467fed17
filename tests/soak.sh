#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# soak.sh BUILD NAME...: the long variants of tests, one after the other. A name is a scenario of
# tests/lab/soak_NAME.sh, a program of tests/progrun, or one of tests/unit (crypto/backends: ten
# million packets of every length through all AEAD back ends). Each runs to its end; status 1 if one failed.
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
	elif [ -x "$build/tests/unit/$name" ]; then
		SP_TEST_PACKETS=${SP_TEST_PACKETS:-10000000} "$build/tests/unit/$name" --verbose --timeout 7200
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
