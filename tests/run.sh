#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make test: every rung, the line that sums up.
set -u
cd "$(dirname "$0")/.."

total=(0 0 0)
rung() {
	local name=$1 counts i
	shift
	echo "=== $name"
	counts=$(mktemp build/counts.XXXXXX)
	COUNTS=$counts "$@"
	if ! read -r -a counted < "$counts"; then
		echo "not ok - $name did not finish"
		counted=(0 1 0)
	fi
	rm -f "$counts"
	for i in 0 1 2; do
		total[i]=$((total[i] + counted[i]))
	done
}

mkdir -p build
make --no-print-directory -j"$(nproc)" all || exit 1
# Some cases cut a real kernel to pieces; without a network they are skipped.
for flavour in cloud-amd64 powerpc64le; do
	scripts/kernel.sh $flavour > /dev/null || true
done
rung "unit tests, style" tests/check.sh
rung "fuzzing" tests/fuzz/run.sh
rung "ten million requests" tests/soak.sh
rung "coverage" tests/coverage.sh
rung "the benchmark runs, and its counts" tests/bench.sh
rung "payload guests on /dev/kvm" tests/payload/run.sh
rung "Debian guests in an emulated host" tests/system/run.sh
rung "Debian guests in an emulated POWER8 host" tests/system/power.sh
echo "${total[0]} passed, ${total[1]} failed, ${total[2]} skipped"
[ "${total[1]}" -eq 0 ]
