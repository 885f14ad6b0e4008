#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# ring3.sh - how poll= serves a guest that runs at native speed on this /dev/kvm
#
# The ring-3 guest (tests/payload/ring3, docs/ring3.md) reads 4k blocks at random,
# in real time, on a null: disk and on a file in tmpfs.  All settings and builds
# take turns in each round; the table shows medians, and the ratios of IOPS and of
# the median latency to poll=off of the same build.  Keep the machine quiet meanwhile.
#
#	LKVM="PATH..."    builds to compare (build/x86/lkvm)
#	POLL="off adaptive always" MODES="poll irq" DEPTHS="1 4 32"
#	DISKS="null tmpfs"
#	ROUNDS=3 SECONDS_EACH=1 QUEUES=1 CPUS=1
#	OPTIONS=          more keys for --disk (merge=off)
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
dir=$top/build/bench
: "${LKVM=$top/build/x86/lkvm}" "${POLL=off adaptive always}" "${MODES=poll irq}" "${DEPTHS=1 4 32}"
: "${DISKS=null tmpfs}" "${ROUNDS=3}" "${SECONDS_EACH=1}" "${QUEUES=1}" "${CPUS=1}" "${OPTIONS=}"
results=$dir/ring3.results
file=/dev/shm/lkvm-ring3.$$

if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
	echo "ring3.sh: no /dev/kvm that can be used: nothing to measure" >&2
	exit 1
fi
read -r load _ < /proc/loadavg
[ "${load%.*}" -lt 1 ] ||
	echo "ring3.sh: load $load before the first run: others use the cores, the figures will mean little" >&2
mkdir -p "$dir"
"$top/tests/payload/ring3/build.sh" "$dir"
trap 'rm -f "$file"' EXIT

path() { if [ "$1" = null ]; then echo null:1G; else echo "$file"; fi; }

# measure BUILD DISK MODE DEPTH POLL: one line of results
measure() {
	local stats=$dir/ring3.stats said=$dir/ring3.out line sleeps

	rm -f "$stats"
	timeout -k 5 $((SECONDS_EACH + 20)) "$1" run -k "$dir/ring3.elf" -c "$CPUS" --stats "$stats" \
		-p "mode=$3 depth=$4 queues=$QUEUES seconds=$SECONDS_EACH" \
		-d "$(path "$2"),queues=$QUEUES,poll=$5${OPTIONS:+,$OPTIONS}" < /dev/null > "$said" 2>&1 || :
	line=$(sed -n 's/^RING3 //p' "$said" | tr ' ' '\n' | awk -F= '{ v[$1] = $2 }
		END { print v["iops"], v["lat_ns"], v["p50_ns"], v["p99_ns"], v["kicks"], v["irqs"], v["requests"] }')
	if ! grep -q '^PASS' "$said"; then
		echo "ring3.sh: $1, $2, mode=$3 depth=$4 poll=$5: no result: $(tail -n 1 "$said")" >&2
		return
	fi
	sleeps=$(jq -r "[.iothreads[].sleeps] | add * 1000 / ${line##* } | floor" "$stats")
	echo "$1 $2 $3 $4 $5 ${line% *} $sleeps" >> "$results"
}

# median FIELD KEY...: of the results that begin with these words
median() {
	local field=$1

	shift
	awk -v key="$* " -v f="$field" 'index($0, key) == 1 { print $f }' "$results" | sort -n |
		awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : 0 }'
}

us() { awk -v ns="$1" 'BEGIN { printf "%.1f", ns / 1000 }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b; else print "-" }'; }

# row BUILD DISK MODE DEPTH POLL: one line of the table
row() {
	local iops p50 off=("$1" "$2" "$3" "$4" off)

	iops=$(median 6 "$@") p50=$(median 8 "$@")
	printf '%-6s %-5s %5s %-9s %9s %7s  %8s %8s %8s %7s  %6s %6s %6s  %s\n' "$2" "$3" "$4" "$5" \
		"$iops" "$(ratio "$iops" "$(median 6 "${off[@]}")")" \
		"$(us "$(median 7 "$@")")" "$(us "$p50")" "$(us "$(median 9 "$@")")" "$(ratio "$p50" "$(median 8 "${off[@]}")")" \
		"$(median 10 "$@")" "$(median 11 "$@")" "$(median 12 "$@")" "$1"
}

# every COMMAND: for each setting
every() {
	local disk mode depth poll build

	for disk in $DISKS; do
		for mode in $MODES; do
			for depth in $DEPTHS; do
				for poll in $POLL; do
					for build in $LKVM; do "$1" "$build" "$disk" "$mode" "$depth" "$poll"; done
				done
			done
		done
	done
}

: > "$results"
head -c 256M /dev/zero > "$file"
for round in $(seq "$ROUNDS"); do
	echo "round $round of $ROUNDS, load $(cut -d ' ' -f 1 /proc/loadavg)" >&2
	every measure
done
echo "4k random read, $CPUS vCPU(s), $QUEUES queue(s), medians of $ROUNDS interleaved runs of $SECONDS_EACH s; load now $(cut -d ' ' -f 1 /proc/loadavg)"
echo "                                               latency, us                         per 1000 requests"
echo "disk   mode  depth poll           IOPS  to off      mean      p50      p99  to off   kicks   irqs sleeps  build"
every row
