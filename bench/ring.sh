#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make bench: every case of the ring benchmark (bench/ring.c), interleaved, as a
# table and as JSON.  docs/measuring.md says what is measured, and how.
#
#	QUICK=1		shorter, less exact
#	ROUNDS=N	samples of each case (9, QUICK: 3)
#	OUT=FILE	the JSON (build/bench/ring.json)
#	CASES=REGEX	only cases whose name matches
#
# Ends with 0 when it could measure, whether or not the bars are met.
set -eu
cd "$(dirname "$0")/.."

die() { echo "bench: $*" >&2; exit 1; }

ring=${RING:-build/x86/bench/ring}
dir=build/bench
out=${OUT:-$dir/ring.json}
quick=${QUICK:-}
rounds=${ROUNDS:-${quick:+3}}
rounds=${rounds:-9}
ms=120 mib=256 count=20000
if [ -n "$quick" ]; then
	ms=60 mib=128 count=5000
fi
mkdir -p $dir
samples=$dir/samples.jsonl
log=$dir/ring.log
: > $samples
: > $log

# NAME DISK MODE QUEUES THREADS [OPTION...]; a file's bare case stands before what
# is compared with it: the same disk, queues and threads.
cases() {
	local disk shape
	for shape in '1 1' '4 1' '16 1' '2 2' '16 16'; do
		echo "null/turns/q${shape/ /t} null turns $shape"
	done
	echo 'null/turns/q1t1/packed null turns 1 1 -r packed'
	echo 'null/turns/q1t1/limits null turns 1 1 -l'
	echo "null/turns/q1t1/trace null turns 1 1 -T $trace"
	echo 'null/threads/q1t1/packed null threads 1 1 -P always -r packed'
	echo 'null/threads/q1t1/poll=off null threads 1 1'
	for shape in '1 1' '4 1' '16 1' '16 16'; do
		echo "null/threads/q${shape/ /t} null threads $shape -P always"
	done
	for disk in tmpfs disk; do
		for shape in '1 1' '4 1' '2 2'; do
			echo "$disk/bare/q${shape/ /t} $disk bare $shape"
			echo "$disk/turns/q${shape/ /t} $disk turns $shape"
			[ "$shape" = '2 2' ] || echo "$disk/threads/q${shape/ /t} $disk threads $shape -P always"
		done
	done
}

tmpfs=/dev/shm/lkvm-bench.$$
image=$dir/ring.img
trace=/dev/shm/lkvm-bench.$$.trace
trap 'rm -f $tmpfs $image $trace' EXIT
trap 'exit 130' INT TERM

make_file() {
	dd if=/dev/urandom of="$1" bs=1M count=$mib conv=fsync status=none 2>> $log ||
		die "cannot write $mib MiB to $1: make room there"
}

path() {
	case $1 in
	null) echo null:1G ;;
	tmpfs) echo $tmpfs ;;
	disk) echo $image ;;
	esac
}

# measure NAME DISK MODE QUEUES THREADS OPTION...: one line of JSON
measure() {
	local name=$1 disk=$2 mode=$3 queues=$4 threads=$5
	shift 5
	timeout 60 "${under[@]}" "$ring" -m "$mode" -p "$(path "$disk")" -q "$queues" -t "$threads" "$@" 2>> $log > $dir/sample || {
		tail -n 3 $log >&2
		die "$name failed; more in $log"
	}
	sed "s,^{,{\"case\":\"$name\"\,\"disk\":\"$disk\"\,," $dir/sample
}
under=()

# The same, but counting instructions; times are no times then.
measure_counted() {
	local line total
	[ "$counter" = perf ] || under=(valgrind --tool=callgrind --collect-atstart=no "--callgrind-out-file=$dir/callgrind.out")
	line=$(measure "$@" -c -n $count)
	if [ "$counter" = callgrind ]; then
		total=$(sed -n 's/^totals: //p' $dir/callgrind.out)
		[ "$1" != null/turns/q1t1 ] || cp $dir/callgrind.out $dir/callgrind.null
		line=$(jq -c --argjson total "$total" '.instructions = $total / .requests' <<< "$line")
	fi
	under=()
	jq -c '{case, counted: true, instructions}' <<< "$line"
}

# Struct layout: NAME SIZE ALIGN lines, by the compiler's own debug information.
layout() {
	local struct
	for struct in blk_queue disk_queue null_queue aio_queue aio_context aio_req iothread; do
		pahole -C $struct "$ring" 2>> $log | awk -v name=$struct '
			/\/\* size:/ { size = $3 + 0 }
			/^}/ { align = match($0, /__aligned__\([0-9]+\)/) ? substr($0, RSTART + 12, RLENGTH - 13) : 0 }
			END { if (size) printf "{\"struct\":\"%s\",\"size\":%d,\"align\":%d}\n", name, size, align }'
	done
}

counter=$("$ring" -C)
if [ "$counter" = callgrind ]; then
	command -v valgrind > /dev/null || die "no valgrind to count instructions: run scripts/setup.sh bench"
fi
read -r load _ < /proc/loadavg
awk -v load="$load" 'BEGIN { exit load < 0.5 }' &&
	echo "bench: this machine is busy (load $load): times and throughput will mislead" >&2
make_file $tmpfs
make_file $image
cases | grep -E "${CASES:-.}" > $dir/cases || die "no case matches CASES=${CASES:-}"
n=$(wc -l < $dir/cases)

# In one order, then in the other: what drifts meets both sides alike.
for ((round = 1; round <= rounds; round++)); do
	[ -t 2 ] && printf '\rround %d of %d, %d cases ' "$round" "$rounds" "$n" >&2 || echo "round $round of $rounds, $n cases" >&2
	while read -r -a case; do
		measure "${case[@]}" -w $ms >> $samples
	done < <(if ((round % 2)); then cat $dir/cases; else tac $dir/cases; fi)
done
[ ! -t 2 ] || echo >&2
echo "instructions, by $counter" >&2
while read -r -a case; do
	case ${case[2]} in
	turns | bare) measure_counted "${case[@]}" >> $samples ;;
	esac
done < $dir/cases
echo "cache lines" >&2
for case in 'null 2 2' 'null 16 16' 'tmpfs 2 2' 'disk 4 2'; do
	read -r where queues threads <<< "$case"
	measure "lines/$where/q${queues}t$threads" "$where" lines "$queues" "$threads" >> $samples
done

layout | jq -s . > $dir/layout.json
jq -s -f bench/ring.jq --slurpfile layout $dir/layout.json --argjson rounds "$rounds" \
	--arg counter "$counter" --arg cpus "$(nproc)" --arg load "$load" \
	--arg model "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
	--arg kernel "$(uname -r)" --arg quick "$quick" \
	--arg commit "$(git describe --always --dirty 2> /dev/null || echo unknown)" $samples > "$out.new"
mv "$out.new" "$out"
bench/show "$out"
echo "JSON: $out; two of them: bench/diff A.json B.json"
