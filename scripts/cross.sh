#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# cross.sh - what lkvm for POWER is built with on another machine
#
# The ppc64el libraries that lkvm links, headers and both kinds, and a static
# busybox for initrds, unpacked into a private package root.  Nothing is
# installed.  Prints the root, build/cache/ppc64el; the Makefile finds it there.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
dir=$top/build/cache/ppc64el
packages='libaio-dev libaio1 libfdt-dev libfdt1 liburing-dev liburing2 libjansson-dev libjansson4 busybox-static'

die() { echo "cross.sh: $*" >&2; exit 1; }
apt() { "$top/scripts/apt-arch.sh" ppc64el "$@" >&2; }
# shellcheck disable=SC2086 # words
download() { (cd "$tmp" && apt apt-get -qq download $packages); }

# A whole tree is only ever renamed into place, so what is there is complete.
if [ ! -e "$dir" ]; then
	mkdir -p "$top/build/cache"
	tmp=$(mktemp -d "$dir.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 1' INT TERM HUP
	chmod 755 "$tmp"

	# An update may fail for an index that is not needed: the download tells.
	echo "cross.sh: downloading libraries for ppc64el" >&2
	download 2> /dev/null || { apt apt-get -qq update || :; download; } ||
		die "cannot download $packages: is this Debian, and is there a network?"
	for package in "$tmp"/*.deb; do
		dpkg -x "$package" "$tmp"
		rm "$package"
	done
	mv "$tmp" "$dir"
fi
echo "$dir"
