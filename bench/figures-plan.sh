# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # bench/figures sets what is used
#
# figures-plan.sh - sourced: what bench/figures measures, as tables
#
# $cpus vCPUs, $steps the numbers of queues and I/O threads tried, $loads those of jobs, or $most if it
# is to be quick; $spinners I/O threads for figure 6, which may never sleep; $affinity how threads are
# placed; $talk what the tables of the talk are measured for.

# placed SERIAL [PREFIX]: the guest of a disk with affinity; of that disk alone, if there is a prefix.
# lkvm's own gives a guest no more threads than there are CPUs, so that each setting needs a guest of its own.
placed() {
	case $affinity in
	taskset) echo "${2-}placed-taskset" ;;
	*) echo "placed-$affinity-$1" ;;
	esac
}
alone() { placed "$1" "$1-"; }

# The disk of figure 7 with all there is; figure 6's, if that has as many threads.
best() { if [ "$spinners" = "$cpus" ]; then echo adaptive; else echo full; fi; }

# SERIAL GUEST DEVICE KEYS: a disk of a guest.  A guest that spins has no other, nor has one whose disk
# is adaptive: lkvm lets it poll longer only if there is a CPU for each thread of the whole guest.  Nor has
# "one": Linux gives each vector the CPU with the fewest, so that a lone queue's is on a job's CPU or not, by the
# disks before it; first in its guest, it is where that of q1 is, with which it is compared.
settings() {
	local n all="queues=$cpus,iothreads=$cpus" few="queues=$cpus,iothreads=$spinners"
	for n in $steps; do
		echo "q$n plain null queues=$n,iothreads=1,poll=off"
		echo "t$n $(placed "t$n") null queues=$cpus,iothreads=$n,poll=off"
	done
	echo "two plain null queues=2,iothreads=1,poll=off"
	echo "one one null queues=1,iothreads=1,poll=off,batch=1"
	echo "off plain null $few,poll=off"
	echo "off $(placed off) null $few,poll=off"
	echo "adaptive adaptive null $few"
	echo "adaptive $(alone adaptive) null $few"
	echo "always always null $few,poll=always"
	echo "always $(alone always) null $few,poll=always"
	[ "$(best)" = adaptive ] || echo "full $(alone full) null $all"
	echo "file.base plain file queues=1,iothreads=1,poll=off"
	echo "file.full $(alone file.full) file $all"
}

# loads_of FIGURE SERIES RIVAL RW [LOAD...]: points at depth 32
loads_of() {
	local jobs
	for jobs in ${5:-$loads}; do echo "$1 $2 $3 $4 $jobs 32 speed"; done
}

# FIGURE SERIES RIVAL RW JOBS DEPTH KIND: a point; the same measurement may be in several.
points() {
	local n rw device base jobs rival name full
	full=$(alone "$(best)")/$(best)
	for n in $steps; do loads_of 4 "${n}_queues" "plain/q$n" randread; done
	for n in $steps; do loads_of 5 "${n}_threads" "$(placed "t$n")/t$n" randread; done
	while read -r name rival; do
		loads_of 6 "$name" "$rival" randread "$most"
		[ -n "$most" ] && [[ $name == *affinity ]] || echo "6d1 $name $rival randread 1 1 speed"
	done <<- END
		exits plain/off
		exits+affinity $(placed off)/off
		adaptive adaptive/adaptive
		adaptive+affinity $(alone adaptive)/adaptive
		always always/always
		always+affinity $(alone always)/always
	END
	for device in null file; do
		base=plain/q1 rival=$full n=7
		[ $device = null ] || base=plain/file.base rival=$(alone file.full)/file.full n=8
		for rw in randread randwrite; do
			jobs=$most
			[ $device$rw != nullrandread ] || jobs=$loads
			loads_of $n bare_metal bare/$device $rw "$jobs"
			loads_of $n one_queue $base $rw "$jobs"
			loads_of $n lkvm "$rival" $rw "$jobs"
		done
	done
	for rival in bare/null plain/q1 "$full"; do
		echo "insn $rival $rival randread 2 32 insn"
	done
	for rw in $talk; do
		for rival in one/one plain/q1; do
			echo "batch ${rival#*/} $rival $rw 2 64 speed"
			echo "batch ${rival#*/} $rival $rw 2 64 calls"
		done
		for jobs in 2 4; do for rival in q1 two; do echo "queues $rival plain/$rival $rw $jobs 64 speed"; done; done
	done
}
