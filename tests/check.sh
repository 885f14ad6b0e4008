#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Style rules, what a user meets around lkvm (help, manual, completion, install), and every unit test plain,
# under ASan and UBSan, under TSan and under valgrind, side by side; the line that sums
# up.  No virtual machine.  make check runs the first three, make test all.
#
#	tests/check.sh [style|user|plain|asan|tsan|valgrind...]	only these
#
# The counts also go to the file $COUNTS, if set: "passed failed skipped".
set -u
cd "$(dirname "$0")/.."
# A test that hangs shall fail, one on a busy machine shall not.
export CK_TIMEOUT_MULTIPLIER=4

out=build/check
mkdir -p $out
[ $# -gt 0 ] || set -- style user plain asan tsan valgrind
# Variants run side by side; with few of them, their programs do.
jobs=$(($# > 3 ? 1 : $(nproc)))

# build GOAL [SANITIZER]: the unit tests, or lkvm, in build/ARCH[-SANITIZER]
build() {
	make --no-print-directory -j"$(nproc)" SANITIZE="${2-}" "$1" > $out/build.log 2>&1 && return
	echo "not ok - build of $1 ${2-}"
	tail -n 30 $out/build.log
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
}

# one NAME TEST COMMAND...: run a test program; counts to TEST's part of $out
one() {
	local name=$1 test=$2 said status summary checks bad skips skipped=0
	shift 2
	said=$("$@" "$test" 2>&1)
	status=$?
	# Check: "100%: Checks: 12, Failures: 0, Errors: 0"
	summary=$(sed -n 's/^[0-9]*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2 \3/p' <<< "$said" |
		awk '{ c += $1; b += $2 + $3 } END { print c + 0, b + 0 }')
	checks=${summary% *} bad=${summary#* }
	if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1		# died, or a sanitizer complained
	fi
	[ "$bad" -le "$checks" ] || checks=$bad
	if [ "$bad" -eq 0 ]; then
		printf 'ok - %-9s %-16s %3d checks\n' "$name" "${test##*/}" "$checks"
		# What cannot run on this machine: "skip - WHAT: WHY"
		if skips=$(grep -a '^skip - ' <<< "$said"); then
			sed "s,^skip - ,skip - $name ${test##*/}: ," <<< "$skips"
			skipped=$(wc -l <<< "$skips")
		fi
	else
		printf 'not ok - %s %s: %d of %d\n' "$name" "${test##*/}" "$bad" "$checks"
		tail -n 40 <<< "$said"
	fi
	echo "$((checks - bad)) $bad $skipped" > "$out/$name.${test##*/}.part"
}

# run VARIANT DIR COMMAND...: each test program in DIR, $jobs at once; counts to
# $out/VARIANT.counts
run() {
	local name=$1 dir=$2 test
	shift 2
	rm -f $out/"$name".*.part $out/"$name".*.said
	for test in "$dir"/tests/test_*; do
		case $test in *.o | *.d) continue ;; esac
		while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
		one "$name" "$test" "$@" > "$out/$name.${test##*/}.said" &
	done
	wait
	cat $out/"$name".*.said
	cat $out/"$name".*.part | awk '{ p += $1; f += $2; s += $3 } END { print p, f, s }' > $out/"$name".counts
}

# scripts VARIANT NAME...: tests/NAME.sh, each one check; counts to $out/VARIANT.counts
scripts() {
	local variant=$1 passed=0 failed=0 skipped=0 name said
	shift
	for name; do
		if said=$(tests/"$name".sh); then
			echo "ok - $name"
			passed=$((passed + 1))
		else
			echo "not ok - $name"
			failed=$((failed + 1))
		fi
		skipped=$((skipped + $(grep -c '^skip - ' <<< "$said")))
		[ -z "$said" ] || echo "$said"
	done
	echo "$passed $failed $skipped" > "$out/$variant.counts"
}

variant() {
	case $1 in
	style) scripts style style ;;
	user) scripts user help man completion install ;;
	plain) run plain build/x86 env ;;
	asan) LKVM_TEST_SCALE=20 run asan build/x86-asan env ;;
	# The longest of them: with two programs at once they are not the last by far.
	tsan) jobs=$(nproc) TSAN_OPTIONS=halt_on_error=1 LKVM_TEST_SCALE=10 run tsan build/x86-tsan setarch -R ;;
	valgrind) jobs=$(nproc) CK_FORK=no LKVM_TEST_SCALE=2 run valgrind build/x86 valgrind -q --fair-sched=try \
		--error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite ;;
	esac
}

for what; do
	case $what in
	style) ;;
	user) build all ;;
	plain | valgrind) build unit ;;
	asan | tsan) build unit "$what" ;;
	*) echo "check.sh: $what: style, user, plain, asan, tsan or valgrind" >&2; exit 1 ;;
	esac
done
for what; do
	rm -f $out/"$what".counts
	variant "$what" > $out/"$what".out 2>&1 &
done
wait
sum="0 0 0"
for what; do
	cat $out/"$what".out
	sum=$(echo "$sum $(cat $out/"$what".counts || echo 0 1 0)" | awk '{ print $1 + $4, $2 + $5, $3 + $6 }')
done
[ -z "${COUNTS:-}" ] || echo "$sum" > "$COUNTS"
read -r passed failed skipped <<< "$sum"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
