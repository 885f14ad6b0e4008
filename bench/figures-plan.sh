# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # bench/figures sets what is used
#
# figures-plan.sh - sourced: what bench/figures measures, as tables
#
# $cpus vCPUs, $steps the numbers of queues and I/O threads tried, $loads those of jobs, or $most if it
# is to be quick; $spinners I/O threads for figure 6, which may never sleep; $affinity how threads are
# placed; $talk what the tables of the talk are measured for.

# placed SERIAL: the guest of a disk with affinity.  lkvm's own gives a guest no more threads than there
# are CPUs, so that each setting needs a guest of its own.
placed() {
	case $affinity in
	taskset) echo placed-taskset ;;
	*) echo "placed-$affinity-$1" ;;
	esac
}

# SERIAL GUEST DEVICE KEYS: a disk of a guest.  A guest that spins has no other.
settings() {
	local n all="queues=$cpus,iothreads=$cpus" few="queues=$cpus,iothreads=$spinners"
	for n in $steps; do
		echo "q$n plain null queues=$n,iothreads=1,poll=off"
		echo "t$n $(placed "t$n") null queues=$cpus,iothreads=$n,poll=off"
	done
	echo "two plain null queues=2,iothreads=1,poll=off"
	echo "one plain null queues=1,iothreads=1,poll=off,batch=1"
	echo "off plain null $few,poll=off"
	echo "off $(placed off) null $few,poll=off"
	echo "adaptive plain null $few"
	echo "adaptive $(placed adaptive) null $few"
	echo "always always null $few,poll=always"
	echo "always always-$(placed always) null $few,poll=always"
	echo "full $(placed full) null $all"
	echo "file.base plain file queues=1,iothreads=1,poll=off"
	echo "file.full $(placed file.full) file $all"
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
	for n in $steps; do loads_of 5 "${n}_threads" "$(placed "t$n")/t$n" randread; done
	while read -r name rival; do
		loads_of 6 "$name" "$rival" randread "$most"
		[ -n "$most" ] && [[ $name == *affinity ]] || echo "6d1 $name $rival randread 1 1 speed"
	done <<- END
		exits plain/off
		exits+affinity $(placed off)/off
		adaptive plain/adaptive
		adaptive+affinity $(placed adaptive)/adaptive
		always always/always
		always+affinity always-$(placed always)/always
	END
	for device in null file; do
		base=plain/q1 rival=$(placed full)/full n=7
		[ $device = null ] || base=plain/file.base rival=$(placed file.full)/file.full n=8
		for rw in randread randwrite; do
			jobs=$most
			[ $device$rw != nullrandread ] || jobs=$loads
			loads_of $n bare_metal bare/$device $rw "$jobs"
			loads_of $n one_queue $base $rw "$jobs"
			loads_of $n lkvm "$rival" $rw "$jobs"
		done
	done
	for rival in bare/null plain/q1 "$(placed full)/full"; do
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
