#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# get.sh FOLDER KERNEL...: stock Debian kernels (6.1, 6.12) unpacked to FOLDER/KERNEL, and qemu 10 to
# FOLDER/qemu. Installs nothing on this machine: everything is downloaded by apt-get and unpacked.
set -euo pipefail
dir=$(readlink -m "$1")
shift
mkdir -p "$dir/deb" "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
cd "$dir/deb"

# The mirror that this machine already uses serves the other suites too.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -m1 -E '/debian/?$' || true)
mirror=${mirror:-http://deb.debian.org/debian}
keys=/usr/share/keyrings/debian-archive-keyring.gpg
own=(-qq -o "Dir::Etc::sourcelist=$dir/apt/sources.list" -o Dir::Etc::sourceparts=-
	-o "Dir::State::lists=$dir/apt/lists" -o "Dir::Cache=$dir/apt/cache"
	-o Dir::Etc::preferencesparts=- -o APT::Sandbox::User=root)
update() {
	[ -e "$dir/apt/updated" ] && return
	for suite in bookworm bookworm-backports trixie; do
		echo "deb [signed-by=$keys] $mirror $suite main"
	done >"$dir/apt/sources.list"
	apt-get "${own[@]}" update
	touch "$dir/apt/updated"
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
get_kernel() {
	local k=$1 suite=bookworm meta=linux-image-amd64 package
	[ "$k" = 6.12 ] && suite=trixie
	[[ $k == 6.1 || $k == 6.12 ]] || { echo "vm: no recipe for kernel $k" >&2 && return 1; }
	update
	package=$(apt-cache "${own[@]}" show "$meta/$suite" | sed -n 's/^Depends: \(linux-image-[^ ]*\).*/\1/p' | head -n 1)
	echo "vm: fetching $package"
	fetch "$package/$suite"
	mkdir -p "$dir/$k.tmp"
	# tar complains about patterns that this version does not contain.
	dpkg-deb --fsys-tarfile "${package}"_*.deb | tar -x -C "$dir/$k.tmp" --wildcards "${parts[@]}" 2>/dev/null || true
	ls "$dir/$k.tmp/lib/modules" >/dev/null 2>&1 || ln -sfn usr/lib/modules "$dir/$k.tmp/lib"
	[ -d "$dir/$k.tmp/lib/modules" ] || { rm -f "$dir/$k.tmp/lib" && mkdir -p "$dir/$k.tmp/lib" &&
		ln -sfn ../usr/lib/modules "$dir/$k.tmp/lib/modules"; }
	cp "$(find "$dir/$k.tmp" -name 'vmlinuz-*' | head -n 1)" "$dir/$k.tmp/vmlinuz"
	# Here, not in the guest: xz is slow in emulation.
	find -L "$dir/$k.tmp/lib/modules" -name '*.ko.xz' -print0 | xargs -0 -r -n 50 -P 2 unxz
	depmod -b "$dir/$k.tmp" "$(ls "$dir/$k.tmp/lib/modules")"
	mv "$dir/$k.tmp" "$dir/$k"
	rm -f "${package}"_*.deb
}
# Bookworm's own qemu 7.2 breaks kernel text patching with several emulated CPUs: version 10 it is.
get_qemu() {
	local suite=bookworm-backports f lib missing
	grep -q '^VERSION_ID="1[3-9]"' /etc/os-release && suite=trixie
	update
	echo "vm: fetching qemu from $suite"
	fetch qemu-system-x86/$suite qemu-system-data/$suite seabios/$suite 2>/dev/null ||
		fetch qemu-system-x86/$suite qemu-system-data/$suite seabios
	mkdir -p "$dir/qemu.tmp"
	for f in qemu-*.deb seabios*.deb; do
		dpkg -x "$f" "$dir/qemu.tmp"
	done
	# Libraries that this machine lacks, from the suite that it runs.
	missing=$(ldd "$dir/qemu.tmp/usr/bin/qemu-system-x86_64" | sed -n 's/^\s*\(\S*\) => not found/\1/p')
	for lib in $missing; do
		f=$(library_package "$lib")
		apt-get -qq -o APT::Sandbox::User=root download "$f"
		dpkg -x "$f"_*.deb "$dir/qemu.tmp"
	done
	mv "$dir/qemu.tmp" "$dir/qemu"
	rm -f ./*.deb
}
# libfdt.so.1 -> libfdt1, libslirp.so.0 -> libslirp0, libaio.so.1 -> libaio1 or libaio1t64
library_package() {
	local name=${1%%.so*} version=${1##*.so.} p
	for p in "$name$version" "$name-$version" "${name}$version"t64 "$name"; do
		apt-cache show "${p,,}" >/dev/null 2>&1 && echo "${p,,}" && return
	done
	echo "vm: no package found for $1" >&2
	return 1
}

[ -d "$dir/qemu" ] || get_qemu
for k in "$@"; do
	[ -d "$dir/$k" ] || get_kernel "$k"
done
