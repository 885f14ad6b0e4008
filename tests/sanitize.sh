#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The payload guests with an lkvm that was built with ASan and UBSan, then with one
# with TSan.  A report fails, whatever the guest made of it.
#
#	tests/sanitize.sh		all guests (make sanitize)
#	tests/sanitize.sh NAME...	only cases whose name holds NAME
#	tests/sanitize.sh --some	those that are hardest on lkvm (make test)
#
# The counts also go to the file $COUNTS, if set: "passed failed skipped".
set -u
cd "$(dirname "$0")/.."

some=("queues=4, all written and read" "iothreads=2, reset under load" "malformed ring 7"
	"resets while another vCPU" "by another vCPU" "noise in the ring" "before DRIVER_OK" "paused: SIGTERM"
	"create: stopped by SIGINT")
[ "${1-}" != --some ] || set -- "${some[@]}"
sum="0 0 0"

# variant SANITIZER NAME...: one of the two
variant() {
	local sanitizer=$1 reports=$PWD/build/payload-$1/reports counts=build/payload-$1/counts run=()
	shift
	echo "# lkvm with $sanitizer"
	rm -rf "$reports" "$counts"
	mkdir -p "$reports"
	# Its shadow memory does not go with every layout.
	[ "$sanitizer" != tsan ] || run=(setarch -R)
	if make --no-print-directory -j"$(nproc)" SANITIZE="$sanitizer" all > "$reports.log" 2>&1; then
		SANITIZER=$sanitizer LKVM=build/x86-$sanitizer/lkvm COUNTS=$counts \
			ASAN_OPTIONS=log_path=$reports/asan UBSAN_OPTIONS=print_stacktrace=1:log_path=$reports/ubsan \
			TSAN_OPTIONS=halt_on_error=1:log_path=$reports/tsan \
			"${run[@]}" tests/payload/run.sh "$@"
	else
		tail -n 20 "$reports.log"
	fi
	sum=$(echo "$sum $(cat "$counts" || echo 0 1 0)" | awk '{ print $1 + $4, $2 + $5, $3 + $6 }')
	judge_reports "$sanitizer" "$reports"
}

# Kept in files, so that they are nobody's output.
judge_reports() {
	local n
	n=$(find "$2" -type f | wc -l)
	if [ "$n" -eq 0 ]; then
		echo "ok - $1 reports nothing"
		sum=$(echo "$sum" | awk '{ print $1 + 1, $2, $3 }')
	else
		echo "not ok - $1: $n reports in $2"
		find "$2" -type f -exec head -n 20 {} + | sed 's/^/#   /' | head -n 60
		sum=$(echo "$sum" | awk '{ print $1, $2 + 1, $3 }')
	fi
}

for sanitizer in asan tsan; do variant $sanitizer "$@"; done
[ -z "${COUNTS:-}" ] || echo "$sum" > "$COUNTS"
read -r passed failed skipped <<< "$sum"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
