#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# kernel.sh FLAVOUR - unpack a stock Debian kernel for guests and emulated hosts
#
# FLAVOUR is cloud-amd64 (small: virtio, kvm, null_blk, ext4), amd64 (generic) or
# powerpc64le (POWER8 and later).  The package is downloaded with apt-get and
# unpacked with dpkg -x; nothing is installed.  Prints the directory
# build/cache/linux-FLAVOUR, in which fixed names lead to what others need:
#
#	vmlinuz    the bzImage (x86)
#	vmlinux    the ELF file (on x86: inside it)
#	modules    lib/modules/VERSION
#	config     the kernel's configuration
#	version    a file that holds VERSION
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
cache=$top/build/cache

die() { echo "kernel.sh: $*" >&2; exit 1; }

# apt TOOL ARGUMENT...: this machine's, or that of a private root for another's
apt() {
	case $flavour in
	powerpc64le) "$top/scripts/apt-arch.sh" ppc64el "$@" ;;
	*)           "$@" ;;
	esac
}

# The meta package depends on the newest image; that one's name is the version.
download() {
	package=$(apt apt-cache depends "linux-image-$flavour" 2> /dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
	[ -n "$package" ] || return 1
	echo "kernel.sh: downloading $package" >&2
	# As root apt drops to the user _apt, who may not write here: keep it quiet.
	(cd "$tmp" && apt apt-get -qq -o APT::Sandbox::User=root download "$package") >&2
}

# May fail for an index that is not needed: the download tells.
refresh() {
	echo "kernel.sh: apt-get update" >&2
	if [ "$(id -u)" -eq 0 ] || [ "$flavour" = powerpc64le ]; then
		apt apt-get -qq update >&2 || :
	else
		sudo apt-get -qq update >&2 || :
	fi
}

[ $# -eq 1 ] || die "usage: kernel.sh cloud-amd64|amd64|powerpc64le"
flavour=$1
dir=$cache/linux-$flavour

# A whole tree is only ever renamed into place, so what is there is complete.
if [ ! -e "$dir/version" ]; then
	mkdir -p "$cache"
	tmp=$(mktemp -d "$cache/kernel.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 1' INT TERM HUP
	chmod 755 "$tmp"

	# No lists yet, or old ones that name a package which is gone: get new ones.
	download || { refresh; download; } ||
		die "cannot download linux-image-$flavour: is this Debian, and is there a network?"
	version=${package#linux-image-}
	dpkg -x "$tmp"/*.deb "$tmp"
	rm "$tmp"/*.deb

	ln -s "boot/config-$version" "$tmp/config"
	ln -s "lib/modules/$version" "$tmp/modules"
	depmod -b "$tmp" "$version"
	if [ "$flavour" = powerpc64le ]; then
		ln -s "boot/vmlinux-$version" "$tmp/vmlinux"
	else
		ln -s "boot/vmlinuz-$version" "$tmp/vmlinuz"
		"$top/scripts/extract-vmlinux.sh" "$tmp/vmlinuz" "$tmp/vmlinux"
	fi
	echo "$version" > "$tmp/version"

	rm -rf "$dir"
	mv "$tmp" "$dir"
fi
echo "$dir"
