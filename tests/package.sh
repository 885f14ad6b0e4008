#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make package: the Debian source and binary packages, into build/package.  Build-Depends
# has all that scripts/setup.sh build installs, lintian has
# no error and no warning, what the package installs runs, and a second build, elsewhere
# and from the source package alone, gives the same bytes.
#
#	DEB_BUILD_OPTIONS=nocheck tests/package.sh	without the package's own tests
set -eu
cd "$(dirname "$0")/.."

out=$PWD/build/package
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
version=$(dpkg-parsechangelog -S Version)
arch=$(dpkg --print-architecture)

step() { echo "==> $*"; }
die() { echo "package: $*" >&2; exit 1; }

# logged NAME COMMAND...: what it says goes to a file
logged() {
	local log=$out/$1.log
	shift
	"$@" > "$log" 2>&1 || { tail -n 30 "$log" >&2; die "failed: $*"; }
}

[ "$version" = "$(sed -n 's/^VERSION := //p' Makefile)" ] || die "debian/changelog is of $version, the Makefile is not"
# What setup.sh installs to build with; all but build-essential must be named.
for package in $(sed -n "/^build='/,/'\$/{s/:.*//;/^build=/d;p}" scripts/setup.sh); do
	case $package in gcc | make | libc6-dev) continue ;; esac
	sed -n '/^Build-Depends:/,/^$/p' debian/control | grep -qE "^ +$package( \[.*\])?,\$" ||
		die "debian/control: Build-Depends lacks $package, which setup.sh build installs"
done
rm -rf "$out"
mkdir -p "$out"

step "source package"
mkdir "$dir/lkvm-$version" "$dir/again"
tar -c --exclude=./build --exclude=./.git . | tar -x -C "$dir/lkvm-$version"
cd "$dir/lkvm-$version"
logged source dpkg-buildpackage -us -uc -S

step "binary package, with its tests"
logged binary dpkg-buildpackage -us -uc -b

step "the same from the source package"
cd "$dir/again"
logged unpack dpkg-source -x "../lkvm_$version.dsc" elsewhere
cd elsewhere
DEB_BUILD_OPTIONS=nocheck logged again dpkg-buildpackage -us -uc -b
cd "$dir"
for deb in *.deb; do
	cmp "$deb" "again/$deb" || die "$deb is not reproducible"
done

step "lintian"
lintian --allow-root --fail-on error,warning ./*.changes || die "lintian complains"

step "what is in it"
dpkg-deb -x "lkvm_${version}_$arch.deb" root
for file in bin/lkvm share/man/man1/lkvm-run.1.gz share/bash-completion/completions/lkvm share/doc/lkvm/design.md.gz lib/tmpfiles.d/lkvm.conf; do
	[ -e "root/usr/$file" ] || die "no /usr/$file"
done
dpkg-deb -I "lkvm_${version}_$arch.deb" postinst | grep -q 'tmpfiles.*lkvm.conf' || die "postinst does not make /run/lkvm.cpus"
[ "$(root/usr/bin/lkvm version)" = "lkvm $version" ] || die "the packaged lkvm does not run"
for library in libaio1 libjansson4 liburing2; do
	dpkg-deb -f "lkvm_${version}_$arch.deb" Depends | grep -q "$library" || die "does not depend on $library"
done
cp lkvm_* lkvm-dbgsym_* "$out"
ls -l "$out"
