#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# setup.sh build|test|demo|bench|power|package... - install the distribution packages that are missing
#
# On Debian, and what derives from it, this says what it installs and why, and
# asks root or sudo.  Elsewhere it prints what is needed and stops.  When nothing
# is missing it does nothing and needs no network.
set -eu

die() { echo "setup.sh: $*" >&2; exit 1; }

# Lines "package...: reason", as many as the wanted group has.
build='
gcc make pkg-config libc6-dev: to compile
libaio-dev liburing-dev libjansson-dev: Linux AIO and io_uring for disks, JSON for --stats
systemtap-sdt-dev: probes that perf and bpftrace can watch
acpica-tools: iasl compiles the ACPI tables
musl-dev: a small C library for the program that guests run first'
emulate='
qemu-system-x86 seabios: an emulated x86 host, where this one has no hardware KVM
busybox-static cpio kmod: to make initrds with modules
e2fsprogs: to make ext4 images
fio: the load that guests put on their disks
xz-utils zstd lz4 binutils: to unpack kernels, to make a small tree with fio
jq util-linux procps: to read counters, to supervise what was started'
test='
check valgrind: unit tests
sparse cppcheck: static checks
mandoc groff-base bash-completion: to check the manual and what the shell completes
libfdt-dev device-tree-compiler: to build and check the device tree of POWER machines
clang libclang-rt-dev: to fuzz the rings
gcovr: to see which lines the unit tests run
strace: to count system calls
socat: to talk to the control socket by hand
bpftrace: to watch probes
xfsprogs: to make and check xfs images
numactl: to see nodes as guests see them
gnuplot-nox: the plots of bench/figures'
[ "$(uname -m)" != ppc64le ] || build="$build
libfdt-dev: the device tree of guests"
power='
gcc-powerpc64le-linux-gnu libc6-dev-ppc64el-cross: to build lkvm for POWER
qemu-system-ppc qemu-system-data: an emulated POWER8 host
busybox-static cpio kmod: to make initrds with modules
device-tree-compiler: to read the device tree of a guest'
package='
dpkg-dev debhelper lintian: to build and check a Debian package
check libfdt-dev device-tree-compiler: unit tests
mandoc groff-base bash-completion: to check the manual and what the shell completes'
bench='
valgrind: callgrind counts instructions where the CPU does not
dwarves: pahole shows the layout of structs
jq: medians, tables and comparisons of results
gnuplot-nox: the plots of bench/figures'

wanted=''
[ $# -gt 0 ] || die "usage: setup.sh build|test|demo|bench|power|package..."
for what; do
	case $what in
	build) wanted=$wanted$build ;;
	demo)  wanted=$wanted$build$emulate ;;
	test)  wanted=$wanted$build$emulate$test ;;
	bench) wanted=$wanted$bench ;;
	power) wanted=$wanted$power ;;
	package) wanted=$wanted$package ;;
	*)     die "unknown: $what (build, test, demo, bench, power or package)" ;;
	esac
done
lines() { echo "$wanted" | awk 'NF && !seen[$0]++'; }

if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
	echo "setup.sh installs packages only on Debian. Needed, by their names there:" >&2
	lines | sed 's/^/	/' >&2
	exit 1
fi

# All that is installed or provided, asked once.
installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p')
missing=$(lines | while IFS=: read -r packages reason; do
	new=''
	for package in $packages; do
		echo "$installed" | grep -qxF "$package" || new="$new $package"
	done
	[ -z "$new" ] || echo "installing$new:$reason"
done)
[ -n "$missing" ] || exit 0

echo "$missing"
root=''
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo > /dev/null || die "this needs root: run it as root, or install sudo"
	root=sudo
fi
# shellcheck disable=SC2046 # words are package names
set -- $(echo "$missing" | sed 's/^installing //; s/:.*//')
$root apt-get -qq update || die "apt-get update failed: is there a network?"
$root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" > /dev/null ||
	die "could not install: $*"
