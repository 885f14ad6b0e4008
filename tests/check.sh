#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make check: every unit test, plain, under ASan and UBSan, under TSan, and
# under valgrind; style rules; the line that sums up.  No virtual machine.
#
#	tests/check.sh [plain|asan|tsan|valgrind|style...]	only these
#
# The counts also go to the file $COUNTS, if set: "passed failed skipped".
set -u
cd "$(dirname "$0")/.."

passed=0 failed=0 skipped=0
log=build/check.log
mkdir -p build
: > "$log"
export CK_VERBOSITY=normal

# build NAME FLAGS: the unit tests in build/ARCH-NAME
build() {
	make --no-print-directory -j"$(nproc)" SUFFIX="$1" CFLAGS="$2" unit >> "$log" 2>&1 && return
	echo "not ok - build of the unit tests ($1)"
	tail -n 30 "$log"
	failed=$((failed + 1))
	return 1
}

# run NAME DIR COMMAND...: each test program in DIR
run() {
	local name=$1 dir=$2 test out summary checks bad status
	shift 2
	for test in "$dir"/tests/test_*; do
		case $test in *.o | *.d) continue ;; esac
		out=$("$@" "$test" 2>&1)
		status=$?
		echo "== $name ${test##*/}" >> "$log"
		echo "$out" >> "$log"
		# Check: "100%: Checks: 12, Failures: 0, Errors: 0", one a suite runner
		summary=$(sed -n 's/^[0-9]*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2 \3/p' <<< "$out" |
			awk '{ c += $1; b += $2 + $3 } END { print c + 0, b + 0 }')
		checks=${summary% *} bad=${summary#* }
		if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
			bad=1		# died, or a sanitizer complained
		fi
		[ "$bad" -le "$checks" ] || checks=$bad
		passed=$((passed + checks - bad))
		failed=$((failed + bad))
		if [ "$bad" -eq 0 ]; then
			printf 'ok - %-9s %-16s %3d checks\n' "$name" "${test##*/}" "$checks"
		else
			printf 'not ok - %s %s: %d of %d\n' "$name" "${test##*/}" "$bad" "$checks"
			tail -n 40 <<< "$out"
		fi
	done
}

plain() {
	build "" "-O2 -g" && run plain build/x86
}

asan() {
	build -asan "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all" || return
	LKVM_TEST_SCALE=${LKVM_TEST_SCALE:-20} run asan build/x86-asan
}

# A full fence is unknown to TSan; the ring's indices are atomics all the same.
tsan() {
	build -tsan "-O1 -g -fsanitize=thread -Wno-tsan" || return
	TSAN_OPTIONS=halt_on_error=1 LKVM_TEST_SCALE=${LKVM_TEST_SCALE:-10} run tsan build/x86-tsan setarch -R
}

memcheck() {
	build "" "-O2 -g" || return
	CK_FORK=no LKVM_TEST_SCALE=${LKVM_TEST_SCALE:-2} \
		run valgrind build/x86 valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite
}

style() {
	local out
	if out=$(tests/style.sh 2>&1); then
		passed=$((passed + 1))
		echo "ok - style"
	else
		failed=$((failed + 1))
		echo "not ok - style"
		echo "$out"
	fi
}

[ $# -gt 0 ] || set -- style plain asan tsan valgrind
for what; do
	case $what in
	valgrind) memcheck ;;
	*) "$what" ;;
	esac
done
[ -z "${COUNTS:-}" ] || echo "$passed $failed $skipped" > "$COUNTS"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
