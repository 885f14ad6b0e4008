#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# rivals.sh - lkvm against other VMMs, on the same work in one emulated host
#
# 4k random read on null_blk in the emulated host, a guest with 2 vCPUs, 2 jobs at
# depth 32; with 4 and with 2 outer CPUs.  Runs are interleaved, medians are
# printed; "bare" is fio in the emulated host itself.  IOPS there are not those of silicon, but their order and the counts of
# system calls per request mean something; keep the machine quiet meanwhile.
# System calls are counted twice: by a kernel tracepoint, which hardly disturbs,
# and by strace -f -c, which slows each call.
#
#	LKVM=PATH      build/x86/lkvm
#	KVMTOOL=PATH   kvmtool's lkvm; left out if not given
#	QEMU=PATH      qemu-system-x86_64; left out if not given
#	OUTER="4 2"    CPUs of the emulated host
#	ROUNDS=3 SECONDS_EACH=5 JOBS=2 DEPTH=32 CPUS=2 QUEUES=$CPUS
#	OPTIONS=       more keys for lkvm's --disk (poll=off)
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
dir=$top/build/bench
: "${LKVM=$top/build/x86/lkvm}" "${KVMTOOL=}" "${QEMU=}" "${OPTIONS=}" "${OUTER=4 2}" "${ROUNDS=3}"
: "${SECONDS_EACH=5}" "${JOBS=2}" "${DEPTH=32}" "${CPUS=2}" "${QUEUES=$CPUS}"
disk=/dev/nullb0
kernel=$top/build/cache/linux-amd64/vmlinuz initrd=$dir/guest.cpio

# --- in the emulated host ---------------------------------------------------

# start RIVAL WAIT: run its VMM in the background, $pid; its guest waits before fio
start() {
	local params="console=ttyS0 quiet panic=-1 jobs=$JOBS depth=$DEPTH seconds=$SECONDS_EACH wait=$2"
	case $1 in
	lkvm)
		set -- "$LKVM" run -k "$kernel" -i "$initrd" -c "$CPUS" -m 512M \
			-d "$disk,queues=$QUEUES${OPTIONS:+,$OPTIONS}" -p "$params" ;;
	kvmtool)
		# It has no ACPI, and this kernel stumbles over its interrupt table.
		set -- "$KVMTOOL" run --nodefaults --network mode=none -k "$kernel" -i "$initrd" -c "$CPUS" -m 512 \
			--disk "$disk,direct" -p "$params noapic noacpi pci=conf1 reboot=k" ;;
	qemu)
		set -- "$QEMU" -M pc,accel=kvm -cpu host -smp "$CPUS" -m 512 -nodefaults -display none -serial stdio \
			-no-reboot -kernel "$kernel" -initrd "$initrd" -append "$params" -object iothread,id=t \
			-blockdev "driver=raw,node-name=n,file.driver=host_device,file.filename=$disk,cache.direct=on,file.aio=native" \
			-device "virtio-blk-pci,drive=n,num-queues=$QUEUES,iothread=t" ;;
	esac
	"$@" < /dev/null > "$dir/console" 2> "$dir/errors" &
	pid=$!
}
# await PATTERN: until the guest has said it
await() {
	for _ in $(seq 300); do
		sleep 0.2
		grep -q "$1" "$dir/console" && return 0
		kill -0 $pid 2> /dev/null || return 1
	done
	return 1
}
finish() {
	for _ in $(seq 50); do kill -0 $pid 2> /dev/null || break; sleep 0.2; done
	kill -KILL $pid 2> /dev/null || :
	wait $pid 2> /dev/null || :
}
said() { tr -d '\r' < "$dir/console" | sed -n "s/^BENCH .*\\b$1=\\([0-9]*\\).*/\\1/p"; }

# Each of these prints a line of numbers for the table; none when the run stalled.
speed() {
	if [ "$1" = bare ]; then
		"$top/bench/rivals-guest.sh" fio "$disk" "$JOBS" "$DEPTH" "$SECONDS_EACH" | sed 's/[^0-9 ]//g'
		return
	fi
	start "$1" 1
	await 'BENCH iops' && echo "$(said iops) $(said lat)"
	finish
}

per_1000() { echo $(($1 * 1000 / $(said io))); }

traced() {
	local event=/sys/kernel/tracing/events/raw_syscalls/sys_enter ours
	start "$1" 4
	if await 'BENCH ready'; then
		ours=$(ls "/proc/$pid/task" | sed 's/^/common_pid==/' | paste -sd '|' | sed 's/|/||/g')
		echo "hist:keys=id:size=512 if $ours" > $event/trigger
		await 'BENCH iops' && awk '/^\{ id:/ { gsub(/[{},:]/, " "); all += $4; if ($2 == 209) submits += $4 }
			END { print submits + 0, all + 0 }' $event/hist > "$dir/counts"
		echo "!hist:keys=id:size=512 if $ours" > $event/trigger
	fi
	finish
	[ -n "$(said io)" ] && read -r submits all < "$dir/counts" &&
		echo "$(per_1000 "$submits") $(per_1000 "$all") $(said iops)"
}

