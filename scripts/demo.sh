#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# demo.sh - the first minute with lkvm: boot Linux from a disk with four queues
#
# Fetches a stock Debian kernel, makes an ext4 image, boots from it, and shows the
# queues from both sides: the guest's view, then lkvm's own counters.  All that is
# made stays in build/demo.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
scripts=$top/scripts cache=$top/build/cache dir=$top/build/demo
lkvm=$(realpath "${LKVM-$top/build/x86/lkvm}")
step() { echo; echo "==> $*"; }

# Whether guests run at full speed on this machine's own KVM.
hardware_kvm() { "$lkvm" check-host --quiet; }

step "packages"
"$scripts/setup.sh" demo
echo "all there"
[ -x "$lkvm" ] || { echo "demo.sh: no $lkvm: run make first" >&2; exit 1; }
mkdir -p "$dir"

step "a stock Debian kernel"
kernel=$("$scripts/kernel.sh" cloud-amd64)
echo "Linux $(cat "$kernel/version"), unpacked in ${kernel#"$top/"}"

step "a raw ext4 image with busybox and fio"
[ -d "$cache/fio" ] || "$scripts/fio-tree.sh" "$cache/fio"
"$scripts/mkinitrd.sh" -o "$dir/initrd.cpio" --init "$scripts/demo-guest.sh" --program busybox --modules "$kernel"
"$scripts/mkdisk.sh" "$dir/disk.img" 256M --init "$scripts/demo-guest.sh" --program busybox --tree "$cache/fio"
ls -sh "$dir/disk.img" | sed "s|$top/||"

emulated=() disk=$dir/disk.img
if ! hardware_kvm; then
	step "this machine has no KVM at full speed for us (see: lkvm check-host)"
	echo "The demo runs in an emulated host instead: all works, nothing is fast."
	# The image is a disk of the emulated host.
	disk=/dev/vda
	emulated=("$scripts/emuhost.sh" --share "$dir" --disk "$dir/disk.img" --timeout 240 --)
fi

command=("$lkvm" run -k "$kernel/vmlinuz" -i "$dir/initrd.cpio" -d "$disk,queues=4" -c 4 -m 512M
	-p 'console=ttyS0 quiet panic=-1' --timeout 120 --stats "$dir/stats.json")
step "boot (4 CPUs, 4 queues)"
echo "${command[*]}" | sed "s|$top/||g"
status=0
${emulated[@]+"${emulated[@]}"} "${command[@]}" < /dev/null || status=$?

if [ -s "$dir/stats.json" ]; then
	step "lkvm's counters of each queue and each I/O thread"
	jq -r '.disks[] | .name as $disk | .queues[]
		| [$disk, .index, .requests, .kicks, .publications, .interrupts] | @tsv' "$dir/stats.json" |
		awk 'BEGIN { f = "%-6s %5s %10s %8s %12s %10s\n"
			printf f, "disk", "queue", "requests", "kicks", "publications", "interrupts" }
			{ printf f, $1, $2, $3, $4, $5, $6 }'
	echo
	jq -r '.iothreads[] | [.name, .submitted, .submits, .turns, .sleeps] | @tsv' "$dir/stats.json" |
		awk 'BEGIN { f = "%-16s %10s %10s %14s %8s %8s\n"
			printf f, "thread", "requests", "io_submits", "per io_submit", "turns", "sleeps" }
			{ printf f, $1, $2, $3, $3 ? sprintf("%.1f", $2 / $3) : "-", $4, $5 }'
fi

step "lkvm ended with status $status"
exit $status
