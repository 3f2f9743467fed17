#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# get.sh FOLDER KERNEL...: stock Debian kernels (6.1, 6.12, newest) unpacked to FOLDER/KERNEL, and qemu 10 to
# FOLDER/qemu. Installs nothing on this machine: everything is downloaded by apt-get and unpacked.
set -euo pipefail
dir=$(readlink -m "$1")
shift
mkdir -p "$dir/deb" "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
cd "$dir/deb"

# The mirror that this machine already uses serves the other suites too.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -m1 -E '/debian/?$' || true)
[ -n "$mirror" ] || { echo "vm: apt-get knows no Debian mirror: add one to /etc/apt/sources.list" >&2 && exit 1; }
keys=/usr/share/keyrings/debian-archive-keyring.gpg
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
own=(-qq -o "APT::Default-Release=$release" -o "Dir::Etc::sourcelist=$dir/apt/sources.list" -o Dir::Etc::sourceparts=-
	-o "Dir::State::lists=$dir/apt/lists" -o "Dir::Cache=$dir/apt/cache"
	-o APT::Sandbox::User=root)
update() {
	local suite
	# Libraries come from the release that runs here.
	for suite in "$release" bookworm bookworm-backports trixie trixie-backports; do
		echo "deb [signed-by=$keys] $mirror $suite main"
	done | sort -u >"$dir/apt/sources.new"
	cmp -s "$dir/apt/sources.new" "$dir/apt/sources.list" && return
	mv "$dir/apt/sources.new" "$dir/apt/sources.list"
	apt-get "${own[@]}" update || { rm "$dir/apt/sources.list" && return 1; }
}
fetch() { # PACKAGE[/SUITE]...
	apt-get "${own[@]}" download "$@"
}

# The parts of a kernel package that the guest loads; the rest is left in the package.
parts=('*/vmlinuz*' '*/config*' '*/modules.*')
for p in net crypto lib arch fs/9p fs/netfs fs/fscache fs/overlayfs drivers/net drivers/virtio \
	drivers/char drivers/block; do
	parts+=("*/kernel/$p/*")
done
declare -A suites=([6.1]=bookworm [6.12]=trixie [newest]=trixie-backports)
get_kernel() {
	local k=$1 suite=${suites[$1]:-} package deb packages
	[ -n "$suite" ] || { echo "vm: no recipe for kernel $k: there are ${!suites[*]}" >&2 && return 1; }
	update
	package=$(apt-cache "${own[@]}" show "linux-image-amd64/$suite" |
		sed -n 's/^Depends:.*\(linux-image-[0-9][^ ,]*\).*/\1/p' | head -n 1)
	packages=("$package/$suite")
	# From 6.17 on an image is only a name for its parts.
	[ "$k" = newest ] && packages=("${package/image/binary}/$suite" "${package/image/modules}/$suite")
	echo "vm: fetching ${packages[*]}"
	fetch "${packages[@]}"
	mkdir -p "$dir/$k.tmp"
	for deb in linux-*.deb; do
		# tar complains about patterns that this version does not contain.
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir/$k.tmp" --wildcards "${parts[@]}" 2>/dev/null || true
	done
	ls "$dir/$k.tmp/lib/modules" >/dev/null 2>&1 || ln -sfn usr/lib/modules "$dir/$k.tmp/lib"
	[ -d "$dir/$k.tmp/lib/modules" ] || { rm -f "$dir/$k.tmp/lib" && mkdir -p "$dir/$k.tmp/lib" &&
		ln -sfn ../usr/lib/modules "$dir/$k.tmp/lib/modules"; }
	cp "$(find "$dir/$k.tmp" -type f -name 'vmlinuz*' | head -n 1)" "$dir/$k.tmp/vmlinuz"
	# Here, not in the guest: xz is slow in emulation.
	find -L "$dir/$k.tmp/lib/modules" -name '*.ko.xz' -print0 | xargs -0 -r -n 50 -P 2 unxz
	depmod -b "$dir/$k.tmp" "$(ls "$dir/$k.tmp/lib/modules")"
	mv "$dir/$k.tmp" "$dir/$k"
	rm -f linux-*.deb
}
# Bookworm's own qemu 7.2 breaks kernel text patching with several emulated CPUs: version 10 it is.
get_qemu() {
	local suite=bookworm-backports f
	[ "$release" = bookworm ] || suite=$release
	update
	echo "vm: fetching qemu from $suite"
	fetch qemu-system-x86/$suite qemu-system-data/$suite seabios/$suite 2>/dev/null ||
		fetch qemu-system-x86/$suite qemu-system-data/$suite seabios
	mkdir -p "$dir/qemu.tmp"
	for f in qemu-*.deb seabios*.deb; do
		dpkg -x "$f" "$dir/qemu.tmp"
	done
	with_libraries qemu-system-x86_*.deb
	mv "$dir/qemu.tmp" "$dir/qemu"
	rm -f ./*.deb
}
# with_libraries DEB: unpack the libraries it depends on that this machine lacks, and theirs.
with_libraries() {
	local name before
	for name in $(dpkg-deb -f "$1" Depends | tr ',' '\n' | sed -n 's/^ *\(lib[^ |:]*\).*/\1/p'); do
		dpkg-query -W "$name" >/dev/null 2>&1 && continue
		compgen -G "${name}_*.deb" >/dev/null && continue
		before=$(ls ./*.deb)
		fetch "$name" || continue
		for deb in $(comm -13 <(echo "$before") <(ls ./*.deb)); do
			dpkg -x "$deb" "$dir/qemu.tmp"
			with_libraries "$deb"
		done
	done
}

[ -d "$dir/qemu" ] || get_qemu
for k in "$@"; do
	[ -d "$dir/$k" ] || get_kernel "$k"
done
