#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# emuhost.sh [OPTION...] [--] COMMAND [ARG...] - run a command in an emulated x86 host
#
# QEMU's TCG emulates AMD's SVM, so that a stock Debian kernel in it has a real
# /dev/kvm, wherever this runs.  The emulated host shows this machine's root file
# system; what is written there is lost at the end, save in shared directories and
# on disks.  COMMAND runs as root in the current directory; the exit status is its
# own, or 124 when time ran out.
#
#	--cpus N        processors of the emulated host (4)
#	--mem MB        its memory (4096)
#	--numa N        nodes that share both alike (1); disks are at the last one
#	--disk FILE     raw image that becomes its next disk: /dev/vda, /dev/vdb...
#	--share DIR     directory of this machine that it may write to
#	--plugin SPEC   TCG plugin of the emulator: FILE.so,KEY=VALUE...
#	--params STRING more for its kernel's command line; the last word of a name counts
#	--timeout SEC   limit for the whole run (600)
#	--silence SEC   a host that gives no sign of life for so long has stalled (20)
#	--task FILE,SEC a host in which COMMAND leaves FILE as it is for so long has stalled,
#	                too; a task of COMMAND is over when it removes FILE
#	--retries N     how often a stalled run is started anew (2)
#
# The emulator loses an interrupt now and then and stops; such a run is counted,
# reported and repeated, hence COMMAND must bear to be run again.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
die() { echo "emuhost.sh: $*" >&2; exit 125; }
say() { echo "emuhost: $*" >&2; }

cpus=4 mem=4096 nodes=1 timeout=600 silence=20 retries=2 task=''
disks=() shares=() plugins=() params=''
while [ $# -gt 0 ]; do
	case $1 in
	--cpus)    cpus=$2; shift ;;
	--mem)     mem=$2; shift ;;
	--numa)    nodes=$2; shift ;;
	--disk)    disks+=("$(realpath "$2")"); shift ;;
	--share)   shares+=("$(realpath "$2")"); shift ;;
	--plugin)  plugins+=(-plugin "$2"); shift ;;
	--params)  params=" $2"; shift ;;
	--timeout) timeout=$2; shift ;;
	--silence) silence=$2; shift ;;
	--task)    task=$2; shift ;;
	--retries) retries=$2; shift ;;
	--)        shift; break ;;
	-*)        die "unknown option $1" ;;
	*)         break ;;
	esac
	shift
