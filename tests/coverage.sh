#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make coverage: how many lines of virtio/ and disk/ the unit tests run; fails
# below 90 % of either.
#
#	tests/coverage.sh [LEAST]
#
# Line by line: build/coverage/virtio.html and disk.html.  COUNTS names a file for the counts.
set -u
cd "$(dirname "$0")/.."
# A test that hangs shall fail, one on a busy machine shall not.
export CK_TIMEOUT_MULTIPLIER=4

least=${1:-90}
out=build/coverage
objects=build/x86-coverage
name="coverage: at least $least % of the lines of virtio/ and of disk/"

end() {	# PASSED FAILED SKIPPED LINE
	echo "$4"
	[ -z "${COUNTS:-}" ] || echo "$1 $2 $3" > "$COUNTS"
	exit "$2"
}

command -v gcovr > /dev/null || end 0 0 1 "ok - $name # SKIP no gcovr (Debian: gcovr)"
mkdir -p $out
make --no-print-directory -j"$(nproc)" ARCH=x86 SUFFIX=-coverage CFLAGS="-O1 -g --coverage -fprofile-update=atomic" unit > $out/build.log 2>&1 || {
	tail -n 20 $out/build.log
	end 0 1 0 "not ok - $name: it does not build"
}
find $objects -name "*.gcda" -delete
rm -f $out/test_*.log
for test in $objects/tests/test_*; do
	case $test in *.o | *.d) continue ;; esac
	LKVM_TEST_SCALE=20 $test > $out/${test##*/}.log 2>&1 || {
		tail -n 20 $out/${test##*/}.log
		end 0 1 0 "not ok - $name: ${test##*/} fails"
	}
done
bad=0
for dir in virtio disk; do
	gcovr --root . --object-directory $objects --filter "$dir/" --exclude-throw-branches \
		--html-details $out/$dir.html --txt - --fail-under-line "$least" $objects 2> $out/gcovr.log || bad=1
done
# What cannot run here (no loop devices, no io_uring) is no fault of the tests.
skips=$(grep -ah '^skip - ' $out/test_*.log | sort -u | paste -sd';')
[ $bad -eq 0 ] || [ -z "$skips" ] || end 0 0 1 "ok - $name # SKIP some tests were: $skips"
[ $bad -eq 0 ] || end 0 1 0 "not ok - $name"
end 1 0 0 "ok - $name"
