#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# kernel.sh FLAVOUR - unpack a stock Debian kernel for guests and emulated hosts
#
# FLAVOUR is cloud-amd64 (small: virtio, kvm, null_blk, ext4) or amd64 (generic).
# The package is downloaded with apt-get and unpacked with dpkg -x; nothing is
# installed.  Prints the directory build/cache/linux-FLAVOUR, in which fixed
# names lead to what others need:
#
#	vmlinuz    the bzImage
#	vmlinux    the ELF file inside it
#	modules    lib/modules/VERSION
#	config     the kernel's configuration
#	version    a file that holds VERSION
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
cache=$top/build/cache

die() { echo "kernel.sh: $*" >&2; exit 1; }

[ $# -eq 1 ] || die "usage: kernel.sh cloud-amd64|amd64"
dir=$cache/linux-$1

# A whole tree is only ever renamed into place, so what is there is complete.
if [ ! -e "$dir/version" ]; then
	# The meta package depends on the newest image; that one's name is the version.
	package=$(apt-cache depends "linux-image-$1" |
		sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
	[ -n "$package" ] ||
		die "no package linux-image-$1: is this Debian, and has apt-get update been run?"
	version=${package#linux-image-}

	mkdir -p "$cache"
	tmp=$(mktemp -d "$cache/kernel.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 1' INT TERM HUP
	chmod 755 "$tmp"

	echo "kernel.sh: downloading $package" >&2
	# As root apt drops to the user _apt, who may not write here: keep it quiet.
	(cd "$tmp" && apt-get -qq -o APT::Sandbox::User=root download "$package") >&2 ||
		die "cannot download $package (try apt-get update)"
	dpkg -x "$tmp"/*.deb "$tmp"
	rm "$tmp"/*.deb

	ln -s "boot/vmlinuz-$version" "$tmp/vmlinuz"
	ln -s "boot/config-$version" "$tmp/config"
	ln -s "lib/modules/$version" "$tmp/modules"
	depmod -b "$tmp" "$version"
	"$top/scripts/extract-vmlinux.sh" "$tmp/vmlinuz" "$tmp/vmlinux"
	echo "$version" > "$tmp/version"

	rm -rf "$dir"
	mv "$tmp" "$dir"
fi
echo "$dir"