straced() {
	local tracer
	start "$1" 4
	if await 'BENCH ready'; then
		strace -f -c -o "$dir/strace.$1" -p $pid 2> /dev/null &
		tracer=$!
		await 'BENCH iops' || :
		kill -INT $tracer
		wait $tracer || :
	fi
	finish
	[ -n "$(said io)" ] && awk '$NF == "io_submit" { submits = $4 } $NF == "total" { all = $4 }
		END { print submits + 0, all + 0 }' "$dir/strace.$1" > "$dir/counts" && read -r submits all < "$dir/counts" &&
		echo "$(per_1000 "$submits") $(per_1000 "$all") $(said iops)"
}

# measure WHAT RIVAL ROUND: into the results, once; a stalled run is repeated
measure() {
	local got
	grep -q "^$1 $2 $3 " "$results" && return 0
	for _ in 1 2 3; do
		got=$("$1" "$2") || :
		if [ -n "$got" ]; then
			echo "$1 $2 $3 $got" | tee -a "$results"
			return 0
		fi
		echo "# $1 $2 $3 stalled: $(tail -qn 1 "$dir/errors" "$dir/console" | tr -d '\r' | tr '\n' ' ')" | tee -a "$results"
	done
}

inside() {
	results=$dir/results.$(nproc)
	touch "$results"
	modprobe null_blk queue_mode=2 submit_queues=4 hw_queue_depth=256 gb=4 bs=4096 irqmode=0
	echo none > /sys/block/nullb0/queue/scheduler
	mount -t tracefs tracefs /sys/kernel/tracing
	for round in $(seq "$ROUNDS"); do
		for rival in $rivals; do measure speed "$rival" "$round"; done
	done
	for rival in ${rivals#bare}; do
		measure traced "$rival" 1
		measure straced "$rival" 1
	done
}

# --- on this machine --------------------------------------------------------

median() { sort -n | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "-" }'; }

# table CPUS: what the results with so many outer CPUs say
table() {
	local results=$dir/results.$1 rival iops own
	echo
	echo "$1 outer CPUs; guest: $CPUS vCPUs, $JOBS jobs x depth $DEPTH, 4k random read on null_blk"
	echo "                                  per 1000 requests: tracepoint          strace"
	echo "rival       IOPS  lkvm/rival  mean us   io_submit  all calls   io_submit  all calls"
	own=$(awk '$1 == "speed" && $2 == "lkvm" { print $4 }' "$results" | median | sed s/-/0/)
	for rival in $rivals; do
		iops=$(awk -v r="$rival" '$1 == "speed" && $2 == r { print $4 }' "$results" | median)
		awk -v r="$rival" -v own="$own" -v iops="$iops" \
			-v lat="$(awk -v r="$rival" '$1 == "speed" && $2 == r { print $5 }' "$results" | median)" '
			$2 == r && $1 == "traced" { a = $4; b = $5 }
			$2 == r && $1 == "straced" { c = $4; d = $5 }
			END { printf "%-8s %7s  %10s  %7s   %9s  %9s   %9s  %9s\n", r, iops, (iops > 0 ? sprintf("%.2f", own / iops) : "-"), lat, a, b, c, d }' "$results"
	done
	grep '^#' "$results" || :
}

rivals=bare
[ ! -x "$LKVM" ] || rivals="$rivals lkvm"
[ -z "$KVMTOOL" ] || rivals="$rivals kvmtool"
[ -z "$QEMU" ] || rivals="$rivals qemu"
if [ "${1-}" = --inside ]; then
	inside
	exit
fi
mkdir -p "$dir"
generic=$("$top/scripts/kernel.sh" amd64)
[ -d "$top/build/cache/fio" ] || "$top/scripts/fio-tree.sh" "$top/build/cache/fio"
"$top/scripts/mkinitrd.sh" "$initrd" --init "$top/bench/rivals-guest.sh" --modules "$generic" virtio_pci virtio_blk \
	--tree "$top/build/cache/fio"
for outer in $OUTER; do
	rm -f "$dir/results.$outer"
	"$top/scripts/emuhost.sh" --cpus "$outer" --share "$dir" --timeout 1200 -- \
		env LKVM="$LKVM" KVMTOOL="$KVMTOOL" QEMU="$QEMU" OPTIONS="$OPTIONS" ROUNDS="$ROUNDS" \
		SECONDS_EACH="$SECONDS_EACH" JOBS="$JOBS" DEPTH="$DEPTH" CPUS="$CPUS" QUEUES="$QUEUES" \
		"$top/bench/rivals.sh" --inside
done
for outer in $OUTER; do table "$outer"; done
