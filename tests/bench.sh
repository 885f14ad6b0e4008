#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The ring benchmark runs, and its bars that are counts hold: instructions,
# allocations, locks, shared cache lines.  Its times are nobody's test.  The report of
# bench/figures and its model do (tests/figures.sh).
# The counts go to $COUNTS, if set: "passed failed skipped".
set -u
cd "$(dirname "$0")/.."

dir=build/check
log=$dir/bench.log
mkdir -p $dir
passed=0 failed=0 skipped=0
ok() { passed=$((passed + 1)); echo "ok - bench: $1"; }
bad() { failed=$((failed + 1)); echo "not ok - bench: $1"; }

if ! command -v valgrind jq > /dev/null; then
	skipped=1
	echo "skip - bench: no valgrind or no jq"
elif make --no-print-directory build/x86/bench/ring > $log 2>&1 &&
	QUICK=1 CASES='^null/turns/q1(t1|6t16)' OUT=$dir/bench.json bench/ring.sh >> $log 2>&1; then
	ok "runs"
	for bar in "null, 1 queue: instructions" "null, 16 queues on 16 threads" "every request traced" allocations locks "cache lines written by two"; do
		if grep -q "^$bar.* ok " $log; then ok "$bar"; else bad "$bar: $(grep "^$bar" $log | head -n 1)"; fi
	done
else
	bad "does not run: $(tail -n 2 $log | head -n 1)"
fi

said=$(tests/figures.sh)
echo "$said"
passed=$((passed + $(grep -c '^ok' <<< "$said")))
failed=$((failed + $(grep -c '^not ok' <<< "$said")))
skipped=$((skipped + $(grep -c '^skip' <<< "$said")))
[ -z "${COUNTS:-}" ] || echo "$passed $failed $skipped" > "$COUNTS"
[ $failed -eq 0 ]
