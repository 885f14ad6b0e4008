#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make soak: ten million requests through virtio-blk on disks that fail, delay, cut
# short and are reset, with split and packed rings: none is lost, none is completed twice (test_soak.c).
#
#	tests/soak.sh [REQUESTS]	10000000 in all unless told otherwise
#
# COUNTS names a file for the counts.
set -u
cd "$(dirname "$0")/.."

requests=${1:-10000000}
program=build/x86/tests/test_soak
start=$SECONDS

make --no-print-directory -j"$(nproc)" ARCH=x86 unit > /dev/null || exit 1
said=$(LKVM_SOAK=$((requests / 4)) $program 2>&1)
failed=$?
grep '^soak - ' <<< "$said" | sed 's/^/# /'
[ $failed -eq 0 ] || { failed=1; tail -n 20 <<< "$said" | sed 's/^/# /'; printf 'not '; }
echo "ok - soak: $requests requests in $((SECONDS - start)) s"
[ -z "${COUNTS:-}" ] || echo "$((1 - failed)) $failed 0" > "$COUNTS"
exit $failed
