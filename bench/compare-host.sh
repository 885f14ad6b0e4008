#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154,SC2317 # the settings are read, the table calls functions
#
# compare-host.sh DIR - the part of bench/compare and bench/figures that runs on the host of the VMs
#
# DIR holds what engine.sh left there:
#
#	settings   shell: disk= file= hwqueues= cpus= queues= seconds= quiet= kernel= initrd= extra=
#	rivals     NAME<tab>shell assignments, then its command
#	plan       NUMBER TOTAL KIND OUTER RW JOBS DEPTH RIVAL ROUND, one a line
#	results    those of former runs; what is done there is not done again
#	sample     sample.c; insn: what insn.c writes; load: what watch_load() writes
#	profile.*  instructions per request by function, of each insn run
#
# Each measurement appends a line to DIR/results: KIND ... ROUND KEY=NUMBER...; a
# stalled one a line "stall KIND ... ROUND why", one beside too much other load a line
# "noisy ..."; either is repeated up to three times.
# A rival "bare" is fio on this host.  Of a rival GUEST/SERIAL the guest, a line of rivals, has
# several disks and stays for as long as it is wanted by the next measurement; SERIAL is the disk's.
# Such a guest's jobs have a vCPU each while there are enough, as far apart as there is room.  The host's device is
# $file for names with "file", else $disk.
# KIND is speed (IOPS, latency, and what the host counts anyway), calls (system
# calls, by a tracepoint that disturbs) or insn (instructions, by an emulator that
# disturbs), so only speed tells the speed.
set -u

dir=$1
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck disable=SC1091
. "$dir/settings"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tries=3
# Open for as long as this runs, so that its guests see no end of it.
input=$work/input
kept=''
mkfifo "$input"
exec 4<> "$input"

# --- what the commands in the table use ---------------------------------------

# qemu PROGRAM ARGS...: the machine and the disk's back end, named n
qemu() {
	local program=$1
	shift
	exec "$program" -M pc,accel=kvm -cpu host -smp "$cpus" -m 512 -nodefaults -display none -serial stdio \
		-no-reboot -kernel "$kernel" -initrd "$initrd" -append "$params" \
		-blockdev "driver=raw,node-name=n,file.driver=host_device,file.filename=$disk,cache.direct=on,file.aio=native" "$@"
}
qemu_iothreads() { for i in $(seq "$queues"); do printf ' -object iothread,id=t%d' "$i"; done; }
qemu_mapping() { seq "$queues" | sed 's/.*/{"iothread":"t&"}/' | paste -sd , | sed 's/.*/[&]/'; }

# --- one run ------------------------------------------------------------------

# start GUEST [JOB]: its VMM in the background, $pid.  JOB, words for the guest's command line,
# is all that the guest does; without it, the guest waits for lines on $input.
start() {
	local command stdin=${2:+/dev/null}
	command=$(sed -n "s,^$1	,,p" "$dir/rivals")
	params="console=ttyS0 quiet panic=-1 ${2-} $extra"
	: > "$work/console"
	(
		set -f
		eval "set -- ; ${command%%	*}; set -- ${command#*	}"
		if [ "$1" = qemu ]; then "$@"; else exec "$@"; fi
	) < "${stdin:-$input}" >> "$work/console" 2>> "$work/errors" &
	pid=$!
}

# await PATTERN SECONDS: until the guest has said it
await() {
	local end=$(($(date +%s) + $2))
	while [ "$(date +%s)" -le $end ]; do
		sleep 0.3
		grep -q "$1" "$work/console" && return 0
		kill -0 "$pid" 2> /dev/null || return 1
	done
	return 1
}

finish() {
	for _ in $(seq "${1:-20}"); do kill -0 "$pid" 2> /dev/null || break; sleep 0.2; done
	kill -KILL "$pid" 2> /dev/null
	wait "$pid" 2> /dev/null
}

