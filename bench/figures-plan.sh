# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # bench/figures sets what is used
#
# figures-plan.sh - sourced: what bench/figures measures, as tables
#
# $cpus vCPUs, $steps the numbers of queues and I/O threads tried, $loads those of jobs, or $most if it
# is to be quick; $spinners I/O threads for figure 6, which may never sleep; $placed is the guest with affinity, by whatever $affinity says; $talk what the tables
# of the talk are measured for.

# SERIAL GUEST DEVICE KEYS: a disk of a guest.  A guest that spins has no other.
settings() {
	local n all="queues=$cpus,iothreads=$cpus" few="queues=$cpus,iothreads=$spinners"
	for n in $steps; do
		echo "q$n plain null queues=$n,iothreads=1,poll=off"
		echo "t$n $placed null queues=$cpus,iothreads=$n,poll=off"
	done
	echo "two plain null queues=2,iothreads=1,poll=off"
	echo "one plain null queues=1,iothreads=1,poll=off,batch=1"
	for n in plain "$placed"; do
		echo "off $n null $few,poll=off"
		echo "adaptive $n null $few"
	done
	echo "always always null $few,poll=always"
	echo "always always-$placed null $few,poll=always"
	echo "full $placed null $all"
	echo "file.base plain file queues=1,iothreads=1,poll=off"
	echo "file.full $placed file $all"
}

# loads_of FIGURE SERIES RIVAL RW [LOAD...]: points at depth 32
loads_of() {
	local jobs
	for jobs in ${5:-$loads}; do echo "$1 $2 $3 $4 $jobs 32 speed"; done
}

# FIGURE SERIES RIVAL RW JOBS DEPTH KIND: a point; the same measurement may be in several.
points() {
	local n rw device base jobs rival name
	for n in $steps; do loads_of 4 "${n}_queues" "plain/q$n" randread; done
	for n in $steps; do loads_of 5 "${n}_threads" "$placed/t$n" randread; done
	while read -r name rival; do
		loads_of 6 "$name" "$rival" randread "$most"
		[ -n "$most" ] && [[ $name == *affinity ]] || echo "6d1 $name $rival randread 1 1 speed"
	done <<- END
		exits plain/off
		exits+affinity $placed/off
		adaptive plain/adaptive
		adaptive+affinity $placed/adaptive
		always always/always
		always+affinity always-$placed/always
	END
	for device in null file; do
		base=plain/q1 rival=$placed/full n=7
		[ $device = null ] || base=plain/file.base rival=$placed/file.full n=8
		for rw in randread randwrite; do
			jobs=$most
			[ $device$rw != nullrandread ] || jobs=$loads
			loads_of $n bare_metal bare/$device $rw "$jobs"
			loads_of $n one_queue $base $rw "$jobs"
			loads_of $n lkvm "$rival" $rw "$jobs"
		done
	done
	for rival in bare/null plain/q1 "$placed/full"; do
		echo "insn $rival $rival randread 2 32 insn"
	done
	for rw in $talk; do
		for rival in one q1; do
			echo "batch $rival plain/$rival $rw 2 64 speed"
			echo "batch $rival plain/$rival $rw 2 64 calls"
		done
		for jobs in 2 4; do for rival in q1 two; do echo "queues $rival plain/$rival $rw $jobs 64 speed"; done; done
	done
}
