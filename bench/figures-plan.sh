# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # bench/figures sets what is used
#
# figures-plan.sh - sourced: what bench/figures measures, as tables
#
# $cpus vCPUs, of which $steps are the numbers of queues, I/O threads and jobs tried ($loads:
# of jobs); "placed" is the guest with affinity, by whatever $affinity says.

# SERIAL GUEST DEVICE KEYS: a disk of a guest.  A guest that spins has no other.
settings() {
	local n all="queues=$cpus,iothreads=$cpus"
	for n in $steps; do
		echo "q$n plain null queues=$n,iothreads=1,poll=off"
		echo "t$n $placed null queues=$cpus,iothreads=$n,poll=off"
	done
	echo "one plain null queues=1,iothreads=1,poll=off,batch=1"
	echo "off plain null $all,poll=off"
	echo "adaptive plain null $all"
	echo "full $placed null $all"
	echo "always always null $all,poll=always"
	echo "always always-$placed null $all,poll=always"
	echo "file.base plain file queues=1,iothreads=1,poll=off"
	echo "file.full $placed file $all"
}

# lines FIGURE SERIES RIVAL RW DEPTH: for each load
loads_of() {
	local jobs
	for jobs in $loads; do echo "$1 $2 $3 $4 $jobs $5 speed"; done
}

# FIGURE SERIES RIVAL RW JOBS DEPTH KIND: a point; the same measurement may be in several.
points() {
	local n rw device base jobs rival
	for n in $steps; do loads_of 4 "${n}_queues" "plain/q$n" randread 32; done
	for n in $steps; do loads_of 5 "${n}_threads" "$placed/t$n" randread 32; done
	while read -r name rival; do
		loads_of 6 "$name" "$rival" randread 32
		echo "6d1 $name $rival randread 1 1 speed"
	done <<- END
		exits plain/off
		exits+affinity $placed/t$cpus
		adaptive plain/adaptive
		adaptive+affinity $placed/full
		always always/always
		always+affinity always-$placed/always
	END
	for device in null file; do
		base=plain/q1 rival=$placed/full n=7
		[ $device = null ] || base=plain/file.base rival=$placed/file.full n=8
		for rw in randread randwrite; do
			loads_of $n bare_metal bare/$device $rw 32
			loads_of $n one_queue $base $rw 32
			loads_of $n lkvm "$rival" $rw 32
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
		for jobs in 2 4; do for n in 1 2; do echo "queues q$n plain/q$n $rw $jobs 64 speed"; done; done
	done
}
