#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# ppchost.sh [OPTION...] [--] COMMAND [ARG...] - run a command in an emulated POWER8 host
#
# QEMU's TCG emulates POWER8 with its hypervisor mode, so that a stock Debian
# kernel in it has KVM-HV.  The emulated host shows this machine's files, but has no
# programs save busybox, as /bin/sh and all; what is written there is lost at the
# end, save in shared directories and on disks.  COMMAND, a script for that shell
# or a program for POWER, runs as root in the current directory; the exit status is
# its own, or 124 when time ran out.
#
#	--cpus N        processors of the emulated host (1)
#	--power 8|9     of which generation (8)
#	--mem MB        its memory (2048)
#	--disk FILE     raw image that becomes its next disk: /dev/vda, /dev/vdb...
#	--share DIR     directory of this machine that it may write to
#	--timeout SEC   limit for the whole run (600)
#	--silence SEC   a host that gives no sign of life for so long has stalled (20)
#	--retries N     how often a stalled run is started anew (2)
#
# A run that stalled is counted, reported and repeated, hence COMMAND must bear to
# be run again.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
die() { echo "ppchost.sh: $*" >&2; exit 125; }
say() { echo "ppchost: $*" >&2; }

cpus=1 power=8 mem=2048 timeout=600 silence=20 retries=2
disks=() shares=()
while [ $# -gt 0 ]; do
	case $1 in
	--cpus)    cpus=$2; shift ;;
	--power)   power=$2; shift ;;
	--mem)     mem=$2; shift ;;
	--disk)    disks+=("$(realpath "$2")"); shift ;;
	--share)   shares+=("$(realpath "$2")"); shift ;;
	--timeout) timeout=$2; shift ;;
	--silence) silence=$2; shift ;;
	--retries) retries=$2; shift ;;
	--)        shift; break ;;
	-*)        die "unknown option $1" ;;
	*)         break ;;
	esac
	shift
done
[ $# -ge 1 ] || { sed -n '4,26s/^# \{0,1\}//p' "$0" >&2; exit 125; }
command -v qemu-system-ppc64 > /dev/null || die "qemu-system-ppc64 is missing: run scripts/setup.sh power"

kernel=$("$top/scripts/kernel.sh" powerpc64le)
busybox=$("$top/scripts/cross.sh")/bin/busybox
initrd=$top/build/cache/ppchost.cpio
if [ ! -e "$initrd" ] || [ "$top/scripts/ppchost-init.sh" -nt "$initrd" ] || [ "$kernel/version" -nt "$initrd" ]; then
	"$top/scripts/mkinitrd.sh" -o "$initrd.$$" --init "$top/scripts/ppchost-init.sh" --program "$busybox" \
		--modules "$kernel" 9pnet_virtio 9p overlay kvm-hv null_blk loop ext4
	mv "$initrd.$$" "$initrd"
fi

run=$(mktemp -d "$top/build/ppchost.XXXXXX")
qemu=''
stop_qemu() {
	[ -n "$qemu" ] || return 0
	kill -KILL "$qemu" 2>/dev/null || :
	wait "$qemu" 2>/dev/null || :
	qemu=''
}
trap 'stop_qemu; rm -rf "$run"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

shares=("$run" ${shares[@]+"${shares[@]}"})
printf '%s\n' "${shares[@]}" > "$run/shares"
printf 'cd %q && exec' "$PWD" > "$run/command"
printf ' %q' "$@" >> "$run/command"
realpath "$kernel/modules" > "$run/modules"

# The only PCIe port has room for one device: a bridge with slots from 1 on.
# shellcheck disable=SC2054 # the commas are QEMU's
args=(-accel tcg -M "powernv$power" -smp "$cpus,cores=$cpus,threads=1" -m "$mem"
	-nodefaults -display none -serial "file:$run/console"
	-kernel "$kernel/vmlinux" -initrd "$initrd" -append "console=hvc0 quiet ppchost=$run"
	-device pnv-phb,chip-id=0,index=0 -device pnv-phb-root-port,bus=pnv-phb$((power - 5))-root.0,id=link
	-device pcie-pci-bridge,bus=link,id=slots
	-fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap)
slot=0
add_device() {
	slot=$((slot + 1))
	args+=(-device "$1,bus=slots,addr=$slot")
}
add_device virtio-9p-pci,fsdev=root,mount_tag=root
for n in "${!shares[@]}"; do
	args+=(-fsdev "local,id=share$n,path=${shares[n]},security_model=none,multidevs=remap")
	add_device "virtio-9p-pci,fsdev=share$n,mount_tag=share$n"
done
for n in ${disks[@]+"${!disks[@]}"}; do
	# The image outlives the emulator, not this machine: no flush is needed.
	args+=(-drive "if=none,id=disk$n,file=${disks[n]},format=raw,cache=unsafe,aio=threads")
	add_device "virtio-blk-pci,drive=disk$n"
done

# What the command has written since it was last asked for.
print_output() {
	local size
	size=$(stat -c %s "$run/output")
	[ "$size" -eq "$printed" ] || tail -c "+$((printed + 1))" "$run/output" | head -c $((size - printed))
	printed=$size
}

# One run: copies the command's output, sets $status to its exit status or to
# "stalled" or "late".
one_run() {
	local start=$SECONDS
	rm -f "$run/status"
	: > "$run/output"
	: > "$run/alive"
	# The emulator dies with this script, however that ends.
	setpriv --pdeathsig KILL qemu-system-ppc64 "${args[@]}" < /dev/null > "$run/qemu" 2>&1 &
	qemu=$!

	status='' printed=0
	while [ -z "$status" ]; do
		sleep 0.2
		if [ -e "$run/status" ]; then
			status=$(cat "$run/status")
		elif ! kill -0 "$qemu" 2> /dev/null ||
			[ $(($(date +%s) - $(stat -c %Y "$run/alive"))) -ge "$silence" ]; then
			status=stalled
		elif [ $((SECONDS - start)) -ge "$timeout" ]; then
			status=late
		fi
		print_output
	done
	# The host can power off, but does not end the emulator.
	stop_qemu
}

stalls=0
while :; do
	one_run
	case $status in
	stalled)
		stalls=$((stalls + 1))
		say "the emulated host stalled or died (run $stalls); its console (build/ppchost-stalled-$stalls.log) ended with:"
		cat "$run/console" "$run/qemu" > "$top/build/ppchost-stalled-$stalls.log" 2> /dev/null || :
		tail -n 3 "$top/build/ppchost-stalled-$stalls.log" >&2
		[ $stalls -le "$retries" ] || { say "giving up"; exit 124; }
		;;
	late)
		say "not done after $timeout seconds"
		exit 124 ;;
	*)
		[ $stalls -eq 0 ] || say "stalled runs: $stalls"
		exit "$status" ;;
	esac
done
