#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # the settings are read
#
# power-host.sh DIR - the part of bench/power.sh that runs on the emulated POWER8 host
#
# DIR has what bench/power.sh left there.  Each run appends a line to DIR/results:
# "RIVAL ROUND KEY=NUMBER..."; what is there is not done again, as the host may stall.
set -u

dir=$1
# shellcheck disable=SC1091
. "$dir/settings"
console=/tmp/console
initrd=$dir/guest.cpio
memory=320	# MiB

# start RIVAL: in the background, $pid
start() {
	params="console=hvc0 quiet panic=-1 rw=randread jobs=$cpus depth=$depth batch=$batch seconds=$seconds"
	poll=${1#poll=}
	case $1 in
	poll=*) set -- ;;
	intx)   poll=adaptive; set -- pci=nomsi ;;
	# It knows no MSIs on POWER; of its own options these two are needed.
	kvmtool)
		HOME=/tmp "$kvmtool" run --console hv --network mode=none -k "$dir/vmlinux.bin" -i "$initrd" -m $memory \
			-c "$cpus" -d /dev/nullb0,direct -p "$params pci=nomsi" < /dev/null > $console 2>&1 &
		pid=$!
		return ;;
	esac
	"$lkvm" run -k "$vmlinux" -i "$initrd" -m ${memory}M -c "$cpus" --params "$params $*" \
		-d "/dev/nullb0,queues=$cpus,poll=$poll" --stats /tmp/stats < /dev/null > $console 2>&1 &
	pid=$!
}

# total KEY: of all queues, as KEY=NUMBER, if lkvm ran
total() {
	sed -n "s/^ *\"$1\": \([0-9]*\),\{0,1\}\$/\1/p" /tmp/stats 2> /dev/null |
		awk -v key="$1" '{ n += $1 } END { if (NR) print key "=" n }'
}

# run RIVAL: prints its numbers; nothing when it stalled
run() {
	rm -f /tmp/stats
	start "$1"
	for _ in $(seq $((seconds + 90))); do
		sleep 1
		! grep -q 'end=1' $console || break
		kill -0 $pid 2> /dev/null || break
	done
	for _ in 1 2 3 4 5; do kill -0 $pid 2> /dev/null || break; sleep 1; done
	kill -KILL $pid 2> /dev/null
	wait $pid
	tr -d '\r' < $console | sed -n 's/.*BENCH \(iops=.*\) end=1.*/\1/p'
}

rmmod null_blk
modprobe null_blk queue_mode=2 submit_queues=4 hw_queue_depth=256 gb=4 bs=4096 irqmode=0 || exit 1
echo none > /sys/block/nullb0/queue/scheduler
for round in $(seq "$rounds"); do
	for rival in $rivals; do
		! grep -q "^$rival $round " "$dir/results" || continue
		for _ in 1 2 3; do
			numbers=$(run "$rival" 2> /dev/null)
			[ -z "$numbers" ] || break
			echo "$rival round $round: no result, once more: $(tail -n 1 $console)"
		done
		[ -n "$numbers" ] || continue
		numbers="$numbers $(total kicks) $(total polls_found)"
		echo "$rival round $round: $numbers"
		echo "$rival $round $numbers" >> "$dir/results"
	done
done
