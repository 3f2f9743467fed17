#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Install what building, testing and the demo need: Debian packages only, Debian 12 and 13.
# Silent and fast when all is there. Needs root or sudo, no stdin.
set -euo pipefail

packages=(
	# build
	gcc make git pkgconf clang llvm bpftool
	libbpf-dev libxdp-dev libelf-dev zlib1g-dev libssl-dev libconfig-dev libev-dev libmnl-dev
	uthash-dev libxxhash-dev libjansson-dev libmicrohttpd-dev libqrencode-dev libseccomp-dev
	libcap-ng-dev libsystemd-dev libmaxminddb-dev libsqlite3-dev tzdata
	# checks and unit tests (libclang-rt-dev: libFuzzer and the sanitizers for clang)
	libcriterion-dev libclang-rt-dev clang-format shellcheck mandoc python3
	# the lab: stock clients, servers, tools to look and to lie with (prometheus: promtool)
	wireguard-go wireguard-tools iproute2 ethtool iputils-ping iperf3 socat jq curl tcpdump
	netcat-openbsd nftables procps util-linux openssl python3-scapy prometheus
	# the virtual machine's first file system
	busybox-static cpio kmod xz-utils
)
# Bulk ChaCha20-Poly1305; the library exists for x86-64 alone.
if [ "$(dpkg --print-architecture)" = amd64 ]; then
	packages+=(libipsec-mb-dev)
fi

missing=()
declare -A have=()
while read -r name state; do
	if [ "$state" = installed ]; then
		have[${name%%:*}]=1
	fi
done < <(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
for name in "${packages[@]}"; do
	if [ -z "${have[$name]:-}" ]; then
		missing+=("$name")
	fi
done
if [ ${#missing[@]} -eq 0 ]; then
	exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "deps: missing packages: ${missing[*]}" >&2
		echo "deps: run as root, or install sudo" >&2
		exit 1
	fi
	as_root=(sudo)
fi

echo "deps: installing ${missing[*]}"
# Some of these packages start a service when installed (prometheus listens on port 9090); nobody
# asked for one, so the local policy forbids it for as long as the installation lasts.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
	"${as_root[@]}" chmod 755 $policy
	trap '"${as_root[@]}" rm -f $policy' EXIT
fi
log=$(mktemp)
apt() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		-o DPkg::Lock::Timeout=300 "$@" </dev/null >>"$log" 2>&1
}
if ! apt update || ! apt install --no-install-recommends "${missing[@]}"; then
	tail -n 30 "$log" >&2
	echo "deps: apt-get failed, its whole output is in $log" >&2
	exit 1
fi
rm -f "$log"
