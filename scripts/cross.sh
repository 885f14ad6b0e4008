#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# cross.sh [build|musl|tools] - what is needed of POWER's packages on another machine
#
#	build  what lkvm is built with (the default): the ppc64el libraries that it
#	       links, headers and both kinds, and a static busybox for initrds
#	musl   a small C library, for the program that guests run first
#	tools  programs for hosts and guests: fio, strace, and their libraries
#
# Each unpacked into a private package root.  Nothing is installed.  Prints the
# root, build/cache/ppc64el, where the Makefile finds it, or ppc64el-musl, or
# ppc64el-tools.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
die() { echo "cross.sh: $*" >&2; exit 1; }

case ${1-build} in
build)
	dir=$top/build/cache/ppc64el
	packages='libaio-dev libaio1 libfdt-dev libfdt1 liburing-dev liburing2 libjansson-dev libjansson4 systemtap-sdt-dev busybox-static' ;;
musl)
	dir=$top/build/cache/ppc64el-musl
	packages=musl-dev ;;
tools)
	dir=$top/build/cache/ppc64el-tools
	# No more of fio's libraries: see fio-tree.sh.
	packages='fio strace libc6 libaio1 libnuma1 zlib1g' ;;
*)	die "usage: cross.sh [build|musl|tools]" ;;
esac
apt() { "$top/scripts/apt-arch.sh" ppc64el "$@" >&2; }
# shellcheck disable=SC2086 # words
download() { (cd "$tmp" && apt apt-get -qq download $packages); }

# A whole tree is only ever renamed into place, so what is there is complete; it
# says of which packages.
if [ "$(cat "$dir/packages" 2> /dev/null)" != "$packages" ]; then
	mkdir -p "$top/build/cache"
	tmp=$(mktemp -d "$dir.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 1' INT TERM HUP
	chmod 755 "$tmp"

	# An update may fail for an index that is not needed: the download tells.
	echo "cross.sh: downloading packages of ppc64el: $packages" >&2
	download 2> /dev/null || { apt apt-get -qq update || :; download; } ||
		die "cannot download $packages: is this Debian, and is there a network?"
	for package in "$tmp"/*.deb; do
		dpkg -x "$package" "$tmp"
		rm "$package"
	done
	echo "$packages" > "$tmp/packages"
	[ ! -e "$dir" ] || { mkdir "$tmp/old" && mv "$dir" "$tmp/old"; }
	mv "$tmp" "$dir"
	rm -rf "$dir/old"
fi
echo "$dir"