done
[ $# -ge 1 ] || { sed -n '4,28s/^# \{0,1\}//p' "$0" >&2; exit 125; }
command -v qemu-system-x86_64 > /dev/null || die "qemu-system-x86_64 is missing: run scripts/setup.sh test"

# The host's kernel is the generic one: the small one has no 9p.
kernel=$("$top/scripts/kernel.sh" amd64)
initrd=$top/build/cache/emuhost.cpio
if [ ! -e "$initrd" ] || [ "$top/scripts/emuhost-init.sh" -nt "$initrd" ] || [ "$kernel/version" -nt "$initrd" ]; then
	"$top/scripts/mkinitrd.sh" -o "$initrd.$$" --init "$top/scripts/emuhost-init.sh" --program busybox \
		--modules "$kernel" 9pnet_virtio 9p overlay kvm-amd
	mv "$initrd.$$" "$initrd"
fi

run=$(mktemp -d "$top/build/emuhost.XXXXXX")
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

printf 'cd %q && exec' "$PWD" > "$run/command"
printf ' %q' "$@" >> "$run/command"
realpath "$kernel/modules" > "$run/modules"
: > "$run/shares"

# shellcheck disable=SC2054 # the commas are QEMU's
args=(-accel tcg,thread=multi ${plugins[@]+"${plugins[@]}"} -cpu EPYC,svm=on -smp "$cpus" -m "$mem"
	-nodefaults -display none -no-reboot
	-serial "file:$run/console" -serial stdio -serial "file:$run/alive"
	-kernel "$kernel/vmlinuz" -initrd "$initrd"
	# Periodic ticks raise again what the emulator may have lost.
	-append "console=ttyS0 panic=-1 quiet mitigations=off tsc=reliable clocksource=tsc no_timer_check nohz=off highres=off softlockup_panic=1 watchdog_thresh=5 emuhost=$run$params"
	-virtfs "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap")
n=0
for dir in ${shares[@]+"${shares[@]}"}; do
	echo "$dir" >> "$run/shares"
	args+=(-virtfs "local,path=$dir,mount_tag=share$n,security_model=none,multidevs=remap")
	n=$((n + 1))
done
# The last node has a bus of its own, for disks.  Behind all else, which would be put there.
bus=()
if [ "$nodes" -gt 1 ]; then
	for ((n = 0; n < nodes; n++)); do
		args+=(-object "memory-backend-ram,id=mem$n,size=$((mem / nodes))M"
			-numa "node,nodeid=$n,memdev=mem$n,cpus=$((cpus * n / nodes))-$((cpus * (n + 1) / nodes - 1))")
	done
	args+=(-device "pxb,id=far,bus_nr=128,numa_node=$((nodes - 1))")
	bus=(bus=far)
fi
n=0
for disk in ${disks[@]+"${disks[@]}"}; do
	# The image outlives the emulator, not this machine: no flush is needed.
	args+=(-drive "if=none,id=disk$n,file=$disk,format=raw,cache=unsafe,aio=threads"
		-device "virtio-blk-pci,drive=disk$n,num-queues=$cpus${bus:+,$bus,addr=$((n + 1))}")
	n=$((n + 1))
done

# older FILE SEC: whether it has been unchanged for so long
older() { [ $(($(date +%s) - $(stat -c %Y "$1" 2> /dev/null || date +%s))) -ge "$2" ]; }

# One run: copies the command's output, sets $status to its exit status or to
# "stalled" or "late".
one_run() {
	local line='' more got start=$SECONDS
	mkfifo "$run/output"
	: > "$run/alive"
	# What a run before left there.
	[ ! -e "${task%,*}" ] || touch "${task%,*}"
	# The emulator dies with this script, however that ends.
	setpriv --pdeathsig KILL qemu-system-x86_64 "${args[@]}" < /dev/null > "$run/output" 2> "$run/qemu" &
	qemu=$!
	exec 3< "$run/output"
	rm "$run/output"

	status=''
	while [ -z "$status" ]; do
		got=0
		IFS= read -r -t 5 -u 3 more || got=$?
		line=$line$more
		case $line in
		*'@@emuhost exit '*)
			printf '%s' "${line%@@emuhost exit *}"
			status=${line##*exit }
			# Let it power off by itself, so that disks are closed in order.
			timeout 5 tail --pid="$qemu" -f /dev/null || : ;;
		*)	# What a time-out cut in two is printed when the rest is there.
			[ $got -ne 0 ] || { printf '%s\n' "$line"; line=''; } ;;
		esac
		[ -z "$status" ] || break

		if [ $got -gt 128 ] && older "$run/alive" "$silence"; then
			status=stalled
		elif [ -n "$task" ] && older "${task%,*}" "${task##*,}"; then
			status=stalled
		elif [ $got -ne 0 ] && [ $got -le 128 ]; then
			status=stalled		# end of file: the host panicked
		elif [ $((SECONDS - start)) -ge "$timeout" ]; then
			status=late
		fi
	done
	exec 3<&-
	stop_qemu
}

stalls=0
while :; do
	one_run
	case $status in
	stalled)
		stalls=$((stalls + 1))
		say "the emulated host stalled or died (run $stalls); its console (build/emuhost-stalled-$stalls.log) ended with:"
		cp "$run/console" "$top/build/emuhost-stalled-$stalls.log"
		tail -n 3 "$run/console" >&2
		grep -v ': warning: ' "$run/qemu" | tail -n 3 >&2 || :
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
