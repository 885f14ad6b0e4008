#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# power.sh [PATTERN] - system tests of POWER: stock Debian guests on lkvm in an
# emulated POWER8 host
#
# As run.sh, but for power-tests.sh.  Brings what it needs, and builds lkvm by a
# cross compiler; where that cannot be had, one line says why nothing was tested.
# The binary under test is build/powerpc/lkvm-static or $LKVM.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
scripts=$top/scripts
dir=$top/build/power

passed=0 failed=0 skipped=0
finish() {
	[ -z "${COUNTS-}" ] || echo "$passed $failed $skipped" > "$COUNTS"
	echo "# POWER system tests: $passed passed, $failed failed, $skipped skipped"
	exit $((failed > 0))
}
skip() {
	echo "ok 1 - POWER # SKIP $*"
	skipped=1
	finish
}

"$scripts/setup.sh" power || skip "packages are missing that cannot be installed"
linux=$("$scripts/kernel.sh" powerpc64le) || skip "no kernel for POWER"
x86=$("$scripts/kernel.sh" cloud-amd64) || skip "no kernel for x86"
busybox=$("$scripts/cross.sh")/bin/busybox || skip "no libraries for POWER"
tools=$("$scripts/cross.sh" tools) || skip "no programs for POWER"
lkvm=${LKVM-$top/build/powerpc/lkvm-static}
[ -n "${LKVM-}" ] ||
	make -s -C "$top" --no-print-directory -j"$(nproc)" ARCH=powerpc CROSS_COMPILE=powerpc64le-linux-gnu- all

rm -rf "$dir"
mkdir -p "$dir"
"$scripts/fio-tree.sh" "$dir/fio" "$tools"
make_initrd() {
	"$scripts/mkinitrd.sh" -o "$1" --init "$here/guest-init.sh" --program "$busybox" --modules "$linux" ext4 "${@:2}"
}
make_initrd "$dir/guest.cpio"
make_initrd "$dir/fio.cpio" --tree "$dir/fio"
"$scripts/mkinitrd.sh" -o "$dir/command.cpio" --busybox "$busybox" --modules "$linux" ext4
"$scripts/mkdisk.sh" "$dir/command.img" 64M --busybox "$busybox"
"$scripts/mkdisk.sh" "$dir/root.img" 64M --init "$here/guest-init.sh" --program "$busybox" --file /dev/null:/is-root
"$scripts/mkdisk.sh" "$dir/scratch.img" 512M --program "$busybox"

powerpc64le-linux-gnu-gcc -mbig -mabi=elfv2 -nostdlib -static -Wl,--build-id=none,-Ttext=0x100,-e,_start \
	-o "$dir/modes.elf" "$here/power-modes.S"
"$top/tests/payload/power/build.sh" "$dir/payload.elf"

# tested NAME COMMAND...: one test from here
tested() {
	case $1 in *"$pattern"*) ;; *) return 0 ;; esac
	if "${@:2}" > "$dir/$1.log" 2>&1; then
		echo "ok $1"
	else
		sed 's/^/# /' "$dir/$1.log"
		echo "not ok $1"
	fi | tee -a "$dir/results"
}
sources() { make -s -C "$top" --no-print-directory ARCH=powerpc CROSS_COMPILE=powerpc64le-linux-gnu- sparse; }
# Its KVM has all that is asked of it, but its guests are other machines.
power9() {
	local status=0
	"$scripts/ppchost.sh" --power 9 --timeout 120 -- "$(realpath "$lkvm")" run -k "$linux/vmlinux" > "$dir/power9.out" 2>&1 || status=$?
	cat "$dir/power9.out"
	[ $status -eq 125 ] && grep -q 'this host is a POWER9' "$dir/power9.out"
}

# Tests that have not begun after $LIMIT seconds fail.
status=0
pattern=${1-}
{
	tested sparse sources
	tested power9_host_refused power9
	"$scripts/ppchost.sh" --share "$dir" --disk "$dir/scratch.img" --timeout 800 -- \
		env LKVM="$(realpath "$lkvm")" DIR="$dir" LINUX="$linux" X86="$x86" TOOLS="$tools" \
		DEADLINE=$(($(date +%s) + ${LIMIT-700})) /bin/sh "$here/power-tests.sh" "$@"
} |
	"$here/number.sh" || status=$?

count() { grep -c "$1" "$dir/results" || :; }
skipped=$(count '^ok .*# SKIP')
passed=$(($(count '^ok ') - skipped))
failed=$(count '^not ok ')
# Whatever is missing at the end counts as failed.
echo "1..$((passed + failed + skipped))"
[ $status -eq 0 ] || { echo "# the emulated host ended with status $status"; failed=$((failed + 1)); }
finish
