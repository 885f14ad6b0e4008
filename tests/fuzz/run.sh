#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Fuzzes virtqueues and block requests under ASan and UBSan (virtio_blk.c), after
# the seeds alone have reached all that fuzz_counts.h counts.
#
#	tests/fuzz/run.sh [SECONDS]	60 unless told otherwise
#
# What covers something new is kept in build/fuzz/corpus, so that the next run
# goes on from there; what fails is build/fuzz/crash-*.  Prints one "ok", "not ok"
# or "ok # SKIP" line.  COUNTS names a file for the counts.
set -u
cd "$(dirname "$0")/../.."

seconds=${1:-60}
name="fuzz: virtqueues and block requests"
dir=build/fuzz
fuzzer=build/x86-fuzz/fuzz/virtio_blk
flags="-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all"

end() {	# PASSED FAILED SKIPPED LINE
	echo "$4"
	[ -z "${COUNTS:-}" ] || echo "$1 $2 $3" > "$COUNTS"
	exit "$2"
}

case $seconds in
*[!0-9]* | '' | 0) end 0 1 0 "run.sh $seconds: give a number of seconds" ;;
esac
mkdir -p $dir/seeds $dir/corpus
echo 'int LLVMFuzzerTestOneInput(const char *d, long n); int LLVMFuzzerTestOneInput(const char *d, long n) { return !d + 0 * (int)n; }' |
	clang -x c -fsanitize=fuzzer,address,undefined -o $dir/probe - 2> $dir/probe.log ||
	end 0 0 1 "ok - $name # SKIP no clang with libFuzzer (Debian: clang libclang-rt-dev)"
make --no-print-directory -j"$(nproc)" ARCH=x86 SUFFIX=-fuzz CC=clang CFLAGS="$flags" $fuzzer > $dir/build.log 2>&1 || {
	tail -n 20 $dir/build.log
	end 0 1 0 "not ok - $name: it does not build"
}
rm -f $dir/seeds/*
tests/fuzz/seeds.sh $dir/seeds
FUZZ_COUNTS=$dir/counts $fuzzer $dir/seeds/* > $dir/log 2>&1 || {
	tail -n 40 $dir/log | sed 's/^/# /'
	end 0 1 0 "not ok - $name: a seed fails: again by $fuzzer $dir/seeds/*"
}
never=$(awk '$2 == 0 { printf " %s", $1 }' $dir/counts)
[ -s $dir/counts ] && [ -z "$never" ] || end 0 1 0 "not ok - $name: no seed of seeds.sh reaches$never"
rm -f $dir/crash-* $dir/timeout-* $dir/oom-* $dir/leak-*
if $fuzzer -max_total_time="$seconds" -timeout=10 -max_len=1024 -artifact_prefix=$dir/ \
	$dir/corpus $dir/seeds > $dir/log 2>&1; then
	end 1 0 0 "ok - $name: $(sed -n 's/^Done \([0-9]*\) runs in \([0-9]*\).*/\1 inputs in \2 s/p' $dir/log)"
fi
grep -v -e ' NEW ' -e ' REDUCE ' $dir/log | tail -n 40 | sed 's/^/# /'
end 0 1 0 "not ok - $name: again by $fuzzer $(ls $dir/crash-* $dir/timeout-* $dir/oom-* $dir/leak-* 2> /dev/null | head -n 1)"
