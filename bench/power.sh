#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# power.sh [OPTION...] - lkvm on an emulated POWER8 host: polling, interrupts, kvmtool
#
# Runs fio (4 KiB random reads) in guests on null_blk in the host of
# scripts/ppchost.sh: rounds of each rival in turn, then tables of medians.  The
# emulator makes exits far dearer than they are: ratios and counts tell, not IOPS.
#
#	--rivals "NAME..."  poll=WHAT (lkvm with that option), intx (lkvm without MSI-X),
#	                    kvmtool, if $KVMTOOL_POWER is one that boots there; the first
#	                    is what others are related to ("poll=off poll=adaptive")
#	--outer "..."       CPUs of the emulated host (1 2)
#	--cpus N            vCPUs, and queues (1)
#	--depth N           requests in flight (32)
#	--batch N           of them in a system call of fio (1)
#	--rounds N          (3)
#	--seconds N         of each fio run (4)
#
# Results stay in build/bench-power.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
scripts=$top/scripts
dir=$top/build/bench-power
die() { echo "bench/power.sh: $*" >&2; exit 1; }

rivals='poll=off poll=adaptive' outers='1 2' cpus=1 depth=32 batch=1 rounds=3 seconds=4
while [ $# -gt 0 ]; do
	case $1 in
	--help | -h) sed -n '4,22s/^# \{0,1\}//p' "$0"; exit 0 ;;
	--rivals | --outer | --cpus | --depth | --batch | --rounds | --seconds) [ -n "${2-}" ] || die "$1: its value is missing" ;;
	*) die "unknown option $1; see bench/power.sh --help" ;;
	esac
	case $1 in
	--rivals)  rivals=$2 ;;
	--outer)   outers=$2 ;;
	--cpus)    cpus=$2 ;;
	--depth)   depth=$2 ;;
	--batch)   batch=$2 ;;
	--rounds)  rounds=$2 ;;
	--seconds) seconds=$2 ;;
	esac
	shift 2
done
kvmtool=${KVMTOOL_POWER-}
case " $rivals " in
*' kvmtool '*) [ -x "$kvmtool" ] || die "kvmtool: give KVMTOOL_POWER=PATH; docs/power.md tells of it" ;;
esac

"$scripts/setup.sh" power
linux=$("$scripts/kernel.sh" powerpc64le)
busybox=$("$scripts/cross.sh")/bin/busybox
tools=$("$scripts/cross.sh" tools)
make -s -C "$top" --no-print-directory -j"$(nproc)" ARCH=powerpc CROSS_COMPILE=powerpc64le-linux-gnu- all

rm -rf "$dir"
mkdir -p "$dir"
"$scripts/fio-tree.sh" "$dir/fio" "$tools"
"$scripts/mkinitrd.sh" -o "$dir/guest.cpio" --program "$busybox" --init "$top/bench/compare-guest.sh" --tree "$dir/fio" \
	--modules "$linux"
# kvmtool boots a flat image only.
powerpc64le-linux-gnu-objcopy -O binary "$linux/vmlinux" "$dir/vmlinux.bin"

cat > "$dir/settings" << END
lkvm=$top/build/powerpc/lkvm-static kvmtool=$kvmtool vmlinux=$linux/vmlinux
rivals='$rivals' cpus=$cpus depth=$depth batch=$batch rounds=$rounds seconds=$seconds
END
for outer in $outers; do
	: > "$dir/results"
	"$scripts/ppchost.sh" --cpus "$outer" --share "$dir" --timeout 1800 -- /bin/sh "$top/bench/power-host.sh" "$dir"
	mv "$dir/results" "$dir/results.$outer"
	echo
	echo "$outer host CPUs, $cpus vCPUs, depth $depth, batch $batch, medians of $rounds rounds" \
		"(load of this machine meanwhile: $(cut -d ' ' -f 1 /proc/loadavg))"
	awk '{ for (i = 3; i <= NF; i++) { split($i, pair, "="); print pair[2], $1, pair[1] } }' "$dir/results.$outer" | sort -n |
		awk -v rivals="$rivals" -f "$top/bench/power-table.awk"
	echo
done
