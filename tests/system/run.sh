#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh [PATTERN] - system tests: stock Debian guests on lkvm in an emulated host
#
# Runs the tests of tests.sh whose name contains PATTERN and prints a line "ok N -
# NAME" for each.  The binary under test is build/x86/lkvm or $LKVM.  The counts
# "passed failed skipped" go to the file $COUNTS, if that is set.  Logs of what
# failed stay in build/system/logs.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
scripts=$top/scripts
dir=$top/build/system

lkvm=$(realpath "${LKVM-$top/build/x86/lkvm}")
[ -x "$lkvm" ] || { echo "run.sh: no $lkvm: run make first" >&2; exit 1; }

rm -rf "$dir"
mkdir -p "$dir"
cloud=$("$scripts/kernel.sh" cloud-amd64)
generic=$("$scripts/kernel.sh" amd64)
[ -d "$top/build/cache/fio" ] || "$scripts/fio-tree.sh" "$top/build/cache/fio"

# The same init and programs for all guests; only the generic kernel has ext4 as a module.
modules=(virtio_mmio pvpanic_pci)
make_initrd() {
	"$scripts/mkinitrd.sh" -o "$1" --init "$here/guest-init.sh" --program busybox --tree "$top/build/cache/fio" --modules "$2" "${modules[@]}" "${@:3}"
}
make_initrd "$dir/cloud.cpio" "$cloud"
make_initrd "$dir/generic.cpio" "$generic" ext4
make_initrd "$dir/tools.cpio" "$cloud" xfs button evdev --program /sbin/mkfs.ext4 /sbin/mkfs.xfs /sbin/fstrim /sbin/blkdiscard /usr/bin/numactl
"$lkvm" mkinitrd -o "$dir/command.cpio" --busybox --modules "$cloud"
"$lkvm" mkinitrd -o "$dir/busybox.cpio.gz" --busybox
version=$(cat "$cloud/version") modules_dir=$dir/modprobe/usr/lib/modules
mkdir -p "$modules_dir/$version"
find "$cloud/modules/" -name 'virtio*.ko' -exec cp {} "$modules_dir/$version" \;
depmod -b "$dir/modprobe/usr" "$version" 2> /dev/null
"$lkvm" mkinitrd -o "$dir/modprobe.cpio.gz" --busybox --tree "$dir/modprobe"
"$scripts/mkdisk.sh" "$dir/command.img" 64M --busybox
sed -n '/^#!\/bin\/sh/,/^```/{/^```/!p}' "$top/docs/ci.md" > "$dir/ci.sh"
"$scripts/mkdisk.sh" "$dir/root.img" 64M --init "$here/guest-init.sh" --program busybox --file /dev/null:/is-root
"$scripts/mkdisk.sh" "$dir/scratch.img" 1G --program busybox

# Tests that have not begun after $LIMIT seconds fail.
status=0
"$scripts/emuhost.sh" --numa 2 --share "$dir" --disk "$dir/scratch.img" --timeout 1040 --retries 4 -- \
	env LKVM="$lkvm" DIR="$dir" DEADLINE=$(($(date +%s) + ${LIMIT-920})) "$here/tests.sh" "$@" |
	"$here/number.sh" || status=$?

count() { grep -c "$1" "$dir/results" || :; }
skipped=$(count '^ok .*# SKIP')
passed=$(($(count '^ok ') - skipped))
failed=$(count '^not ok ')
# Whatever is missing at the end counts as failed.
echo "1..$((passed + failed + skipped))"
[ $status -eq 0 ] || { echo "# the emulated host ended with status $status"; failed=$((failed + 1)); }
[ -z "${COUNTS-}" ] || echo "$passed $failed $skipped" > "$COUNTS"
echo "# system tests: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