# vCPUs on the first half of the CPUs, the I/O threads of each disk on the second.
place() {
	local task name half=$((($(nproc) + 1) / 2))
	for task in "/proc/$pid/task"/*; do
		name=$(cat "$task/comm")
		case $name in
		*/vcpu*)   taskset -pc $((${name#*/vcpu} % half)) "${task##*/}" ;;
		*/vd*.q*)  name=${name##*.q}; taskset -pc $(($(nproc) - half + ${name%+} % half)) "${task##*/}" ;;
		esac
	done > /dev/null
}

# keep GUEST: it is the one that runs, and waits
keep() {
	[ "$1" != "$kept" ] || ! kill -0 "$pid" 2> /dev/null || return 0
	drop
	start "$1"
	await 'BENCH ready' 60 || { finish 0; return 1; }
	case $1 in *-taskset) place ;; esac
	kept=$1
}

drop() {
	[ -z "$kept" ] || finish 0
	kept=''
}

# sample [PID [calls]]: in the background, $sampler; begins when the load does
sample() {
	local settle=$((seconds < 3 ? 200 : 500))
	"$dir/sample" "${device##*/}" $settle $((seconds * 1000 - 3 * settle)) "$@" > "$work/sample" 2>> "$work/errors" &
	sampler=$!
}

# What the guest or the host's fio said, as KEY=NUMBER words.
said() { tr -d '\r' < "$work/console" | sed -n 's/.*BENCH \(iops=.*\)/\1/p'; }

# profile FILE: what ran between the last two marks, by function, into FILE; prints the sums
profile() {
	local requests
	requests=$(sed 's/requests=\([0-9]*\).*/\1/' "$work/sample")
	tr -d '\r' < "$work/console" | sed -n 's/.*BENCH module //p' > "$work/modules"
	awk -v requests="$requests" -f "$top/bench/compare-profile.awk" "$work/kallsyms" "$work/modules" "$dir/insn" |
		sort -rn > "$1"
	awk -v requests="$requests" '{ sum[$2] += $1; if ($2 ~ /kernel/) sum[$2 "." $3] += $1 }
		END { for (k in sum) printf "%s=%.0f ", k, sum[k] * requests }' "$1"
}

# others BEFORE: what else the machine below this emulated host did since, in % of it
others() {
	[ -z "$1" ] || echo "$1 $(cat "$dir/load")" | awk '$4 > $2 { n = 100 * ($3 - $1) / ($4 - $2); printf "others=%d", n < 0 ? 0 : n }'
}

# run KIND RIVAL TITLE: prints its numbers; nothing when it stalled
run() {
	local sampler='' load='' numbers device=$disk job="rw=$rw jobs=$jobs depth=$depth seconds=$seconds"
	case $2 in *file*) device=$file ;; esac
	: > "$work/sample"
	: > "$work/errors"
	case $2 in
	bare*)
		drop
		sample
		load=$(cat "$dir/load" 2> /dev/null)
		"$top/bench/compare-guest.sh" fio "$device" "$rw" "$jobs" "$depth" "$seconds" "${2#bare}" > "$work/console" 2>&1 ;;
	*/*)
		keep "${2%%/*}" || return 1
		: > "$work/console"
		load=$(cat "$dir/load" 2> /dev/null)
		case $1 in calls) sample "$pid" calls ;; *) sample "$pid" ;; esac
		echo "${2#*/} $rw $jobs $depth $seconds" >&4
		sleep "$seconds"
		# After so short a run its window may not be over.
		if await 'end=1' 45; then wait "$sampler"; else drop; fi ;;
	*)
		start "$2" "$job"
		if await 'BENCH ready' 60; then
			load=$(cat "$dir/load" 2> /dev/null)
			case $1 in calls) sample "$pid" calls ;; *) sample "$pid" ;; esac
			await 'end=1' $((seconds + 45))
		fi
		finish ;;
	esac
	[ -z "$sampler" ] || { kill "$sampler"; wait "$sampler"; } 2> /dev/null
	numbers=$(said)
	[ -n "$numbers" ] && [ -s "$work/sample" ] || return 1
	numbers="$numbers $(others "$load")"
	if [ "$1" = insn ]; then
		numbers="$numbers $(profile "$dir/profile.$3" 2>> "$work/errors")"
		[ -s "$dir/profile.$3" ] || return 1
	fi
	echo "$numbers $(cat "$work/sample")"
}

# measure NUMBER TOTAL KIND OUTER RW JOBS DEPTH RIVAL ROUND
measure() {
	local key="$3 $4 $5 $6 $7 $8 $9" numbers title others
	rw=$5 jobs=$6 depth=$7
	title="[$1/$2] $8 $4 CPUs ${6}x$7 $5 $3 round $9"
	grep -q "^$key " "$dir/results" && return
	while [ "$(grep -c "^stall $key " "$dir/results")" -lt $tries ]; do
		# If the host itself dies meanwhile, this tells its next life.
		echo "$key" > "$dir/current"
		if run "$3" "$8" "$4.$5.$6x$7.${8//\//-}.$9" > "$work/numbers"; then
			rm "$dir/current"
			numbers=$(cat "$work/numbers")
			others=$(sed -n 's/.*others=\([0-9]*\).*/\1/p' <<< "$numbers")
			if [ "${others:-0}" -gt "$quiet" ] && [ "$(grep -c "^noisy $key " "$dir/results")" -lt $tries ]; then
				echo "noisy $key $numbers" >> "$dir/results"
				echo "$title: others took $others % of this machine; once more in 20 s"
				sleep 20
				continue
			fi
			echo "$key $numbers" >> "$dir/results"
			echo "$title: ${numbers%% io=*}"
			return
		fi
		rm "$dir/current"
		echo "stall $key $(tail -qn 1 "$work/errors" "$work/console" | tr -d '\r' | tr '\n' ' ')" >> "$dir/results"
		echo "$title: stalled: $(tail -qn 2 "$work/errors" "$work/console" | tr -d '\r' | tr '\n' ' ')"
	done
	echo "$title: given up after $tries stalls"
}

# Left there by a run that this one repeats: the host stalled.
if [ -e "$dir/current" ]; then
	echo "stall $(cat "$dir/current") the emulated host" >> "$dir/results"
	rm "$dir/current"
fi
if [ "$disk" = /dev/nullb0 ] && [ ! -b /dev/nullb0 ]; then
	modprobe null_blk queue_mode=2 submit_queues="$hwqueues" hw_queue_depth=256 gb=4 bs=4096 irqmode=0 || exit 1
fi
for device in "$disk" ${file:+"$file"}; do
	echo none > "/sys/block/${device##*/}/queue/scheduler"
done
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
# Where functions are, the same in the guests.
if grep -q ' insn ' "$dir/plan"; then
	extra="nokaslr profile=1 $extra"
	grep -E '^[0-9a-f]+ [tTwW] ' /proc/kallsyms | LC_ALL=C sort > "$work/kallsyms"
fi
# The commands read the console; the plan is read beside them.
while read -r -u 3 -a words; do measure "${words[@]}"; done 3< "$dir/plan"
drop
exit 0
