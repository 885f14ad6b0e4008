#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make test: every rung, the line that sums up.
set -u
cd "$(dirname "$0")/.."

total=(0 0 0)
# rung NAME COMMAND...: count what it says in $COUNTS
rung() {
	local name=$1 counts i begin=$SECONDS
	shift
	echo "=== $name"
	counts=$(mktemp build/counts.XXXXXX)
	COUNTS=$counts "$@"
	if ! read -r -a counted < "$counts"; then
		echo "not ok - $name did not finish"
		counted=(0 1 0)
	fi
	rm -f "$counts"
	echo "# $((SECONDS - begin)) s"
	for i in 0 1 2; do
		total[i]=$((total[i] + counted[i]))
	done
}

# beside DIR COMMAND...: in the background, with all that it starts in a group of
# processes; what it prints and counts is in DIR for finish, which a later rung runs.
beside() {
	local dir=$1
	shift
	rm -rf "$dir"
	mkdir -p "$dir"
	set -m
	COUNTS=$dir/counts "$@" < /dev/null > "$dir/out" 2>&1 &
	set +m
	echo $! > "$dir/pid"
}

finish() {
	wait "$(cat "$1/pid")"
	cat "$1/out"
	cp "$1/counts" "$COUNTS"
}

trap 'for pid in $(jobs -p); do kill -- -$pid; done 2> /dev/null' EXIT
mkdir -p build
make --no-print-directory -j"$(nproc)" all || exit 1
# Some cases cut a real kernel to pieces; without a network they are skipped.
for flavour in cloud-amd64 powerpc64le; do
	scripts/kernel.sh $flavour > /dev/null || true
done
# Neither has work for all processors all the time.
beside build/rung-fuzz tests/fuzz/run.sh
beside build/rung-coverage tests/coverage.sh
rung "unit tests, style" tests/check.sh
rung "fuzzing" finish build/rung-fuzz
rung "coverage" finish build/rung-coverage
beside build/rung-bench tests/bench.sh
rung "ten million requests" tests/soak.sh
rung "the benchmark runs, and its counts" finish build/rung-bench
# It gets the processor that these leave idle: they look closer at the time than it does.
beside build/rung-power nice tests/system/power.sh
rung "payload guests on /dev/kvm" tests/payload/run.sh
rung "examples of the documents" tests/docs.sh
rung "some of them with sanitizers" tests/sanitize.sh --some
rung "Debian guests in an emulated POWER8 host" finish build/rung-power
rung "Debian guests in an emulated host" tests/system/run.sh
echo "${total[0]} passed, ${total[1]} failed, ${total[2]} skipped"
[ "${total[1]}" -eq 0 ]
