#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# /init of the guests of bench/compare and bench/figures: one fio run, as the kernel's
# command line tells, or one for each line "SERIAL RW JOBS DEPTH SECONDS" on the console;
# silent while it lasts, for every character on the console is an exit.  "compare-guest.sh
# fio DISK RW JOBS DEPTH SECONDS [HOW]" is the same run without a VM, on the host itself.

# spread JOBS: a CPU for each, as far apart as there is room; the second thread of a core only when each
# core has a job.
spread() {
	grep -H . "${SYSFS:-/sys}"/devices/system/cpu/cpu[0-9]*/topology/thread_siblings_list | awk -F '[/:]' -v jobs="$1" '
		{
			id = substr($(NF - 3), 4) + 0
			rank[id] = 0
			if (id > last) last = id
			# How many siblings are before it.
			n = split($NF, range, ",")
			for (i = 1; i <= n; i++) {
				split(range[i] "-" range[i], end, "-")
				for (c = end[1] + 0; c <= end[2] + 0 && c < id; c++) rank[id]++
			}
		}
		END {
			for (r = 0; cpus < NR; r++) {
				for (id = 0; id <= last; id++) if (id in rank && rank[id] == r) cpu[cpus++] = id
				if (r == 0) cores = cpus
			}
			for (i = 0; i < jobs && i < cpus; i++) text = text (i ? "," : "") cpu[jobs < cores ? int(i * cores / jobs) : i]
			print text
		}'
}

# What the host's side looks for: "BENCH module" and a line of /proc/modules, if it
# wants them; "BENCH ready"; then for each run one line of KEY=NUMBER.
# Terse fields, reads first, writes 41 behind: 6 KiB, 8 IOPS, 30 99th percentile, 40
# mean; both of the total latency, from submission to completion, in us.
# HOW, the sixth argument: a number is how many requests a system call submits or waits for
# (1); "spread", or what bench/figures has behind "bare", each job has a CPU of its own while
# there are as many, as far from the others' as there is room.
measure() {
	case ${6-} in
	spread | /*) set -- "$1" "$2" "$3" "$4" "$5" --cpus_allowed_policy=split --cpus_allowed="$(spread "$3")" ;;
	[0-9]*) set -- "$1" "$2" "$3" "$4" "$5" --iodepth_batch="$6" --iodepth_batch_complete_min="$6" ;;
	esac
	fio --name=bench --filename="$1" --ioengine=libaio --direct=1 --rw="$2" --bs=4k \
		--numjobs="$3" --iodepth="$4" --size=100% --randrepeat=0 --norandommap \
		--clat_percentiles=0 --lat_percentiles=1 \
		--runtime="$5" --time_based --group_reporting --minimal ${6:+"$6" "$7"} 2>&1 |
		awk -F ';' 'NF > 81 {
			if ($6 == 0) shift = 41
			p99 = $(30 + shift)
			sub(/.*=/, "", p99)
			printf "BENCH iops=%d lat=%.1f p99=%d io=%d", $(8 + shift), $(40 + shift), p99, $(6 + shift) / 4
		}'
}
if [ "${1-}" = fio ]; then shift; measure "$@"; echo; exit; fi

/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done < /modules.list
param() { sed -n "s/^\(.* \)\{0,1\}$1=\([^ ]*\).*/\2/p" /proc/cmdline; }
# Those of a disk's queues ("virtio0-req.1"), or of its pin.
interrupts() { awk -v d="$(basename "$(readlink "/sys/block/$1/device")")" '$0 ~ d "($|[^0-9])" && !/config/ {
	for (i = 2; i <= NF && $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }' /proc/interrupts; }

# The default scheduler depends on the number of queues: the same for all.
for scheduler in /sys/block/vd*/queue/scheduler; do echo none > "$scheduler"; done
# Loaded once, so that the start of the measured run is short.
fio --version > /dev/null

# report DISK RW JOBS DEPTH SECONDS [HOW]
report() {
	[ -z "$(param profile)" ] || sed 's/^/BENCH module /' /proc/modules
	before=$(interrupts "${1#/dev/}")
	[ "${6-}" = spread ] || { echo "BENCH ready"; sleep 2; }
	result=$(measure "$@")
	echo "$result irqs=$(($(interrupts "${1#/dev/}") - before)) end=1"
}
if [ -n "$(param rw)" ]; then
	report /dev/vda "$(param rw)" "$(param jobs)" "$(param depth)" "$(param seconds)" "$(param batch)"
	sleep 1
	reboot -f
fi
stty -echo
# The first run of a guest would be slower: what emulates it has all of its code yet to translate.
measure /dev/vda randread "$(nproc)" 32 1 spread > /dev/null
echo "BENCH ready"
while read -r serial job; do
	disk=$(grep -lx "$serial" /sys/block/vd*/serial)
	disk=${disk#/sys/block/}
	# shellcheck disable=SC2086 # words
	report "/dev/${disk%/serial}" $job spread
done
