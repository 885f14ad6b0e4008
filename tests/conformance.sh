#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Whether each row of docs/virtio-conformance.md names a test, and each test that
# it names exists and runs; or else a reason.
set -u
cd "$(dirname "$0")/.."

page=${1:-docs/virtio-conformance.md}
bad=0
complain() { echo "$page: $*"; bad=1; }

# exists TEST: as the page's head says it is named
exists() {
	local file=tests/unit/${1%%:*} name=${1#*:}

	case $1 in
	*.c:test_*)
		grep -qsxF "START_TEST($name)" "$file" && grep -qE "tcase_add_(loop_)?test\(\w+, $name\b" "$file" ;;
	payload:*)
		grep -qF "{ \"$name\", " tests/payload/*.c && grep -qE "(guest|start|[0-9]) \"?$name\b" tests/payload/guests.sh ;;
	system:test_*)
		grep -q "^$name() {" tests/system/tests.sh ;;
	fuzz)
		[ -x tests/fuzz/run.sh ] ;;
	*)
		false ;;
	esac
}

rows=0
while IFS='|' read -r before section _ shown behind; do
	case $section in ' '[0-9]*) ;; *) continue ;; esac
	rows=$((rows + 1))
	[ -z "$before" ] && [ -z "$behind" ] || complain "$section: not three columns"
	names=$(grep -o '`[^`]*`' <<< "$shown" | tr -d '`')
	for test in $names; do
		exists "$test" || complain "$section: no test $test"
	done
	[ -n "$names" ] || grep -qE '^ (none yet|does not apply: .+)' <<< "$shown" ||
		complain "$section: neither a test nor a reason"
done < "$page"
[ "$rows" -gt 0 ] || complain "no rows"
exit $bad
